"""Two independent ways to the rest of the clock: Carlson's R_F and the trapezoidal rule."""

import mpmath as mp
import numpy as np
import pytest

from implicitbias.coordinates._integrals import BLOCK, carlson_reach, reach


def ratios(n, size, spread):
    """(Q / next)^2 and the squares of Q and next over the n other layers, consistent."""
    rng = np.random.default_rng([n, size])
    following = np.exp(-rng.uniform(0, spread, (n, size)))
    ratio = rng.uniform(0, 1, size) ** rng.choice([0, 1, 20], size)
    return ratio, ratio * following, following


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("spread", [0.0, 1.0, 40.0, 500.0])
def test_carlson_and_trapezoid_agree(n, spread):
    ratio, smallest, following = ratios(n, 200, spread)
    expected = carlson_reach(smallest, following)
    np.testing.assert_allclose(reach(ratio, np.log(following)), expected, rtol=1e-14)


@pytest.mark.parametrize("n", [3, 4, 6, 18, 98])
def test_trapezoid_against_mpmath(n):
    ratio, _, following = ratios(n, 3, 6.0)
    values = reach(ratio, np.log(following))
    with mp.workdps(25):
        for value, a, rows in zip(values, ratio, following.T, strict=True):
            a, factors = mp.mpf(a), [mp.mpf(row) for row in rows]

            def integrand(x, a=a, factors=factors):
                tau = mp.sinh(x) ** 2
                product = mp.fprod(1 + factor * tau for factor in factors)
                return mp.sinh(x) / mp.sqrt((tau + a) * product)

            exact = mp.quad(integrand, [0, 0.1, 0.5, *range(1, 12), 20, 40])
            assert abs(value / exact - 1) <= 1e-14


def test_ratios_beyond_the_float_range():
    """Without other layers in reach the integral is a logarithm: log 4 - log B / 2, a = 0."""
    log_following = np.array([[-1400.0, -900.0]])
    expected = np.log(4) - 0.5 * log_following[0]
    np.testing.assert_allclose(reach(np.zeros(2), log_following), expected, rtol=1e-13)


def test_blocks_do_not_matter():
    ratio, _, following = ratios(3, 2 * BLOCK + 7, 5.0)
    whole = reach(ratio, np.log(following))
    each = [reach(ratio[[k]], np.log(following[:, [k]]))[0] for k in range(ratio.size)]
    np.testing.assert_allclose(whole, each, rtol=1e-14)
