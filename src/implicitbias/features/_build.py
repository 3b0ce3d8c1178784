"""Features from what a user gives: the one place that asks what a matrix is made of."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
from scipy.sparse import csr_array

from implicitbias._arrays import finite_array
from implicitbias._errors import InvalidInputError
from implicitbias._numbers import as_float64, not_finite, numeric_array
from implicitbias.features._base import Features
from implicitbias.features._cluster import OnCluster, is_dask
from implicitbias.features._dense import Dense
from implicitbias.features._device import OnDevice, is_elsewhere
from implicitbias.features._sparse import Sparse


def is_sparse(value: Any) -> TypeGuard[Any]:
    """Whether ``value`` is a SciPy sparse array or matrix."""
    return any(kind.__module__.startswith("scipy.sparse") for kind in type(value).__mro__)


def as_features(matrix: Any) -> Features:
    """Features of a matrix that has been checked: float64, two-dimensional, finite."""
    if isinstance(matrix, Features):
        return matrix
    return Sparse(matrix) if is_sparse(matrix) else Dense(matrix)


def features_of(
    X: Any, name: str = "X", *, allow_complex: bool = False, finite: bool = True
) -> Features:
    """Features of a user's (n, d) matrix, by reference where it is float64 already.

    ``finite``: whether entries that are not finite are refused here.

    Raises
    ------
    InvalidInputError
        Masked, not numeric, not two-dimensional, empty, not finite, or numbers that float64 does
        not hold.
    """
    if isinstance(X, Features):
        return _checked(X, name, allow_complex) if finite else X
    if is_sparse(X):
        return Sparse(finite_csr(X, name, finite=finite))
    if finite and is_elsewhere(X):
        return OnDevice(X)
    if finite and is_dask(X):
        return OnCluster(X)
    array = numeric_array(X, name, "(n, d) numbers, one row a point")
    shape = array.shape
    if len(shape) < 2:
        hint = (
            f" Write np.reshape({name}, (1, -1)) for a single point, np.reshape({name}, (-1, 1)) "
            "for a single feature."
            if any(shape)
            else ""
        )
        raise InvalidInputError(
            f"{name} has shape {shape}; expected (n, d), one row a point.{hint}"
        )
    if 0 in shape:
        raise InvalidInputError(
            f"{name} has shape {shape}; expected (n, d) with at least one point and one feature."
        )
    return Dense(
        finite_array(array, name, shape=(None, None), allow_complex=allow_complex, finite=finite)
    )


def _checked(X: Features, name: str, allow_complex: bool) -> Features:
    """Features given as such: real and finite as what they would be made from."""
    if X.is_complex and not allow_complex:
        raise InvalidInputError(f"{name} is complex; expected real numbers of shape {X.shape}.")
    column = np.flatnonzero(~np.isfinite(X.largest(0)))
    if column.size:
        entries = X.columns(column[:1])[:, 0]
        row = int(np.flatnonzero(~np.isfinite(entries))[0])
        raise not_finite(name, entries[row], (row, int(column[0])))
    return X


def finite_csr(value: Any, name: str, *, finite: bool = True) -> Any:
    """Return a sparse ``value`` as a float64 ``csr_array`` without duplicate entries, finite ones.

    Raises
    ------
    InvalidInputError
        Not two-dimensional, empty, not real numbers, or not finite.
    """
    if value.ndim != 2 or 0 in value.shape:
        raise InvalidInputError(
            f"{name} has shape {value.shape}; expected (n, d) with at least one point and one "
            "feature."
        )
    if value.dtype.kind not in "buif":
        raise InvalidInputError(f"{name} has dtype {value.dtype}; expected real numbers.")
    given = csr_array(value)
    if not given.has_canonical_format:
        given = given.copy()
        given.sum_duplicates()

    def index(place: int) -> tuple[int, int]:
        row = int(np.searchsorted(given.indptr, place, side="right")) - 1
        return row, int(given.indices[place])

    array = given
    if given.dtype != np.float64:
        data = as_float64(given.data, name, index)
        array = csr_array((data, given.indices, given.indptr), shape=given.shape)
    if finite and not np.isfinite(array.data).all():
        place = int(np.flatnonzero(~np.isfinite(array.data))[0])
        raise not_finite(name, array.data[place], index(place))
    return array
