"""Rows on groups: they agree, and notice what is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from implicitbias.verification import CHECKS, _groups, run_check, select

ROWS = select(CHECKS, "group convolution")


@pytest.mark.parametrize("check", ROWS, ids=lambda check: check.title)
def test_rows_agree(check):
    row = run_check(check)
    assert row.agrees, row.note
    assert not row.doubts  # training has decided what was open before it
    assert row.measured.certificate <= 1e-12


def test_another_direction_by_the_blocks_would_be_noticed(monkeypatch):
    predict = _groups.predict_limit

    def other(*arguments, **options):
        limit = predict(*arguments, **options)
        return replace(limit, coefficients=limit.coefficients + 1e-6 * np.eye(8)[0])

    monkeypatch.setattr(_groups, "predict_limit", other)
    assert not run_check(ROWS[-1]).agrees


def test_the_groups_are_groups():
    assert _groups.permutations_of_three()[1].tolist() == [1, 0, 4, 5, 2, 3]
    sums = _groups.two_by_four()
    assert sums[5, 7] == 0 and sums[4, 4] == 0 and sums[1, 3] == 0
