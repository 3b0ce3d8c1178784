"""Laws of the curves, over kinds, depths and scales; accuracy is in test_clock and test_gap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.coordinates import KINDS, coordinates, start_layers, warnings_of
from helpers.networks import laws
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates import Curves, ScalarCurves, lemma4
from reference.scalar_curves import integrate_layers

seeds = st.integers(0, 2**32 - 1)
log_scales = st.floats(-3, 3)


def parameters(curves, seed, width=3.0):
    return curves.t0 + np.random.default_rng(seed).uniform(-width, width, curves.size)


def close(value, expected, tolerance=1e-11):
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize(
    ("layers", "s"),
    [
        ([1.0, 0.0], 0.7),
        ([2.0, -1.0], 1.5),
        ([1.0, 1.0], -1.0),
        ([1.2, -0.8, 0.3], -0.9),
        ([1.0, 1.0, 0.0], 0.7),
        ([2.0, 1.0, -1.0], -0.3),
        ([1.0, 0.0, 0.0], 2.0),
        ([1.0, 1.5, 0.3, -2.0], 0.2),
        ([0.5, 0.5, -0.5, 0.5], 1.0),
        ([0.9, 1.1, 0.7, -0.7, 1.2], -0.3),
        ([0.9, 1.1, 0.7, 1.3, 0.2], 0.3),
    ],
)
def test_the_layers_solve_their_differential_equations(layers, s):
    curves, clock = Curves.from_start(np.array(layers)[:, None], 0.0), np.array([s])
    reference = integrate_layers(layers, s)
    rho = float(np.prod(reference))
    psi = float((reference[0] ** 2 - layers[0] ** 2) / 2)
    close(curves.psi(clock), rho, 1e-14)
    close(curves.potential_of_s(clock), psi, 1e-14)
    close(curves.conjugate_of_rho(curves.psi(clock)), rho * s - psi, 2e-14)
    du = clock * np.exp((curves.depth - 2) * curves.log_unit)
    t = curves.t0 + curves.t_increment(curves.t0, du)
    close(curves.layers(t)[:, 0], np.array(reference, dtype=float), 1e-14)


@laws
@given(layers=coordinates(), log_scale=log_scales)
def test_the_start_is_returned(layers, log_scale):
    curves = Curves.from_start(layers, log_scale)
    scaled = layers * np.exp(log_scale)
    close(curves.layers(curves.t0), scaled, 1e-13)
    close(curves.rho(curves.t0), scaled.prod(axis=0), 1e-12)
    assert not curves.potential(curves.t0).any()
    assert not curves.conjugate(curves.t0).any()


@laws
@given(layers=coordinates(), log_scale=log_scales, seed=seeds)
def test_rho_is_the_product_of_layers_with_conserved_differences(layers, log_scale, seed):
    curves = Curves.from_start(layers, log_scale)
    moved = curves.layers(parameters(curves, seed))
    close(curves.rho(parameters(curves, seed)), moved.prod(axis=0))
    start = layers * np.exp(log_scale)
    size = (moved**2).max(axis=0)
    drift = (moved**2 - moved[0] ** 2) - (start**2 - start[0] ** 2)
    assert np.all(np.abs(drift) <= 1e-12 * size)


@laws
@given(layers=coordinates(), log_scale=log_scales, seed=seeds)
def test_slopes_are_derivatives(layers, log_scale, seed):
    curves = Curves.from_start(layers, log_scale)
    t, step = parameters(curves, seed), 1e-6
    rise = (curves.rho(t + step) - curves.rho(t - step)) / (2 * step)
    live = ~curves.dead
    close(rise[live], np.exp(curves.log_rho_slope(t))[live], 1e-6)
    close(curves.u_increment(t, np.full(t.shape, step)) / step, np.exp(curves.log_u_slope(t)), 1e-4)
    s = np.exp(-(curves.depth - 2) * curves.log_unit) * curves.u_increment(curves.t0, t - curves.t0)
    ratio = curves.log_rho_slope(t) - curves.log_u_slope(t) + (curves.depth - 2) * curves.log_unit
    inside = np.abs(curves.log_u_slope(t)) < 15
    close(curves.psi_slope(s)[inside], np.exp(ratio)[inside], 1e-6)


@laws
@given(layers=coordinates(), log_scale=log_scales, seed=seeds)
def test_rates_are_derivatives_of_log_slopes(layers, log_scale, seed):
    curves = Curves.from_start(layers, log_scale)
    t, step = parameters(curves, seed), 1e-4
    for rate, logs in zip(
        curves.slope_rates(t), (curves.log_rho_slope, curves.log_u_slope), strict=True
    ):
        with np.errstate(invalid="ignore"):
            rise = (logs(t + step) - logs(t - step)) / (2 * step)
        np.testing.assert_allclose(rate, np.where(curves.dead, 0.0, rise), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_rates_of_equal_clocks_are_those_of_any(depth):
    layers = np.ones((depth, 5))
    layers[-1] = 0.0
    curves, t = Curves.from_start(layers, -3.0), np.array([-300.0, -1.0, 0.0, 1e-3, 2.0])
    assert curves.equal
    for own, general in zip(
        curves.slope_rates(t), ScalarCurves.slope_rates(curves, t), strict=True
    ):
        np.testing.assert_allclose(own, general, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("depth", [3, 4])
def test_closed_increments_are_the_relative_ones_times_the_slope(depth):
    layers = np.ones((depth, 4))
    layers[-1] = 0.0
    curves = Curves.from_start(layers, 0.0)
    t, dt = np.array([0.0, -2.0, 5.0, 1e-9]), np.array([1e-12, 3.0, -5.0, 0.5])
    slope = np.exp(curves.log_u_slope(t))
    close(curves.u_increment(t, dt), slope * curves.u_increment(t, dt, relative=True), 1e-14)
    close(curves.u_increment(t, dt)[1:], (curves.u(t + dt) - curves.u(t))[1:], 1e-13)


@laws
@given(layers=coordinates(kinds=KINDS), log_scale=log_scales, seed=seeds)
def test_fenchel_and_young(layers, log_scale, seed):
    curves = Curves.from_start(layers, log_scale)
    t, other = parameters(curves, seed), parameters(curves, seed + 1)
    unit = np.exp(-(curves.depth - 2) * curves.log_unit)
    s = unit * curves.u_increment(curves.t0, t - curves.t0)
    rho, potential, conjugate = curves.rho(t), curves.potential(t), curves.conjugate(t)
    size = np.abs(rho * s) + np.abs(potential)
    assert np.all(np.abs(potential + conjugate - rho * s) <= 1e-11 * size)
    gap, there = curves.divergence(other, t), curves.conjugate(other)
    assert np.all(gap >= 0)
    size = size + there + np.abs(curves.rho(other) * s)
    assert np.all(np.abs(there + potential - curves.rho(other) * s - gap) <= 1e-11 * size)


@laws
@given(layers=coordinates(), log_scale=log_scales, seed=seeds)
def test_inverses(layers, log_scale, seed):
    curves = Curves.from_start(layers, log_scale)
    t = parameters(curves, seed)
    back = curves.t_from_rho(np.sign(curves.rho(t)), curves.log_abs_rho(t))
    np.testing.assert_allclose(back[~curves.dead], t[~curves.dead], rtol=1e-11, atol=1e-13)
    inside = curves.log_u_slope(t) > -10
    np.testing.assert_allclose(curves.t_from_u(curves.u(t))[inside], t[inside], rtol=1e-9)
    dt = np.random.default_rng(seed).uniform(-2, 2, t.size)
    du = curves.u_increment(t, dt)
    np.testing.assert_allclose(curves.t_increment(t, du), dt, rtol=1e-9)


@laws
@given(layers=coordinates(), log_scale=log_scales, seed=seeds)
def test_the_order_and_signs_of_layers(layers, log_scale, seed):
    rng = np.random.default_rng(seed)
    curves = Curves.from_start(layers, log_scale)
    t = parameters(curves, seed)
    order = rng.permutation(len(layers))
    permuted = Curves.from_start(layers[order], log_scale)
    close(permuted.layers(t), curves.layers(t)[order], 1e-12)
    signs = rng.choice([-1.0, 1.0], len(layers))
    turned = Curves.from_start(layers * signs[:, None], log_scale)
    side = signs.prod()
    close(turned.rho(side * t), side * curves.rho(t), 1e-12)
    close(turned.layers(side * t), signs[:, None] * curves.layers(t), 1e-12)


@laws
@given(layers=coordinates(), change=st.floats(-680, 680), seed=seeds)
def test_scales_enter_as_logarithms(layers, change, seed):
    curves, depth = Curves.from_start(layers, 0.0), len(layers)
    t = parameters(curves, seed)
    for moved in (curves.shifted(change), Curves.from_start(layers, change)):
        np.testing.assert_array_equal(moved.t0, curves.t0)
        np.testing.assert_allclose(moved.log_unit, curves.log_unit + change, rtol=1e-14)
        live = ~curves.dead
        expected = curves.log_abs_rho(t)[live] + depth * change
        np.testing.assert_allclose(moved.log_abs_rho(t)[live], expected, rtol=1e-13, atol=1e-13)
        gap = moved.log_divergence(t, curves.t0)[live]
        expected = curves.log_divergence(t, curves.t0)[live] + 2 * change
        np.testing.assert_allclose(gap, expected, rtol=1e-13, atol=1e-12)


@laws
@given(depth=st.sampled_from([2, 3, 4, 5, 8, 20]), eta=st.floats(0.1, 3), tau=st.floats(-50, 50))
def test_theorem_5_is_lemma_4(depth, eta, tau):
    layers = np.full((depth, 1), -eta)
    layers[-1] = 0.0
    curves, rho = Curves.from_start(layers, 0.0), np.array([tau * eta**depth])
    assert curves.equal
    close(curves.conjugate_of_rho(rho), eta**2 * lemma4.H(tau, depth), 1e-12)
    s = lemma4.h_inverse(tau, depth) * eta ** (2 - depth) * np.ones(1)
    if np.abs(lemma4.h(lemma4.h_inverse(tau, depth), depth) - tau) < 1e-12 * abs(tau):
        close(curves.psi(s), rho, 1e-9)


def test_kinds():
    layers = np.array([[1, 1, 1, 1, 2], [1, 2, -1, 0, 1], [0, 0.5, 3, 0, -1.0]])
    curves = Curves.from_start(layers, 0.0)
    np.testing.assert_array_equal(curves.locked, [False, False, True, False, True])
    np.testing.assert_array_equal(curves.dead, [False, False, False, True, False])
    assert not curves.equal
    assert Curves.from_start(layers[:, :1], 0.0).equal
    lower, upper = curves.u_limits()
    np.testing.assert_allclose(lower, [-np.pi / 2, lower[1], 0.0, -np.inf, 0.0])
    np.testing.assert_allclose(upper, [np.pi / 2, -lower[1], np.inf, np.inf, np.inf])


def test_locked_coordinates_keep_their_sign():
    curves = Curves.from_start(np.array([[1.0, 1.0], [1.0, -1.0]]), 0.0)
    np.testing.assert_allclose(curves.psi(np.array([-1.0, 1.0])), np.exp([-2.0, -2.0]) * [1, -1])
    np.testing.assert_array_equal(curves.conjugate_of_rho(np.array([-1.0, 1.0])), np.inf)
    np.testing.assert_array_equal(curves.conjugate_of_rho(np.zeros(2)), 0.5)
    assert np.isnan(curves.t_from_rho(np.array([-1.0, 1.0]), np.zeros(2))).all()


def test_dead_coordinates_stay():
    curves = Curves.from_start(np.array([[0.0], [3.0], [0.0]]), 1.0)
    s = np.array([5.0])
    assert curves.psi(s) == curves.psi_slope(s) == curves.potential_of_s(s) == 0.0
    assert curves.conjugate_of_rho(np.zeros(1)) == 0.0
    assert curves.conjugate_of_rho(np.ones(1)) == np.inf
    np.testing.assert_allclose(curves.layers(s)[:, 0], [0.0, 3.0 * np.e, 0.0])


def test_outside_the_clock():
    curves = Curves.from_start(np.array([[1.0], [1.0], [0.0]]), 0.0)
    s = np.array([1.6])
    assert np.isnan(curves.psi(s))
    assert curves.potential_of_s(s) == np.inf
    assert np.isnan(curves.t_from_u(s))
    assert np.isnan(curves.t_increment(curves.t0, s))


@pytest.mark.parametrize("log_scale", [-690.0, 0.0, 690.0])
@pytest.mark.parametrize("depth", [2, 3, 4, 5, 8])
def test_no_input_provokes_a_warning(depth, log_scale):
    rng = np.random.default_rng(depth)
    layers = np.stack([start_layers(rng, depth, k, 60.0) for k in (*KINDS, "dead")], axis=1)
    curves = Curves.from_start(layers, log_scale)
    assert not warnings_of(curves)


@pytest.mark.parametrize(
    ("layers", "log_scale", "text"),
    [
        ([[1.0, 2.0]], 0.0, "one layer"),
        ([1.0, 2.0], 0.0, "shape"),
        ([[1.0], [np.nan]], 0.0, "nan"),
        ([[1.0], [1j]], 0.0, "complex"),
        ([[1.0], [2.0]], np.inf, "log_scale"),
        ([[1.0], [2.0]], [0.0], "log_scale"),
    ],
)
def test_bad_starts(layers, log_scale, text):
    with pytest.raises(InvalidInputError, match=text):
        Curves.from_start(layers, log_scale)
