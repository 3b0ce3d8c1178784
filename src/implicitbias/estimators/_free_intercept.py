"""An intercept that is in no norm: at every moment where it makes the loss least.

With s_i = x_i^T beta and b at its minimum, e^{2b} = sum_{y_j < 0} e^{s_j} / sum_{y_i > 0} e^{-s_i},

    sum_i exp(-y_i (s_i + b)) = 2 sqrt(sum_{y_i > 0 > y_j} exp(-(x_i - x_j)^T beta)),

so beta is trained as on the pairs x_i - x_j, all with the label +1, in another clock. Half of them,
(x_i - x_j) / 2, have margin 1 where the points have with b halfway, and their flow is that of the
whole ones from 2^{1/L} times the scale. What is known of separable points without an intercept
holds of pairs as it stands.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC

from implicitbias._arrays import EPS, FloatArray, IntArray, Parameters
from implicitbias._errors import NoPredictionError
from implicitbias._model import directions_of, network_of
from implicitbias.estimators._binary import (
    Plane,
    Points,
    Settings,
    checked_direction,
    too_narrow,
)
from implicitbias.estimators._end import End, end_of_training
from implicitbias.features import Features, as_features
from implicitbias.networks import Network
from implicitbias.problems import Classification, Equations, equations

PAIRS, ENTRIES = 1 << 12, 1 << 22  # of pairs up to which they are all taken at once
ROUNDS = 100  # of adding the pairs that a plane violates
NOISE = 1e-13  # of a margin of 1: no violation
LARGE, ROUGH = 1e8, 1e-6  # C and tol of the machine that proposes where to begin


@dataclass(frozen=True, eq=False)
class FreeIntercept:
    """beta is trained, and b follows at the minimum of the loss."""

    points: Points
    network: Network
    directions: Parameters
    separable: bool
    squares: Equations | None

    @classmethod
    def on(cls, settings: Settings, points: Points) -> FreeIntercept:
        """What the settings train on these points, from where."""
        network = network_of(settings.network, settings.depth, points.X.shape[1])
        direction = checked_direction(settings.init_direction, points.X.shape[1])
        with_constant = Classification(points.moved.beside(np.ones(len(points.X))), points.signs)
        separable = points.separable(settings, with_constant)
        squares = None
        if not separable:
            signal = settings.network == "convolutional"
            squares = equations(points.X, points.signs, True, isometric=signal)
        return cls(points, network, directions_of(network, direction), separable, squares)

    def end(self) -> End:
        """The end of training for ever; of classes that overlap under the squared loss."""
        if self.squares is not None:
            return end_of_training(self.network, self.squares.problem, self.directions, 1.0)
        positive, negative = (np.flatnonzero(self.points.signs == sign) for sign in (1.0, -1.0))
        first = np.repeat(positive, negative.size)
        second = np.tile(negative, positive.size)
        convex = self.network.degree == 2 or self.network.family == "fully connected"
        width = self.points.X.shape[1] if convex else 1
        if first.size <= min(PAIRS, max(ENTRIES // width, len(self.points.X))):
            return self._of(first, second)[0]
        if not convex:
            raise NoPredictionError(
                f"a free intercept beyond two layers needs all {first.size} pairs of points of "
                f"different classes, and takes up to {PAIRS}: its limit is one of several, which "
                "the flow chooses. Take depth=2 or network='fully_connected', or fewer points."
            )
        return self._by_rounds(positive, negative)

    def _by_rounds(self, positive: IntArray, negative: IntArray) -> End:
        """Of a least norm: pairs are added until none is violated, which is the limit on all."""
        taken = proposed_pairs(self.points.moved, self.points.signs)
        whole, before = self.network.family == "fully connected", 0.0
        for _ in range(ROUNDS):
            first, second = np.array(sorted(taken)).T
            end, multipliers = self._of(first, second)
            scores = np.asarray(self.points.moved @ end.coefficients)
            lowest = int(positive[np.argmin(scores[positive])])
            highest = int(negative[np.argmax(scores[negative])])
            pairs = {(i, highest) for i in positive.tolist()}
            pairs |= {(lowest, j) for j in negative.tolist()}
            more = {(i, j) for i, j in pairs - taken if scores[i] - scores[j] < 2.0 - NOISE}
            if not more:
                return end
            norm = float(np.linalg.norm(end.coefficients, 2 if whole else 1))
            if multipliers is not None and norm > before * (1.0 + NOISE):
                held = multipliers > 0  # the norm rises, so that no set of pairs comes twice
                taken = set(zip(first[held].tolist(), second[held].tolist(), strict=True))
            before = max(before, norm)
            taken |= more
        raise NoPredictionError(
            f"{ROUNDS} rounds of adding violated pairs found no plane that violates none. Take "
            "fewer points, or free_intercept=False."
        )

    def _of(self, first: IntArray, second: IntArray) -> tuple[End, FloatArray | None]:
        """The end of training on some pairs, with multipliers of points, and those of pairs."""
        halves = pairs_of(self.points.moved, first, second)
        problem = Classification(halves, np.ones(first.size))
        scale = 2.0 ** (1.0 / self.network.degree)
        end = end_of_training(self.network, problem, self.directions, scale)
        if end.dual is None:
            return end, None
        dual = np.zeros(len(self.points.X))
        for members in (first, second):
            np.add.at(dual, members, end.dual / 2)
        error = end.error
        if error is not None:
            active = np.flatnonzero(end.dual > 0)
            error += rounding_of(halves.rows(active), end.coefficients)
        return replace(end, dual=dual, error=error), end.dual

    def plane(self, end: End) -> Plane:
        """The plane of an end of training, with b halfway between the classes."""
        X, signs, offsets = self.points.X, self.points.signs, self.points.offsets
        beta = end.coefficients
        if self.squares is not None:
            level, problem = float(self.squares.level(beta)), self.squares.problem
            if end.dual is not None:
                end = replace(end, dual=self.squares.dual_as_given(end.dual))
            intercept = self.squares.intercept(beta)
            return Plane(beta, intercept, level, offsets, end, problem.rank, False, problem.X)
        scores = offsets.products(X, beta)
        low, high = float(scores[signs > 0].min()), float(scores[signs < 0].max())
        if not low > high:
            raise NoPredictionError(too_narrow((low - high) / 2))
        level = -(low + high) / 2
        short = max(0.0, 1.0 - (low - high) / 2)
        end = replace(end, feasibility=max(end.feasibility, short))
        trained = self.points.moved
        rank = Classification(trained.beside(np.ones(len(X))), signs).rank
        intercept = offsets.constant(beta, level)
        return Plane(beta, intercept, level, offsets, end, rank, True, trained)


def pairs_of(X: Features, first: IntArray, second: IntArray) -> Features:
    """(x_i - x_j) / 2, one row a pair; sparse where X is."""
    if X.is_array:
        return as_features(0.5 * (X.rows(first).toarray() - X.rows(second).toarray()))
    rows = np.arange(first.size)
    values = np.concatenate([np.full(first.size, 0.5), np.full(first.size, -0.5)])
    places = (np.concatenate([rows, rows]), np.concatenate([first, second]))
    return as_features(csr_array(csr_array((values, places), (first.size, len(X))) @ X.given))


def proposed_pairs(X: Features, signs: FloatArray) -> set[tuple[int, int]]:
    """Pairs to begin with: a tree that carries the multipliers of scikit-learn's machine.

    They sum to the same over both classes, so that the points of one in turn can be served by those
    of the other until nothing is left. Whatever it proposes, what is violated is added later.
    """
    size = float(X.row_norms().max())
    unit = X.shifted(np.full(len(X), -np.frexp(size)[1]))
    machine = SVC(kernel="linear", C=LARGE, tol=ROUGH, max_iter=10**6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(unit.given, signs)
    found = machine.dual_coef_ if X.is_array else machine.dual_coef_.toarray()
    weights = np.zeros(len(X))
    weights[machine.support_] = np.abs(found[0])
    positive, negative = (np.flatnonzero((signs == sign) & (weights > 0)) for sign in (1.0, -1.0))
    supply, demand = (np.cumsum(weights[members]) for members in (positive, negative))
    last = (supply.size - 1, demand.size - 1)
    pairs, here = set(), (0, 0)
    while True:
        i, j = here
        pairs.add((int(positive[i]), int(negative[j])))
        if here == last:
            return pairs
        forward = j == last[1] or (i < last[0] and supply[i] <= demand[j])
        here = (i + 1, j) if forward else (i, j + 1)


def rounding_of(active: Features, beta: FloatArray) -> float:
    """What rounding the differences may turn beta by, relative to it.

    A change of Z in Z beta = 1 by roundings moves beta by Z^+ times eps |Z| |beta|.
    """
    used = np.flatnonzero(beta)
    if not len(active) or not used.size:
        return EPS
    Z = active.taken(used)
    gram = Z.gram(np.ones(used.size)) if Z.size > ENTRIES else None
    if gram is None:
        values = np.linalg.svd(Z.toarray(), compute_uv=False)
    else:
        values = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0))
    kept = values[values > EPS * max(Z.shape) * values[0]]
    moved = EPS * float(np.linalg.norm(Z.absolute(beta[used])))
    return moved / float(kept[-1]) / float(np.linalg.norm(beta))
