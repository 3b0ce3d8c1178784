"""The loss against time: the integral behind it, known constants, both ways."""

from dataclasses import replace

import numpy as np
import pytest
from mpmath import mp

from helpers.draws import normal
from implicitbias import (
    Classification,
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Initialization,
    InvalidInputError,
    TwoSidedDiagonalNetwork,
    compare,
    datasets,
    gradient_flow,
    load,
    predict_limit,
    save,
)
from implicitbias._closing import loss_course_of
from implicitbias.limits import LossRate

SEPARABLE = datasets.separable(20, 8, 0.5, seed=0)


def start(network, scale=0.5):
    gap = 0.1 if network.is_multilinear and network.family != "fully connected" else None
    return Initialization.random(network, scale, seed=1, gap=gap)


@pytest.mark.parametrize("degree", [2, 2.5, 3, 7])
@pytest.mark.parametrize("height", [20.0, 60.0, 400.0])
def test_the_time_is_the_integral(degree, height):
    """t = C int (s + H)^-p e^s ds from where it is negligible, by mpmath."""
    rate = LossRate(degree, -0.3, 0.7)
    with mp.workdps(30):
        top, power = mp.mpf(height + 0.7), mp.mpf(rate.power)
        whole = mp.quad(lambda s: s**-power * mp.exp(s - top), mp.linspace(top - 18, top, 10))
        expected = mp.log(whole) + top - mp.mpf(0.7) + mp.mpf(-0.3)
    assert float(rate.log_times(-height)) == pytest.approx(float(expected), abs=1e-6)


def test_there_and_back():
    rate = LossRate(3, 1.0, 0.2)
    losses = -np.array([6.0, 30.0, 1e3, 1e8, 1e200])
    np.testing.assert_allclose(rate.log_losses(rate.log_times(losses)), losses, rtol=1e-12)
    assert np.isnan(rate.log_times([0.0, 3.0, -1.0])).all()
    assert np.isnan(rate.log_losses([-50.0, np.nan])).all()
    assert rate.log_times(-np.inf) == np.inf
    assert rate.log_losses(np.inf) == -np.inf
    for wrong in ("a", None, 1j):
        with pytest.raises(InvalidInputError, match="expected real numbers"):
            rate.log_times(wrong)
        with pytest.raises(InvalidInputError, match="expected real numbers"):
            rate.log_losses(wrong)
    assert rate.constant == pytest.approx(np.e)
    assert str(rate) == "loss ~ 2.71828 / (t (log t)^1.333)"
    assert str(LossRate(2, 0.0, 0.0)) == "loss ~ 1 / (t log t)"


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        (FullyConnectedNetwork((8, 4)), 0.0),
        (FullyConnectedNetwork((8, 4, 4)), -0.6365141683),
        (FullyConnectedNetwork((8, 2, 2, 2)), -1.0397207708),
        (DiagonalNetwork(8, 3), 0.0854808695),
    ],
)
def test_known_constants(network, expected):
    """log(||beta||^{2/L} / L) with ||beta|| = 2, and sum |beta_j|^{2/3} / 3."""
    rate = predict_limit(network, SEPARABLE, start(network)).loss_rate
    assert rate.log_constant == pytest.approx(expected, abs=5e-11)
    assert rate.degree == network.depth


@pytest.mark.parametrize(
    ("network", "error"),
    [
        (FullyConnectedNetwork((8, 4)), 1e-7),
        (DiagonalNetwork(8, 2), 1e-4),
        (DiagonalNetwork(8, 3), 1e-5),
        (TwoSidedDiagonalNetwork(8, 2.5), 1e-4),
        (ConvolutionalNetwork(8, (8, 8)), 1e-4),
    ],
)
def test_flows_have_this_constant(network, error):
    limit = predict_limit(network, SEPARABLE, start(network))
    flow = gradient_flow(network, SEPARABLE, start(network), until_margin=1e5)
    (course,) = compare(flow, limit).losses
    assert course.error <= error
    assert course.power == pytest.approx(course.expected.power, abs=0.02)
    assert -1e5 < course.log_loss < -1e4
    wrong = LossRate(network.degree, limit.loss_rate.log_constant + 0.01, limit.loss_rate.entropy)
    assert np.abs(flow.log_times[-1] - wrong.log_times(flow.log_losses[-1])) > 0.009


def test_the_shares_of_the_points_are_the_next_term():
    network = FullyConnectedNetwork((8, 4))
    limit = predict_limit(network, SEPARABLE, start(network))
    flow = gradient_flow(network, SEPARABLE, start(network), until_margin=1e3)
    assert loss_course_of(flow, limit, at=300.0).error <= 1e-5
    none = replace(limit, loss_rate=replace(limit.loss_rate, entropy=0.0))
    expected = limit.loss_rate.entropy / 300.0
    assert loss_course_of(flow, none, at=300.0).error == pytest.approx(expected, rel=0.1)


SQUARE = np.array([[1.0, 1.0], [1.0, -1.0], [1.0, 0.5], [1.0, -0.5]])
TWICE = normal(0, (3, 5))[0][[0, 1, 2, 0, 0, 2]]


@pytest.mark.parametrize(
    ("network", "X", "error"),
    [
        (FullyConnectedNetwork((2, 3)), SQUARE, 1e-6),
        (DiagonalNetwork(2, 2), SQUARE, 1e-4),
        (FullyConnectedNetwork((5, 3)), TWICE, 1e-6),
        (FullyConnectedNetwork((5, 3, 3)), TWICE, 2e-4),
        (DiagonalNetwork(5, 3), TWICE, 2e-4),
    ],
)
def test_points_that_share_a_multiplier(network, X, error):
    """Equal and dependent points: any one multiplier would leave log(points) / 300, over 2e-3."""
    problem = Classification(X, np.ones(len(X)) if len(X) == 4 else [1, -1, 1, 1, 1, 1])
    limit = predict_limit(network, problem, start(network))
    assert limit.loss_rate.entropy > 1.3
    flow = gradient_flow(network, problem, start(network), until_margin=1e3)
    assert loss_course_of(flow, limit, at=300.0).error <= error
    decided = network.family == "diagonal" and X is SQUARE  # where the second coordinate ends
    assert (limit.loss_rate.entropy_error > 0.0) == decided


def test_one_point_and_its_multiples():
    """Theorem 3: 1 / s_1 over 2, and the two smallest margins share the loss."""
    network = ConvolutionalNetwork(5, (3, 5))
    x = np.array([2.0, 1.0, 0.0, -1.0, 0.5])
    problem = Classification([x, x, 3.0 * x], [1.0, 1.0, 1.0])
    init = Initialization.last_layer_zero(network, np.ones(3), 1.0)
    rate = predict_limit(network, problem, init).loss_rate
    top = np.linalg.svd(network.data_tensor(x), compute_uv=False)[0]
    assert rate.constant == pytest.approx(1.0 / top / 2.0, rel=1e-12)
    assert rate.entropy == pytest.approx(np.log(2.0), rel=1e-12)


@pytest.mark.parametrize("unit", [1e-160, 1e-8, 1e8, 1e150])
def test_units_of_the_data(unit):
    """beta, and the squares of two layers, are measured in 1 / unit."""
    network = DiagonalNetwork(8, 2)
    problem = Classification(SEPARABLE.X * unit, SEPARABLE.y)
    init = start(network, 0.5 / np.sqrt(unit))
    rate = predict_limit(network, problem, init).loss_rate
    expected = predict_limit(network, SEPARABLE, start(network)).loss_rate
    shift = -np.log(unit)
    assert rate.log_constant == pytest.approx(expected.log_constant + shift, abs=1e-12)


def test_a_short_flow_and_a_regression_say_nothing(tmp_path):
    network = FullyConnectedNetwork((8, 4))
    limit = predict_limit(network, SEPARABLE, start(network))
    flow = gradient_flow(network, SEPARABLE, start(network), until_margin=5.0)
    assert compare(flow, limit).losses == ()
    later = gradient_flow(network, SEPARABLE, start(network), until_margin=30.0)
    found = compare(later, limit)
    assert np.isnan(found.losses[0].power)
    assert "power" not in str(found.losses[0])
    save(found, tmp_path / "found.npz")
    again = load(tmp_path / "found.npz")
    assert str(again) == str(found)
    assert again.limit.loss_rate == limit.loss_rate
