"""One step of a classification flow's integrator, seen at any part of it, with its times."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.integrate import DenseOutput, OdeSolver

from implicitbias._arrays import FloatArray
from implicitbias.flow.classification._clock import Clock
from implicitbias.flow.classification._system import MarginPoint, MarginSystem
from implicitbias.flow.integrators._landing import first_part
from implicitbias.flow.integrators._radau import LowRankRadau

PIECE = 0.03  # of the log of a margin above 1, between two points on the way
LONG = 8  # such pieces, at least, in a step of a method of high order
ROUGH, FINE = 2, 8  # degrees to which log(dt/dsigma) is interpolated in short and long steps

Waypoint = tuple[FloatArray, MarginPoint, float]  # state, point and log t


class Step:
    """The solver's last step, seen at any part of it."""

    def __init__(
        self, system: MarginSystem, solver: OdeSolver, before: MarginPoint, log_time: float
    ) -> None:
        self.system, self.solver = system, solver
        self.before, self.log_time_before = before, log_time
        self.length = float(solver.t - solver.t_old)
        self.end = solver.y, system.look(solver.y)
        self.least = LONG if isinstance(solver, LowRankRadau) else 1

    def at(self, part: float) -> tuple[FloatArray, MarginPoint]:
        """State and point."""
        if part >= 1.0:
            return self.end
        state = self.dense(self.solver.t_old + part * self.length)
        return state, self.system.look(state)

    @cached_property
    def dense(self) -> DenseOutput:
        """The solver's polynomial."""
        return self.solver.dense_output()

    def way(self, part: float) -> list[Waypoint]:
        """Points on the way there, and the end: pieces in which the margin grows only so much."""
        last = self.at(part)
        growth = last[1].log_margin - max(self.before.log_margin, 0.0)
        pieces = max(int(np.ceil(growth / PIECE)) if 0.0 < growth < np.inf else 1, self.least)
        parts = part * np.arange(1, pieces) / pieces
        states = self.dense(self.solver.t_old + parts * self.length).T
        points = [*self.system.looks(states), last[1]] if pieces > 1 else [last[1]]
        log_times = self.log_times(np.append(parts, part))
        return list(zip([*states, last[0]], points, log_times.tolist(), strict=True))

    def part_at(self, log_time: float) -> float:
        """The part of the step from which on t is beyond this; infinity where beyond the step."""
        return first_part(lambda part: float(self.log_times(np.array([part]))[0]) - log_time)

    def log_times(self, parts: FloatArray) -> FloatArray:
        """log t at increasing parts of the step."""
        gained = self.clock.log_elapsed(parts) + float(np.log(self.length))
        return np.asarray(np.logaddexp(self.log_time_before, gained))

    @cached_property
    def clock(self) -> Clock:
        """How t runs within the step."""
        ends = self.before.log_speed, self.end[1].log_speed
        log_before = self.log_time_before - float(np.log(self.length))
        return Clock(self._log_speeds, *ends, FINE if self.least > 1 else ROUGH, log_before)

    def _log_speeds(self, parts: FloatArray) -> FloatArray:
        """log dt/dsigma at parts of the step."""
        states = self.dense(self.solver.t_old + parts * self.length).T
        return np.array([point.log_speed for point in self.system.looks(states)])
