"""How rows are chosen, run and judged, whatever they measure."""

import numpy as np
import pytest

from implicitbias._closing import Closing
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.verification import CHECKS, Check, Measurement, run_check, run_checks, select


def check(measure, result="Theorem 5"):
    return Check(result, "diagonal, L = 2", "Gaussian", measure)


def row_of(**changes):
    values = {"error": 1e-12, "certificate": 1e-15} | changes
    return run_check(check(lambda: Measurement(**values)))


HOLDS, FAILS, UNDECIDED = (
    Verdict("rank X = n", status, 3.0) for status in ("holds", "fails", "undecided")
)


@pytest.mark.parametrize(
    ("changes", "agrees"),
    [
        ({}, True),
        ({"error": 2e-8}, False),
        ({"error": np.nan}, False),
        ({"error": np.inf}, False),
        ({"certificate": 2e-8}, False),
        ({"certificate": np.nan}, False),
        ({"holds": False}, False),
        ({"assumptions": (HOLDS, FAILS)}, False),
        ({"assumptions": (HOLDS, UNDECIDED)}, True),
    ],
)
def test_what_counts_as_agreement(changes, agrees):
    assert row_of(**changes).agrees is agrees


def test_assumptions_in_short():
    assert row_of().assumptions == "none needed"
    assert row_of(assumptions=(HOLDS, HOLDS)).assumptions == "all 2 hold"
    assert row_of(assumptions=(HOLDS,)).assumptions == "1 holds"
    doubtful = row_of(assumptions=(HOLDS, UNDECIDED))
    assert doubtful.assumptions == "1 of 2 hold"
    assert doubtful.doubts == ("undecided: rank X = n (3)",)


def test_a_row_names_what_it_is_judged_by():
    assert row_of().measured.judged == "difference 1.0e-12"
    slow = Closing(0.2, 0.5, True, 0.5)
    near = Closing(1e-11, 0.5, True, 0.5)
    both = row_of(error=0.2, closings=(slow, near))
    assert both.agrees
    assert both.measured.judged == "angle 1.0e-11"
    stuck = row_of(error=0.2, closings=(Closing(0.2, 0.0, True, 0.5), near))
    assert not stuck.agrees
    assert stuck.measured.judged == "angle 2.0e-01"
    assert row_of(error=0.2, closings=(slow,), quantity="residual").measured.judged.startswith(
        "residual"
    )


@pytest.mark.parametrize(
    "error", [NoPredictionError("no result covers it"), ZeroDivisionError("0")]
)
def test_a_check_that_raises_is_a_failed_row(error):
    def measure():
        raise error

    row = run_check(check(measure))
    assert not row.agrees
    assert row.measured is None
    assert row.note == f"{type(error).__name__}: {error}"


def test_an_interrupt_is_no_failed_row():
    def measure():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_check(check(measure))


def test_report_counts_and_calls_back():
    seen = []
    good, bad = (check(lambda e=e: Measurement(e, 0.0)) for e in (0.0, 1.0))
    report = run_checks(
        [good, bad],
        started=lambda index, check: seen.append((index, check)),
        finished=lambda index, row: seen.append((index, row.agrees)),
    )
    assert seen == [(0, good), (0, True), (1, bad), (1, False)]
    assert not report.agrees
    assert str(report).startswith("2 checks, 1 DISAGREES, ")
    assert run_checks([good]).agrees
    assert str(run_checks([good])).startswith("1 check, agrees, ")
    assert str(run_checks([bad])).startswith("1 check, DISAGREES, ")
    assert str(run_checks([bad, bad])).startswith("2 checks, 2 DISAGREE, ")
    assert str(run_checks([good, good])).startswith("2 checks, all agree, ")


def test_selection_ignores_case_and_looks_everywhere():
    found = {one.result for one in select(CHECKS, "COROLLARY 6")}
    assert found == {"Corollary 6", "Corollary 6, finite steps"}
    assert {"Corollary 6", "Theorem 6"} <= {one.result for one in select(CHECKS, "digits")}
    assert all("digits" in one.title for one in select(CHECKS, "digits"))
    assert select(CHECKS, "") == CHECKS
    with pytest.raises(InvalidInputError, match=r"about 'Theorem 7'.*Results: Lemma 4; Theorem 5"):
        select(CHECKS, "Theorem 7")


def test_the_table_covers_the_regression_results():
    networks = {}
    for one in CHECKS:
        networks.setdefault(one.result, []).append(one.network)
    assert {"Lemma 4", "Theorem 5", "Corollary 5", "Corollary 6", "Theorem 6"} <= set(networks)
    theorem_5 = " / ".join(networks["Theorem 5"])
    assert all(text in theorem_5 for text in ("L = 2", "L = 3", "L = 4", "random orthogonal"))
    assert len(set(one.title for one in CHECKS)) == len(CHECKS)
