"""Labels of every kind: two classes, or a sentence that says what is missing."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from implicitbias._errors import InvalidInputError
from implicitbias.problems import Classification

X = np.eye(4)
STRING = np.dtypes.StringDType
ACCEPTED = {
    "strings": (["u", "v", "v", "u"], ["u", "v"]),
    "empty string": (["", "a", "a", ""], ["", "a"]),
    "the word nan": (["nan", "a", "a", "nan"], ["a", "nan"]),
    "string type": (np.array(["u", "v", "v", "u"], dtype=STRING()), ["u", "v"]),
    "pandas strings": (pd.Series(["u", "v", "v", "u"], dtype="string"), ["u", "v"]),
    "categories": (pd.Categorical(["u", "v", "v", "u"]), ["u", "v"]),
    "categories, unused": (pd.Categorical(["u", "v", "v", "u"], list("wuv")), ["u", "v"]),
    "bytes": ([b"u", b"v", b"v", b"u"], [b"u", b"v"]),
    "booleans": ([True, False, False, True], [False, True]),
    "nullable booleans": (pd.Series([True, False, False, True], dtype="boolean"), [False, True]),
    "nullable integers": (pd.Series([3, 5, 5, 3], dtype="Int64"), [3, 5]),
    "booleans and numbers": ([True, 0, 0, 1], [0, 1]),
    "half precision": (np.array([0, 1, 1, 0], dtype=np.float16), [0, 1]),
    "long double": (np.array([0, 1, 1, 0], dtype=np.longdouble), [0, 1]),
    "decimals": ([Decimal(1), Decimal(2), Decimal(2), Decimal(1)], [1, 2]),
    "beyond 2^53": ([2**53, 2**53 + 1, 2**53 + 1, 2**53], [2**53, 2**53 + 1]),
    "beyond 2^64": ([2**70, 2**70 + 1, 2**70 + 1, 2**70], [2**70, 2**70 + 1]),
}


@pytest.mark.parametrize("kind", ACCEPTED)
def test_two_labels_of_one_kind(kind):
    given, classes = ACCEPTED[kind]
    problem = Classification(X, given)
    assert problem.classes.tolist() == classes
    expected = [1.0 if label == classes[1] else -1.0 for label in given]
    np.testing.assert_array_equal(problem.y, expected)


MISSING = "every point needs a label"
REFUSED = {
    "None": (["u", None, "v", "u"], f"contains None at index 1; {MISSING}"),
    "NaN in a list of strings": (["u", "v", np.nan, "u"], f"contains nan at index 2; {MISSING}"),
    "NaN": ([1.0, np.nan, 0.0, 1.0], MISSING),
    "pandas NA": (pd.Series(["u", None, "v", "u"], dtype="string"), MISSING),
    "NA in an object array": (np.array(["u", pd.NA, "v", "u"], dtype=object), "<NA> at index 1"),
    "missing boolean": (pd.Series([True, None, False, True], dtype="boolean"), MISSING),
    "missing category": (pd.Categorical(["u", None, "v", "u"]), MISSING),
    "missing in a string type": (np.array(["u", None] * 2, dtype=STRING(na_object=None)), MISSING),
    "all missing": ([None] * 4, "contains None at index 0"),
    "times missing": (pd.Series([pd.NaT] * 4, dtype=object), MISSING),
    "mixed": (["u", 1, "u", 1], "types int, str"),
    "mixed booleans": ([True, "u", True, "u"], "types bool, str"),
    "tuples": (pd.Series([(1, 2), (3, 4)] * 2), "contains a tuple; expected numbers, booleans"),
    "dicts": ([{}, {1: 2}] * 2, "contains a dict"),
    "times": (np.array(["2020", "2021"] * 2, dtype="M8[Y]"), "Convert them to strings"),
    "masked": (np.ma.array([1, -1] * 2, mask=[0, 1, 0, 0]), "1 masked entries"),
    "masked in a list": ([1, np.ma.masked, -1, 1], "1 masked entries"),
    "sparse": (scipy.sparse.csr_array([[1], [2], [1], [2]]), "Pass y.toarray().ravel()"),
    "complex": ([1j, 1, 1, 1j], "complex"),
    "one class": (["u"] * 4, "the single label u; expected two"),
    "three, array": (np.array(list("uvwu")), "one against the rest: y == 'u'"),
    "three, list": (list("uvwu"), "one against the rest: np.asarray(y) == 'u'"),
    "column": (np.array([["u"], ["v"]] * 2), "Pass np.ravel(y)"),
    "empty": ([], "y has shape (0,); expected (4,)"),
    "nothing": (None, "y is of type NoneType; expected one label a row"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_other_labels_are_refused(kind):
    given, text = REFUSED[kind]
    with pytest.raises(InvalidInputError) as caught:
        Classification(X, given)
    assert text in str(caught.value)
