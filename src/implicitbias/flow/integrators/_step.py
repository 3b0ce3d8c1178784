"""One guarded step of any integrator: no warnings, no infinities, its complaint in words."""

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


def step(solver: OdeSolver) -> str | None:
    """One step; the integrator's complaint if it failed."""
    with (
        warnings.catch_warnings(record=True) as caught,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        warnings.simplefilter("always")
        message = solver.step()
    if solver.status != "failed":
        return None
    return " ".join(str(warning.message) for warning in caught) or str(message)
