"""Data as scikit-learn takes them, without what it would silently turn into something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from implicitbias._arrays import FloatArray, finite_array
from implicitbias._errors import InvalidInputError
from implicitbias._numbers import numeric_array, refuse_containers
from implicitbias.features import as_features, features_of
from implicitbias.problems import distinct_labels, label_array


class _InvalidInputTypeError(InvalidInputError, TypeError):
    """What scikit-learn's conventions ask for where an entry is of no numeric type."""


FARTHEST = 1e40  # the largest weight over the smallest: up to 1e30 least squares keep all digits
SMALL = 1 << 11  # entries of sparse data that are made dense: more results apply to those


def fitted_data(
    model: Any,
    X: Any,
    y: Any,
    *,
    sparse: bool = True,
    labels: bool = False,
    several: bool = False,
) -> tuple[Any, Any]:
    """X, (n, d) float64 or CSR, and y, (n,): targets in float64, or labels.

    ``several``: y may be (n, k), targets of k outputs.

    Raises
    ------
    InvalidInputError
        Masked, missing, not numeric, complex, empty, not finite, of unlike lengths, or numbers that
        float64 does not hold.
    """

    def check(X: Any, y: Any) -> Any:
        several_outputs = several and np.ndim(y) == 2
        options = _options(sparse) | {"y_numeric": not labels, "multi_output": several_outputs}
        X, y = validate_data(model, X, y, **options)
        if labels:
            distinct_labels(y)
            check_classification_targets(y)
            return X, y
        return X, np.asarray(y, dtype=np.float64)

    X, y = checked(check, X, y, sparse=sparse, labels=labels)
    features = as_features(X)
    if not features.is_array and features.size <= SMALL:
        X = features.toarray()
    return X, y


def weights_of(sample_weight: Any, num_points: int) -> FloatArray | None:
    """w >= 0, (n,), or None for ones; one number is that of all points.

    Raises
    ------
    InvalidInputError
        Of another shape, not finite, negative, all 0, or further apart than float64 resolves.
    """
    if sample_weight is None:
        return None
    given = numeric_array(sample_weight, "sample_weight", "numbers >= 0, one a point")
    weights = np.full(num_points, given.item()) if given.ndim == 0 else given
    found: FloatArray = finite_array(weights, "sample_weight", shape=(num_points,))
    if found.min() < 0:
        raise InvalidInputError(
            f"sample_weight contains {found.min():g} at point {int(found.argmin())}; expected "
            "numbers >= 0. Leave out a point by the weight 0."
        )
    if not found.any():
        raise InvalidInputError("sample_weight is zero for all points, which leaves none to fit.")
    least, most = float(found[found > 0].min()), float(found.max())
    if most / FARTHEST > least:
        raise InvalidInputError(
            f"sample_weight goes from {least:.1e} to {most:.1e}, which no float64 arithmetic keeps "
            f"apart; expected a factor of at most {FARTHEST:.0e}. Leave out by the weight 0 the "
            "points that count for nothing."
        )
    return found


def relative_to_largest(weights: FloatArray | None) -> FloatArray | None:
    """Weights in a unit, a power of two, in which the largest is about 1: limits know no other."""
    if weights is None:
        return None
    moved = np.ldexp(weights, -np.frexp(weights.max())[1])
    return np.asarray(np.where(weights > 0, np.maximum(moved, np.finfo(float).tiny), 0.0))


def new_data(model: Any, X: Any, *, sparse: bool = True) -> Any:
    """X, (n, d) float64 or CSR, with the features that the model was fitted on."""

    def check(X: Any, _: Any) -> Any:
        return validate_data(model, X, **_options(sparse), reset=False)

    return checked(check, X, None, sparse=sparse)


def checked(
    check: Callable[[Any, Any], Any], X: Any, y: Any, *, sparse: bool = True, labels: bool = False
) -> Any:
    """What scikit-learn's ``check(X, y)`` returns, after checks of our own."""
    try:
        by_scipy = hasattr(X, "tocsr")
        if by_scipy and sparse and X.ndim == 2 and 0 not in X.shape:
            X = features_of(X).given
        elif not by_scipy:
            refuse_containers(X, "X")
            numeric_array(X, "X")  # scikit-learn converts X itself, to keep the names of columns
        if y is not None and not labels:
            y = numeric_array(y, "y")
        elif y is not None and getattr(getattr(y, "dtype", None), "kind", "") != "c":
            y = label_array(y)
        with np.errstate(over="ignore", invalid="ignore"):
            return check(X, y)
    except InvalidInputError as error:
        if isinstance(error.__cause__, TypeError):
            raise _InvalidInputTypeError(str(error)) from error
        raise
    except TypeError as error:
        raise _InvalidInputTypeError(str(error)) from error
    except ValueError as error:
        raise InvalidInputError(str(error)) from error


def _options(sparse: bool) -> dict[str, Any]:
    return {"accept_sparse": "csr" if sparse else False, "dtype": np.float64}
