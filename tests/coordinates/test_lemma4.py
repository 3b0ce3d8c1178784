"""Lemma 4 against mpmath, at the ends of the float range, and with bad input."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from helpers.coordinates import EPS
from helpers.networks import laws
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates import lemma4
from reference.scalar_curves import (
    exact,
    lemma4_clock,
    lemma4_q_of_tau,
    lemma4_q_of_time,
    lemma4_slack,
    lemma4_total,
)

DEPTHS = (2, 3, 4, 5, 6, 7, 8, 20, 100)
FUNCTIONS = (lemma4.p, lemma4.q, lemma4.h, lemma4.h_inverse, lemma4.H)


def check(value, reference, condition, where):
    """Relative error <= max(1e-13, 4 eps x condition number), where float64 can hold the value."""
    if abs(reference) > mp.mpf(np.finfo(float).max):
        assert np.isinf(value), where
    elif abs(reference) > mp.mpf(np.finfo(float).tiny):
        wrong = abs(mp.mpf(float(value)) / reference - 1)
        assert wrong <= max(mp.mpf("1e-13"), 4 * EPS * abs(condition)), (where, float(wrong))


def taus(depth):
    rng = np.random.default_rng(depth)
    return [*10.0 ** rng.uniform(-300, 300, 12), *10.0 ** rng.uniform(-3, 3, 12), 1e-300, 1e300]


def times(depth):
    rng = np.random.default_rng(depth)
    if depth == 2:
        return [*10.0 ** rng.uniform(-300, 2.8, 16), *rng.uniform(0, 800, 8), 1e-300]
    end = lemma4.existence_time(depth)
    saturated = end * (1 - 10.0 ** rng.uniform(-15, 0, 8))
    inside = [*10.0 ** rng.uniform(-300, 0, 8) * end, *rng.uniform(0, end, 8), *saturated]
    return [*inside, np.nextafter(end, 0.0), 1e-300]


@pytest.mark.parametrize("depth", DEPTHS)
def test_inverse_and_potential_agree_with_mpmath(depth):
    with mp.workdps(45):
        for sign, tau in ((sign, tau) for tau in taus(depth) for sign in (-1.0, 1.0)):
            q, t = lemma4_q_of_tau(tau, depth), exact(tau)
            if depth == 2:
                time = mp.asinh(q)
            elif q < 1:
                time = lemma4_clock(q, depth)
            else:
                time = lemma4_total(depth) - lemma4_slack(q, depth)
            check(sign * lemma4.h_inverse(sign * tau, depth), time, 1, (depth, tau))
            check(lemma4.H(sign * tau, depth), t * time - q**2 / 2, 2, (depth, tau))


@pytest.mark.parametrize("depth", DEPTHS)
def test_curves_agree_with_mpmath(depth):
    with mp.workdps(45):
        for sign, time in ((sign, time) for time in times(depth) for sign in (-1.0, 1.0)):
            q, t = lemma4_q_of_time(time, depth), exact(time)
            p = mp.sqrt(1 + q**2)
            log_p, log_q = t * p ** (depth - 3) * q, t * p ** (depth - 1) / q
            check(lemma4.p(sign * time, depth), p, log_p, (depth, time))
            check(sign * lemma4.q(sign * time, depth), q, log_q, (depth, time))
            condition = log_q + (depth - 1) * log_p
            check(sign * lemma4.h(sign * time, depth), p ** (depth - 1) * q, condition, time)


def test_existence_time_is_correctly_rounded():
    assert lemma4.existence_time(2) == np.inf
    assert lemma4.existence_time(3) == np.pi / 2
    assert lemma4.existence_time(4) == 1.0
    assert lemma4.existence_time(5) == np.pi / 4
    with mp.workdps(45):
        for depth in (3, 4, 5, 6, 7, 8, 20, 100, 1000):
            assert lemma4.existence_time(depth) == float(lemma4_total(depth))


def test_known_values():
    inverse = [lemma4.h_inverse(1.0, depth) for depth in (2, 3, 4, 5)]
    potential = [lemma4.H(1.0, depth) for depth in (2, 3, 4, 5)]
    np.testing.assert_allclose(inverse, [0.7218177376, 0.5987667053, 0.5248885987, 0.4740538425])
    np.testing.assert_allclose(potential, [0.4128007432, 0.3659810893, 0.3347498141, 0.3116948639])


@laws
@given(depth=st.integers(2, 30), log10_tau=st.floats(-200, 200), negative=st.booleans())
def test_h_undoes_its_inverse_while_the_clock_resolves_it(depth, log10_tau, negative):
    tau = -(10.0**log10_tau) if negative else 10.0**log10_tau
    time = lemma4.h_inverse(tau, depth)
    p, q = np.cosh(np.arcsinh(lemma4.q(time, depth))), lemma4.q(time, depth)
    condition = abs(time) * (p ** (depth - 1) / abs(q) + (depth - 1) * p ** (depth - 3) * abs(q))
    assume(np.isfinite(condition) and condition * EPS < 1e-3)
    assert abs(lemma4.h(time, depth) / tau - 1) <= 1e-12 + 8 * EPS * condition


@pytest.mark.parametrize("depth", DEPTHS)
def test_ends_of_the_float_range(depth):
    end = lemma4.existence_time(depth)
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(
            lemma4.h_inverse([np.inf, -np.inf, 0.0, -0.0, np.nan], depth),
            [end, -end, 0.0, -0.0, np.nan],
        )
        np.testing.assert_array_equal(
            lemma4.H([np.inf, -np.inf, 0.0, np.nan, 1e-200], depth), [np.inf, np.inf, 0, np.nan, 0]
        )
        outside = [np.nan, np.inf, -np.inf, 2 * end, -2 * end, np.nextafter(end, np.inf)]
        for function in (lemma4.p, lemma4.q, lemma4.h):
            values = function(outside, depth)
            if depth == 2:
                assert np.isnan(values[0]) and np.isinf(values[1:]).all()
            else:
                assert np.isnan(values).all()
    assert lemma4.p(0.0, depth) == 1.0
    assert lemma4.q(-0.0, depth) == 0.0


def test_a_time_inside_only_in_exact_arithmetic_counts_as_inside():
    assert lemma4.p(np.pi / 2, 3) > 1e16  # float(pi / 2) < pi / 2
    assert np.isnan(lemma4.p(1.0, 4))  # c_4 = 1 exactly


@pytest.mark.parametrize("function", FUNCTIONS)
def test_shapes_and_scalars(function):
    assert isinstance(function(0.1, 3), float)
    assert isinstance(function(0, 3), float)
    assert function(np.full((2, 3), 0.1), 4).shape == (2, 3)
    assert function([], 5).shape == (0,)
    times = np.linspace(-0.2, 0.2, 7)
    np.testing.assert_array_equal(function(times, 5), [function(t, 5) for t in times])


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("depth", [1, 0, -3, 2.0, 2.5, True, "3", None])
def test_depth_is_a_whole_number_of_at_least_two(function, depth):
    with pytest.raises(InvalidInputError, match=r"depth is .*expected a whole number >= 2"):
        function(0.1, depth)
    with pytest.raises(InvalidInputError, match="depth is"):
        lemma4.existence_time(depth)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("bad", [1j, "a", None, [[1.0], [1.0, 2.0]]])
def test_arguments_are_real_numbers(function, bad):
    with pytest.raises(InvalidInputError, match=r"^t(au)? (has dtype|is not a rectangular)"):
        function(bad, 3)
