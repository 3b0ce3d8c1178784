"""The equations that the coefficients meet once the intercept is eliminated, and their reach.

X beta + b = y for some b says T X beta = T y for any T, (n - 1, n), of rank n - 1 with T 1 = 0.
Centring the columns leaves n equations of which one is a combination of the others up to the
rounding of the means, and rounding would then count as data. With n - 1 equations nothing is left
over.
T subtracts one row from the others, which keeps integers integers and sparse X sparse: the
interpolators are the same, and ties among them exact. Where the flow itself is asked for, its
metric counts as well: T then holds the last rows of the reflection that takes 1 to the first axis,
and T X is the centred X in other coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from implicitbias._arrays import EPS, FloatArray, NumericArray
from implicitbias._errors import InfeasibleProblemError
from implicitbias.features import Dense, Features, Lost, as_features, exact_sum, lost_in_difference
from implicitbias.problems._consistency import share
from implicitbias.problems._offsets import Offsets
from implicitbias.problems._regression import Regression

FORMED = 1 << 24  # entries of X up to which least squares are refined
REFINEMENTS = 10  # of least squares: each wins the digits that the condition of X leaves
NOTHING = 4.0  # roundings of a projection below which all of it may be rounding


@dataclass(frozen=True, eq=False)
class Equations:
    """T X beta = T y, and how to return from it.

    Attributes
    ----------
    problem
        T X and T y, the latter projected on the range of T X where it must be.
    reached
        Whether T y itself is in that range.
    missed
        The norm of the part of y that is not, relative to that of T y.
    offsets, y_offset
        Subtracted from X and y before anything else.
    X_mean, y_mean
        Of what remains; zeros where there is no intercept.
    centred
        Whether T eliminates an intercept; else T = I.
    reference
        The row that T subtracts from the others; None where T is the reflection or I.
    """

    problem: Regression
    reached: bool
    missed: float
    offsets: Offsets
    y_offset: float
    X_mean: FloatArray
    y_mean: float
    centred: bool = True
    reference: int | None = None

    def with_targets(self, y: FloatArray) -> Equations:
        """The same X with other targets, (n,), where all rows of T X are independent.

        Then every y can be reached, and nothing of X is looked at again.
        """
        if not self.centred:
            return replace(self, problem=self.problem.with_targets(y))
        y_offset = float(Offsets.of(Dense(y[:, None])).values.sum())
        y = y - y_offset
        if self.reference is None:
            problem = self.problem.with_targets(_reflected(y)[1:])
        else:
            others = np.delete(y, self.reference)
            targets = others - y[self.reference]
            off = np.abs(lost_in_difference(others, y[self.reference], targets))
            entries = None if self.problem.lost is None else self.problem.lost.entries
            problem = self.problem.with_targets(targets).having(Lost(entries, off))
        return replace(self, problem=problem, y_offset=y_offset, y_mean=float(y.mean()))

    def intercept(self, coefficients: FloatArray) -> float:
        """b that belongs to the coefficients."""
        moved = self.y_mean - float(self.X_mean @ coefficients)
        return self.offsets.constant(coefficients, self.y_offset, moved)

    def level(self, coefficients: FloatArray) -> NumericArray:
        """c^T beta + b for beta (d,) or (k, d): no difference of large numbers, as b may be."""
        return np.asarray(self.y_offset + (self.y_mean - coefficients @ self.X_mean))

    def dual_as_given(self, nu: FloatArray) -> FloatArray:
        """T^T nu, (n,): the dual point in the rows of X itself."""
        if not self.centred:
            return nu
        if self.reference is None:
            return _reflected(np.concatenate([[0.0], nu]))
        return np.insert(nu, self.reference, -nu.sum())


def equations(
    X: FloatArray | Features, y: FloatArray, fit_intercept: bool, *, isometric: bool = True
) -> Equations:
    """X beta (+ b) = y as a problem that has a solution.

    Parameters
    ----------
    X
        (n, d).
    y
        (n,).
    fit_intercept
        Whether there is a b to eliminate.
    isometric
        Whether the flow of T X beta = T y is to be that of the centred data, not only its
        interpolators; without effect on sparse X.
    """
    X = as_features(X)
    if not fit_intercept:
        problem, reached = reachable_part(X, y)
        missed, nothing = share(y - problem.y, y), np.zeros(X.shape[1])
        return Equations(problem, reached, missed, Offsets.none(), 0.0, nothing, 0.0, centred=False)
    offsets = Offsets.of(X)
    y_offset = float(Offsets.of(Dense(y[:, None])).values.sum())
    X, y = offsets.subtracted(X), y - y_offset
    X_mean, y_mean = X.means(), float(y.mean())
    if len(y) == 1:  # b alone fits a single point
        problem = Regression(np.zeros((1, X.shape[1])), np.zeros(1))
        return Equations(problem, True, 0.0, offsets, y_offset, X_mean, y_mean, reference=0)
    if not (X.is_array and isometric):
        problem, reached, missed, reference = _differences(X, y)
    else:
        targets, reference = _reflected(y)[1:], None
        problem, reached = reachable_part(Dense(_reflected(X.toarray())[1:]), targets)
        missed = share(targets - problem.y, targets)
    return Equations(
        problem, reached, missed, offsets, y_offset, X_mean, y_mean, reference=reference
    )


def _differences(X: Features, y: FloatArray) -> tuple[Regression, bool, float, int]:
    """Problem, reached, missed, and the row that was subtracted: one of few or small entries.

    y that cannot be reached is first projected on the range of X and 1: differences of rows have
    another metric.
    """
    reference = X.shortest_row()
    rows = X.differences(reference)
    targets = np.delete(y, reference) - y[reference]
    problem, reached = reachable_part(rows, targets)
    if reached:
        return _having_lost(problem, X, y, reference), True, 0.0, reference
    whole, _ = reachable_part(X.beside(np.ones(len(y))), y)
    missed = share(y - whole.y, y - y.mean())
    problem, _ = reachable_part(rows, np.delete(whole.y, reference) - whole.y[reference])
    return _having_lost(problem, X, whole.y, reference, whole.lost), False, missed, reference


def _having_lost(
    problem: Regression, X: Features, y: FloatArray, reference: int, before: Lost | None = None
) -> Regression:
    """The problem of differences with what rounding took from them, or ``before`` them from y."""
    entries, others = X.lost_in_differences(reference), np.delete(y, reference)
    off = np.abs(lost_in_difference(others, y[reference], others - y[reference]))
    if before is not None:
        off = off + np.delete(before.targets, reference) + before.targets[reference]
    if problem.lost is not None:
        off = off + problem.lost.targets
    return problem.having(Lost(entries if entries.largest(1).any() else None, off))


def _reflected(array: FloatArray) -> FloatArray:
    """(I - v v^T / (n + sqrt(n))) A with v = 1 + sqrt(n) e_1, which takes 1 to -sqrt(n) e_1."""
    n = len(array)
    root = np.sqrt(n)
    total = array.sum(axis=0) + root * array[0]
    moved = array - total / (n + root)
    moved[0] -= root * total / (n + root)
    return np.asarray(moved)


def reachable_part(X: FloatArray | Features, y: FloatArray) -> tuple[Regression, bool]:
    """X beta = y as a problem, with y projected on the range of X where it must be.

    Returns
    -------
    tuple
        The problem, with what rounding took from a projection, and whether y itself is in the
        range of X.
    """
    try:
        return Regression(X, y), True
    except InfeasibleProblemError as error:
        beyond, off = _sharpened(X, y, error.evidence, error.rounding)
        projected = y - beyond
    if np.abs(projected).max() <= NOTHING * off.max():  # y is orthogonal to the range
        return Regression(X, np.zeros_like(projected)), False
    try:
        problem = Regression(X, projected)
    except InfeasibleProblemError as error:  # nearly so: what is left is mostly rounding
        problem, off = Regression(X, projected - error.evidence), off + error.rounding
    return problem.having(Lost(None, off + EPS * np.abs(problem.y))), False


def _sharpened(
    X: FloatArray | Features, y: FloatArray, beyond: FloatArray, off: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The part of y beyond the range of X, and what it is off by; as given where X is too large.

    Combinations of rows are off by the condition of X, and so is the range that they span. The rest
    y - X z of least squares is not, where it and X^T (y - X z) are evaluated beyond float64.
    """
    X = as_features(X)
    if X.size > FORMED:
        return beyond, off
    units = np.frexp(X.largest(0))[1]
    X = X.shifted(np.zeros(len(X), dtype=np.intp), -units).dense()
    _, values, right = np.linalg.svd(X.toarray(), full_matrices=False)
    kept = values > EPS * max(X.shape) * values[0]
    right, values = right[kept], values[kept]
    z, more, size = np.zeros(X.shape[1]), np.zeros(X.shape[1]), np.inf
    found, enough = (beyond, off), EPS * float(np.abs(y).max())
    for _ in range(REFINEMENTS):
        rest = X.precise.residual(z, y) - X @ more
        pull = -X.precise.transposed_residual(rest, np.zeros(z.size))
        step = right.T @ (right @ pull / values**2)
        moved = np.abs(X @ step)
        if not moved.max() < 0.5 * size or size < enough:
            break
        found, size = (rest, moved + EPS * (np.abs(y) + np.abs(rest))), float(moved.max())
        z, more = exact_sum(z, more + step)
    return found if size <= off.max() + enough else (beyond, off)
