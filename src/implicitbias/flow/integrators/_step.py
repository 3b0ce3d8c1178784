"""Guarded steps of any integrator: no warnings, no infinities, its complaint in words."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import FloatArray

HUGE = 1e200


def finite(array: FloatArray) -> FloatArray:
    """The array itself, or HUGE where it overflowed or is undefined: solvers reject such a step."""
    if np.isfinite(array).all():
        return array
    return np.nan_to_num(array, nan=HUGE, posinf=HUGE, neginf=-HUGE)


def steps(solver: OdeSolver, most: int, due: float) -> tuple[int, str | None]:
    """Up to ``most`` steps, none from beyond ``due``: how many succeeded, and its complaint."""
    taken = 0
    with (
        warnings.catch_warnings(record=True) as caught,
        np.errstate(over="ignore", invalid="ignore", divide="ignore"),
    ):
        warnings.simplefilter("always")
        while taken < most and solver.status == "running" and solver.t <= due:
            message = solver.step()
            if solver.status == "failed":
                return taken, " ".join(str(one.message) for one in caught) or str(message)
            taken += 1
    return taken, None


def step(solver: OdeSolver) -> str | None:
    """One step; the integrator's complaint if it failed."""
    return steps(solver, 1, np.inf)[1]
