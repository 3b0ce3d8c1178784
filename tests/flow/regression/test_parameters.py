"""The parameter flow against limits and identities that owe nothing to it."""

import numpy as np
import pytest
from scipy.optimize import brentq

from helpers.flows import FAMILIES, diagonal, distance
from implicitbias import Initialization
from implicitbias._errors import Outcome
from implicitbias.flow import gradient_flow
from implicitbias.flow.regression._loss import squared_loss
from implicitbias.flow.regression._parameters import ParameterFlow
from implicitbias.networks import FullyConnectedNetwork, TensorNetwork
from implicitbias.problems import Regression


@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e2])
@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("family", list(FAMILIES))
def test_ends_where_high_precision_says(family, depth, scale):
    case = FAMILIES[family](depth, scale)
    flow = gradient_flow(case.network, case.problem, case.init, route="parameters")
    assert flow.outcome is Outcome.RESIDUAL_REACHED
    assert distance(flow.final_coefficients, case.limit(scale)) <= 1e-9
    assert flow.remaining_change <= 1e-11
    assert flow.drift <= 1e-11
    np.testing.assert_allclose(
        case.network.coefficients(flow.final_parameters), flow.final_coefficients, rtol=1e-14
    )


def test_both_layers_end_where_theorem_6_says():
    rng = np.random.default_rng(3)
    tensor, y = rng.standard_normal((4, 3, 2)), 0.7
    x, scale = np.array([1.0, -0.4]), 0.3
    first, second = rng.standard_normal(4), rng.standard_normal(3)
    left, s, right = np.linalg.svd(tensor @ x, full_matrices=False)
    a, b = left.T @ first, right @ second

    def output(nu):
        growth = (a**2 + b**2) / 2 * np.sinh(2 * s * nu) + a * b * np.cosh(2 * s * nu)
        return np.sum(s * growth) - y / scale**2

    nu = brentq(output, -20.0, 20.0, xtol=1e-15, rtol=1e-14)
    cosh, sinh = np.cosh(s * nu), np.sinh(s * nu)
    expected = (
        scale * (left @ (a * cosh + b * sinh) + first - left @ a),
        scale * (right.T @ (b * cosh + a * sinh) + second - right.T @ b),
    )
    flow = gradient_flow(
        TensorNetwork(tensor), Regression([x], [y]), Initialization([first, second], scale)
    )
    assert flow.route == "parameters"
    for found, wanted in zip(flow.final_parameters, expected, strict=True):
        assert distance(found, wanted) <= 1e-10


@pytest.mark.parametrize("widths", [(6, 4), (6, 3, 5), (6, 4, 3, 2)])
@pytest.mark.parametrize("scale", [1e-2, 0.5, 3.0])
def test_fully_connected_part_that_no_data_moves(widths, scale):
    """P beta = alpha P Wbar_1 W_2 ... w_L with P = I - X^+ X, and X beta = y."""
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((3, 6)), rng.standard_normal(3)
    network = FullyConnectedNetwork(widths)
    init = Initialization([rng.standard_normal(k) for k in network.parameter_shapes], scale)
    flow = gradient_flow(network, Regression(X, y), init)
    unmoved = scale * (init.directions[0] - np.linalg.pinv(X) @ X @ init.directions[0])
    for layer in flow.final_parameters[1:]:
        unmoved = unmoved @ layer
    expected = np.linalg.pinv(X) @ y + unmoved
    assert distance(flow.final_coefficients, expected) <= 1e-9
    assert flow.drift <= 1e-11


def test_scale_far_below_rounding_of_the_coefficients():
    case = diagonal(2, 1e-50, n=2, d=4, seed=4)
    flows = [
        gradient_flow(case.network, case.problem, case.init, route=route)
        for route in ("parameters", "dual")
    ]
    assert flows[0].outcome is Outcome.RESIDUAL_REACHED
    assert distance(flows[0].final_coefficients, flows[1].final_coefficients) <= 1e-9


@pytest.mark.parametrize("network", [FullyConnectedNetwork((3, 2, 2)), diagonal(3, 1.0).network])
def test_jacobian_is_the_derivative_of_the_velocity(network):
    rng = np.random.default_rng(0)
    problem = Regression(rng.standard_normal((2, network.num_features)), rng.standard_normal(2))
    start = tuple(rng.standard_normal(shape) for shape in network.parameter_shapes)
    system = ParameterFlow(network, squared_loss(problem, np.zeros(1)), start, None)
    state, h = system.start, 1e-6
    steps = h * np.eye(state.size)
    columns = [(system.velocity(state + e) - system.velocity(state - e)) / (2 * h) for e in steps]
    np.testing.assert_allclose(system.jacobian(state), np.stack(columns, axis=1), atol=1e-7)


def test_rows_that_depend_on_each_other_leave_the_flow_as_it_is():
    rng = np.random.default_rng(2)
    X = rng.standard_normal((2, 5))
    X = np.vstack([X, X[0] + 2 * X[1], np.zeros(5)])
    y = X @ rng.standard_normal(5)
    loss = squared_loss(Regression(X, y), np.zeros(5))
    assert loss.X.shape == (2, 5)
    for beta in rng.standard_normal((3, 5)):
        np.testing.assert_allclose(
            loss.X.T @ (loss.X @ beta - loss.y), X.T @ (X @ beta - y), atol=1e-12
        )
        assert loss.read(loss.X @ beta).residual == pytest.approx(
            np.linalg.norm(X @ beta - y) / np.linalg.norm(y), rel=1e-12
        )
