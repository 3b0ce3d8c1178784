"""What scikit-learn's other parts make of the estimators: diagrams, selection, displays."""

import matplotlib
import matplotlib.pyplot
import numpy as np
import pandas as pd
import pytest
from sklearn.feature_selection import SelectFromModel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from implicitbias import estimators
from implicitbias._errors import InvalidInputError
from implicitbias.estimators import (
    FlowLimitClassifier,
    FlowLimitClassifierCV,
    FlowLimitRegressor,
    FlowLimitRegressorCV,
    ScalePathDisplay,
    StoppedFlowRegressor,
    StopTimeDisplay,
)

X = np.random.default_rng(0).standard_normal((15, 30))
Y = X[:, 4] - 2 * X[:, 7]
ESTIMATORS = [
    getattr(estimators, name)
    for name in estimators.__all__
    if name.startswith(("FlowLimit", "Stopped"))
]


@pytest.fixture(autouse=True)
def _no_window():
    with matplotlib.rc_context({"backend": "Agg"}):
        yield
        matplotlib.pyplot.close("all")


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_diagrams_name_what_is_shown(kind):
    text = make_pipeline(StandardScaler(), kind(network="fully_connected"))._repr_html_()
    assert kind.__name__ in text and "StandardScaler" in text
    assert "fully_connected" in text
    assert "Not fitted" in text
    assert "not be found" not in text


def test_diagrams_tell_fitted_models():
    assert "Fitted" in FlowLimitRegressor().fit(X, Y)._repr_html_()


def test_features_are_selected_by_name():
    frame = pd.DataFrame(X, columns=[f"gene {j}" for j in range(30)])
    model = FlowLimitRegressor(depth=3, init_scale=1e-3)
    chosen = SelectFromModel(model, threshold=1e-3).fit(frame, Y).get_feature_names_out()
    assert chosen.tolist() == ["gene 4", "gene 7"]
    several = FlowLimitClassifier(depth=3).fit(frame, np.digitize(Y, [-1, 1]))
    assert several.feature_names_in_.tolist() == frame.columns.tolist()
    mask = SelectFromModel(several, prefit=True, threshold=1e-6).get_support()
    np.testing.assert_array_equal(mask, np.abs(several.coef_).sum(axis=0) > 1e-6)


def test_a_line_a_depth_with_the_means_of_the_folds():
    model = FlowLimitRegressorCV(depths=(2, 3), init_scales=5, cv=3).fit(X, Y)
    display = ScalePathDisplay.from_estimator(model)
    assert display.ax_.get_xscale() == "log"
    assert display.ax_.get_ylabel() == "mean squared error on folds left out"
    for depth, line in enumerate(display.lines_):
        at, drawn = line.get_data()
        np.testing.assert_allclose(at, model.init_scales_[depth][::-1])
        np.testing.assert_allclose(drawn, model.mse_path_[depth].mean(axis=1)[::-1])
        assert ("chosen" in line.get_label()) == (model.depth_ == depth + 2)
    assert display.chosen_line_.get_xdata()[0] == model.init_scale_
    assert display.figure_ is display.ax_.figure


def test_scores_are_drawn_where_they_chose():
    model = FlowLimitRegressorCV(init_scales=5, cv=3, scoring="neg_median_absolute_error")
    display = ScalePathDisplay.from_estimator(model.fit(X, Y), std=False)
    assert display.ax_.get_ylabel() == "neg median absolute error on folds left out"
    np.testing.assert_allclose(display.lines_[0].get_ydata(), model.score_path_.mean(axis=1)[::-1])
    assert not display.ax_.collections


def test_ends_of_the_path_are_kept_and_not_drawn():
    model = FlowLimitClassifierCV(init_scales=[0.0, 0.1, np.inf], cv=3).fit(X, Y > 0)
    _, ax = matplotlib.pyplot.subplots()
    display = ScalePathDisplay.from_estimator(model, ax=ax, line_kw={"color": "red"})
    assert display.ax_ is ax
    assert display.lines_[0].get_color() == "red"
    assert display.lines_[0].get_xdata().tolist() == [0.1]
    assert display.values.tolist() == [[0.0, 0.1, np.inf]]
    assert "accuracy" in ax.get_ylabel()
    assert (display.chosen_line_ is None) == (model.init_scale_ in (0.0, np.inf))
    np.testing.assert_allclose(display.scores[0], model.score_path_)
    again = display.plot()
    assert again is display
    assert again.ax_ is not ax


def test_times_of_stopping():
    model = StoppedFlowRegressor(num_times=8, cv=3).fit(X, Y)
    display = StopTimeDisplay.from_estimator(model)
    drawn = display.lines_[0]
    np.testing.assert_allclose(drawn.get_xdata(), model.times_[1:])  # 0 has no logarithm
    np.testing.assert_allclose(drawn.get_ydata(), model.mse_path_[1:].mean(axis=1))
    assert display.chosen_line_.get_xdata()[0] == model.stop_time_


def test_what_has_no_such_path_is_refused():
    with pytest.raises(InvalidInputError, match="a FlowLimitRegressor; expected a FlowLimitRegr"):
        ScalePathDisplay.from_estimator(FlowLimitRegressor().fit(X, Y))
    with pytest.raises(InvalidInputError, match="expected a StoppedFlowRegressor"):
        StopTimeDisplay.from_estimator(FlowLimitRegressor().fit(X, Y))
    with pytest.raises(InvalidInputError, match=r"stopped at stop_time=0\.01"):
        StopTimeDisplay.from_estimator(StoppedFlowRegressor(stop_time=0.01).fit(X, Y))
    with pytest.raises(ValueError, match="not fitted"):
        ScalePathDisplay.from_estimator(FlowLimitRegressorCV())
