"""One step of a classification flow's integrator, seen at any part of it, with its times."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy.integrate import DenseOutput, OdeSolver

from implicitbias._arrays import FloatArray
from implicitbias.flow.classification._system import MarginPoint, MarginSystem
from implicitbias.flow.classification._time import log_elapsed
from implicitbias.flow.integrators._radau import LowRankRadau

EVEN = 0.02  # change of log(dt/dsigma) over a step below which it is taken to be linear
PIECE = 0.03  # of the log of a margin above 1, over which log(dt/dsigma) is a parabola
LONG = 8  # such pieces, at least, in a step of a method of high order

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
        if pieces == 1:
            return [(*last, self._log_time(part, last[1]))]
        parts = part * np.arange(1, 2 * pieces) / (2 * pieces)
        states = self.dense(self.solver.t_old + parts * self.length).T
        points, way = self.system.looks(states), []
        ends = [*zip(states[1::2], points[1::2], strict=True), last]
        before, log_time, length = self.before, self.log_time_before, part / pieces * self.length
        for middle, (state, point) in zip(points[::2], ends, strict=True):
            speeds = before.log_speed, middle.log_speed, point.log_speed
            log_time = float(np.logaddexp(log_time, log_elapsed(length, *speeds)))
            way.append((state, point, log_time))
            before = point
        return way

    def _log_time(self, part: float, end: MarginPoint) -> float:
        """log t at the end of a short step."""
        first, last = self.before.log_speed, end.log_speed
        middle = 0.5 * (first + last)
        if abs(last - first) > EVEN:
            middle = self.at(0.5 * part)[1].log_speed
        gained = log_elapsed(part * self.length, first, middle, last)
        return float(np.logaddexp(self.log_time_before, gained))
