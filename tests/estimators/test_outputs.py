"""FlowLimitRegressor with several outputs: each as by itself, together where they are small."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.multioutput import MultiOutputRegressor

from helpers.draws import normal
from implicitbias._errors import InvalidInputError
from implicitbias.estimators import FlowLimitRegressor
from implicitbias.estimators import _end as ends
from implicitbias.problems import equations

X, Y = normal(0, (8, 20), (8, 5))
SETTINGS = {
    "default": {},
    "deep": {"depth": 3, "init_scale": 0.01},
    "two-sided": {"network": "two_sided", "depth": 2.5, "init_scale": 0.1},
    "no intercept": {"fit_intercept": False, "init_scale": 0.1},
    "basis pursuit": {"init_scale": 0.0},
    "fully connected": {"network": "fully_connected"},
}


@pytest.mark.parametrize("offset", [0.0, 1e6])
@pytest.mark.parametrize("name", SETTINGS)
def test_every_output_is_as_alone(name, offset):
    model = FlowLimitRegressor(**SETTINGS[name]).fit(X + offset, Y + offset)
    each = MultiOutputRegressor(FlowLimitRegressor(**SETTINGS[name])).fit(X + offset, Y + offset)
    parts = each.estimators_
    coefficients = np.array([part.coef_ for part in parts])
    scale = np.abs(coefficients).max()
    np.testing.assert_allclose(model.coef_, coefficients, atol=1e-8 * scale if offset else 1e-11)
    np.testing.assert_allclose(model.predict(X + offset), each.predict(X + offset), rtol=1e-8)
    assert model.coef_.shape == (5, 20)
    assert model.intercept_.shape == model.error_.shape == model.dual_gap_.shape == (5,)
    assert model.interpolates_.tolist() == [True] * 5
    assert model.rank_ == parts[0].rank_
    assert model.converged_ == all(part.converged_ for part in parts)
    assert [limit.theorem for limit in model.limit_] == [part.limit_.theorem for part in parts]
    if not offset:
        assert model.dual_coef_.shape == (5, 8)
        dual = np.array([part.dual_coef_ for part in parts])
        np.testing.assert_allclose(model.dual_coef_, dual, rtol=1e-7, atol=1e-8)
        assert model.score(X, Y) == pytest.approx(1.0)


def test_outputs_are_solved_together(monkeypatch):
    monkeypatch.setattr(ends, "predict_limit", None)  # who is asked for alone
    model = FlowLimitRegressor(depth=3, init_scale=0.1).fit(X, Y)
    assert model.converged_


def test_targets_out_of_reach_are_projected_each():
    twice, targets = np.vstack([X, X[:2]]), np.vstack([Y, Y[:2]])
    targets[-1, 2] += 1.0
    with pytest.warns(ConvergenceWarning, match="output 2: no coefficients fit"):
        model = FlowLimitRegressor(init_scale=0.1).fit(twice, targets)
    assert model.interpolates_.tolist() == [True, True, False, True, True]
    alone = FlowLimitRegressor(init_scale=0.1).fit(twice, targets[:, 0])
    np.testing.assert_allclose(model.coef_[0], alone.coef_, atol=1e-11)


def test_frames_of_targets():
    model = FlowLimitRegressor().fit(pd.DataFrame(X), pd.DataFrame(Y[:, :2], columns=["a", "b"]))
    np.testing.assert_allclose(model.coef_, FlowLimitRegressor().fit(X, Y[:, :2]).coef_)


@pytest.mark.parametrize("targets", [np.where(Y > 0, np.nan, Y), Y[:4], Y + 1j])
def test_targets_that_are_none_are_refused(targets):
    with pytest.raises(InvalidInputError):
        FlowLimitRegressor().fit(X, targets)


@pytest.mark.parametrize("isometric", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
def test_equations_with_other_targets(intercept, isometric):
    given, y = X + 1e3 * np.arange(20), Y[:, 1] + 7.0
    first = equations(given, Y[:, 0], intercept, isometric=isometric)
    found, expected = (
        first.with_targets(y),
        equations(given, y, intercept, isometric=isometric),
    )
    assert found.problem.features is first.problem.features
    np.testing.assert_array_equal(found.problem.y, expected.problem.y)
    assert (found.y_mean, found.y_offset) == (expected.y_mean, expected.y_offset)
    if expected.problem.lost is not None:
        lost = found.problem.lost
        np.testing.assert_array_equal(lost.targets, expected.problem.lost.targets)
        entries = expected.problem.lost.entries.toarray()
        np.testing.assert_array_equal(lost.entries.toarray(), entries)
