"""Cross-validation of many linear models at once: the folds, and errors on what they leave out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from joblib import Parallel, delayed
from sklearn.model_selection import check_cv

from implicitbias._arrays import FloatArray
from implicitbias.problems import Equations

Measured = TypeVar("Measured")


def over_folds(
    measure: Callable[..., Measured], X: Any, y: FloatArray, cv: Any, n_jobs: int | None, *rest: Any
) -> list[Measured]:
    """measure(X, y, train, test, *rest) for each fold, ``n_jobs`` at a time."""
    folds = check_cv(cv).split(X, y)
    found = Parallel(n_jobs=n_jobs)(
        delayed(measure)(X, y, train, test, *rest) for train, test in folds
    )
    return list(found)


def squared_errors(data: Equations, coefficients: FloatArray, X: Any, y: FloatArray) -> FloatArray:
    """mean_i (x_i^T beta + b - y_i)^2 for many beta, (k, d), fitted to ``data``; (k,)."""
    missing = data.offsets.products(X, coefficients.T)
    missing = missing + data.level(coefficients) - y[:, None]
    return np.asarray(np.mean(missing**2, axis=0))
