"""The part of an integrator's step at which something comes about, to the last digits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from copy import copy
from math import exp

from scipy.integrate import OdeSolver
from scipy.optimize import brentq

from implicitbias._arrays import FloatArray

LOWEST = -1e4  # stands for the logarithm of a number that is not positive
SMALLEST_PART = -600.0  # log of the least part of a step
ROUND_UP = (0.0, *(10.0**-k for k in range(15, 0, -1)))  # tried in turn, to be there and not before


class OneStepSolver(OdeSolver):  # type: ignore[misc]  # scipy is untyped
    """A solver whose step depends on its attributes alone, none of them changed in place.

    A copy is then a solver of its own, and a step can be taken again.
    """

    t: float
    y: FloatArray

    @abstractmethod
    def shorten(self, length: float) -> None:
        """Make the next step this long at most."""

    def stepped_to(self, time: float) -> FloatArray:
        """The state at a time from here on, where a step of its own ends; the solver stays."""
        other = copy(self)
        other.t_bound = time
        while other.status == "running" and other.t < time:
            other.shorten(time - other.t)
            other.step()
        return other.y


def landing(
    before: OdeSolver, solver: OdeSolver, left: Callable[[FloatArray], float]
) -> tuple[float, FloatArray]:
    """Time and state in the last step where ``left``, increasing along the flow, comes to 0.

    By the step's polynomial, or by the step once more, shorter: its end is more exact.

    Parameters
    ----------
    before, solver
        A copy of the solver before the step, and the solver.
    """
    start, length = float(solver.t_old), float(solver.t - solver.t_old)
    if isinstance(before, OneStepSolver):
        at: Callable[[float], FloatArray] = before.stepped_to
    else:
        at = solver.dense_output()
    part = min(1.0, first_part(lambda x: left(at(start + x * length))))
    time = start + part * length if part < 1.0 else float(solver.t)
    return time, at(time) if part < 1.0 else solver.y


def first_part(left: Callable[[float], float]) -> float:
    """The part of a step from which on an increasing function is >= 0; infinity where beyond."""

    def held(log_part: float) -> float:
        return max(left(exp(log_part)), LOWEST)

    if held(0.0) < 0.0:
        return float("inf")
    if held(SMALLEST_PART) >= 0.0:
        return exp(SMALLEST_PART)
    zero = float(brentq(held, SMALLEST_PART, 0.0, xtol=1e-14))
    parts = (min(zero + more, 0.0) for more in ROUND_UP)
    return exp(next((part for part in parts if held(part) >= 0.0), 0.0))
