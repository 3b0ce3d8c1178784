"""The exponential loss on a cone: its minimiser, and when there is none."""

import numpy as np
import pytest
from scipy.optimize import minimize

from implicitbias.features import Dense
from implicitbias.limits import ExponentialLoss


def rest(Z, y, signs):
    loss = ExponentialLoss(Dense(Z), y)
    return loss.rest(np.arange(Z.shape[1]), signs, loss.start())


@pytest.mark.parametrize("seed", range(6))
def test_the_minimiser_is_that_of_a_general_method(seed):
    rng = np.random.default_rng(seed)
    Z, y = rng.standard_normal((20, 4)), np.sign(rng.standard_normal(20))
    signs = rng.choice([-1.0, 1.0], 4)
    found = rest(Z, y, signs)
    expected = minimize(
        lambda x: np.exp(-y * (Z @ (signs * x))).sum(),
        np.zeros(4),
        jac=lambda x: -signs * (Z.T @ (y * np.exp(-y * (Z @ (signs * x))))),
        bounds=[(0.0, None)] * 4,
        method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10},
    ).x
    rho = np.zeros(4)
    rho[found.chosen] = found.values
    assert found.bounded
    np.testing.assert_allclose(signs * rho, expected, atol=1e-6)
    np.testing.assert_allclose(Z[:, found.chosen].T @ found.pull, 0.0, atol=1e-13)


def test_separable_points_have_no_minimum():
    Z, y = np.array([[1.0, 1.0], [0.0, -1.0], [0.0, 1.0]]), np.ones(3)
    assert not rest(Z, y, np.ones(2)).bounded  # the first point alone
    assert not rest(Z[:1], y[:1], np.ones(2)).bounded
    assert rest(np.array([[1.0, 0.5], [-1.0, -0.2]]), y[:2], np.ones(2)).bounded
