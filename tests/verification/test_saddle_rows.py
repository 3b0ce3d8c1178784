"""Rows on saddles: they agree, and notice what is wrong."""

from dataclasses import replace

import pytest

from implicitbias.verification import CHECKS, _saddles, run_check, select

ROWS = select(CHECKS, "saddles")
QUICK = ROWS[0], ROWS[-1]


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.title)
def test_rows_agree(check):
    row = run_check(check)
    assert row.agrees, row.note


def bent(monkeypatch, **changes):
    path = _saddles.saddle_path

    def other(*arguments):
        found = path(*arguments)
        return replace(found, **{name: change(found) for name, change in changes.items()})

    monkeypatch.setattr(_saddles, "saddle_path", other)


def test_other_saddles_would_be_noticed(monkeypatch):
    bent(monkeypatch, coefficients=lambda path: path.coefficients * (1.0 + 1e-7))
    for check in QUICK:
        assert not run_check(check).agrees


def test_other_times_would_be_noticed(monkeypatch):
    bent(monkeypatch, times=lambda path: path.times * 1.02)
    row = run_check(QUICK[0])
    assert not row.measured.holds
    assert not row.agrees


def test_a_first_stage_that_never_ends_would_be_noticed(monkeypatch):
    bent(monkeypatch, until=lambda path: 1.5 * path.times[-1], times=lambda path: path.times * 0.3)
    assert not run_check(QUICK[-1]).agrees
