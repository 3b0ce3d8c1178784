"""The equations that the coefficients meet once the intercept is eliminated, and their reach.

X beta + b = y for some b says T X beta = T y for any T, (n - 1, n), of rank n - 1 with T 1 = 0.
Centring the columns leaves n equations of which one is a combination of the others up to the
rounding of the means, and rounding would then count as data. With n - 1 equations nothing is left
over.
T subtracts one row from the others, which keeps integers integers and sparse X sparse: the
interpolators are the same, and ties among them exact. Where the flow itself is asked for, its
metric counts as well: T then holds the last rows of the reflection that takes 1 to the first axis,
and T X is the centred X in other coordinates.
Weights w of the points, as in 1/2 sum_i w_i (x_i^T beta + b - y_i)^2, change no interpolator: they
say to what y is projected where it cannot be reached, and what the flow is. T then takes the points
times sqrt(w), and the reflection takes sqrt(w) to the first axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from implicitbias._arrays import EPS, FloatArray, IntArray, NumericArray, stable_norm
from implicitbias._errors import InfeasibleProblemError, InvalidInputError
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
    roots
        sqrt(w), by which T multiplies the points before anything else, (n,); None where it does
        not.
    weights
        w, for the means; None where all are 1.
    kept, num_points
        The points of positive weight among so many, if points have weights.
    alone
        Whether there is one point only, which the intercept fits.
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
    roots: FloatArray | None = None
    weights: FloatArray | None = None
    kept: IntArray | None = None
    num_points: int = 0
    alone: bool = False

    def with_targets(self, y: FloatArray) -> Equations:
        """The same X with other targets, (n,), where all rows of T X are independent.

        Then every y can be reached, and nothing of X is looked at again.
        """
        y = y if self.kept is None else y[self.kept]
        if not self.centred:
            return replace(self, problem=self.problem.with_targets(_times(self.roots, y)))
        y_offset = float(Offsets.of(Dense(y[:, None])).values.sum())
        y = y - y_offset
        if self.reference is None:
            problem = self.problem.with_targets(_reflected(_times(self.roots, y), self.roots)[1:])
        else:
            others = np.delete(y, self.reference)
            targets = others - y[self.reference]
            off = np.abs(lost_in_difference(others, y[self.reference], targets))
            entries = None if self.problem.lost is None else self.problem.lost.entries
            problem = self.problem.with_targets(targets).having(Lost(entries, off))
        y_mean = float(np.average(y, weights=self.weights))
        return replace(self, problem=problem, y_offset=y_offset, y_mean=y_mean)

    def intercept(self, coefficients: FloatArray) -> float:
        """b that belongs to the coefficients."""
        moved = self.y_mean - float(self.X_mean @ coefficients)
        return self.offsets.constant(coefficients, self.y_offset, moved)

    def level(self, coefficients: FloatArray) -> NumericArray:
        """c^T beta + b for beta (d,) or (k, d): no difference of large numbers, as b may be."""
        return np.asarray(self.y_offset + (self.y_mean - coefficients @ self.X_mean))

    def dual_as_given(self, nu: FloatArray) -> FloatArray:
        """T^T nu, (n,): the dual point in the rows of X itself, 0 for points without weight."""
        if not self.centred:
            found = _times(self.roots, nu)
        elif self.reference is None:
            whole = np.concatenate([[0.0], nu])
            found = _times(self.roots, _reflected(whole, self.roots))
        elif self.alone:
            found = np.zeros(1)
        else:
            found = np.insert(nu, self.reference, -nu.sum())
        if self.kept is None:
            return found
        given = np.zeros(self.num_points)
        given[self.kept] = found
        return given


def equations(
    X: FloatArray | Features,
    y: FloatArray,
    fit_intercept: bool,
    *,
    isometric: bool = True,
    weights: FloatArray | None = None,
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
        interpolators; without intercept and weights it is, and on sparse X with one it is not.
    weights
        w >= 0, (n,), not all 0, of the squares; points of weight 0 are left out. None for ones.
    """
    X = as_features(X)
    if weights is None:
        return _equations(X, y, fit_intercept, isometric, None)
    kept = np.flatnonzero(weights)
    some = _equations(X.rows(kept), y[kept], fit_intercept, isometric, weights[kept])
    return replace(some, weights=weights[kept], kept=kept, num_points=len(weights))


def _equations(
    X: Features,
    y: FloatArray,
    fit_intercept: bool,
    isometric: bool,
    weights: FloatArray | None,
) -> Equations:
    """The equations of points whose weights are positive."""
    roots = None if weights is None else np.sqrt(weights)
    if not fit_intercept:
        zero, none = np.zeros(X.shape[1]), Offsets.none()
        problem, reached = reachable_part(X, y)
        if roots is None or (reached and not isometric):
            missed, roots = share(y - problem.y, y), None
        else:
            problem, _ = reachable_part(X.scaled(roots, None), roots * y)
            missed = share(roots * y - problem.y, roots * y)
        return Equations(problem, reached, missed, none, 0.0, zero, 0.0, centred=False, roots=roots)
    offsets = Offsets.of(X)
    y_offset = float(Offsets.of(Dense(y[:, None])).values.sum())
    X, y = offsets.subtracted(X), y - y_offset
    y_mean = float(np.average(y, weights=weights))
    X_mean = X.means() if weights is None else X.T @ (weights / weights.sum())
    if len(y) == 1:  # b alone fits a single point
        problem = Regression(np.zeros((1, X.shape[1])), np.zeros(1))
        return Equations(
            problem, True, 0.0, offsets, y_offset, X_mean, y_mean, reference=0, alone=True
        )
    if not (X.is_array and isometric):
        problem, reached, missed, reference = _differences(X, y, roots)
        if reached or roots is None or not X.is_array:
            return Equations(
                problem, reached, missed, offsets, y_offset, X_mean, y_mean, reference=reference
            )
    targets = _reflected(_times(roots, y), roots)[1:]
    rows = X.toarray() if roots is None else roots[:, None] * X.toarray()
    problem, reached = reachable_part(Dense(_reflected(rows, roots)[1:]), targets)
    missed = share(targets - problem.y, targets)
    return Equations(problem, reached, missed, offsets, y_offset, X_mean, y_mean, roots=roots)


def _times(roots: FloatArray | None, values: FloatArray) -> FloatArray:
    return values if roots is None else roots * values


def _differences(
    X: Features, y: FloatArray, roots: FloatArray | None
) -> tuple[Regression, bool, float, int]:
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
    beside = X.beside(np.ones(len(y)))
    if roots is None:
        whole, _ = reachable_part(beside, y)
        fitted, lost = whole.y, whole.lost
        missed = share(y - fitted, y - y.mean())
    else:
        whole, _ = reachable_part(beside.scaled(roots, None), roots * y)
        fitted = whole.y / roots
        lost = None if whole.lost is None else Lost(None, whole.lost.targets / roots)
        centred = y - np.average(y, weights=roots**2)
        missed = share(roots * (y - fitted), roots * centred)
    moved = np.delete(fitted, reference) - fitted[reference]
    if lost is not None and _is_nothing(moved, lost.targets):
        moved[:] = 0.0  # y is orthogonal to the centred columns
    problem, projected = reachable_part(rows, moved)
    if roots is not None and not projected and not X.is_array:
        raise InvalidInputError(
            f"sample_weight goes from {roots.min() ** 2:.1e} to {roots.max() ** 2:.1e}, and y, "
            "which no coefficients fit, cannot be projected so on sparse X. Leave out points by "
            "the weight 0, or pass X.toarray()."
        )
    return _having_lost(problem, X, fitted, reference, lost), False, missed, reference


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


def _reflected(array: FloatArray, axis: FloatArray | None = None) -> FloatArray:
    """(I - v v^T / (|a|^2 + |a| a_1)) A with v = a + |a| e_1, which takes a > 0 to -|a| e_1.

    a is ones where no axis is given.
    """
    n = len(array)
    a = np.ones(n) if axis is None else axis
    square = float(n) if axis is None else float(axis @ axis)
    root = np.sqrt(square)
    total = (a @ array if axis is not None else array.sum(axis=0)) + root * array[0]
    share_of_v = total / (square + root * a[0])
    moved = array - (np.outer(a, share_of_v) if array.ndim == 2 else a * share_of_v)
    moved[0] -= root * share_of_v
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
        return Regression.measured(X, y), True
    except InfeasibleProblemError as error:
        beyond, off = _sharpened(X, y, error.evidence, error.rounding)
        projected = y - beyond
    if _is_nothing(projected, off):  # y is orthogonal to the range
        return Regression.measured(X, np.zeros_like(projected)), False
    try:
        problem = Regression.measured(X, projected)
    except InfeasibleProblemError as error:  # nearly so: what is left is mostly rounding
        problem, off = Regression.measured(X, projected - error.evidence), off + error.rounding
    return problem.having(Lost(None, off + EPS * np.abs(problem.y))), False


def _is_nothing(projected: FloatArray, off: FloatArray) -> bool:
    """Whether a projection may be what rounding left of 0."""
    return stable_norm(projected) <= NOTHING * stable_norm(off)


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
