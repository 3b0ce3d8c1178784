"""What counts as numbers: every container gives the same problem, or is refused with a remedy."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from helpers.draws import normal
from implicitbias import Classification, Initialization, InvalidInputError, Regression
from implicitbias._arrays import finite_array, worst_of

X = np.round(normal(0, (3, 5))[0], 3)
Y = np.array([1.0, -2.0, 0.5])


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def with_duplicates(array):
    """COO, every entry in two halves."""
    rows, columns = np.indices(array.shape)
    twice = [np.tile(each.ravel(), 2) for each in (array / 2, rows, columns)]
    return scipy.sparse.coo_array((twice[0], (twice[1], twice[2])), shape=array.shape)


ALIKE = {
    "lists": X.tolist(),
    "tuples": tuple(map(tuple, X)),
    "fortran": np.asfortranarray(X),
    "backwards": X[::-1][::-1],
    "every second": np.repeat(X, 2, axis=1)[:, ::2],
    "read-only": read_only(X),
    "other byte order": X.astype(">f8"),
    "long double": X.astype(np.longdouble),
    "objects": X.astype(object),
    "matrix": np.matrix(X),
    "nothing masked": np.ma.array(X, mask=False),
    "fractions": [[Fraction(float(entry)) for entry in row] for row in X],
    "decimals": [[Decimal(float(entry)) for entry in row] for row in X],
    "frame": pd.DataFrame(X),
    "frame, nullable": pd.DataFrame(X).convert_dtypes(),
    "frame of objects": pd.DataFrame(X).astype(object),
    "frame, sparse columns": pd.DataFrame(X).astype(pd.SparseDtype(float, 0.0)),
    "frame, repeated names": pd.DataFrame(X, columns=list("aabbc")),
    **{
        f"{kind}_{container}": getattr(scipy.sparse, f"{kind}_{container}")(X)
        for kind in ("csr", "csc", "coo", "bsr", "dia", "dok", "lil")
        for container in ("array", "matrix")
    },
    "duplicate entries": with_duplicates(X),
    "sparse, read-only": scipy.sparse.csr_array(X),
    "sparse, long double": scipy.sparse.csr_array(X.astype(np.longdouble)),
}
ALIKE["sparse, read-only"].data.flags.writeable = False


@pytest.mark.parametrize("kind", ALIKE)
def test_every_container_gives_the_same_problem(kind):
    found = Regression(ALIKE[kind], Y).X
    dense = found.toarray() if scipy.sparse.issparse(found) else found
    assert dense.dtype == np.float64
    np.testing.assert_array_equal(dense, X)


def test_memory_maps_are_kept_by_reference(tmp_path):
    stored = np.memmap(tmp_path / "X", dtype=float, mode="w+", shape=X.shape)
    stored[:] = X
    opened = np.memmap(tmp_path / "X", dtype=float, mode="r", shape=X.shape)
    assert np.shares_memory(Regression(opened, Y).X, opened)


def test_small_types_are_numbers_too():
    for kind in (bool, np.int8, np.uint16, np.float16, np.float32):
        given = (4 * X).astype(kind)
        np.testing.assert_array_equal(finite_array(given, "X", shape=(3, 5)), given.astype(float))
    exact = np.array([[2**60, -(2**53), 2**53]])
    np.testing.assert_array_equal(finite_array(exact, "X", shape=(1, 3)), exact.astype(float))
    assert finite_array(2**70, "scale", shape=()) == 2.0**70


def test_duplicates_of_booleans_are_one():
    stored = scipy.sparse.csr_array(([True] * 3, [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    np.testing.assert_array_equal(Regression(stored, Y[:2]).X.toarray(), np.eye(2))


def put(array, entry):
    array = np.array(array, dtype=object)
    array[1, 2] = entry
    return array


BIG = 2**53 + 1
MASKED = np.ma.array(X, mask=X > 0.5)
HUGE = X.astype(np.longdouble) * np.longdouble("1e400")
TINY = X.astype(np.longdouble) * np.longdouble("1e-400")
REFUSED = {
    "masked": (MASKED, f"masked array with {MASKED.mask.sum()} masked entries"),
    "list of masked rows": (list(MASKED), "Impute or drop them first"),
    "masked entry in a list": ([[1.0, np.ma.masked, 2.0]], "masked array with 1 masked"),
    "None": (put(X, None), "contains None at index (1, 2)"),
    "pandas NA": (put(X, pd.NA), "contains <NA> at index (1, 2)"),
    "NaT": (put(X, pd.NaT), "contains NaT at index (1, 2)"),
    "NaN among objects": (put(X, np.nan), "contains nan at index (1, 2)"),
    "frame, nullable with NA": (pd.DataFrame(X).convert_dtypes().where(X > 0), "Impute or drop"),
    "frame with NaN": (pd.DataFrame(X).where(X > 0), "Impute or drop missing values"),
    "numbers as text": (X.astype(str), "Encode text first"),
    "one text": (put(X, "1.5"), "contains '1.5' at index (1, 2), which is text"),
    "one text in a frame": (
        pd.DataFrame(put(X, "a"), columns=list("pqrst")),
        "contains 'a' at index (1, 2), column 'r', which is text",
    ),
    "string type": (X.astype(str).astype(np.dtypes.StringDType()), "Encode text first"),
    "bytes": (X.astype("S8"), "not numeric"),
    "a dict": (put(X, {}), "contains a dict at index (1, 2), which is not a number"),
    "a time": (put(X, pd.Timestamp(0)), "a Timestamp at index (1, 2)"),
    "times": (np.full((3, 5), np.datetime64("2020")), "Subtract a reference time"),
    "durations": (np.full((3, 5), np.timedelta64(1, "D")), "Divide by a unit"),
    "fields": (np.zeros(3, dtype=[("a", float)]), "side by side as columns"),
    "complex": (X + 0j, "X is complex"),
    "complex among objects": (put(X, 1j), "X is complex"),
    "complex sparse": (scipy.sparse.csr_array(X + 0j), "expected real numbers"),
    "whole and rounded": (np.full((3, 5), BIG), f"the whole number {BIG} at index (0, 0)"),
    "unsigned and rounded": (np.full((3, 5), 2**64 - 1, np.uint64), "beyond 2^53"),
    "object and rounded": (put(X, 10**23), f"number {10**23} at index (1, 2)"),
    "sparse and rounded": (scipy.sparse.csr_array(np.full((3, 5), BIG)), "beyond 2^53"),
    "a column and rounded": (
        pd.DataFrame(X).assign(stamp=np.array([0, 0, BIG])),
        f"the whole number {BIG} at index (2, 5)",
    ),
    "beyond float64, whole": ([[10**400, 1.5]], "(401 characters) at index (0, 0); float64"),
    "beyond float64, long": (HUGE, "Choose another unit"),
    "beyond float64, decimal": (put(X, Decimal("1e400")), "1E+400 at index (1, 2)"),
    "beyond float64, fraction": (put(X, Fraction(10**400, 3)), "Choose another unit"),
    "below float64, long": (TINY, "reaches from 4.9e-324"),
    "below float64, fraction": (put(X, Fraction(1, 10**400)), "at index (1, 2); float64"),
    "sparse beyond float64": (scipy.sparse.csr_array(HUGE), "Choose another unit"),
    "nothing": (None, "X is of type NoneType; expected (n, d) numbers"),
    "a generator": ((row for row in X), "X is of type generator"),
    "empty": ([], "X has shape (0,); expected (n, d)"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("problem", [Regression, Classification])
def test_what_is_not_numbers_is_refused_with_a_remedy(problem, kind):
    given, text = REFUSED[kind]
    with pytest.raises(InvalidInputError) as caught:
        problem(given, np.array([1.0, -1.0, 1.0]))
    message = str(caught.value)
    assert text in message
    assert "0x" not in message and message.endswith(".")


def test_every_array_argument_is_checked_alike():
    for bad in (MASKED[0], X[0].astype(str), np.full(5, BIG)):
        with pytest.raises(InvalidInputError, match="directions, layer 1,"):
            Initialization([bad, X[0]], 1.0)
        with pytest.raises(InvalidInputError, match=r"^y "):
            Regression(np.eye(5), bad)


def test_the_worst_number_is_infinite_where_one_is_none():
    """Whatever its place: ``max`` keeps what it had where it is compared with NaN."""
    assert worst_of(0.0, 1e-9, -1.0) == 1e-9
    for numbers in ([np.nan, 1e-9], [1e-9, np.nan], [0.0, np.nan, 1e-9]):
        assert worst_of(*numbers) == np.inf
