"""Curves of complex layers: against mpmath, and the laws they share with the real ones."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.coordinates import error, one, warnings_of
from helpers.networks import laws
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates import Curves
from reference.complex_curves import ComplexCurve, integrate_layers

seeds = st.integers(0, 2**32 - 1)
log_scales = st.floats(-3, 3)
DEPTHS = (2, 3, 4, 5, 8)
laws = settings(laws, max_examples=40)


def complex_layers(rng, depth, kind="generic", spread=1.0):
    """One coordinate's layers, (L,); ``spread`` is in powers of ten."""
    sizes = 10.0 ** rng.uniform(-spread, spread, depth)
    if kind == "equal":  # the roots of g are then farthest from the real axis
        sizes[:] = sizes[0]
    layers = sizes * np.exp(1j * rng.uniform(-np.pi, np.pi, depth))
    if kind == "almost real":
        layers = sizes * rng.choice([-1.0, 1.0], depth) + 0j
        layers[0] *= np.exp(1j * 10.0 ** rng.uniform(-12, -2))
    return layers


@st.composite
def starts(draw, size=5, kinds=("generic", "equal", "almost real", "real")):
    """Layers (L, m), turning coordinates and real ones side by side."""
    rng, depth = np.random.default_rng(draw(seeds)), draw(st.sampled_from(DEPTHS))
    columns = [complex_layers(rng, depth, kinds[i % len(kinds)]) for i in range(size)]
    columns = [c.real + 0j if kinds[i % len(kinds)] == "real" else c for i, c in enumerate(columns)]
    return np.stack(columns, axis=1)


def parameters(curves, seed, width=3.0):
    return curves.t0 + np.random.default_rng(seed).uniform(-width, width, curves.size)


def close(value, expected, tolerance=1e-11):
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize("kind", ["generic", "equal"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_against_mpmath(depth, kind):
    rng = np.random.default_rng(depth)
    layers, log_scale = complex_layers(rng, depth, kind), 0.3
    with mp.workdps(25):
        curves = Curves.from_complex_start(layers[:, None], log_scale)
        reference = ComplexCurve(layers, log_scale)
        clock = (depth - 2) * curves.log_unit
        assert error(curves.imaginary, reference.imaginary) < 1e-14
        for x in (-1.5, 0.2, 4.0):
            t, q = one(x), reference.parameter(x)
            step = t - curves.t0
            assert error(curves.rho(t), reference.rho(q)) < 1e-14
            s = reference.between(reference.start, q)
            assert error(curves.u_increment(curves.t0, step) * np.exp(-clock), s) < 2e-14
            potential, squares = reference.potential(q), q**2 + reference.start**2
            assert abs(mp.mpf(curves.potential(t)[0]) - potential) < 2e-14 * squares
            gap, size = reference.divergence(q, reference.start), abs(reference.rho(q) * s)
            assert abs(mp.mpf(curves.conjugate(t)[0]) - gap) < 2e-14 * (gap + size)
            if depth > 2:
                slack = reference.to_end(abs(q))
                assert error(curves.slack(t) * np.exp(-clock), slack) < 1e-14
            found = curves.layers(t)[:, 0]
            for index in (0, depth - 1):
                expected = complex(reference.layer(index, q))
                assert abs(found[index] - expected) < 2e-14 * abs(expected)


@pytest.mark.parametrize("s", [-0.9, 0.5])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_layers_solve_their_differential_equations(depth, s):
    layers = np.array([1.2 + 0.3j, -0.8j, 0.3 + 0.1j, 0.9 - 0.2j])[:depth]
    curves = Curves.from_complex_start(layers[:, None], 0.0)
    with mp.workdps(20):
        expected = np.array([complex(value) for value in integrate_layers(layers, s)])
    du = np.exp((depth - 2) * curves.log_unit) * s
    found = curves.layers(curves.t0 + curves.t_increment(curves.t0, du))[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@laws
@given(layers=starts(), log_scale=log_scales)
def test_the_start_is_returned(layers, log_scale):
    curves = Curves.from_complex_start(layers, log_scale)
    scaled = layers * np.exp(log_scale)
    size = np.abs(scaled).prod(axis=0)
    close(curves.layers(curves.t0), scaled, 1e-12)
    product = curves.rho(curves.t0) + 1j * curves.imaginary
    assert np.all(np.abs(product - scaled.prod(axis=0)) <= 1e-13 * size)
    np.testing.assert_array_equal(curves.turning, layers.imag.any(axis=0))


@laws
@given(layers=starts(), log_scale=log_scales, seed=seeds)
def test_rho_is_the_real_part_and_the_rest_is_conserved(layers, log_scale, seed):
    curves = Curves.from_complex_start(layers, log_scale)
    t = parameters(curves, seed)
    moved, start = curves.layers(t), layers * np.exp(log_scale)
    product, size = moved.prod(axis=0), np.abs(moved).prod(axis=0)
    assert np.all(np.abs(product - curves.rho(t) - 1j * curves.imaginary) <= 1e-12 * size)
    squares, before = np.abs(moved) ** 2, np.abs(start) ** 2
    drift = (squares - squares[0]) - (before - before[0])
    assert np.all(np.abs(drift) <= 1e-12 * squares.max(axis=0))
    potential = 0.5 * (squares[0] - before[0])
    assert np.all(np.abs(curves.potential(t) - potential) <= 1e-12 * squares.max(axis=0))


@laws
@given(layers=starts(kinds=("generic", "equal")), seed=seeds)
def test_layers_move_by_the_conjugate_product_of_the_others(layers, seed):
    curves = Curves.from_complex_start(layers, 0.0)
    t, step = parameters(curves, seed, 1.5), 1e-5
    ds = curves.u_increment(t - step, np.full(t.shape, 2 * step))
    ds = ds * np.exp(-(curves.depth - 2) * curves.log_unit)
    speed = (curves.layers(t + step) - curves.layers(t - step)) / ds
    moved = curves.layers(t)
    others = (moved.prod(axis=0) / moved).conj()
    assert np.all(np.abs(speed - others) <= 1e-7 * np.abs(others).max(axis=0))


@laws
@given(layers=starts(), log_scale=log_scales, seed=seeds)
def test_slopes_inverses_and_fenchel_young(layers, log_scale, seed):
    curves = Curves.from_complex_start(layers, log_scale)
    t, step = parameters(curves, seed), 1e-6
    rise = (curves.rho(t + step) - curves.rho(t - step)) / (2 * step)
    close(rise, np.exp(curves.log_rho_slope(t)), 1e-6)
    close(curves.u_increment(t, np.full(t.shape, step)) / step, np.exp(curves.log_u_slope(t)), 1e-4)
    back = curves.t_from_rho(np.sign(curves.rho(t)), curves.log_abs_rho(t))
    np.testing.assert_allclose(back, t, rtol=1e-11, atol=1e-13)
    dt = np.random.default_rng(seed).uniform(-2, 2, t.size)
    np.testing.assert_allclose(curves.t_increment(t, curves.u_increment(t, dt)), dt, rtol=1e-8)
    linear = curves.u_increment(t, dt, relative=True) - dt
    rest = curves.u_remainder(t, dt, relative=True)
    assert np.all(np.abs(linear - rest) <= 1e-12 * (np.abs(linear) + np.abs(dt)))
    inside = curves.log_u_slope(t) > -10
    np.testing.assert_allclose(curves.t_from_u(curves.u(t))[inside], t[inside], rtol=1e-9)
    s = np.exp(-(curves.depth - 2) * curves.log_unit) * curves.u_increment(curves.t0, t - curves.t0)
    rho, potential, conjugate = curves.rho(t), curves.potential(t), curves.conjugate(t)
    assert np.all(conjugate >= 0)
    size = np.abs(rho * s) + np.abs(potential)
    assert np.all(np.abs(potential + conjugate - rho * s) <= 1e-11 * size)


@laws
@given(layers=starts(), seed=seeds, change=st.floats(-600, 600))
def test_order_phases_parts_and_scales(layers, seed, change):
    rng, curves = np.random.default_rng(seed), Curves.from_complex_start(layers, 0.0)
    t, order = parameters(curves, seed), rng.permutation(len(layers))
    permuted = Curves.from_complex_start(layers[order], 0.0)
    close(permuted.layers(t), curves.layers(t)[order], 1e-11)
    angles = rng.uniform(-1, 1, layers.shape)
    phases = np.where(curves.turning, np.exp(1j * (angles - angles.mean(axis=0))), 1.0)
    turned = Curves.from_complex_start(layers * phases, 0.0)
    close(turned.layers(t + turned.t0 - curves.t0), curves.layers(t) * phases, 1e-8)
    for keep in (curves.turning, ~curves.turning, np.array([3, 0])):
        part = curves.take(keep)
        np.testing.assert_array_equal(part.log_abs_rho(t[keep]), curves.log_abs_rho(t)[keep])
        np.testing.assert_allclose(part.layers(t[keep]), curves.layers(t)[:, keep], rtol=1e-13)
        np.testing.assert_allclose(part.log_slack(t[keep]), curves.log_slack(t)[keep], rtol=1e-13)
    moved = Curves.from_complex_start(layers, change)
    expected = curves.log_abs_rho(t) + curves.depth * change
    for each in (moved, curves.shifted(change)):
        np.testing.assert_array_equal(each.t0, curves.t0)
        np.testing.assert_allclose(each.log_abs_rho(t), expected, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(each.log_unit, curves.log_unit + change, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "sizes",
    [[1e-140, 1.0, 1e140], [1e-60, 1e-5, 1e70, 1e150], [1e-290, 1e-150, 1e-10, 1e140, 1e290]],
)
def test_layers_far_apart_are_like_real_ones(sizes):
    """The roots of g are then -D_2, .., -D_L to rounding, and Q(0) = |q_1(0)| cos(angle)."""
    layers = np.array(sizes)[:, None] * np.array([1.0, -1.0])
    tilted = layers * np.exp(1j * np.array([0.4] + [0.0] * (len(sizes) - 1)))[:, None]
    layers[0] *= np.cos(0.4)
    curves, real = Curves.from_complex_start(tilted, 0.0), Curves.from_start(layers, 0.0)
    tops = (np.log(layers[-1, 0]) - np.log(layers[1, 0])) * np.ones(2)
    np.testing.assert_allclose(curves.t0, real.t0, rtol=1e-12)
    for t in (0.0 * tops, 0.3 + 0.0 * tops, -0.7 * tops, 0.99 * tops, 1.01 * tops, 40.0 + tops):
        for name in ("log_abs_rho", "log_rho_slope", "log_u_slope", "log_slack"):
            expected = getattr(real, name)(t)
            np.testing.assert_allclose(getattr(curves, name)(t), expected, rtol=1e-12, atol=1e-12)
        back = curves.t_from_rho(np.sign(t), curves.log_abs_rho(t))
        np.testing.assert_allclose(back, t, rtol=1e-12)
        gap, expected = (each.log_divergence(t, each.t0) for each in (curves, real))
        np.testing.assert_allclose(gap, expected, rtol=1e-12, atol=1e-12)
    with np.errstate(under="ignore"):
        u, expected = curves.u(30.0 + tops), real.u(30.0 + tops)
    np.testing.assert_allclose(u, expected, rtol=1e-12)
    np.testing.assert_allclose(curves.t_from_u(0.9 * u), real.t_from_u(0.9 * expected), rtol=1e-11)


def test_a_vanishing_imaginary_part_is_a_real_start():
    layers = np.array([[1.2, 0.5], [-0.7, 0.5], [0.4, 2.0]])
    tilted = layers * np.exp(1j * np.array([[1e-9, 1e-9], [0.0, 0.0], [0.0, 0.0]]))
    curves, real = Curves.from_complex_start(tilted, 0.0), Curves.from_start(layers, 0.0)
    s = np.array([0.4, 0.3])
    close(curves.psi(s), real.psi(s), 1e-8)
    assert real.locked[1]
    assert not curves.locked.any()
    beyond = np.array([0.0, -1.0])  # the locked curve keeps its sign, its neighbour crosses
    assert real.conjugate_of_rho(beyond)[1] == np.inf
    assert curves.conjugate_of_rho(beyond)[1] < np.inf
    assert Curves.from_complex_start(layers + 0j, 0.0).locked[1]


@pytest.mark.parametrize("log_scale", [-690.0, 0.0, 690.0])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_no_input_provokes_a_warning(depth, log_scale):
    rng = np.random.default_rng(depth)
    kinds = ("generic", "equal", "almost real")
    layers = np.stack([complex_layers(rng, depth, kind, 60.0) for kind in kinds], axis=1)
    curves = Curves.from_complex_start(layers, log_scale)
    assert not warnings_of(curves)


def test_complex_layers_with_a_real_product_are_refused():
    with pytest.raises(InvalidInputError, match="real product"):
        Curves.from_complex_start(np.array([[1j], [1j]]), 0.0)
    with pytest.raises(InvalidInputError, match="one layer"):
        Curves.from_complex_start(np.array([[1j]]), 0.0)
