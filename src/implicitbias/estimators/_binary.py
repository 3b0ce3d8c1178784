"""Two classes: what is trained on them, where that ends, and the plane it is."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from implicitbias._arrays import EPS, FloatArray, Parameters, finite_array
from implicitbias._errors import (
    CertificateWarning,
    InfeasibleProblemError,
    InvalidInputError,
    NoPredictionError,
)
from implicitbias._model import directions_of, network_of
from implicitbias.estimators._end import End, beside_intercept, end_of_training, of_limit
from implicitbias.features import Features
from implicitbias.networks import Network
from implicitbias.problems import Classification, Offsets, reachable_part
from implicitbias.theorems import margin_path

NOTHING = 8.0  # roundings of targets below which what slopes add may be rounding


class Settings(Protocol):
    """The parameters of an estimator that say what is trained."""

    network: str
    depth: float
    init_direction: Any
    fit_intercept: bool
    require_separable: bool


@dataclass(frozen=True, eq=False)
class Plane:
    """x^T beta + b, and the end of training that it is read off.

    Attributes
    ----------
    coefficients, intercept, level
        beta, (d,), b, and b + c^T beta for offsets c of the features.
    offsets
        c, the same for all classes.
    end
        With the error of beta itself.
    rank
        Of what was trained on.
    separable
        Whether the classes are proved to be.
    X
        What was trained on, for advice.
    """

    coefficients: FloatArray
    intercept: float
    level: float
    offsets: Offsets
    end: End
    rank: int
    separable: bool
    X: Any


@dataclass(frozen=True, eq=False)
class Points:
    """Points of two classes, with the offsets of their features apart.

    Attributes
    ----------
    X, signs
        (n, d), and (n,) in {-1, +1}.
    offsets, moved
        c, and X - 1 c^T.
    whose
        What the two are called in a refusal, with its verb.
    """

    X: Features
    signs: FloatArray
    offsets: Offsets
    moved: Features
    whose: str

    @classmethod
    def of(cls, settings: Settings, X: Features, signs: FloatArray, whose: str) -> Points:
        """Points with an intercept to fit, or without."""
        offsets = Offsets.of(X) if settings.fit_intercept else Offsets.none()
        return cls(X, signs, offsets, offsets.subtracted(X), whose)

    def separable(self, settings: Settings, problem: Classification) -> bool:
        """Whether the classes are proved to be separable.

        Raises
        ------
        InfeasibleProblemError
            They are not, and have to be.
        """
        found = problem.separability()
        if settings.require_separable and not found.verdict.holds:
            how = "not" if found.verdict.fails else "not proved to be"
            raise InfeasibleProblemError(
                f"{self.whose} {how} linearly separable, and require_separable is True: "
                f"{found.verdict}. Add features, drop the points that contradict (.evidence has "
                "their weights), or leave require_separable False for a least-squares plane.",
                found.farkas,
            )
        return found.verdict.holds


@dataclass(frozen=True, eq=False)
class Trained:
    """An intercept that is trained like the rest: a feature of ones, if ``appended``.

    ``centred``: convolutional networks have the means of their features subtracted instead.
    """

    points: Points
    network: Network
    problem: Any
    directions: Parameters
    appended: bool
    centred: bool
    separable: bool

    @classmethod
    def on(cls, settings: Settings, points: Points) -> Trained:
        """What the settings train on these points, from where."""
        X, signs, moved = points.X, points.signs, points.moved
        centred = settings.fit_intercept and settings.network == "convolutional"
        appended = settings.fit_intercept and not centred
        direction = checked_direction(settings.init_direction, X.shape[1])
        trained, told = X, X
        if appended:
            # the same range and the same separability, without the offset
            ones = np.ones(len(X))
            trained, told = X.beside(ones), moved.beside(ones)
            if direction is not None:
                direction = np.append(direction, np.mean(np.abs(direction)))
        elif centred:
            trained = told = moved.less(np.arange(X.shape[1]), moved.means())
        network = network_of(settings.network, settings.depth, trained.shape[1])
        directions = directions_of(network, direction)
        problem: Any = Classification(trained, signs)
        moves = points.offsets.columns.size
        separable = points.separable(settings, Classification(told, signs) if moves else problem)
        if not separable:
            reached, _ = reachable_part(told, signs)
            problem = reachable_part(trained, reached.y)[0] if moves else reached
        return cls(points, network, problem, directions, appended, centred, separable)

    def end(self, scale: float | None) -> End:
        """The end of training for ever, or where ``init_scale`` says; squared loss: from there."""
        if scale is None or not self.separable:
            start = 1.0 if scale is None else scale
            return self._levelled(
                end_of_training(self.network, self.problem, self.directions, start)
            )
        found = self.ends([scale])[0]
        if not np.isfinite(found.coefficients).all():
            why = getattr(found.result, "note", "")
            raise NoPredictionError(f"no limit at init_scale={scale:g}: {why}")
        return found

    def _levelled(self, end: End) -> End:
        """The end with slopes of 0 beside an intercept, where they may be what rounding left."""
        slopes = end.coefficients[:-1]
        if self.separable or not self.appended or not np.isfinite(slopes).all():
            return end
        scores = np.asarray(self.points.moved @ slopes)
        if np.ptp(scores) > NOTHING * EPS * float(np.abs(self.problem.y).max()):
            return end
        return replace(end, coefficients=np.append(np.zeros_like(slopes), end.coefficients[-1]))

    def ends(self, scales: Sequence[float] | FloatArray) -> list[End]:
        """At every scale; separable: at finite loss, coefficients NaN where not found."""
        if not self.separable:
            return [self.end(float(scale)) for scale in scales]
        with np.errstate(over="ignore", under="ignore"):
            ratios = np.asarray(scales, dtype=np.float64) ** self.network.degree
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CertificateWarning)  # each end has its certificate
            path = margin_path(
                self.network, self.problem, self.directions, ratios, certified_to=np.inf
            )
        return [of_limit(self.problem, limit) for limit in path.limits]

    def plane(self, end: End) -> Plane:
        """The plane of an end of training."""
        X, signs, offsets = self.points.X, self.points.signs, self.points.offsets
        beta = end.coefficients[: X.shape[1]]
        scores = offsets.products(X, beta)
        if self.appended:
            end, level, intercept = self._with_intercept(end, scores)
            lowest = float((signs * (scores + level)).min()) if offsets.columns.size else 0.0
            if self.separable and lowest > 0:
                beta, level, intercept = beta / lowest, level / lowest, intercept / lowest
                scores = scores / lowest
        else:
            level = -float(np.mean(self.points.moved @ beta)) if self.centred else 0.0
            intercept = offsets.constant(beta, level)
        if self.separable and not (signs * (scores + level)).min() > 0:
            raise NoPredictionError(too_narrow(self.problem.separability().verdict.value))
        rank, trained = self.problem.rank, self.problem.X
        return Plane(beta, intercept, level, offsets, end, rank, self.separable, trained)

    def _with_intercept(self, end: End, scores: FloatArray) -> tuple[End, float, float]:
        """The end with the error of beta itself, the level b + c^T beta, and b."""
        offsets = self.points.offsets
        beta, intercept = end.coefficients[:-1], float(end.coefficients[-1])
        level = given = offsets.constant(-beta, intercept)
        if offsets.columns.size:
            level = self._sharpened(given, scores)
        if level != given:
            intercept = offsets.constant(beta, level)
        return beside_intercept(end, given, level), level, intercept

    def _sharpened(self, level: float, scores: FloatArray) -> float:
        """b + c^T beta, with the digits that b has lost where c is large."""
        if not self.separable:
            return float(np.mean(self.problem.y - scores))
        signs = self.points.signs
        low = float((1.0 - scores[signs > 0]).max())
        high = float((-1.0 - scores[signs < 0]).min())
        return min(max(level, low), high) if low <= high else (low + high) / 2


def checked_direction(direction: Any, num_features: int) -> FloatArray | None:
    """``init_direction`` as an array, (d,), or None."""
    if direction is None:
        return None
    found: FloatArray = finite_array(direction, "init_direction", shape=(num_features,))
    return found


def refuse_sparse_signals(network: str, X: Features) -> None:
    """Refuse sparse X for convolutional networks.

    Raises
    ------
    InvalidInputError
        X is no dense array, and the network convolutional.
    """
    if not X.is_array and network == "convolutional":
        raise InvalidInputError(
            "X is sparse and a convolutional network works on its spectrum, which is dense. "
            "Pass X.toarray(), or choose another network."
        )


def too_narrow(cosine: float) -> str:
    """What is wrong where no float64 direction separates."""
    return (
        "the classes are separable, but float64 cannot follow training to a direction that "
        f"separates them: the margin found is {cosine:.1e} of the points' lengths. Standardise the "
        "features (an offset or a large unit makes points nearly parallel), or choose "
        "network='fully_connected' or depth=2."
    )
