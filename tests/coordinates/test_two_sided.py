"""h_D, its inverse and q_D against mpmath, and their laws."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicitbias import InvalidInputError, two_sided

POWERS = (2, 2.01, 2.5, 3, 4, 6.5, 30.0)


def spread(low, high, count=30):
    return 10.0 ** np.random.default_rng(0).uniform(low, high, count)


def h(z, D):
    if D == 2:
        return 2 * mp.sinh(z)
    kappa = D / (D - 2)
    return (1 - z) ** (-kappa) - (1 + z) ** (-kappa)


def inverse(w, D):
    """z and q by Newton's method on log h in x, z = tanh(x / kappa)."""
    if D == 2:
        z = mp.asinh(w / 2)
        return z, 2 - mp.sqrt(4 + w * w) + w * z
    kappa = D / (D - 2)
    x = mp.asinh(w / 2)
    for _ in range(200):
        off = mp.log(2 * mp.sinh(x)) + kappa * mp.log(mp.cosh(x / kappa)) - mp.log(w)
        step = off / (mp.coth(x) + mp.tanh(x / kappa))
        x = x - step if step < x else x / 2
        if abs(step) < mp.mpf(10) ** (-mp.mp.dps // 2) * x:
            break
    z = mp.tanh(x / kappa)
    return z, w * z - ((1 - z) ** (1 - kappa) + (1 + z) ** (1 - kappa) - 2) / (kappa - 1)


def relative(found, exact):
    return abs(float((mp.mpf(float(found)) - exact) / exact))


@pytest.mark.parametrize("power", POWERS)
def test_h_is_right_to_rounding_from_both_ends_of_its_range(power):
    with mp.workdps(80):
        for z in [*spread(-20, 0), *(1 - spread(-15, 0))]:
            exact = h(mp.mpf(float(z)), mp.mpf(power))
            if 0 < z < 1 and exact < 1e307:
                assert relative(two_sided.h(z, power), exact) < 1e-15


@pytest.mark.parametrize("power", POWERS)
def test_inverse_and_q_are_right_to_rounding_from_kernel_to_l1(power):
    with mp.workdps(700):
        for w in [*spread(-15, 15), 1e100, 1e300, 1.0, 2.0]:
            z, q = inverse(mp.mpf(float(w)), mp.mpf(power))
            assert relative(two_sided.h_inverse(w, power), z) < 1e-15
            assert relative(two_sided.q(w, power), q) < 1e-15


@given(st.floats(-1e200, 1e200), st.floats(2.0, 50.0))
def test_laws(w, power):
    z, q = two_sided.h_inverse(w, power), two_sided.q(w, power)
    assert two_sided.h_inverse(-w, power) == -z and two_sided.q(-w, power) == q
    assert q >= 0.0
    if power > 2.0:
        assert abs(z) <= 1.0
    assert q <= w * z * (1 + 1e-15)  # convex, 0 at 0


def test_known_values():
    w = np.array([0.0, 1.0, -3.0])
    expected = 2 - np.sqrt(4 + w**2) + w * np.arcsinh(w / 2)
    assert np.allclose(two_sided.q(w, 2), expected, rtol=1e-15)
    # D = L = 2, 4: q_D is H_L up to units; theory 5's H_4(1) = .3347498141, H_2(1) = .4128007432
    assert np.isclose(two_sided.q(4.0, 2), 8 * 0.4128007432, rtol=1e-9)
    assert np.isclose(two_sided.q(4.0, 4), 4 * 0.3347498141, rtol=1e-9)
    assert np.isclose(two_sided.h(0.5, 4), 4 - (2 / 3) ** 2)
    assert np.isclose(two_sided.h(0.5, 3), 8 - (2 / 3) ** 3)


def test_shapes_ends_and_nan():
    assert np.array_equal(two_sided.h([-1, 0, 1], 3), [-np.inf, 0.0, np.inf])
    assert np.isnan(two_sided.h([1.5, np.nan, -2], 3)).all()
    assert np.array_equal(two_sided.h_inverse([np.inf, -np.inf], 3), [1.0, -1.0])
    assert two_sided.q(np.inf, 3) == np.inf and two_sided.q(np.inf, 2) == np.inf
    assert np.isnan(two_sided.q(np.nan, 2.5)) and np.isnan(two_sided.h_inverse(np.nan, 3))
    assert np.shape(two_sided.q(np.ones((2, 3)), 2.5)) == (2, 3)
    assert isinstance(two_sided.q(1, 2.5), float)
    assert two_sided.h(1e-170, 3) > 0.0 and two_sided.q(1e-200, 3) == 0.0


@pytest.mark.parametrize("power", [1.9, np.inf, np.nan, "3", None, True])
def test_bad_powers_are_refused(power):
    with pytest.raises(InvalidInputError, match="power"):
        two_sided.q(1.0, power)


def test_bad_arguments_are_refused():
    with pytest.raises(InvalidInputError, match="w has dtype"):
        two_sided.q("a", 3)
    with pytest.raises(InvalidInputError, match="rectangular"):
        two_sided.h([[1], [1, 2]], 3)
