"""The equations that the coefficients meet once the intercept is eliminated, and their reach.

X beta + b = y for some b says T X beta = T y for any T, (n - 1, n), of rank n - 1 with T 1 = 0.
Centring the columns leaves n equations of which one is a combination of the others up to the
rounding of the means, and rounding would then count as data. With n - 1 equations nothing is left
over: T holds the last rows of a reflection that takes 1 to the first axis (T X then is the centred
X in other coordinates, and so is its gradient flow).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InfeasibleProblemError
from implicitbias.problems._regression import Regression


@dataclass(frozen=True)
class Equations:
    """T X beta = T y, and how to return from it.

    Attributes
    ----------
    X, y
        T X and T y.
    X_mean, y_mean
        b = y_mean - X_mean^T beta; zeros where there is no intercept.
    centred
        Whether T eliminates an intercept; else T = I.
    """

    X: Any
    y: FloatArray
    X_mean: FloatArray
    y_mean: float
    centred: bool

    def intercept(self, coefficients: FloatArray) -> float:
        """B that belongs to the coefficients."""
        return self.y_mean - float(self.X_mean @ coefficients)

    def dual_as_given(self, nu: FloatArray) -> FloatArray:
        """T^T nu, (n,): the dual point in the rows of X itself."""
        if not self.centred or nu.size == 0:
            return nu if not self.centred else np.zeros(1)
        return _reflected(np.concatenate([[0.0], nu]))


def equations(X: Any, y: FloatArray, fit_intercept: bool) -> Equations:
    """Eliminate the intercept, if there is one."""
    if not fit_intercept:
        return Equations(X, y, np.zeros(X.shape[1]), 0.0, False)
    means = np.asarray(X.mean(axis=0)).ravel()
    return Equations(_reflected(X)[1:], _reflected(y)[1:], means, float(y.mean()), True)


def _reflected(array: FloatArray) -> FloatArray:
    """(I - v v^T / (n + sqrt(n))) A with v = 1 + sqrt(n) e_1, which takes 1 to -sqrt(n) e_1."""
    n = len(array)
    root = np.sqrt(n)
    total = array.sum(axis=0) + root * array[0]
    moved = array - total / (n + root)
    moved[0] -= root * total / (n + root)
    return np.asarray(moved)


def reachable_part(X: Any, y: FloatArray) -> tuple[Regression, bool]:
    """X beta = y as a problem, with y projected on the range of X where it must be.

    Returns
    -------
    tuple
        The problem, and whether y itself is in the range of X.
    """
    if len(y) == 0:
        return Regression(np.zeros((1, X.shape[1])), np.zeros(1)), True
    try:
        return Regression(X, y), True
    except InfeasibleProblemError as error:
        projected = y - error.evidence
    try:
        return Regression(X, projected), False
    except InfeasibleProblemError as error:  # y is orthogonal to the range, up to rounding
        return Regression(X, projected - error.evidence), False
