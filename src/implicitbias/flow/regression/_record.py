"""Saved points along a flow: log-spaced, its length not known beforehand, or at given times."""

from __future__ import annotations

from collections.abc import Iterator
from math import exp
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray

LARGEST_EXPONENT = 709.0
DENSEST = 64  # points a decade to begin with


class Recorder:
    """At most ``num_points`` points: t = 0, the end, and first * ratio^k in between.

    The ratio begins at 64 points a decade and is squared, dropping every second point, whenever
    there is no room left: whatever the end, half of the room or more is used, evenly in log t.
    """

    def __init__(self, first: float, num_points: int) -> None:
        self.first = first
        self.room = num_points - 2
        self.log_ratio = float(np.log(10.0)) / DENSEST
        self.index = 0
        self.times: list[float] = []
        self.points: list[Any] = []

    @property
    def next_due(self) -> float:
        """The time to save next."""
        exponent = self.index * self.log_ratio
        return self.first * exp(exponent) if exponent < LARGEST_EXPONENT else np.inf

    def due(self, time: float) -> Iterator[float]:
        """Yield the times to save next that are before ``time``; ``add`` each before the next."""
        while (due := self.next_due) < time:
            yield due

    def add(self, time: float, point: Any) -> None:
        """Save a point of the grid, whatever stands for it, and make room if there is none."""
        self.index += 1
        if self.room <= 0:
            return
        self.times.append(time)
        self.points.append(point)
        while len(self.times) > self.room:
            self._halve()

    def _halve(self) -> None:
        """Keep the even powers; ``index`` counts powers of the new ratio from here on."""
        for column in (self.times, self.points):
            del column[1::2]
        self.index = (self.index + 1) // 2
        self.log_ratio *= 2.0


class TimesRecorder(Recorder):
    """The given times that the flow passes before its end."""

    def __init__(self, times: FloatArray) -> None:
        super().__init__(1.0, len(times) + 2)
        self._due = times

    @property
    def next_due(self) -> float:
        """The next of them."""
        return float(self._due[self.index]) if self.index < len(self._due) else np.inf
