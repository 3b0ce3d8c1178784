"""Rows on finite steps: they agree, and notice what is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from implicitbias.verification import CHECKS, _descent, run_check, select

ROWS = select(CHECKS, "steps")
QUICK = [row for row in ROWS if "Even et al." in row.result or "Corollary 6" in row.result]


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.title)
def test_quick_rows_agree(check):
    row = run_check(check)
    assert row.agrees, row.note


def test_the_flows_own_limit_would_be_noticed(monkeypatch):
    monkeypatch.setattr(
        _descent.Run, "effective_start", property(lambda run: run.trained_on[2]), raising=True
    )
    for check in QUICK:
        row = run_check(check)
        assert row.measured.error > 1e-5
        assert not row.agrees


def test_steps_without_an_effect_are_noticed(monkeypatch):
    monkeypatch.setattr(_descent, "VISIBLE", 1.0)
    assert not run_check(QUICK[0]).agrees


def test_another_number_than_the_known_one_is_noticed(monkeypatch):
    known = {step: np.multiply(end, 1.0 + 1e-7) for step, end in _descent.EVEN_ET_AL.items()}
    monkeypatch.setattr(_descent, "EVEN_ET_AL", known)
    assert _descent.even_et_al(0.2).error > 5e-8


def test_squares_that_do_not_explain_the_factors_are_noticed(monkeypatch):
    points = _descent._single_points
    monkeypatch.setattr(_descent, "STEP_SIZES", (4e-3, 2e-3))
    monkeypatch.setattr(_descent, "TRAINED", 8.0)
    assert _descent.pesme_et_al().holds

    def doubled(*arguments):
        run, squares = points(*arguments)
        return run, 1.1 * squares

    monkeypatch.setattr(_descent, "_single_points", doubled)
    assert not _descent.pesme_et_al().holds


def test_noise_that_does_not_make_sparser_is_noticed(monkeypatch):
    measured = _descent._measured

    def bent(*arguments):
        found = measured(*arguments)
        smaller = {"flow's limit": 0.5 * found.arrays["flow's limit"]}
        return replace(found, arrays=dict(found.arrays) | smaller)

    monkeypatch.setattr(_descent, "_measured", bent)
    assert not _descent.haochen_et_al().holds
