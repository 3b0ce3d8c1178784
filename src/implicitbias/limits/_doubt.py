"""What rounding leaves unknown of a solved potential problem, to first order.

Each rounding is an amount by which Z rho = y, or the clock of a coordinate, may be off at the
solution; one solve with the Newton system tells what it does to rho. The amounts are drawn several
times: a single draw may miss the direction that matters.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray, absolute_product
from implicitbias.coordinates import Curves
from implicitbias.dual._newton import NewtonSystem
from implicitbias.limits._potential import PotentialProblem, PotentialState, log_dual_weights

EPS = float(np.finfo(np.float64).eps)
LAST_BIT = 2.0**-74  # of the terms of a product of ``Precise``
DRAWS = 8
LARGEST = 1e290
LARGEST_EXPONENT = 700.0


def relative_change(curves: Curves, t: FloatArray, dt: FloatArray) -> float:
    """|rho' dt|_inf / |rho|_inf; 0 where rho = 0."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        top = float(np.max(curves.log_abs_rho(t), initial=-np.inf))
        if top == -np.inf:
            return 0.0
        logs = np.minimum(curves.log_rho_slope(t) - top, LARGEST_EXPONENT)
        return float(np.max(np.exp(logs) * np.abs(dt), initial=0.0))


def lost_in_products(
    problem: PotentialProblem, system: NewtonSystem, state: PotentialState, *, slacks: bool
) -> float:
    """What the last bits of Z rho and Z^T nu do to rho; ``slacks``: Z^T nu was not needed."""
    curves, features = problem.curves, problem.features
    sizes = absolute_product(features, curves.rho(state.t)) + np.abs(problem.target)
    clocks = np.zeros(curves.size)
    if not slacks:
        nu = state.rows.dual_as_given(state.nu)
        moved = np.abs(curves.u_increment(curves.t0, state.t - curves.t0))
        with np.errstate(over="ignore"):
            pulls = np.exp(log_dual_weights(curves)) * absolute_product(features.T, nu)
            clocks = (pulls + moved) * np.exp(-curves.log_u_slope(state.t))
    return _swayed(curves, system, state.t, LAST_BIT * sizes, LAST_BIT * clocks)


def lost_in_units(problem: PotentialProblem, system: NewtonSystem, state: PotentialState) -> float:
    """What the rounding of the coordinates' units and clocks does to rho.

    Units are exponentials of logarithms, rounded relative to their size and, where the scale asked
    for is beyond the curves' own, to that change.
    """
    curves, t, excess = problem.curves, state.t, abs(problem.log_excess)
    height = curves.log_abs_rho(t)
    height = np.where(np.isfinite(height), height, 0.0)  # rho = 0 is exact
    sizes = 4.0 + np.abs(height) + curves.depth * (np.abs(curves.log_unit) + excess)
    with np.errstate(over="ignore", under="ignore"):
        reach = np.exp(np.minimum(curves.log_abs_rho(t) - curves.log_rho_slope(t), 600.0))
    clocks = sizes * np.where(curves.dead, 0.0, reach)
    return _swayed(curves, system, t, np.zeros(problem.target.size), EPS * clocks)


def _swayed(
    curves: Curves,
    system: NewtonSystem,
    t: FloatArray,
    sizes: FloatArray,
    clocks: FloatArray,
) -> float:
    """The largest change of rho for predictions and clocks that are off by about so much."""
    draws = np.random.default_rng(0).standard_normal((sizes.size + clocks.size, DRAWS))
    target = system.rows.combined(draws[: sizes.size] * sizes[:, None])
    moved = draws[sizes.size :] * np.minimum(clocks, LARGEST)[:, None]
    return relative_change(curves, t, np.abs(system.solve(target, moved)[0]).max(axis=1))
