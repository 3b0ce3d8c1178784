"""Data as people hand them to estimators: the answer of a plain array, or a sentence."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from helpers.draws import normal
from implicitbias import InvalidInputError
from implicitbias.estimators import (
    FlowLimitClassifier,
    FlowLimitRegressor,
    FlowLimitRegressorCV,
    StoppedFlowRegressor,
    flow_limit_path,
)

X, Y = normal(0, (6, 8), 6)
SIGNS = np.array([1, -1, 1, 1, -1, -1])
BIG = 2**53 + 1


class Path:
    """flow_limit_path with the face of an estimator."""

    def fit(self, X, y):
        self.coef_ = flow_limit_path(X, y, init_scales=2)[1]
        return self


MODELS = {
    "limit": lambda: FlowLimitRegressor(),
    "cross-validated": lambda: FlowLimitRegressorCV(init_scales=2, cv=2),
    "stopped": lambda: StoppedFlowRegressor(num_times=5, stop_time=0.1),
    "path": Path,
    "classifier": lambda: FlowLimitClassifier(),
}
REGRESSORS = [name for name in MODELS if name != "classifier"]


def target(name):
    return SIGNS if name == "classifier" else Y


def named(array):
    return pd.DataFrame(array).rename(columns=str)


ALIKE = {
    "objects": X.astype(object),
    "long double": X.astype(np.longdouble),
    "backwards": X[::-1][::-1],
    "nothing masked": np.ma.array(X, mask=False),
    "frame": named(X),
    "frame, nullable": named(X).convert_dtypes(),
    "frame of objects": named(X).astype(object),
}
SPARSE = {
    kind: getattr(scipy.sparse, f"{kind}_array")(X)
    for kind in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
}


@pytest.mark.parametrize("name", MODELS)
def test_every_container_gives_the_same_answer(name):
    expected = MODELS[name]().fit(X, target(name)).coef_
    given = ALIKE if name == "stopped" else ALIKE | SPARSE
    for kind, data in given.items():
        found = MODELS[name]().fit(data, target(name)).coef_
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11, err_msg=kind)


def put(array, entry):
    array = np.array(array, dtype=object)
    array[1, 2] = entry
    return array


MASKED = np.ma.array(X, mask=X > 1)
REFUSED = {
    "masked": (MASKED, "masked entries; expected every entry. Impute"),
    "masked rows in a list": (list(MASKED), "masked entries"),
    "pandas NA": (put(X, pd.NA), r"contains <NA> at index \(1, 2\)"),
    "frame, nullable with NA": (named(X).convert_dtypes().where(X < 1), "contains <NA>"),
    "frame with NaN": (named(X).where(X < 1), "Input X contains NaN"),
    "text": (X.astype(str), "Encode text first"),
    "text among objects": (put(X, "1.5"), "which is text"),
    "a dict": (put(X, {}), "argument must be a string or a real number"),
    "times": (np.full((6, 8), np.datetime64("2020")), "Subtract a reference time"),
    "complex": (X + 0j, "Complex data not supported"),
    "rounded": (np.full((6, 8), BIG), "beyond 2"),
    "beyond float64": (X.astype(np.longdouble) * np.longdouble("1e400"), "another unit"),
    "names of two types": (pd.DataFrame(X, columns=[0, "a", *range(1, 7)]), "string names"),
    "sparse and missing": (scipy.sparse.csr_array(np.where(X > 1, np.nan, X)), "nan at index"),
    "no points": (np.empty((0, 8)), "0 sample"),
    "no features": (np.empty((6, 0)), "0 feature"),
    "nothing": (None, "."),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", MODELS)
def test_features_are_refused_in_a_sentence(name, kind):
    given, text = REFUSED[kind]
    if (name, kind) == ("path", "names of two types"):
        pytest.skip("a function keeps no names")
    text = "dense" if name == "stopped" and kind.startswith("sparse") else text
    with pytest.raises(InvalidInputError, match=text):
        MODELS[name]().fit(given, target(name))


@pytest.mark.parametrize("kind", ["masked", "pandas NA", "text", "rounded"])
def test_features_to_predict_from_are_checked_too(kind):
    given, text = REFUSED[kind]
    for name in ("limit", "stopped", "classifier"):
        model = MODELS[name]().fit(X, target(name))
        with pytest.raises(InvalidInputError, match=text):
            model.predict(given)


TARGETS = {
    "masked": (np.ma.array(Y, mask=Y > 0), "masked entries"),
    "None": ([None, *Y[1:]], "contains None at index 0"),
    "pandas NA": (pd.Series([pd.NA, *Y[1:]], dtype=object), "contains <NA> at index 0"),
    "missing": (pd.Series([None, 1, 2, 3, 4, 5], dtype="Int64"), "contains (NaN|<NA>)"),
    "text": (list("123456"), "Encode text first"),
    "times": (np.full(6, np.datetime64("2020")), "Subtract a reference time"),
    "rounded": ([BIG] * 6, "beyond 2"),
    "two columns": (np.c_[Y, Y], "1d array"),
    "three axes": (Y[:, None, None], "dim 3"),
    "too few": (Y[:3], "inconsistent numbers of samples"),
}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("name", REGRESSORS)
def test_targets_are_refused_in_a_sentence(name, kind):
    given, text = TARGETS[kind]
    if (name, kind) == ("limit", "two columns"):
        pytest.skip("two outputs")
    with pytest.raises(InvalidInputError, match=text):
        MODELS[name]().fit(X, given)


LABELS = {
    "pandas strings": pd.Series(["u", "v", "u", "u", "v", "v"], dtype="string"),
    "string type": np.array(["u", "v", "u", "u", "v", "v"], dtype=np.dtypes.StringDType()),
    "categories": pd.Categorical(["u", "v", "u", "u", "v", "v"]),
    "booleans": pd.Series([False, True, False, False, True, True], dtype="boolean"),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind(kind):
    model = FlowLimitClassifier().fit(X, LABELS[kind])
    assert model.predict(X).tolist() == list(LABELS[kind])
    np.testing.assert_allclose(model.coef_, FlowLimitClassifier().fit(X, -SIGNS).coef_, rtol=1e-12)


NO_LABELS = {
    "None": (np.array(["u", None, "v", "u", "v", "u"], dtype=object), "every point needs a label"),
    "NaN in a list": (["u", np.nan, "v", "u", "v", "u"], "every point needs a label"),
    "NA": (LABELS["pandas strings"].where(SIGNS > 0), "every point needs a label"),
    "missing boolean": (LABELS["booleans"].where(SIGNS > 0), "every point needs a label"),
    "masked": (np.ma.array(SIGNS, mask=[1, 0, 0, 0, 0, 0]), "1 masked entries"),
    "mixed": (["u", 1, "u", 1, "u", 1], "types int, str"),
    "one": (["u"] * 6, "y has 1 class; expected two or more: all points are 'u'"),
    "targets": (Y, "Unknown label type"),
}


@pytest.mark.parametrize("kind", NO_LABELS)
def test_labels_are_refused_in_a_sentence(kind):
    given, text = NO_LABELS[kind]
    with pytest.raises(InvalidInputError, match=text):
        FlowLimitClassifier().fit(X, given)


def test_a_column_of_targets_is_one_output():
    model = FlowLimitRegressor().fit(X, Y[:, None])
    np.testing.assert_array_equal(model.coef_, FlowLimitRegressor().fit(X, Y).coef_[None])


def test_a_column_of_targets_is_taken_with_the_usual_warning_where_one_output_is():
    with pytest.warns(Warning, match="column-vector"):
        model = FlowLimitRegressorCV(init_scales=3, cv=3).fit(X, Y[:, None])
    assert model.coef_.shape == (8,)


@pytest.mark.parametrize("scales", [["a"], [None], [1j], [np.ma.masked], "ab", {}])
def test_scales_that_are_no_numbers_are_refused(scales):
    with pytest.raises(InvalidInputError, match="init_scales"):
        flow_limit_path(X, Y, init_scales=scales)


def test_nothing_warns_from_inside():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidInputError):
            FlowLimitRegressor().fit(REFUSED["beyond float64"][0], Y)
