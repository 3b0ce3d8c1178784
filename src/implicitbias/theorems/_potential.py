"""The limits that are the least point of a potential: Theorem 5 and beyond, at every scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias.limits import (
    Certificate,
    Limit,
    PathError,
    PotentialProblem,
    PotentialSensitivity,
    PotentialState,
    at_actual_scale,
    certify,
    large_scale_end,
    relative_residual,
    rescale,
    rough_path,
    small_scale_end,
    solve,
)
from implicitbias.theorems._limit_problem import LimitProblem, Member, Verdicts
from implicitbias.theorems._regression import assemble_potential, only_solution, potential_limit
from implicitbias.theorems._rounded_start import changed_by_rounding
from implicitbias.theorems._sensitivity import Sensitivity
from implicitbias.theorems._situation import Situation
from implicitbias.theorems._stacked import stacked_limits

UNSOLVED = Certificate(np.inf, np.inf, error=np.inf)


@dataclass(frozen=True)
class Potential(LimitProblem):
    """argmin sum_j Psi_j^*(rho_j) s.t. X S^T rho = y, beta = S^T rho; both ends of the scale."""

    takes_many: ClassVar[bool] = True

    def at(
        self, situation: Situation, name: str, verdicts: Verdicts, scale: float | None = None
    ) -> Limit:
        """By Newton's method along the path to the scale; at its ends by a linear program."""
        if scale not in (0.0, np.inf):
            return potential_limit(situation.at_scale(scale), name, verdicts)
        try:
            return _end(situation, situation.potential, scale, name, verdicts)
        except InvalidInputError:  # what the memory of blocks does not hold
            raise
        except ValueError as error:
            raise NoPredictionError(
                f"{name} applies, but the limit at scale {scale:g} could not be solved: {error}.",
                verdicts,
            ) from None

    def path(
        self,
        situation: Situation,
        name: str,
        verdicts: Verdicts,
        scales: FloatArray,
        callback: Callable[[int], object] | None,
    ) -> list[Limit]:
        """One solution carried to the next, from the largest scale down; from directions."""
        return _potential_path(situation.at_scale(1.0), name, verdicts, scales, callback)

    def many(self, members: Sequence[Member]) -> list[list[Limit | None]]:
        """As one array program."""
        return stacked_limits(members)

    def rough_path(
        self, situation: Situation, name: str, verdicts: Verdicts, scales: FloatArray
    ) -> FloatArray | None:
        """The path without its corrections; None at its ends, and where y = 0."""
        ends = bool(np.any(scales == 0) or np.isinf(scales).any())
        if ends or not situation.problem.y.any():
            return None
        situation = situation.at_scale(1.0)
        kept = ~situation.reach.forced
        try:
            moving = rough_path(situation.potential, np.log(scales))
        except PathError as error:
            raise NoPredictionError(
                f"{name} applies, but its path could not be followed: {error}.", verdicts
            ) from None
        rho = np.zeros((scales.size, situation.curves.size))
        rho[:, kept] = moving
        spectra = (situation.reduction.spectrum(each) for each in rho)
        return np.array([situation.decomposition.coefficients(each).real for each in spectra])

    def sensitivity(self, situation: Situation, name: str, verdicts: Verdicts) -> Sensitivity:
        """From the factorisation at the solution."""
        try:
            solved, state = solve(situation.potential)
        except PathError as error:
            raise NoPredictionError(f"the limit could not be solved: {error}.", verdicts) from None
        limit = assemble_potential(situation, solved, state, name, verdicts)
        if not situation.problem.y.any():
            solved, state = at_actual_scale(solved, state)
        corrected = certify(solved, state).state
        return Sensitivity(limit, situation, PotentialSensitivity(solved, corrected))


def _potential_path(
    situation: Situation,
    name: str,
    verdicts: Verdicts,
    alphas: FloatArray,
    callback: Callable[[int], object] | None,
) -> list[Limit]:
    problem = situation.potential
    limits: dict[int, Limit] = {}
    carried: tuple[PotentialProblem, PotentialState] | None = None
    reached = 0.0
    for index in (int(i) for i in np.argsort(-alphas, kind="stable")):
        alpha = float(alphas[index])
        if callback is not None and limits:
            callback(len(limits))
        try:
            if alpha in (0.0, np.inf):
                limits[index] = _end(situation, problem, alpha, name, verdicts)
                continue
            log_scale = float(np.log(alpha))
            if carried is None:
                carried = solve(problem.shifted(log_scale))
            else:
                solved, state = rescale(*carried, log_scale - reached)
                there = problem.shifted(log_scale - solved.log_excess)  # changes do not add up
                carried = replace(solved, curves=there.curves), state
        except (PathError, ValueError) as error:
            limits[index] = _without_limit(situation, name, verdicts, str(error))
            continue
        reached = log_scale
        limits[index] = assemble_potential(situation, *carried, name, verdicts)
    if callback is not None:
        callback(len(limits))
    return [limits[index] for index in range(alphas.size)]


def _without_limit(situation: Situation, name: str, verdicts: Verdicts, why: str) -> Limit:
    """What stands for a limit that could not be solved."""
    nothing = np.full(situation.problem.num_features, np.nan)
    return Limit(nothing, "point", name, UNSOLVED, verdicts, note=f"not solved: {why}.")


def _end(
    situation: Situation,
    problem: PotentialProblem,
    alpha: float,
    name: str,
    verdicts: Verdicts,
) -> Limit:
    if alpha == 0.0:
        end, where = small_scale_end(problem), "0"
    elif np.any((problem.curves.t0 != 0.0) | problem.curves.locked | problem.curves.turning):
        raise NoPredictionError(
            "the limit diverges with the scale: the start has beta(0) != 0. Ask for a finite "
            "scale, or start with a zero layer (two-sided networks: with u = v).",
            verdicts,
        )
    else:
        end, where = large_scale_end(problem), "infinity"
    real_rho = np.zeros(situation.curves.size)
    real_rho[~situation.reach.forced] = end.rho
    rho = situation.reduction.spectrum(real_rho)
    coefficients, error = situation.coefficients(real_rho), end.error
    if alpha == 0.0:
        error += changed_by_rounding(situation, real_rho, coefficients, end=True)
    coefficients, gap, error = only_solution(situation, coefficients, end.gap, error)
    return Limit(
        coefficients,
        "point",
        name,
        Certificate(
            relative_residual(situation.problem.features, coefficients, situation.problem.y),
            gap,
            error=error,
        ),
        verdicts,
        spectrum=rho,
        dual=problem.dual_as_given(end.nu) if np.isfinite(end.nu).all() else None,
        note=f"The end of the path as the scale tends to {where}"
        + ("; a tie was broken." if end.tied else "."),
    )
