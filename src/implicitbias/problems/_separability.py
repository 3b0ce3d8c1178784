"""Decide whether y_i x_i^T z > 0 for all i has a solution, with evidence either way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._html import Badge
from implicitbias._results import Record
from implicitbias._verdicts import Verdict
from implicitbias.features import Features
from implicitbias.problems._coordinates import Coordinates, compressed, equilibrated
from implicitbias.problems._evidence import GordanVector, Separator, SignedRows
from implicitbias.problems._margin_lp import largest_margin, null_weights, zoom
from implicitbias.problems._rows import rank_tolerance

ASSUMPTION = "the classes are linearly separable"
HEALTHY_COSINE = 1e-6  # an interpolating separator with this margin needs no linear program
DIRECT_ENTRIES = 1 << 14  # above this, n <= d points enter the linear program in n coordinates
ROUNDS = 3


@dataclass(frozen=True, eq=False, repr=False)
class Separability(Record):
    """Exactly one holds: y_i x_i^T z > 0 for some z; or sum_i a_i y_i x_i = 0, a >= 0, a != 0.

    Attributes
    ----------
    verdict
        "holds" (separable), "fails", or "undecided" where float64 can prove neither. Its value is
        min_i y_i x_i^T z / ||x_i||; otherwise what is left of sum_i a_i y_i x_i = 0 for points
        scaled to length 1, above which no unit z brings that minimum.
    margin
        min_i y_i x_i^T z of the separator, a lower bound on the largest; 0.0 without one.
    separator
        z, (d,), of unit length; None where it fails, an unproved candidate or None if undecided.
    farkas
        a, (n,), of sum 1; None where it holds, an unproved candidate if undecided.
    """

    verdict: Verdict
    margin: float
    separator: FloatArray | None
    farkas: FloatArray | None

    def _short(self) -> str:
        return f"{self.verdict.status}: margin {self.margin:.3g}"

    def _badge(self) -> Badge:
        return self.verdict._badge()

    def __str__(self) -> str:
        return f"{self.verdict}; margin {self.margin:.3g}"


def decide(X: FloatArray | Features, y: FloatArray) -> Separability:
    """Find a separator or a Gordan vector for labels y in {-1, +1}, and verify it.

    Candidates come from interpolation (n <= d) and linear programs; the verdict rests on the
    verification alone. n <= d points in general position never reach a linear program.
    """
    data = SignedRows(X, y)
    if not data.norms.all():
        return _zero_point(data)
    best = None
    if X.shape[0] <= X.shape[1]:
        space = compressed(data)
        best = data.separator(space.lift(_interpolating(space)))
        if best is not None and best.proved and best.cosine >= HEALTHY_COSINE:
            return _separable(best)
        if X.shape[0] * X.shape[1] <= DIRECT_ENTRIES:
            space = equilibrated(data)
    else:
        space = equilibrated(data)
    return _by_linear_programs(data, space, best)


def _interpolating(space: Coordinates) -> FloatArray:
    """Return the shortest z whose margins with the unit rows are all 1, in least squares."""
    rows = space.rows
    tolerance = rank_tolerance(rows.shape)
    return np.asarray(np.linalg.lstsq(rows, np.ones(len(rows)), rcond=tolerance)[0])


def _by_linear_programs(
    data: SignedRows, space: Coordinates, best: Separator | None
) -> Separability:
    """Solve for the largest margin, zooming in while neither side can be proved."""
    solution = largest_margin(space.rows)
    best = _better(best, data.separator(space.lift(solution.vector)))
    if best is not None and best.proved:
        return _separable(best)
    unproved = []
    for weights in null_weights(space.rows, solution):
        found = data.gordan_vector(weights / space.lengths)
        if found.proved:
            return _not_separable(found)
        unproved.append(found)
    closer = zoom(space.rows, solution)
    for _ in range(ROUNDS):
        if closer is None:
            break
        best = _better(best, data.separator(space.lift(closer.vector)))
        if best is not None and best.proved:
            return _separable(best)
        closer = zoom(space.rows, closer)
    return _undecided(best, min(unproved, key=lambda found: found.residual))


def _better(first: Separator | None, second: Separator | None) -> Separator | None:
    if first is None or second is None:
        return first or second
    return max(first, second, key=lambda found: (found.proved, found.cosine))


def _separable(found: Separator) -> Separability:
    detail = "min_i y_i x_i^T z / |x_i| for the unit vector z in .separator"
    verdict = Verdict(ASSUMPTION, "holds", found.cosine, detail)
    return Separability(verdict, found.margin, found.vector, None)


def _not_separable(found: GordanVector) -> Separability:
    detail = "the length left of sum_i a_i y_i x_i = 0, a >= 0 in .farkas, for points of length 1"
    verdict = Verdict(ASSUMPTION, "fails", found.residual, detail)
    return Separability(verdict, 0.0, None, found.weights)


def _zero_point(data: SignedRows) -> Separability:
    weights = np.zeros(len(data.y))
    index = int(np.argmin(data.norms))
    weights[index] = 1.0
    detail = f"point {index} is zero, so no z gives it a positive margin"
    return Separability(Verdict(ASSUMPTION, "fails", 0.0, detail), 0.0, None, weights)


def _undecided(best: Separator | None, gordan: GordanVector) -> Separability:
    detail = (
        "no unit z has min_i y_i x_i^T z / |x_i| above this, and float64 cannot tell its sign at "
        "this size"
    )
    verdict = Verdict(ASSUMPTION, "undecided", gordan.residual, detail)
    if best is None or best.margin <= 0:
        return Separability(verdict, 0.0, None, gordan.weights)
    return Separability(verdict, best.margin, best.vector, gordan.weights)
