"""LSODA step by step, begun anew where it stands in its own way.

The flow does not know its clock, so that any state can be its start. Three things call for it:

- sigma has grown so large that the steps fall below its rounding: count sigma from here;
- a step fails, or is shorter than the one before by many orders of magnitude (the corrector failed
  again and again): try a step somewhat shorter than the one before;
- the explicit method LSODA keeps taking steps of one length, at the edge of its stability: in a
  shorter step it sees that the flow is stiff.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import LSODA, OdeSolver

from implicitbias._arrays import FloatArray
from implicitbias.flow.classification._system import MarginSystem
from implicitbias.flow.integrators._step import finite, step

FADING = 1e-11  # of sigma: a shorter step is near its rounding
COLLAPSED = 1e-6  # of the step before
SHORTER, RESTARTS = 1e-3, 12
ALIKE = 40  # steps of one length without a Jacobian; the implicit method takes one every 20


class Stepper:
    """A margin system's flow, step by step.

    Attributes
    ----------
    solver
        The integrator that took the last step.
    num_evaluations
        Of the velocity, so far.
    """

    def __init__(self, system: MarginSystem) -> None:
        self.system = system
        self.solver = _solver(system, system.start, 0.0)
        self.lengths = 0.0, 0.0  # of the last step and the one before
        self.alike = self.num_evaluations = 0

    def step(self, state: FloatArray) -> str | None:
        """Go on from ``state``, where the last step ended; the complaint if that failed."""
        length = self._new_length()
        if length is not None:
            self.solver = _solver(self.system, state, length)
        length, failure = length or self.lengths[0], None
        for _ in range(RESTARTS):
            failure = self._try_step()
            if failure is None or length == 0.0:
                break
            length *= SHORTER
            self.solver = _solver(self.system, state, length)
        return failure

    def _new_length(self) -> float | None:
        """The first step of a new beginning; None where the solver should go on."""
        last, before = self.lengths
        if last <= COLLAPSED * before:
            return SHORTER * before
        if self.alike > ALIKE:
            return SHORTER * last
        return last if 0.0 < last <= FADING * self.solver.t else None

    def _try_step(self) -> str | None:
        evaluations, jacobians = self.solver.nfev, self.solver.njev
        failure = step(self.solver)
        if failure is None and self.solver.t == self.solver.t_old:
            failure = "its step fell below rounding"
        self.num_evaluations += self.solver.nfev - evaluations
        if failure is None:
            length, last = float(self.solver.t - self.solver.t_old), self.lengths[0]
            same = isinstance(self.solver, LSODA) and abs(length - last) <= FADING * self.solver.t
            self.alike = self.alike + 1 if same and self.solver.njev == jacobians else 0
            self.lengths = length, last
        return failure


def _solver(system: MarginSystem, state: FloatArray, first_step: float) -> OdeSolver:
    """The system's own integrator at sigma = 0, or LSODA."""
    return system.integrator(state, first_step) or LSODA(
        lambda _, state: finite(system.velocity(state)),
        0.0,
        state,
        np.inf,
        jac=lambda _, state: finite(system.jacobian(state)),
        first_step=first_step or None,
        rtol=system.rtol,
        atol=system.atol,
    )
