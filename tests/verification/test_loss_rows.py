"""Rows on the loss against time: they agree, and notice another constant."""

from dataclasses import replace

import pytest

from implicitbias.verification import CHECKS, _loss_rates, run_check, select

ROWS = select(CHECKS, "loss against time")


@pytest.mark.parametrize("check", ROWS, ids=lambda check: check.title)
def test_rows_agree(check):
    row = run_check(check)
    assert row.agrees, row.note
    assert not row.doubts  # training has decided what was open before it


@pytest.mark.parametrize("field", ["log_constant", "degree"])
def test_another_rate_would_be_noticed(monkeypatch, field):
    predict = _loss_rates.predict_limit

    def other(*arguments):
        limit = predict(*arguments)
        rate = replace(limit.loss_rate, **{field: getattr(limit.loss_rate, field) + 0.05})
        return replace(limit, loss_rate=rate)

    monkeypatch.setattr(_loss_rates, "predict_limit", other)
    assert not run_check(ROWS[0]).agrees
