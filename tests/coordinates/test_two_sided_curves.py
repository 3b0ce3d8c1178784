"""The curves of u^D - v^D against their differential equations, solved in mpmath."""

import mpmath as mp
import numpy as np
import pytest

from implicitbias import InvalidInputError
from implicitbias.coordinates import TwoSidedCurves
from reference.two_sided_limits import powers

POWERS = (2.0, 2.01, 2.5, 3.0, 4.0, 6.5, 20.0)
STARTS = ((1.0, 1.0), (1.3, 0.4), (0.02, 3.0), (1.0, 1.0 + 1e-9), (2.0, 0.0), (0.0, 0.5))
PARTS = (1e-9, 0.01, 0.4, 0.9, 0.999)  # of the way to the end of the clock


def ends(start, power):
    """The ends of the clock of (u0, v0); where D = 2, of a long one."""
    u0, v0 = map(mp.mpf, start)
    if power == 2:
        return mp.mpf(-5), mp.mpf(5)
    c = power * (power - 2)
    far = 3 * max(u0, v0) ** (2 - power) / c
    low = -(v0 ** (2 - power)) / c if v0 else -far
    high = u0 ** (2 - power) / c if u0 else far
    return low, high


def cases():
    return [
        (power, start, side, part)
        for power in POWERS
        for start in STARTS
        for side in (-1, 1)
        for part in PARTS
    ]


def close(found, exact, tolerance):
    assert abs(float((mp.mpf(float(found)) - exact) / exact)) <= tolerance


@pytest.mark.parametrize("power", POWERS)
def test_layers_rho_slopes_and_potential_are_those_of_the_flow(power):
    with mp.workdps(60):
        for exponent, start, side, part in cases():
            if exponent != power:
                continue
            D = mp.mpf(power)
            low, high = ends(start, D)
            s = float((high if side > 0 else low) * part)
            pair = powers(mp.mpf(s), *map(mp.mpf, start), D)
            if pair is None or max(pair) ** power > 1e150:  # rounded past the end, or too large
                continue
            u, v = pair
            curves = TwoSidedCurves.from_start(np.array([start]).T, power, 0.0)
            clock = np.array([s])
            steep = 1e-14 / (1.0 - part)  # what one rounding of s does near the end
            t = curves.t0 + curves.t_increment(
                curves.t0, clock * np.exp((power - 2) * curves.log_unit)
            )
            for found, exact in zip(curves.layers(t)[:, 0], (u, v), strict=True):
                assert abs(float(mp.mpf(float(found)) - exact)) <= 20 * steep * float(exact)
            rho, size = u**D - v**D, u**D + v**D
            assert (
                abs(float((mp.mpf(float(curves.psi(clock)[0])) - rho) / size)) <= 60 * steep * power
            )
            slope = D**2 * (u ** (2 * D - 2) + v ** (2 * D - 2))
            close(curves.psi_slope(clock)[0], slope, 60 * steep * power)
            growth = (u * u + v * v - sum(mp.mpf(w) ** 2 for w in start)) / (2 * D)
            sizes = u * u + v * v + sum(mp.mpf(w) ** 2 for w in start)
            miss = mp.mpf(float(curves.potential_of_s(clock)[0])) - growth
            assert abs(float(miss / sizes)) <= 60 * steep


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("start", STARTS)
def test_everything_is_consistent(power, start):
    curves = TwoSidedCurves.from_start(np.array([start]).T, power, np.log(0.3))
    for x in (-30.0, -2.0, -1e-6, 0.0, 1e-6, 0.7, 12.0):
        t = np.array([x])
        back = curves.t_from_rho(np.sign(curves.rho(t)), curves.log_abs_rho(t))
        assert np.allclose(back, t, rtol=1e-13, atol=1e-14 if curves.locked[0] else 1e-300)
        for dt in (1e-8, -0.3, 2.0):
            step = np.array([dt])
            moved = curves.u_increment(t, step)
            assert np.allclose(
                curves.u_increment(t, step, relative=True) * np.exp(curves.log_u_slope(t)), moved
            )
            if np.exp(curves.log_u_slope(t))[0] > 1e-8:
                assert np.allclose(curves.t_increment(t, moved), step, rtol=1e-6)
        tail = 0.2 * np.ptp(curves.u_limits())
        if power > 2.0 and tail < np.inf and curves.slack(t)[0] < tail:
            found = curves.t_from_log_slack(np.sign(t), curves.log_slack(t))
            assert np.allclose(found, t, rtol=1e-12)
        if abs(x) < 5.0:
            assert np.allclose(curves.t_from_u(curves.u(t)), t, rtol=1e-8, atol=1e-12)


def test_t_by_the_slack_of_locked_coordinates():
    curves = TwoSidedCurves.from_start([[2.0, 0.0], [0.0, 0.5]], 3, 0.0)
    t = np.array([3.0, -5.0])
    assert np.allclose(curves.t_from_log_slack(curves.orientation, curves.log_slack(t)), t)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("locked", [False, True])
def test_increments_of_the_clock_do_not_cancel(power, locked):
    start = [[1.0], [0.0]] if locked else [[1.0], [1.0]]
    curves = TwoSidedCurves.from_start(start, power, 0.0)
    with mp.workdps(80):
        D = mp.mpf(power)
        k = (D - 2) / D
        for x in (-3.0, -0.1, 0.0, 0.5, 8.0):
            for dx in (1e-12, -1e-5, 0.9, -4.0, 11.0):
                X, Y = mp.mpf(x), mp.mpf(x) + mp.mpf(dx)
                if power == 2:
                    change, first = mp.mpf(dx) / 4, mp.mpf(1) / 4
                elif locked:
                    change = (mp.exp(-k * X) - mp.exp(-k * Y)) / (D * (D - 2))
                    first = mp.exp(-k * X) / D**2
                else:
                    change = (mp.tanh(k * Y) - mp.tanh(k * X)) / (D * (D - 2))
                    first = mp.sech(k * X) ** 2 / D**2
                t, dt = np.array([x]), np.array([dx])
                close(curves.u_increment(t, dt)[0], change, 1e-13)
                close(curves.u_increment(t, dt, relative=True)[0], change / first, 1e-13)
                rest = change - first * mp.mpf(dx)
                size = abs(first * mp.mpf(dx) * k * mp.mpf(dx)) or mp.mpf(1)
                miss = mp.mpf(float(curves.u_remainder(t, dt)[0])) - rest
                assert abs(float(miss / size)) <= 1e-13


@pytest.mark.parametrize("power", [2.0, 2.5, 3.0, 6.5])
@pytest.mark.parametrize("start", STARTS)
def test_the_divergence_is_the_fenchel_young_gap(power, start):
    # Psi*(rho) + Psi(s') - rho s' with both values from closed forms of u and v
    curves = TwoSidedCurves.from_start(np.array([start]).T, power, 0.0)
    unit = np.exp(-(power - 2) * curves.log_unit)
    for x, y in ((0.3, -0.2), (2.0, -1.0), (0.7, 0.7 - 1e-3), (-4.0, 3.0), (0.5, 0.5)):
        t, other = np.array([x]), np.array([y])
        s = unit * curves.u_increment(other, t - other)
        squares = [np.square(curves.layers(each)).sum(axis=0) for each in (t, other)]
        gap = curves.rho(t) * s - (squares[0] - squares[1]) / (2.0 * power)
        size = np.abs(curves.rho(t) * s) + squares[0] + squares[1]
        assert np.all(np.abs(curves.divergence(t, other) - gap) <= 1e-13 * size)
        near = curves.divergence(t + 1e-4, t)
        second = 0.5e-8 * np.exp(curves.log_rho_slope(t) + curves.log_u_slope(t)) * unit
        assert np.allclose(near, second, rtol=1e-3)


def test_a_locked_coordinate_tends_to_zero_and_no_further():
    curves = TwoSidedCurves.from_start([[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]], 3, 0.0)
    assert curves.locked.tolist() == [True, True, False]
    assert curves.dead.tolist() == [False, False, True]
    assert curves.orientation.tolist() == [-1.0, 1.0, 1.0]
    zero = curves.t_from_rho(np.zeros(3), np.full(3, -np.inf))
    assert zero.tolist() == [np.inf, -np.inf, 0.0]
    assert np.array_equal(curves.layers(zero), np.zeros((2, 3)))
    assert np.allclose(curves.conjugate(zero), [9.0 / 6.0, 4.0 / 6.0, 0.0])
    below, above = curves.clock_lengths()
    assert np.isinf(above[0]) and np.isinf(below[1])
    assert np.allclose([below[0], above[1]], 1.0 / 3.0)
    assert np.isnan(curves.t_from_rho(np.ones(3), np.zeros(3))[[0, 2]]).all()


def test_shifted_take_and_signs():
    start = np.array([[1.0, -2.0, 0.5], [2.0, 1.0, -0.5]])
    curves = TwoSidedCurves.from_start(start, 4, 0.0)
    assert np.allclose(curves.layers(curves.t0), start)
    assert np.allclose(curves.shifted(1.0).layers(curves.t0), np.e * start)
    part = curves.take(np.array([2, 0]))
    assert np.allclose(part.layers(part.t0), start[:, [2, 0]])
    assert np.allclose(curves.rho(curves.t0), start[0] ** 4 - start[1] ** 4)
    assert curves.shifted(-1e4).log_abs_rho(curves.t0)[0] < -3e4


def test_ends_of_clocks_are_exact_where_the_power_is_whole():
    curves = TwoSidedCurves.from_start([[1.0, 3.0], [1.0, 3.0]], 3, 0.0)
    kinds = [curves.kind(np.array([1.0, 3.0]), side) for side in (1.0, -1.0)]
    assert kinds[0][0] == kinds[1][0] and kinds[0][1] == 3 * kinds[1][1]
    real = TwoSidedCurves.from_start([[1.0], [1.0]], 2.5, 0.0)
    assert real.kind(np.array([1.0, 3.0]), 1.0)[0] != real.kind(np.array([1.0, 3.0]), -1.0)[0]


@pytest.mark.parametrize(
    ("start", "power", "words"),
    [
        ([[1.0], [-1.0]], 3, "not an even number"),
        ([[1.0], [-1.0]], 2.5, "not an even number"),
        ([[1.0], [1.0]], 1.5, "power is 1.5"),
        ([[1.0], [1.0]], np.inf, "power is inf"),
        ([[1.0]], 3, "shape"),
    ],
)
def test_refusals_say_what_was_given(start, power, words):
    with pytest.raises(InvalidInputError, match=words):
        TwoSidedCurves.from_start(start, power, 0.0)
