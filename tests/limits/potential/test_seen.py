"""Errors of rho, measured in beta = S^T rho."""

from __future__ import annotations

import numpy as np
import pytest

from implicitbias.coordinates import Curves
from implicitbias.limits import Seen
from implicitbias.limits.potential._seen import (
    relative,
    relative_amounts,
    relative_change,
    relative_error,
    rounding,
)

EPS = np.finfo(np.float64).eps


def seen_by(S, imaginary=0.0):
    def coefficients(rho, still):
        return S.T @ rho + (0.0 if still is None else imaginary * still.sum())

    return Seen(coefficients, 0.0)


def test_changes_along_the_kernel_are_not_seen():
    seen, rho = seen_by(np.array([[1.0], [1.0]])), np.array([2.0, 1.0])
    assert relative(seen, rho, np.array([1e-3, -1e-3])) == 0.0
    assert relative(seen, rho, np.array([1e-3, 0.0])) == pytest.approx(1e-3 / 3)
    assert relative(None, rho, np.array([1e-3, 0.0])) == pytest.approx(1e-3 / 2)
    columns = np.array([[1e-3, 1.0], [-1e-3, 0.0]])
    assert relative(seen, rho, columns) == pytest.approx(1 / 3)


def test_amounts_without_sign_do_not_cancel():
    seen, rho = seen_by(np.array([[1.0], [-1.0]])), np.array([1e6 + 1.0, 1e6])
    assert 0.1 < relative_amounts(seen, rho, np.array([1.0, 1.0])) < 10
    assert 0.1 < rounding(seen, rho) / (1e6 * EPS) < 10
    assert rounding(None, rho) == EPS


def test_long_rows_carry_what_is_small_in_rho():
    seen, rho = seen_by(np.array([[1.0, 0.0], [0.0, 1e6]])), np.array([1.0, 1e-6])
    assert relative(seen, rho, np.array([0.0, 1e-16])) == pytest.approx(1e-10)


def test_a_beta_of_zero_is_measured_in_rho():
    seen, rho = seen_by(np.array([[1.0], [-1.0]])), np.array([2.0, 2.0])
    assert relative(seen, rho, np.array([1e-3, 0.0])) == pytest.approx(5e-4)


def test_what_does_not_fit_float64_counts_as_infinite():
    seen, rho = seen_by(np.array([[1.0], [1.0]])), np.ones(2)
    assert relative(seen, rho, np.array([np.inf, -np.inf])) == np.inf


def test_in_the_curves_parameters():
    start = np.array([[1.0, 1.0], [0.0, 0.0]])
    curves, t = Curves.from_start(start, 0.0), np.array([1.0, 0.5])
    rho, S = curves.rho(t), np.array([[2.0, 1.0], [1.0, -3.0]])
    dt = np.array([1e-7, -2e-7])
    moved = S.T @ (curves.rho(t + dt) - rho)
    expected = np.abs(moved).max() / np.abs(S.T @ rho).max()
    assert relative_change(seen_by(S), curves, t, dt) == pytest.approx(expected, rel=1e-5)
    assert relative_error(seen_by(S), curves, t, dt) == pytest.approx(expected, rel=1e-5)
    still = relative_error(seen_by(S), curves, t, 0.0 * dt)
    assert EPS < still < 100 * EPS


def test_rows_at_once_are_rows_one_by_one():
    S, rng = np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]), np.random.default_rng(0)
    single = Seen(lambda rho, still: S.T @ rho, 0.0)
    stacked = Seen(lambda rho, still: S.T @ rho, 0.0, lambda rows: rows @ S)
    for moved in (rng.standard_normal(3), rng.standard_normal((3, 5))):
        assert stacked.largest(moved) == pytest.approx(single.largest(moved), rel=1e-15)
