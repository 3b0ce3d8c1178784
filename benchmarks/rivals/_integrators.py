"""Other people's integrators on the flow of the parameters, in stretches of steps.

SciPy's solvers step by step; diffrax's, compiled beforehand, continued with their own step size.
Tolerances: the coarsest power of ten that reaches 1e-6 in beta, times the scale where absolute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from benchmarks.rivals._case import Case
from scipy.integrate import DOP853, LSODA, OdeSolver

RTOL = {"LSODA": 1e-7}  # all others: 1e-8
STEPS = 50  # between two looks
FOREVER = 1e30


def dop853(case: Case) -> Iterator[np.ndarray]:
    """SciPy's explicit method of order 8."""
    solver = DOP853(case.velocity, 0.0, case.start, FOREVER, **_tolerances(case, "DOP853"))
    return _scipy(case, solver)


def lsoda(case: Case) -> Iterator[np.ndarray]:
    """SciPy's LSODA with the exact Jacobian."""
    tolerances = _tolerances(case, "LSODA")
    solver = LSODA(case.velocity, 0.0, case.start, FOREVER, jac=case.jacobian, **tolerances)
    return _scipy(case, solver, steps=5)


def _tolerances(case: Case, name: str) -> dict[str, float]:
    tolerance = RTOL.get(name, 1e-8)
    return {"rtol": tolerance, "atol": tolerance * case.scale}


def _scipy(case: Case, solver: OdeSolver, steps: int = STEPS) -> Iterator[np.ndarray]:
    while solver.status == "running":
        for _ in range(steps):
            if solver.status == "running":
                solver.step()
        yield case.coefficients(solver.y)


def tsit5(case: Case) -> Iterator[np.ndarray]:
    """diffrax's explicit method of order 5."""
    return _diffrax(case, "Tsit5", STEPS)


def kvaerno5(case: Case) -> Iterator[np.ndarray]:
    """diffrax's implicit method of order 5."""
    return _diffrax(case, "Kvaerno5", 5)


def _diffrax(case: Case, name: str, steps: int) -> Iterator[np.ndarray]:
    import jax

    jax.config.update("jax_enable_x64", True)
    advance = _compiled(case, name, steps)
    state, now, ahead = (jax.numpy.asarray(each, dtype=float) for each in (case.start, 0.0, 1e-6))
    jax.block_until_ready(advance(state, now, ahead))  # compiled before the clock starts
    yield case.coefficients(case.start)
    while True:
        state, now, ahead = advance(state, now, ahead)
        yield case.coefficients(np.asarray(state))


def _compiled(case: Case, name: str, steps: int) -> Callable[..., Any]:
    import diffrax
    import jax
    import jax.numpy as jnp

    X, y, depth = jnp.asarray(case.X), jnp.asarray(case.y), case.depth

    def velocity(_: Any, state: Any, __: Any) -> Any:
        layers = state.reshape(depth, -1)
        driver = (y - X @ layers.prod(axis=0)) @ X
        others = [
            jnp.prod(jnp.stack([layers[k] for k in range(depth) if k != i]), axis=0)
            for i in range(depth)
        ]
        return (driver * jnp.stack(others)).ravel()

    @jax.jit
    def advance(state: Any, now: Any, ahead: Any) -> Any:
        """So many steps from ``now``, the first of length ``ahead``."""
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(velocity),
            getattr(diffrax, name)(),
            now,
            FOREVER,
            ahead,
            state,
            stepsize_controller=diffrax.PIDController(**_tolerances(case, name)),
            saveat=diffrax.SaveAt(steps=True),
            max_steps=steps,
            throw=False,
        )
        count = solution.stats["num_accepted_steps"]
        times = jnp.where(jnp.isfinite(solution.ts), solution.ts, -jnp.inf)
        last = jnp.maximum(count - 1, 0)
        length = times[last] - jnp.where(last > 0, times[jnp.maximum(last - 1, 0)], now)
        return solution.ys[last], times[last], length

    return advance
