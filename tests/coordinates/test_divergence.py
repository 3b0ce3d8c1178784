"""Potentials, conjugates and Fenchel-Young gaps against mpmath."""

import mpmath as mp
import numpy as np
import pytest

from helpers.coordinates import EPS, KINDS, error, log_error, one, single, start_layers
from implicitbias.coordinates import Curves
from reference.scalar_curves import exact

CASES = [(depth, kind) for depth in (2, 3, 4, 5, 8) for kind in KINDS]
ROUNDING = 40 * EPS


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(50):
        yield


def pairs(depth, kind):
    """Curves with their reference, a parameter and another near or far from it."""
    rng = np.random.default_rng([depth, KINDS.index(kind), 1])
    for spread, log_scale in ((0.5, 0.0), (3.0, 5.0)):
        curves, reference = single(start_layers(rng, depth, kind, spread), log_scale)
        for width in (1e-9, 1e-2, 1.0, 20.0) if spread < 1 else (1e-4, 10.0):
            t = float(rng.choice([curves.t0[0], rng.uniform(-20, 20)]))
            yield curves, reference, t, t + float(rng.uniform(0.1, 1) * rng.choice([-width, width]))


@pytest.mark.parametrize(("depth", "kind"), CASES)
def test_divergence(depth, kind):
    for curves, reference, t, other in pairs(depth, kind):
        q, p = reference.smallest_layer(t), reference.smallest_layer(other)
        expected = reference.divergence(p, q)
        condition = 1 + depth * abs(t) + abs(float(curves.log_unit[0]))
        value = curves.log_divergence(one(other), one(t))
        assert log_error(value[0], expected) <= ROUNDING * condition
        condition += abs(mp.log(expected))
        value = curves.divergence(one(other), one(t))
        assert error(value, expected) <= ROUNDING * condition


@pytest.mark.parametrize(("depth", "kind"), CASES)
def test_potential_and_conjugate(depth, kind):
    for curves, reference, t, _ in pairs(depth, kind):
        if t == curves.t0[0]:
            continue
        q, start = reference.smallest_layer(t), reference.smallest_layer(float(curves.t0[0]))
        potential = (q - start) * (q + start) / 2
        condition = 1 + depth * abs(t) + abs(float(curves.log_unit[0]))
        assert error(curves.potential(one(t)), potential) <= ROUNDING * condition
        expected = reference.divergence(q, start)
        assert error(curves.conjugate(one(t)), expected) <= 2 * ROUNDING * condition


@pytest.mark.parametrize(("depth", "kind"), CASES)
def test_functions_of_the_clock(depth, kind):
    for curves, reference, t, _ in pairs(depth, kind):
        q = reference.smallest_layer(t)
        if q in (0, reference.start):
            continue
        s = reference.clock(q)
        rise = reference.rho_slope(q) * reference.product(q)
        relative = abs(rise * s / reference.rho(q))
        if s == 0 or relative * EPS > 1e-4 or not 1e-290 < abs(float(s)) < 1e290:
            continue
        units = 1 + depth * (abs(t) + abs(float(curves.log_unit[0])))
        exact_s = exact(float(s))
        condition = units * (1 + relative)
        assert error(curves.psi(one(s)), reference.rho(q)) <= ROUNDING * condition
        condition = units * (1 + abs(reference.rho(q) * exact_s / reference.potential(q)))
        value = curves.potential_of_s(one(s))
        assert error(value, reference.potential(q)) <= ROUNDING * condition


@pytest.mark.parametrize("depth", [2, 3, 4, 5, 8, 20])
def test_conjugate_at_the_start_is_quadratic(depth):
    """Psi*(rho_0 + delta) = delta^2 / (2 psi'(0)) to second order, without cancellation."""
    layers = start_layers(np.random.default_rng(depth), depth, "generic")[:, None]
    curves = Curves.from_start(layers, 0.0)
    delta = 1e-9
    rise = np.exp(curves.log_rho_slope(curves.t0)) * delta
    expected = rise**2 / (2 * curves.psi_slope(np.zeros(1)))
    value = curves.conjugate(curves.t0 + delta)
    step = (curves.t0 + delta) - curves.t0
    np.testing.assert_allclose(value, expected * (step / delta) ** 2, rtol=1e-6)
