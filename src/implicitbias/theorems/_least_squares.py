"""The limit where no interpolator has the signs that the start keeps: of the least-squares fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from implicitbias._arrays import FloatArray, stable_norm, worst_of
from implicitbias._errors import InfeasibleProblemError, NoPredictionError
from implicitbias.limits import Limit, relative_difference, relative_residual
from implicitbias.theorems._limit_problem import LimitProblem, Verdicts
from implicitbias.theorems._sensitivity import Sensitivity
from implicitbias.theorems._situation import Situation

DRAWS = 2


@dataclass(frozen=True)
class LeastSquares(LimitProblem):
    """argmin sum_j Psi_j^*(rho_j) s.t. Z rho = Z rho_fit and the signs, beta = S^T rho.

    Z rho_fit is the least-squares fit of y under the signs that locked coordinates keep.
    """

    given: LimitProblem

    def at(
        self, situation: Situation, name: str, verdicts: Verdicts, scale: float | None = None
    ) -> Limit:
        """The given limit on the fitted targets; its error with what their rounding does."""

        def solved(there: Situation) -> list[Limit]:
            return [self.given.at(there, name, verdicts, scale)]

        return _fitted(situation, solved, name, verdicts)[0]

    def path(
        self,
        situation: Situation,
        name: str,
        verdicts: Verdicts,
        scales: FloatArray,
        callback: Callable[[int], object] | None,
    ) -> list[Limit]:
        """The given path on the fitted targets, likewise."""
        told = callback

        def solved(there: Situation) -> list[Limit]:
            nonlocal told
            tell, told = told, None  # of the first path alone
            return self.given.path(there, name, verdicts, scales, tell)

        return _fitted(situation, solved, name, verdicts)

    def sensitivity(self, situation: Situation, name: str, verdicts: Verdicts) -> Sensitivity:
        """Refused: the fit moves with the targets, and with what it leaves out."""
        raise NoPredictionError(
            f"{name} applies, and its limit does not fit the targets: sensitivities are known for "
            "limits that do.",
            verdicts,
        )


def _fitted(
    situation: Situation, solve: Callable[[Situation], list[Limit]], name: str, verdicts: Verdicts
) -> list[Limit]:
    """The limits on the fitted targets, each with how far it moves as these are rounded."""
    fit, features, y = situation.signed_fit, situation.problem.features, situation.problem.y
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (DRAWS, y.size))
    try:
        limits = solve(situation.fitting(fit.fitted))
        others = [solve(situation.fitting(fit.fitted + each * fit.rounding)) for each in signs]
    except InfeasibleProblemError as error:  # what is fitted is too small a part of y
        raise NoPredictionError(
            f"{name} applies, but its fit could not be solved for: {error}", verdicts
        ) from None
    left = stable_norm(y - fit.fitted) / stable_norm(y)
    note = (
        f"Training does not fit the data: the residual tends to {left:.6g} of |y|, the least under "
        "the signs that the start keeps. Steps or rounding that break them lead away from there."
    )
    return [
        limit
        if np.isnan(limit.coefficients).any()  # not solved, and its note says why
        else replace(
            limit,
            certificate=replace(
                limit.certificate,
                feasibility=relative_residual(features, limit.coefficients, fit.fitted),
                kkt_residual=fit.stationarity,
                error=_with_sway(limit, [other[at] for other in others]),
            ),
            dual=None,  # the time integral of a residual that does not vanish
            fitted=fit.fitted,
            note=f"{note} {limit.note}".strip(),
        )
        for at, limit in enumerate(limits)
    ]


def _with_sway(limit: Limit, others: list[Limit]) -> float | None:
    """The error with |d beta|_inf / |beta|_inf to the limits on other targets."""
    error, beta = limit.certificate.error, limit.coefficients
    if error is None or not beta.any():
        return error
    return error + worst_of(*(relative_difference(o.coefficients, beta) for o in others))
