"""What warnings advise fits what was passed, and helps."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from implicitbias._model import directions_of, network_of
from implicitbias.estimators import FlowLimitClassifier, FlowLimitRegressor
from implicitbias.estimators._end import End
from implicitbias.estimators._remedy import better_data, better_scale, shortfall


def end(worst):
    return End(np.ones(2), None, worst, 0.0, 1, None)


def test_a_tolerance_that_would_do_is_named():
    text = shortfall(end(3e-9), 1e-10, [])
    assert text == "the limit is certified to 3.0e-09 only; tol asks for 1.0e-10. Allow tol=1e-08."
    assert "tol=" not in shortfall(end(0.5), 1e-10, ["Sleep."])
    assert "not certified; tol" in shortfall(end(np.nan), 1e-10, [])


@pytest.mark.parametrize("network", ["diagonal", "convolutional"])
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 1e6, np.inf])
def test_scales_are_advised_in_the_direction_that_is_left(network, depth, scale):
    net = network_of(network, depth, 4)
    advice = " ".join(better_scale(net, directions_of(net, None), scale, np.ones(4)))
    assert (
        advice
        == {
            0.0: "Take a larger init_scale.",
            1e-6: "Take a larger init_scale.",
            1.0: "",
            1e6: "Take a smaller init_scale.",
            np.inf: "Take a smaller init_scale.",
        }[scale]
    )


def test_scales_are_measured_with_start_and_answer():
    net = network_of("diagonal", 2, 4)
    small = directions_of(net, np.full(4, 1e-4))
    assert better_scale(net, small, 1.0, np.ones(4)) == ["Take a larger init_scale."]
    assert better_scale(net, small, 1.0, np.full(4, 1e-8)) == []
    assert better_scale(net, small, 1.0, np.zeros(4)) == []
    net = network_of("fully_connected", 2, 4)  # its start is without effect
    assert better_scale(net, directions_of(net, None), 1e-9, np.ones(4)) == []


def test_sizes_that_are_far_apart_are_named():
    X = np.array([[1.0, 0.0, 1e5], [2.0, 0.0, 2e5]])
    assert "whose sizes are 1e+05 apart" in better_data(X)[0]
    assert "whose sizes are 1e+05 apart" in better_data(scipy.sparse.csr_array(X))[0]
    assert better_data(X[:, :2]) == better_data(0 * X) == []


def cubic():
    t = np.linspace(-300, -100, 40)
    X = np.c_[t, t**2, t**3]
    return X, X @ [-2.34, -7.66e-3, -1.0072e-5] - 242


def test_what_is_advised_helps():
    X, y = cubic()
    model = FlowLimitRegressor("fully_connected").fit(StandardScaler().fit_transform(X), y)
    assert model.converged_


def test_no_advice_about_what_has_no_effect():
    X, y = cubic()
    with pytest.warns(ConvergenceWarning, match="certified to") as heard:
        FlowLimitRegressor("fully_connected", tol=1e-300).fit(X, y)
    text = str(heard[0].message)
    assert "Standardise the features" in text and "Allow tol=" in text
    assert "init_scale" not in text
    signs = np.where(y > np.median(y), 1, -1)
    with pytest.warns(ConvergenceWarning, match="Allow tol=") as heard:
        FlowLimitClassifier("fully_connected", tol=1e-300).fit(X / 300, signs)
    assert "init_scale" not in str(heard[0].message)
