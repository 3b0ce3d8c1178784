"""Cross-validation of many linear models at once: folds, errors on what they leave out, choice."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed
from sklearn.model_selection import check_cv

from implicitbias._arrays import FloatArray, IntArray, NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias.problems import Equations

Measured = TypeVar("Measured")


def over_folds(
    measure: Callable[..., Measured],
    X: Any,
    y: NumericArray,
    cv: Any,
    n_jobs: int | None,
    *rest: Any,
    labels: bool = False,
    groups: Any = None,
) -> list[Measured]:
    """measure(X, y, train, test, *rest) for each fold, ``n_jobs`` at a time.

    ``labels``: whether y are classes, by which folds are stratified. ``groups``, (n,), is for
    splitters that keep points together.

    Raises
    ------
    InvalidInputError
        No such folds of these data.
    """
    try:
        folds = list(check_cv(cv, y, classifier=labels).split(X, y, groups))
    except ValueError as error:
        raise InvalidInputError(str(error)) from error
    found = Parallel(n_jobs=n_jobs)(
        delayed(measure)(X, y, train, test, *rest) for train, test in folds
    )
    return list(found)


def parts_of(
    weights: FloatArray | None, train: IntArray, test: IntArray
) -> tuple[FloatArray | None, FloatArray | None]:
    """The weights of a fold's points and of those it leaves out, or None for both.

    Raises
    ------
    InvalidInputError
        No point of the fold has a weight.
    """
    if weights is None:
        return None, None
    if not weights[train].any():
        raise InvalidInputError(
            f"sample_weight is 0 for all {len(train)} points that a fold is to be fitted to. "
            "Choose other folds (cv), or leave these points out."
        )
    return weights[train], weights[test]


def size_of(y: FloatArray) -> float:
    """max_i |y_i|, the unit in which squares neither over- nor underflow; 1 for zeros."""
    return float(np.abs(y).max()) or 1.0


def squared_errors(
    data: Equations,
    coefficients: FloatArray,
    X: Any,
    y: FloatArray,
    size: float,
    weights: FloatArray | None = None,
) -> FloatArray:
    """mean_i (x_i^T beta + b - y_i)^2 / size^2 for many beta, (k, d), fitted to ``data``; (k,).

    With weights, (n,), the weighted mean: NaN where all of them are 0.
    """
    if weights is not None and not weights.any():
        return np.full(len(coefficients), np.nan)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        missing = data.offsets.products(X, coefficients.T)
        missing = missing + data.level(coefficients) - y[:, None]
        return np.asarray(np.average((missing / size) ** 2, axis=0, weights=weights))


def in_units(errors: FloatArray, size: float) -> FloatArray:
    """Squared errors times size^2; 0 or inf where that under- or overflows."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(errors * size * size)


def best_of(scores: FloatArray, errors: FloatArray | None = None) -> tuple[int, ...]:
    """The candidate of the highest mean score, which NaN never is.

    Folds in which nothing has a score are left out, then candidates that lack one in another fold.
    Where none is left the least of ``errors`` decides. A warning says so.

    Parameters
    ----------
    scores, errors
        (..., n_folds), one row a candidate.

    Raises
    ------
    InvalidInputError
        No candidate has a score or an error in every fold.
    """
    missing = np.isnan(scores)
    empty = missing.reshape(-1, missing.shape[-1]).all(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        means = scores[..., ~empty].sum(axis=-1) / max(int((~empty).sum()), 1)
    without = np.isnan(means) | bool(empty.all())
    if missing.any() and not without.all():
        warnings.warn(
            f"{missing.sum()} of {missing.size} scores are NaN: {empty.sum()} of {empty.size} "
            f"folds, which have no score at all, are left out, and {without.sum()} of "
            f"{without.size} candidates, which lack one in another fold, are not chosen.",
            UserWarning,
            stacklevel=3,
        )
    if not without.all():
        candidates = np.flatnonzero(~without)
        best = candidates[np.argmax(means.flat[candidates])]
        return tuple(map(int, np.unravel_index(best, means.shape)))
    if errors is None:
        raise InvalidInputError("no candidate has a finite error in every fold.")
    warnings.warn(
        "no candidate has a score that is a number: the mean squared error chooses. A score such "
        "as r2 needs two points a fold.",
        UserWarning,
        stacklevel=3,
    )
    return best_of(-errors)
