"""The tabulated clock of equal offsets against closed forms and the Beta function."""

import mpmath as mp
import numpy as np
import pytest

from implicitbias.coordinates._equal_clock import log_q_of, total_clock, unit_clock

DEPTHS = (3, 4, 5, 6, 7, 8, 12, 20, 100)


def grid(depth):
    scale = 1 / np.sqrt(depth - 2)
    return np.concatenate([np.geomspace(1e-300, 1e-3, 20), np.linspace(0.01, 8, 300) * scale])


def test_closed_forms():
    x = grid(3)
    np.testing.assert_allclose(unit_clock(3).u(x), 2 * np.arctan(np.tanh(x / 2)), rtol=4e-15)
    np.testing.assert_allclose(unit_clock(4).u(x), np.tanh(x), rtol=4e-15)
    tanh = np.tanh(x)
    np.testing.assert_allclose(unit_clock(6).u(x), tanh - tanh**3 / 3, rtol=4e-15)
    slack = {3: 2 * np.arctan(np.exp(-x)), 4: 2 / (1 + np.exp(2 * x))}
    for depth, expected in slack.items():
        np.testing.assert_allclose(np.exp(unit_clock(depth).log_slack(x)), expected, rtol=1e-14)


@pytest.mark.parametrize("depth", DEPTHS)
def test_against_the_incomplete_beta_function(depth):
    clock, half = unit_clock(depth), mp.mpf(1) / 2
    with mp.workdps(40):
        for x in grid(depth)[::8]:
            w = mp.tanh(mp.mpf(x))
            b = mp.mpf(depth - 2) / 2
            u = w * mp.hyp2f1(half, 1 - b, 3 * half, w**2)
            assert abs(clock.u(np.array(x)) / u - 1) <= 1e-14
            if x > 0.05:
                z = mp.sech(mp.mpf(x)) ** 2
                slack = z**b * mp.hyp2f1(half, b, b + 1, z) / (depth - 2)
                assert abs(clock.log_slack(np.array(x)) - mp.log(slack)) <= 2e-14


@pytest.mark.parametrize("depth", DEPTHS)
def test_inverse(depth):
    clock, x = unit_clock(depth), grid(depth)
    np.testing.assert_allclose(clock.x_from(clock.u(x), clock.log_slack(x)), x, rtol=3e-14)


@pytest.mark.parametrize("depth", DEPTHS)
def test_product_of_the_layers_straight_from_the_clock(depth):
    clock, x = unit_clock(depth), grid(depth)
    found = clock.r_from(clock.u(x), np.exp(clock.log_slack(x)))
    np.testing.assert_allclose(found, np.sinh(x) * np.cosh(x) ** (depth - 1), rtol=1e-13)


def test_total_and_its_rest_have_thirty_digits():
    with mp.workdps(50):
        for depth in DEPTHS:
            total, rest = total_clock(depth)
            exact = mp.beta(mp.mpf(1) / 2, mp.mpf(depth - 2) / 2) / 2
            assert abs((mp.mpf(total) + mp.mpf(rest)) / exact - 1) < 1e-30
    assert total_clock(2) == (np.inf, 0.0)


@pytest.mark.parametrize("depth", [2, 3, 8, 100])
def test_log_q(depth):
    log_q = np.concatenate([np.linspace(-700, 700, 57), [-np.inf, np.inf]])
    log_tau = log_q + 0.5 * (depth - 1) * np.logaddexp(0, 2 * log_q)
    np.testing.assert_allclose(log_q_of(log_tau, depth), log_q, rtol=1e-14, atol=1e-14)
    assert np.isnan(log_q_of(np.array([np.nan]), depth))
