"""Sensitivity: how a predicted limit moves with the targets, the scale and the directions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._results import Record
from implicitbias._verdicts import Verdict
from implicitbias.limits import Limit, PathError, PotentialSensitivity, solve
from implicitbias.theorems import _assumptions as measured
from implicitbias.theorems._pair_assumptions import equal_pair
from implicitbias.theorems._situation import Situation

# Where the derivatives that do not exist for every start and problem are kept, by their names.
HELD = {"by_direction": "_by_direction", "one_step_leave_one_out": "_one_step"}


@dataclass(frozen=True, eq=False, repr=False)
class Sensitivity(Record):
    """Derivatives of the limit beta = S^T rho, from the factorisation at the solution.

    They are computed when first asked for; saved and loaded with the rest, but without the data.

    Attributes
    ----------
    limit
        The limit itself.
    """

    limit: Limit
    _situation: Situation | None = None  # None where it was loaded: then all derivatives are there
    _spectral: PotentialSensitivity | None = None

    @classmethod
    def _types(cls) -> dict[str, Any]:
        whole = {"limit": Limit, "by_target": FloatArray, "by_log_scale": FloatArray}
        return whole | dict.fromkeys(HELD, FloatArray | None)

    def _held(self) -> dict[str, Any]:
        return {name: getattr(self, HELD.get(name, name)) for name in self._types()}

    @classmethod
    def _restored(cls, held: dict[str, Any]) -> Self:
        return super()._restored({HELD.get(name, name): value for name, value in held.items()})

    def _short(self) -> str:
        return f"of the limit by {self.limit.theorem}, d={self.limit.coefficients.size}"

    def _rows(self) -> dict[str, Any]:
        """Without the (d, m) derivative by the directions, where nobody asked for it."""
        known = {"by_direction": self._by_direction} if "_by_direction" in self.__dict__ else {}
        names = ("limit", "by_target", "by_log_scale")
        return {name: getattr(self, name) for name in names} | known

    def __str__(self) -> str:
        rows = {name: values for name, values in self._rows().items() if name != "limit"}
        limit, d = self.limit, self.limit.coefficients.size
        return "\n".join(
            [
                f"Derivatives of the {limit.kind} by {limit.theorem}, d = {d}",
                f"  certificate: {limit.certificate}",
                *(f"  {name}: {_largest(values)}" for name, values in rows.items()),
            ]
        )

    def _solved(self) -> tuple[Situation, PotentialSensitivity]:
        if self._situation is None or self._spectral is None:
            raise InvalidInputError(
                "this Sensitivity was loaded, without the data: call sensitivity(network, problem, "
                "init) again to refit, or ask for leave_one_out(refit=False)."
            )
        return self._situation, self._spectral

    def _coefficients(self, moved: FloatArray) -> FloatArray:
        """S^T of the columns of ``moved``, (d, k)."""
        situation = self._solved()[0]
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
        situation, spectral = self._solved()
        problem = situation.problem
        result = np.zeros((problem.num_features, problem.num_points))
        result[:, problem.rows] = self._coefficients(spectral.by_target()[0])
        return result

    @cached_property
    def by_log_scale(self) -> FloatArray:
        """d beta / d log alpha, (d,)."""
        situation, spectral = self._solved()
        imaginary = situation.curves.imaginary
        constant = situation.reduction.spectrum(np.zeros_like(imaginary), imaginary)
        kept = situation.decomposition.coefficients(constant).real  # grows like alpha^L
        moved = self._coefficients(spectral.by_log_scale()[:, None])[:, 0]
        return np.asarray(moved + situation.network.degree * kept)

    @cached_property
    def _by_direction(self) -> FloatArray | None:
        """``by_direction``, or None where the start is another."""
        situation, spectral = self._solved()
        if any(verdict.fails for verdict in _of_the_start(situation)) or situation.reduction.turned:
            return None
        eta = situation.reduction.start[0]
        return np.asarray(self._coefficients(spectral.by_log_units()) / eta)

    @property
    def by_direction(self) -> FloatArray:
        """d beta / d eta_j for Theorem 5's start vbar_l = U_l eta (l < L), vbar_L = 0: (d, m).

        Of two-sided networks, for u(0) = v(0) = eta.

        Raises
        ------
        NoPredictionError
            The start has another shape, so that eta is not defined.
        """
        if self._by_direction is None:
            raise NoPredictionError(
                "the derivative by eta needs Theorem 5's start, vbar_l = U_l eta and vbar_L = 0, "
                "in real coordinates; of two-sided networks u(0) = v(0) = eta.",
                () if self._situation is None else _of_the_start(self._situation),
            )
        return self._by_direction

    @cached_property
    def _one_step(self) -> FloatArray | None:
        """``leave_one_out(refit=False)``, or None where the points depend on each other."""
        situation, spectral = self._solved()
        if situation.problem.rank < situation.problem.num_points:
            return None
        return spectral.leave_one_out()

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
        InvalidInputError
            A refit of a sensitivity that was loaded.
        """
        if self._one_step is None:
            raise NoPredictionError("leave-one-out needs independent points.")
        if not refit:
            return self._one_step
        problem = self._solved()[1].problem
        predictions = np.empty(problem.target.size)
        for index in range(problem.target.size):
            rest = np.arange(problem.target.size) != index
            part = replace(
                problem,
                features=problem.features.rows(rest),
                target=problem.target[rest],
                lost=None,
                row_exponents=None,
                curves=problem.actual_curves,
                log_excess=0.0,
            )
            try:
                part, state = solve(part)
            except PathError as error:
                raise NoPredictionError(f"the limit without point {index}: {error}.") from None
            left_out = problem.features.rows([index]) @ part.curves.rho(state.t)
            predictions[index] = left_out[0]
        return problem.as_given(predictions)


def _of_the_start(situation: Situation) -> tuple[Verdict, ...]:
    if situation.reduction.power is not None:
        return (equal_pair(situation),)
    return measured.equal_first_layers(situation), measured.zero_last_layer(situation)


def _largest(values: FloatArray | None) -> str:
    if values is None:
        return "not defined for this start"
    size = np.abs(values)
    where = tuple(int(index) for index in np.unravel_index(size.argmax(), size.shape))
    place = where if len(where) > 1 else where[0]
    return f"shape {values.shape}, largest {values[where]:.4g} at {place}, median size " + (
        f"{np.median(size):.4g}"
    )
