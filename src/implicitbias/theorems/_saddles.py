"""saddle_path: the saddles that training passes as the scale of the start tends to 0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from implicitbias._arrays import EPS, FloatArray, IntArray, largest_allowed, positive_int, worst_of
from implicitbias._errors import NoPredictionError
from implicitbias._threads import threads_for
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.initialization import Initialization
from implicitbias.limits import (
    Certificate,
    ExponentialLoss,
    NoRestError,
    Rest,
    Saddle,
    SquaredLoss,
    Walk,
    Walked,
    relative_residual,
    small_scale_end,
)
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression
from implicitbias.theorems._along import situation_along
from implicitbias.theorems._dropped_rows import bounded, dropped_rows
from implicitbias.theorems._registry import task_of, theorem_called
from implicitbias.theorems._saddle_path import End, SaddlePath
from implicitbias.theorems._situation import ROUNDED, Situation

MAX_JUMPS = 100_000
NAME = {"regression": "Saddles, regression", "classification": "Saddles, classification"}
CONSISTENT = 10.0  # residuals up to so many times the worst contradiction of the rows are none
DRAWS = 8  # of the rounding of Z
REACHES = 700.0  # log of sizes that fit float64


def saddle_path(
    network: Network,
    problem: Regression | Classification,
    init: Initialization | Iterable[Any],
    *,
    certified_to: float = CERTIFIED,
    max_jumps: int = MAX_JUMPS,
) -> SaddlePath:
    """lim_{alpha -> 0} beta(T log(1/alpha)), of L > 2 beta(T alpha^{-(L - 2)}), as a function of T.

    From starts alpha * directions of networks that decouple: piecewise constant, its pieces saddles
    of the loss. Regression is followed to its end; classification through its first stage, as long
    as the loss has a minimum on the coordinates that have grown.

    Parameters
    ----------
    network, problem
        What is trained, on what.
    init
        The initial directions, one array a layer, or an Initialization whose scale is ignored.
    certified_to
        The largest certificate (relative) that still counts as an answer; the times' errors too.
    max_jumps
        Jumps after which the walk is given up.

    Raises
    ------
    InvalidInputError
        Network, problem and directions do not fit together.
    NoPredictionError
        The network does not decouple in real clocks, or a saddle could not be found or certified.

    Notes
    -----
    Source: Pesme and Flammarion (NeurIPS 2023) and Berthier (JMLR 2023) for L = 2; other depths,
    starts and the exponential loss as derived in the documentation ("Saddles").
    """
    certified_to = largest_allowed(certified_to, "certified_to")
    most = positive_int(max_jumps, "max_jumps")
    situation = situation_along(network, problem, init)
    result = theorem_called(NAME[task_of(problem)], task_of(problem))
    with threads_for(problem.X.size):
        verdicts = result.measure(situation.on_all_points())
        failed = next((each for each in verdicts if each.fails), None)
        if failed is not None:
            raise NoPredictionError(
                f"no sequence of saddles is known here: {failed}. It needs {result.remedy}.",
                verdicts,
            )
        verdicts = (*verdicts, *dropped_rows(problem))
        path = _Path(situation, verdicts, result.name).walked(most)
    if not path.worst <= certified_to:
        numbers = [
            worst_of(c.worst, t) for c, t in zip(path.certificates, path.time_errors, strict=True)
        ]
        first = int(np.argmax(~(np.array(numbers) <= certified_to)))
        raise NoPredictionError(
            f"saddle {first + 1} of {path.times.size} was certified only to {numbers[first]:.1e} "
            f"({path.certificates[first]}, time {path.time_errors[first]:.1e}); asked for "
            f"{certified_to:.1e}. Pass a larger certified_to, or {situation.easier}.",
            verdicts,
            path.certificates[first],
        )
    return replace(path, certificates=bounded(path.certificates, verdicts))


class _Path:
    """The walk in units in which columns, targets and clocks are near 1, and back."""

    def __init__(self, asked: Situation, verdicts: tuple[Verdict, ...], theorem: str) -> None:
        self.asked, self.verdicts, self.theorem = asked, verdicts, theorem
        self.situation = situation = asked.on_all_points()
        problem, features = situation.problem, situation.reduction.features
        self.columns = np.frexp(features.largest(0))[1]
        self.row = int(np.frexp(float(np.abs(situation.targets).max(initial=0.0)))[1])
        if isinstance(problem, Classification):
            self.row = 0
        scaled = features.shifted(np.zeros(len(features), dtype=np.intp), -self.columns)
        logs = situation.curves.small_scale_lengths()
        logs = tuple(side - self.columns * np.log(2.0) for side in logs)
        finite = np.concatenate([side[np.isfinite(side)] for side in logs])
        self._refuse_apart(finite)
        self.log_clock = float(np.median(finite)) if finite.size else 0.0
        with np.errstate(over="ignore"):
            below, above = (np.exp(side - self.log_clock) for side in logs)
        loss = (
            SquaredLoss(
                scaled,
                np.ldexp(situation.targets, -self.row),
                max(SquaredLoss.rounding, CONSISTENT * problem.inconsistency),
            )
            if isinstance(problem, Regression)
            else ExponentialLoss(scaled, situation.targets)
        )
        rounding = 0.0 if situation.rows_are_exact else ROUNDED
        self.walk = Walk(scaled, below, above, loss, rounding)

    def _refuse_apart(self, log_lengths: FloatArray) -> None:
        """Refuse clocks of which float64 holds some as 0 or infinite in the unit of the others."""
        if log_lengths.size and np.ptp(log_lengths) > REACHES:
            raise NoPredictionError(
                f"the coordinates grow at times exp({np.ptp(log_lengths):.4g}) apart, further than "
                "float64 holds. Give directions, and columns, of sizes nearer to each other.",
                self.verdicts,
            )

    def walked(self, most: int) -> SaddlePath:
        """All of it."""
        try:
            walked = self.walk.all(most)
            found = walked.saddles
            seen = [self._seen(*each) for each in zip(found, walked.violations, strict=True)]
        except (NoRestError, ValueError) as error:
            raise NoPredictionError(
                f"{self.theorem} applies, but the saddles could not be found: {error}.",
                self.verdicts,
            ) from None
        if not walked.complete:
            raise NoPredictionError(
                f"the walk was given up after {most} jumps. Pass a larger max_jumps.",
                self.verdicts,
            )
        if walked.moving > 0.0:
            raise NoPredictionError(
                f"{self.theorem} applies, but float64 does not tell where the walk ends: a clock "
                f"that counts as at rest moves, by {walked.moving:.1e} of what the residual could "
                "move it. Leave out rows that are nearly combinations of others.",
                self.verdicts,
            )
        log_time = self._log_time()
        time, time_error = np.exp(log_time), EPS * abs(log_time)
        situation, points = self.situation, len(self.walk.features)
        return SaddlePath(
            np.array([each[0] for each in seen]).reshape(-1, situation.problem.num_features),
            np.array([each.time for each in found]) * time,
            tuple(each[1] for each in seen),
            np.array([each.dual for each in found]).reshape(-1, points) * np.exp(self.log_clock),
            float(walked.until * time),
            walked.growing,
            float(situation.curves.depth),
            tuple(each[2] for each in seen),
            np.array([each.time_error + time_error for each in found]),
            self.verdicts,
            self._end(walked),
            self.theorem,
        )

    def _log_time(self) -> float:
        """The unit of time of the walk."""
        log_time = self.log_clock - self.row * float(np.log(2.0))
        if max(abs(log_time), abs(self.log_clock)) > REACHES:
            raise NoPredictionError(
                f"the times do not fit float64: they are near exp({log_time:.4g}). Give directions "
                "of moderate size; times are counted from their scale.",
                self.verdicts,
            )
        return log_time

    def _end(self, walked: Walked) -> End:
        if walked.growing.size:
            return "growth"
        rests = [each.rest for each in walked.saddles[-1:]] or [self.walk.loss.start()]
        return "least loss" if rests[0].pull.any() else "interpolation"

    def _seen(self, saddle: Saddle, violation: float) -> tuple[FloatArray, IntArray, Certificate]:
        """beta, the coordinates that are not 0 and the certificate of a saddle."""
        situation, rest = self.situation, saddle.rest
        rho, error = self._rho(rest, rest.values), 0.0
        change = situation.coefficients(self._rho(rest, np.abs(rest.change) + self._doubt(rest)))
        if saddle.flat.size:
            rho, error = self._tie_broken(saddle, rho)
        beta = situation.coefficients(rho)
        size = float(np.abs(beta).max(initial=0.0))
        if size > 0.0:
            error += float(np.abs(change).max()) / size + EPS
        feasibility = 0.0
        if not rest.pull.any():
            problem = situation.problem
            feasibility = relative_residual(problem.features, beta, problem.y)
        if rest.nothing is not None and size > 0.0:
            error = worst_of(error, error + self._from_end(rho) / size)
        certificate = Certificate(feasibility, kkt_residual=violation, error=error)
        return beta, np.flatnonzero(rho), certificate

    def _doubt(self, rest: Rest) -> FloatArray:
        """What the rounding of Z does to the values, (k,), drawn several times; 0 if exact."""
        situation, chosen = self.situation, rest.chosen
        if situation.rows_are_exact or not chosen.size:
            return np.zeros(chosen.size)
        draw = np.random.default_rng(chosen.size).standard_normal
        unit = ROUNDED + situation.decomposition.residual
        rows = unit * situation.rows.row_norms()
        columns = np.ldexp(situation.decomposition.lengths[chosen], -self.columns[chosen])
        right = draw((rows.size, DRAWS)) * rows[:, None] * float(columns @ np.abs(rest.values))
        slopes = draw((chosen.size, DRAWS)) * columns[:, None] * float(rows @ np.abs(rest.pull))
        q, r = np.linalg.qr(self.walk.features.columns(chosen))
        moved = np.linalg.solve(r, q.T @ right + np.linalg.solve(r.T, slopes))
        return np.asarray(np.abs(moved).max(axis=1))

    def _rho(self, rest: Rest, values: FloatArray) -> FloatArray:
        rho = np.zeros(self.situation.curves.size)
        rho[rest.chosen] = np.ldexp(values, self.row - self.columns[rest.chosen])
        return rho

    def _from_end(self, rho: FloatArray) -> float:
        """|d beta|_inf to the limit at scale 0, where a walk that is left no residual ends."""
        try:
            end = small_scale_end(self.asked.potential)
        except ValueError:
            return np.inf
        other = np.zeros_like(rho)
        other[~self.asked.reach.forced] = end.rho
        size = float(np.abs(self.situation.coefficients(other)).max())
        apart = self.situation.coefficients(other - rho)
        return float(np.abs(apart).max()) + end.error * size

    def _tie_broken(self, saddle: Saddle, rho: FloatArray) -> tuple[FloatArray, float]:
        """Of all rho on the tight coordinates with the same Z rho, the one that training reaches.

        It is the small-scale limit of training these coordinates on Z rho for targets.
        """
        situation, kept = self.situation, np.zeros(rho.size, dtype=bool)
        kept[saddle.rest.chosen] = kept[saddle.flat] = True
        if not rho.any():
            return rho, 0.0
        end = small_scale_end(situation.potential_on(kept, situation.reduction.features @ rho))
        broken = np.zeros_like(rho)
        broken[kept] = end.rho
        return broken, end.error
