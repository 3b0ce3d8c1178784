"""rho, the clock and its increments against mpmath, for every kind and depth."""

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
    with mp.workdps(30):
        yield


def points(depth, kind):
    """Curves with their reference and a parameter: moderate, saturated, near the start."""
    rng = np.random.default_rng([depth, KINDS.index(kind)])
    for spread, log_scale in ((0.5, -3.0), (4.0, 50.0)):
        curves, reference = single(start_layers(rng, depth, kind, spread), log_scale)
        near = curves.t0[0] + rng.choice([-1, 1]) * 10.0 ** rng.uniform(-6, 0)
        for t in (rng.uniform(-30, 30), near) if spread > 1 else (rng.uniform(-1, 1), near):
            yield curves, reference, float(t), rng


def slope(reference, q):
    """du/dt."""
    following = mp.sqrt(q**2 + reference.offsets[0])
    return reference.clock_unit * following / reference.product(q)


@pytest.mark.parametrize(("depth", "kind"), CASES)
def test_rho_and_slopes(depth, kind):
    for curves, reference, t, _ in points(depth, kind):
        q = reference.smallest_layer(t)
        following = mp.sqrt(q**2 + reference.offsets[0])
        condition = 1 + depth * (abs(t) + abs(float(curves.log_unit[0])))
        assert error(curves.rho(one(t)), reference.rho(q)) <= ROUNDING * condition
        assert (
            log_error(curves.log_abs_rho(one(t))[0], abs(reference.rho(q))) <= ROUNDING * condition
        )
        rise = reference.rho_slope(q) * following
        assert log_error(curves.log_rho_slope(one(t))[0], rise) <= ROUNDING * condition
        assert log_error(curves.log_u_slope(one(t))[0], slope(reference, q)) <= ROUNDING


@pytest.mark.parametrize(("depth", "kind"), CASES)
def test_clock_and_slack(depth, kind):
    for curves, reference, t, _ in points(depth, kind):
        q = reference.smallest_layer(t)
        if not reference.locked:
            u = reference.clock_unit * reference.from_zero(q)
            assert error(curves.u(one(t)), u) <= ROUNDING
        if depth > 2:
            slack = reference.clock_unit * reference.to_end(abs(q))
            assert log_error(curves.log_slack(one(t))[0], slack) <= ROUNDING
            if reference.locked:
                assert error(abs(curves.u(one(t))), slack) <= ROUNDING * (1 + abs(mp.log(slack)))


@pytest.mark.parametrize(("depth", "kind"), CASES)
def test_layers(depth, kind):
    for curves, reference, t, _ in points(depth, kind):
        q = reference.smallest_layer(t)
        expected = sorted([abs(q), *(mp.sqrt(q**2 + offset) for offset in reference.offsets)])
        actual = sorted(np.abs(curves.layers(one(t))[:, 0]))
        condition = 1 + abs(t) + abs(float(curves.log_unit[0]))
        for value, wanted in zip(actual, expected, strict=True):
            assert error(value, wanted) <= ROUNDING * condition


@pytest.mark.parametrize(("depth", "kind"), CASES)
def test_increments_and_their_inverse(depth, kind):
    for curves, reference, t, rng in points(depth, kind):
        width = rng.choice([10.0 ** rng.uniform(-12, 0), 3.0, 30.0])
        dt = float(rng.uniform(0.1, 1) * width * rng.choice([-1, 1]))
        q, moved = reference.smallest_layer(t), reference.smallest_layer(exact(t) + exact(dt))
        unit = slope(reference, q)
        increment = reference.clock_unit * reference.between(q, moved) / unit
        value = curves.u_increment(one(t), one(dt), relative=True)
        condition = 1 + 0.1 * depth * (abs(t) + abs(dt))
        assert error(value, increment) <= 2 * ROUNDING * condition
        condition += abs(mp.log(unit * abs(increment)))
        value = curves.u_increment(one(t), one(dt))
        assert error(value, unit * increment) <= 2 * ROUNDING * condition
        ends = [mp.log(abs(increment)), mp.log(slope(reference, moved) / unit)]
        condition = 1 + mp.exp(ends[0] - ends[1]) / abs(exact(dt))
        if condition * EPS < 1e-4:
            back = curves.t_increment(one(t), value)
            assert error(back, exact(dt)) <= 4 * ROUNDING * condition * (1 + abs(mp.log(unit)))


@pytest.mark.parametrize(("depth", "kind"), [case for case in CASES if case[0] > 2])
def test_remainders(depth, kind):
    with mp.workdps(40):  # the reference itself cancels
        for curves, reference, t, rng in points(depth, kind):
            width = rng.choice([10.0 ** rng.uniform(-10, 0), 3.0, 30.0])
            dt = float(rng.uniform(0.1, 1) * width * rng.choice([-1, 1]))
            q, moved = reference.smallest_layer(t), reference.smallest_layer(exact(t) + exact(dt))
            unit = slope(reference, q)
            remainder = reference.clock_unit * reference.between(q, moved) / unit - exact(dt)
            if abs(remainder) > mp.mpf(10) ** -12 * abs(dt):
                value = curves.u_remainder(one(t), one(dt), relative=True)
                assert error(value, remainder) <= 4 * ROUNDING


@pytest.mark.parametrize(("depth", "kind"), CASES)
def test_inverses(depth, kind):
    for curves, reference, t, _ in points(depth, kind):
        q = reference.smallest_layer(t)
        u = float(curves.u(one(t))[0])
        condition = 1 + abs(u) / slope(reference, q) / abs(t)
        if condition * EPS < 1e-4:
            assert error(curves.t_from_u(one(u)), exact(t)) <= ROUNDING * condition
        rho = reference.rho(q)
        log_rho = float(mp.log(abs(rho)))
        back = curves.t_from_rho(one(mp.sign(rho)), one(log_rho))
        condition = 1 + (1 + abs(log_rho) + depth * abs(float(curves.log_unit[0]))) / abs(t)
        assert error(back, exact(t)) <= ROUNDING * condition


@pytest.mark.parametrize("log_scale", [-690.0, 690.0])
@pytest.mark.parametrize("kind", KINDS)
def test_scales_of_1e300_at_eight_layers(kind, log_scale):
    rng = np.random.default_rng(8)
    curves, reference = single(start_layers(rng, 8, kind), log_scale)
    sign = -1.0 if reference.locked and reference.start < 0 else 1.0
    for log_rho in (-700.0, 0.0, 700.0):
        # from scale 1e300 the parameter of rho = 1 would underflow: stay near the unit of rho
        log_rho += max(8 * log_scale, 0.0)
        t = curves.t_from_rho(one(sign), one(log_rho))
        q = reference.smallest_layer(float(t[0]))
        assert abs(mp.log(abs(reference.rho(q))) - log_rho) <= 10 * EPS * 8 * 690
        assert abs(curves.log_abs_rho(t)[0] - log_rho) <= 10 * EPS * 8 * 690


@pytest.mark.parametrize("t", [-60.0, -30.0, -1e-7, 0.0, 10.0, 40.0])
def test_locked_far_below_the_other_layer(t):
    """L = 4, c = (0, 0, a): the slack is (sqrt(1 + a / Q^2) - 1) / a."""
    small, large = 1e-7, 3e5
    curves = Curves.from_start(np.array([[small], [-large], [-small], [small]]), 0.0)
    q = exact(small) * mp.exp(exact(t))
    a = (exact(large) - exact(small)) * (exact(large) + exact(small))
    slack = (mp.sqrt(1 + a / q**2) - 1) / a * mp.exp(2 * exact(curves.log_unit[0]))
    assert log_error(curves.log_slack(one(t))[0], slack) <= ROUNDING


@pytest.mark.parametrize("depth", [3, 5])
def test_locked_below_all_other_layers_runs_at_constant_speed(depth):
    layers = np.linspace(1.0, 2.0, depth)[:, None]
    layers[-1] = 1.0
    curves = Curves.from_start(layers, 0.0)
    far, step = one(-1e7), one(-1.0)
    speed = np.exp(curves.log_u_slope(far))
    np.testing.assert_allclose(curves.u(far), -1e7 * speed, rtol=1e-6)
    np.testing.assert_allclose(curves.u_increment(far, step), -speed, rtol=1e-14)
    np.testing.assert_allclose(curves.t_from_u(curves.u(far)), far, rtol=1e-12)


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_many_coordinates_are_treated_as_each_one_is(depth):
    rng = np.random.default_rng(depth)
    layers = rng.standard_normal((depth, 9000))
    curves, pick = Curves.from_start(layers, 0.0), rng.choice(9000, 20, replace=False)
    few = curves.take(pick)
    t, dt = 3 * rng.standard_normal(9000), rng.standard_normal(9000)
    for name in ("u_increment", "u_remainder", "divergence", "t_increment"):
        wide, narrow = getattr(curves, name), getattr(few, name)
        np.testing.assert_allclose(wide(t, dt)[pick], narrow(t[pick], dt[pick]), rtol=1e-9)
    for name in ("u", "rho", "slack", "conjugate"):
        np.testing.assert_allclose(
            getattr(curves, name)(t)[pick], getattr(few, name)(t[pick]), rtol=1e-13
        )
    np.testing.assert_array_equal(curves.layers(t)[:, pick], few.layers(t[pick]))


@pytest.mark.parametrize(
    "layers", [(1.0, 1.5, 0.0), (1.0, 1e40, 0.0), (1.0, 1e40, 2, 0), (1.0, 1e35, 1e45, 1e40, 0)]
)
@pytest.mark.parametrize(("t", "dt"), [(-50.0, 90.0), (1.0, 70.0), (-1.0, -80.0), (60.0, -200.0)])
def test_increments_over_long_steps(layers, t, dt):
    curves, reference = single(np.array(layers))
    q, moved = reference.smallest_layer(t), reference.smallest_layer(t + dt)
    increment = reference.clock_unit * reference.between(q, moved)
    assert error(curves.u_increment(one(t), one(dt)), increment) <= 10 * ROUNDING
    remainder = increment - slope(reference, q) * exact(dt)
    wrong = abs(exact(curves.u_remainder(one(t), one(dt))[0]) - remainder)
    assert wrong <= 10 * ROUNDING * max(abs(increment), abs(remainder))


@pytest.mark.parametrize("dt", [1e-6, -0.5, 3.0, -20.0])
def test_remainders_where_no_layer_grows_yet(dt):
    """L = 3, locked, du/dx ~ 1 - e^{2x} / (2 r): the remainder is tiny, and exact."""
    curves = Curves.from_start(np.array([[1.0], [1.0], [1e12]]), 0.0)
    t = -30.0
    with mp.workdps(60):
        bracket = (mp.expm1(2 * exact(dt)) / 2 - exact(dt)) * mp.exp(2 * exact(t))
        expected = -bracket / (2 * (exact(1e12) ** 2 - 1))
        value = curves.u_remainder(one(t), one(dt), relative=True)
        assert error(value, expected) <= 4 * ROUNDING


@pytest.mark.parametrize("others", [(1.0, 1.0), (1.5, 7.0)])
def test_slopes_near_zero_are_relatively_accurate(others):
    curves, reference = single(np.array([1.0, *others, 0.0]))
    for t in (1e-7, 1e-3, 0.3):
        expected = mp.log(slope(reference, reference.smallest_layer(t)))
        assert error(curves.log_u_slope(one(t)), expected) <= ROUNDING


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("t", [-299.0, -40.0, -1e-3, 0.0, 2.0, 299.0])
def test_closed_increments_saturated_and_across(depth, t):
    """Equal offsets, up to where the hyperbolic functions are still finite and beyond."""
    curves, reference = single(np.array([1.0] * (depth - 1) + [0.0]))
    for dt in (-60.0, -1.5, 1e-9, 0.5, 60.0):
        q, moved = (reference.smallest_layer(exact(t) + step) for step in (0, exact(dt)))
        expected = reference.clock_unit * reference.between(q, moved) / slope(reference, q)
        value = curves.u_increment(one(t), one(dt), relative=True)
        assert error(value, expected) <= 2 * ROUNDING * (1 + 0.1 * depth * (abs(t) + abs(dt)))
    assert curves.log_rho_slope(one(t)) == pytest.approx(
        float(mp.log(reference.rho_slope(q) * mp.sqrt(q**2 + reference.offsets[0])))
    )
