"""Sensitivity: how a predicted limit moves with the targets, the scale and the directions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import NoPredictionError
from implicitbias.limits import Limit, PathError, PotentialSensitivity, solve
from implicitbias.theorems import _assumptions as measured
from implicitbias.theorems._situation import Situation


@dataclass(frozen=True)
class Sensitivity:
    """Derivatives of the limit beta = S^T rho, from the factorisation at the solution.

    Attributes
    ----------
    limit
        The limit itself.
    """

    limit: Limit
    _situation: Situation = field(repr=False)
    _spectral: PotentialSensitivity = field(repr=False)

    def _coefficients(self, moved: FloatArray) -> FloatArray:
        """S^T of the columns of ``moved``, (d, k)."""
        situation = self._situation
        everywhere = np.zeros((situation.curves.size, moved.shape[1]))
        everywhere[~situation.reach.forced] = moved
        columns = [
            situation.decomposition.coefficients(situation.reduction.spectrum(column)).real
            for column in everywhere.T
        ]
        return np.array(columns).T.reshape(situation.network.num_features, -1)

    @cached_property
    def by_target(self) -> FloatArray:
        """d beta / dy, (d, n); columns of 0 for points outside ``problem.rows``."""
        problem = self._situation.problem
        result = np.zeros((problem.num_features, problem.num_points))
        result[:, problem.rows] = self._coefficients(self._spectral.by_target()[0])
        return result

    @cached_property
    def by_log_scale(self) -> FloatArray:
        """d beta / d log alpha, (d,)."""
        situation, imaginary = self._situation, self._situation.curves.imaginary
        constant = situation.reduction.spectrum(np.zeros_like(imaginary), imaginary)
        kept = situation.decomposition.coefficients(constant).real  # grows like alpha^L
        moved = self._coefficients(self._spectral.by_log_scale()[:, None])[:, 0]
        return np.asarray(moved + situation.network.depth * kept)

    @cached_property
    def by_direction(self) -> FloatArray:
        """d beta / d eta_j for Theorem 5's start vbar_l = U_l eta (l < L), vbar_L = 0: (d, m).

        Raises
        ------
        NoPredictionError
            The start has another shape, so that eta is not defined.
        """
        situation = self._situation
        verdicts = (measured.equal_first_layers(situation), measured.zero_last_layer(situation))
        if any(verdict.fails for verdict in verdicts) or situation.reduction.turned:
            raise NoPredictionError(
                "the derivative by eta needs Theorem 5's start, vbar_l = U_l eta and vbar_L = 0, "
                "in real coordinates.",
                verdicts,
            )
        eta = situation.reduction.start[0]
        return np.asarray(self._coefficients(self._spectral.by_log_units()) / eta)

    def leave_one_out(self, *, refit: bool = True) -> FloatArray:
        """Predictions x_i^T beta of the limits trained without point i, (n,).

        Parameters
        ----------
        refit
            True solves n problems of n - 1 points. False takes one Newton step from the limit,
            y_i - nu_i / [dnu/dy]_ii: exact at large scales only, and useless at small ones.

        Raises
        ------
        NoPredictionError
            The points depend on each other, or a refit could not be solved.
        """
        problem = self._spectral.problem
        if self._situation.problem.rank < self._situation.problem.num_points:
            raise NoPredictionError("leave-one-out needs independent points.")
        if not refit:
            return self._spectral.leave_one_out()
        predictions = np.empty(problem.target.size)
        for index in range(problem.target.size):
            rest = np.arange(problem.target.size) != index
            part = replace(
                problem,
                features=problem.features[rest],
                target=problem.target[rest],
                curves=problem.actual_curves,
                log_excess=0.0,
            )
            try:
                part, state = solve(part)
            except PathError as error:
                raise NoPredictionError(f"the limit without point {index}: {error}.") from None
            predictions[index] = problem.features[index] @ part.curves.rho(state.t)
        return predictions
