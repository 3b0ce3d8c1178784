"""What a step from one t asks for, against the curves' own methods."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.potentials import theorem5_start
from implicitbias.coordinates import Curves, Point, TwoSidedCurves

DEPTHS = [2, 3, 4, 5, 8, 12]


def equal_point(depth, log_scale=-3.0, reach=6.0):
    rng = np.random.default_rng(depth)
    curves = Curves.from_start(theorem5_start(rng.uniform(0.5, 2.0, 200), depth), log_scale)
    if depth > 2:
        curves = Curves.from_start(theorem5_start(np.ones(200), depth), log_scale)
    t = rng.uniform(-reach, reach, 200)
    return curves.point(t), Point(curves, t), rng


@pytest.mark.parametrize("depth", DEPTHS)
def test_equal_offsets_give_the_same_numbers(depth):
    point, plain, _ = equal_point(depth)
    assert type(point) is not Point
    np.testing.assert_allclose(point.rho, plain.rho, rtol=1e-13)
    np.testing.assert_allclose(point.log_rho_slope, plain.log_rho_slope, rtol=0, atol=1e-13)
    np.testing.assert_allclose(point.log_u_slope, plain.log_u_slope, rtol=1e-13)
    np.testing.assert_allclose(point.rates, plain.rates, rtol=1e-12)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("size", [1e-9, 1e-6, 4e-5 / 12, 0.02, 0.1, 0.5, 1.6, 5.0])
def test_increments_have_eight_digits(depth, size):
    point, plain, rng = equal_point(depth)
    dt = rng.uniform(-size, size, point.t.size)
    np.testing.assert_allclose(point.increment(dt), plain.increment(dt), rtol=1e-8)


@pytest.mark.parametrize("log_scale", [-400.0, 400.0])
def test_units_beyond_float64_are_left_to_logarithms(log_scale):
    point, plain, _ = equal_point(3, log_scale)
    assert type(point) is Point
    np.testing.assert_array_equal(point.log_rho_slope, plain.log_rho_slope)


def test_far_points_are_left_to_logarithms():
    assert type(equal_point(3, reach=500.0)[0]) is Point


def test_other_coordinates_answer_by_their_own_methods():
    curves = TwoSidedCurves.from_start(np.ones((2, 5)), 2.5, 0.0)
    point = curves.point(np.linspace(-1.0, 1.0, 5))
    np.testing.assert_array_equal(point.rho, curves.rho(point.t))
    np.testing.assert_array_equal(point.log_u_slope, curves.log_u_slope(point.t))


def test_remembering_curves_evaluate_once_and_close_what_they_keep(monkeypatch):
    curves, calls = Curves.from_start(theorem5_start(np.ones(5), 3), 0.0), []
    own = Curves.log_abs_rho
    monkeypatch.setattr(Curves, "log_abs_rho", lambda self, t: (calls.append(1), own(self, t))[1])
    kept, t = curves.remembering(), np.linspace(-1.0, 1.0, 5)
    first = kept.log_abs_rho(t)
    assert kept.log_abs_rho(t) is first
    assert len(calls) == 1
    assert not first.flags.writeable
    np.testing.assert_array_equal(kept.shifted(-1.0).log_abs_rho(t), own(curves.shifted(-1.0), t))


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_layers_of_equal_offsets_are_those_of_logarithms(depth):
    rng = np.random.default_rng(0)
    start = rng.choice([-1.0, 1.0], (depth, 50)) * rng.uniform(0.5, 2.0, 50)
    start[rng.integers(0, depth, 50), np.arange(50)] = 0.0
    curves, t = Curves.from_start(start, -2.0), rng.uniform(-4.0, 4.0, 50)
    layers = curves.layers(t)
    np.testing.assert_allclose(np.prod(layers, axis=0), curves.rho(t), rtol=1e-12)
    far = curves.shifted(-500.0).layers(t) * np.exp(500.0)  # by logarithms
    np.testing.assert_allclose(layers, far, rtol=1e-11)


@pytest.mark.parametrize("depth", [2, 3, 4, 7])
def test_the_divergence_from_rest_is_that_from_any_point(depth):
    curves = Curves.from_start(theorem5_start(np.ones(40), depth), -1.0)
    t = np.geomspace(1e-9, 8.0, 40) * np.where(np.arange(40) % 2, -1.0, 1.0)
    expected = curves.log_divergence(t, curves.t0.copy())
    np.testing.assert_allclose(curves.log_divergence(t, curves.t0), expected, rtol=0, atol=1e-12)
