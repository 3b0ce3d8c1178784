"""Models on disk: what a pickle names, what another version makes of it."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest

from implicitbias._errors import InvalidInputError
from implicitbias.estimators import (
    FlowLimitClassifier,
    FlowLimitClassifierCV,
    FlowLimitRegressor,
    FlowLimitRegressorCV,
    StoppedFlowRegressor,
    _saved,
)

X = np.random.default_rng(0).standard_normal((12, 8)) + np.r_[1e3, np.zeros(7)]
Y = X[:, 1] - X[:, 2]
MODELS = {
    "regressor": lambda: FlowLimitRegressor().fit(X[:6], Y[:6]),
    "several outputs": lambda: FlowLimitRegressor().fit(X[:6], np.c_[Y, -Y][:6]),
    "simulated": lambda: FlowLimitRegressor("convolutional", depth=3).fit(X[:2, 1:5], Y[:2]),
    "cross-validated": lambda: FlowLimitRegressorCV(init_scales=2, cv=2).fit(X[:6], Y[:6]),
    "stopped": lambda: StoppedFlowRegressor(stop_time=1e-3, num_times=5).fit(X, Y),
    "classifier": lambda: FlowLimitClassifier().fit(X, Y > 0),
    "free": lambda: FlowLimitClassifier(free_intercept=True).fit(X, Y > 0),
    "three classes": lambda: FlowLimitClassifier().fit(X[:4], list("uvwu")),
    "scale": lambda: FlowLimitClassifierCV(init_scales=[1.0, 0.1], cv=2).fit(X, Y > 0),
    "not fitted": lambda: FlowLimitClassifier(depth=3),
}


class Naming(pickle.Unpickler):
    """Unpickles, and notes from which modules."""

    def __init__(self, stream):
        super().__init__(stream)
        self.modules = set()

    def find_class(self, module, name):
        self.modules.add(module)
        return super().find_class(module, name)


def named(data):
    reader = Naming(io.BytesIO(data))
    reader.load()
    return reader.modules


def again(model):
    stream = io.BytesIO()
    joblib.dump(model, stream)
    stream.seek(0)
    return joblib.load(stream)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back(name):
    model = MODELS[name]()
    for found in (again(model), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert type(found) is type(model)
        assert found.__dict__.keys() == model.__dict__.keys()
        assert str(getattr(found, "limit_", "")) == str(getattr(model, "limit_", ""))
        if hasattr(model, "coef_"):
            data = X[:, : model.n_features_in_]
            np.testing.assert_array_equal(found.predict(data), model.predict(data))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_a_pickle_names_nothing_that_may_move(name):
    places = named(pickle.dumps(MODELS[name]()))
    ours = {place for place in places if place.split(".")[0] == "implicitbias"}
    assert ours == {"implicitbias.estimators._saved"}
    assert {place.split(".")[0] for place in places} <= {"implicitbias", "numpy"}


class Mine(FlowLimitRegressor):
    """A subclass of a user's, which only its own module knows."""


def test_subclasses_of_others_come_back():
    model = Mine().fit(X[:6], Y[:6])
    reduced = model.__reduce__()
    assert reduced[1][0] is Mine
    assert type(copy.deepcopy(model)) is Mine


def test_a_later_format_is_refused_with_its_version(monkeypatch):
    monkeypatch.setattr(_saved, "FORMAT", 7)
    monkeypatch.setattr(_saved, "__version__", "9.9")
    data = pickle.dumps(MODELS["regressor"]())
    monkeypatch.undo()
    with pytest.raises(InvalidInputError, match=r"saved by implicitbias 9\.9 in format 7; version"):
        pickle.loads(data)


def test_a_model_that_is_not_there_any_more_is_named():
    with pytest.raises(InvalidInputError, match=r"a Forgotten of implicitbias 0\.1"):
        _saved.restore("Forgotten", 1, "0.1")


def test_parameters_that_came_later_have_their_defaults():
    model = MODELS["classifier"]()
    make, called, state = model.__reduce__()
    del state["free_intercept"]
    found = make(*called)
    found.__setstate__(state)
    assert found.free_intercept is None
    np.testing.assert_array_equal(found.predict(X), model.predict(X))


def test_a_result_that_cannot_be_read_is_left_out_with_a_reason(monkeypatch):
    monkeypatch.setattr("implicitbias.serialization.FORMAT", 99)
    data = pickle.dumps(MODELS["regressor"]())
    monkeypatch.undo()
    with pytest.warns(UserWarning, match=r"its limit_ is not there: .* in format 99"):
        model = pickle.loads(data)
    assert not hasattr(model, "limit_")
    assert np.isfinite(model.predict(X)).all()
