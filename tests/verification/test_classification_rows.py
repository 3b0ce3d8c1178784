"""Classification rows: what they compute independently, and that they notice wrong predictions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from implicitbias import datasets
from implicitbias.closing import Closing, angle_between
from implicitbias.comparison import compare
from implicitbias.problems import Classification
from implicitbias.verification import (
    CHECKS,
    Check,
    Measurement,
    Row,
    _classification,
    _directions,
    _theorem_1,
    run_check,
    select,
)

QUICK = [
    *select(CHECKS, "Corollary 4"),
    *select(CHECKS, "Theorem 3"),
    *select(CHECKS, "two basins"),
    *select(CHECKS, "Gunasekar"),
]


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.title)
def test_quick_rows_agree(check):
    row = run_check(check)
    assert row.agrees, row.note
    assert row.measured.certificate <= 1e-12


@pytest.mark.parametrize("result", ["Corollary 1", "Theorem 2", "Corollary 3", "Theorem 1"])
def test_every_result_has_rows(result):
    assert [check for check in CHECKS if check.result == result]


def row_of(*closings, error=0.1):
    return Row(Check("", "", "", None), Measurement(error, 0.0, closings=closings), 0.0)


@pytest.mark.parametrize(
    ("closing", "agrees"),
    [
        (Closing(1e-3, 0.5, True, 0.5), True),
        (Closing(1e-3, 0.5, True, 0.3), False),
        (Closing(1e-3, -0.1, False, 0.5), False),
        (Closing(1e-9, np.nan, False, 0.5), True),
        (Closing(1e-3, np.nan, False, None), False),
    ],
)
def test_a_direction_agrees_where_it_is_near_or_closes_in_as_predicted(closing, agrees):
    assert row_of(closing).agrees is agrees
    assert not row_of(closing, Closing(1.0, -1.0, False, None)).agrees


def turned(verify, angle):
    """``verify`` with a prediction turned by ``angle``, the flow held against it anew."""

    def wrong(network, problem, init, **options):
        comparison = verify(network, problem, init, **options)
        beta = comparison.limit.coefficients
        across = np.roll(beta, 1) - beta * (np.roll(beta, 1) @ beta) / (beta @ beta)
        across *= np.linalg.norm(beta) / np.linalg.norm(across)
        limit = replace(comparison.limit, coefficients=beta + angle * across)
        return compare(comparison.flow, limit)

    return wrong


def test_a_turned_direction_is_noticed(monkeypatch):
    monkeypatch.setattr(_classification, "verify", turned(_classification.verify, 0.02))
    row = run_check(select(CHECKS, "random 4 x 5 matrices")[0])
    assert not row.agrees


def test_a_flow_too_short_to_settle_is_noticed(monkeypatch):
    monkeypatch.setattr(_classification, "LATE", 3.0)
    measured = _classification.corollary_3(2, (0, 1))
    assert not measured.holds
    assert "no flow was followed to where its exponent settles" in measured.note


def test_another_result_than_the_row_names_is_noticed(monkeypatch):
    verify = _classification.verify

    def renamed(*args, **options):
        comparison = verify(*args, **options)
        return replace(comparison, limit=replace(comparison.limit, theorem="beyond Theorem 3"))

    monkeypatch.setattr(_classification, "verify", renamed)
    measured = _classification.theorem_3_matrix()
    assert not measured.holds
    assert "predicted by beyond Theorem 3 instead" in measured.note


@pytest.mark.parametrize("length", [1, 2])
def test_closed_forms_maximise_the_singular_value(length):
    """beta = M^T M u for the top eigenvector u of the shifts' Gram matrix, by dense loops."""
    image = datasets.digits_pair(3, 8, 1)
    x = image.X[0]
    shifts = np.array([[x[(j + k) % 64] for j in range(64)] for k in range(length)])
    _, vectors = np.linalg.eigh(shifts @ shifts.T)
    u = vectors[:, -1]
    v = shifts.T @ u
    beta = np.zeros(64)
    for k in range(length):
        for j in range(64):
            beta[(j + k) % 64] += u[k] * v[j]
    found = _classification.closed_form(image, length)
    assert angle_between(image.y[0] * beta, found) < 1e-12


def test_closed_form_for_the_second_sign_and_for_none():
    alternating = Classification(np.array([[1.0, -1.0, 1.0, -0.5]]), np.array([1.0]))
    x = alternating.X[0]
    expected = 2 * x - np.roll(x, 1) - np.roll(x, -1)
    np.testing.assert_allclose(_classification.closed_form(alternating, 2), expected)
    assert _classification.closed_form(alternating, 3) is None


def test_least_distance_is_the_support_vector_direction():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((6, 4))
    y = np.sign(X @ rng.standard_normal(4))
    A = y[:, None] * X
    reference = minimize(
        lambda z: z @ z / 2,
        np.linalg.pinv(A) @ np.ones(6) * 10,
        jac=lambda z: z,
        constraints={"type": "ineq", "fun": lambda z: A @ z - 1, "jac": lambda _: A},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    found = _directions.least_distance(Classification(X, y))
    np.testing.assert_allclose(found, reference.x, rtol=1e-6)


def test_theorem_1_reports_what_falls(monkeypatch):
    measured = _theorem_1.alignment("fully connected")
    residuals = measured.arrays["residuals"]
    assert np.all(np.diff(residuals) < 0)
    assert measured.error == residuals[-1]
    assert measured.closings[0].exponent == pytest.approx(1 / 3, rel=0.02)
    values = iter([0.1, 0.2, 0.3])
    honest = _theorem_1.theorem_1
    monkeypatch.setattr(
        _theorem_1, "theorem_1", lambda *given: replace(honest(*given), residual=next(values))
    )
    check = select(CHECKS, "Theorem 1; diagonal")[0]
    assert not run_check(check).agrees
