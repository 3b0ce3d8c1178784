"""Saved points along a flow: log-spaced, its length not known beforehand, or at given times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from implicitbias._arrays import FloatArray

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
        self.coefficients: list[FloatArray] = []
        self.log_losses: list[float] = []

    def due(self, time: float) -> Iterator[float]:
        """Yield the times to save next that are before ``time``; ``add`` each before the next."""
        while (due := self._next()) < time:
            yield due

    def add(self, time: float, coefficients: FloatArray, log_loss: float) -> None:
        """Save a point of the grid, and make room if there is none."""
        self.index += 1
        if self.room <= 0:
            return
        self._append(time, coefficients, log_loss)
        while len(self.times) > self.room:
            self._halve()

    def arrays(
        self, ends: tuple[tuple[float, FloatArray, float], ...]
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Times (T,), coefficients (T, d) and log losses (T,), between the given ends."""
        (start, *last) = ends
        saved = list(zip(self.times, self.coefficients, self.log_losses, strict=True))
        rows = [start, *saved, *last]
        times, coefficients, log_losses = zip(*rows, strict=True)
        return np.array(times), np.stack(coefficients), np.array(log_losses)

    def _next(self) -> float:
        with np.errstate(over="ignore"):
            return float(self.first * np.exp(self.index * self.log_ratio))

    def _append(self, time: float, coefficients: FloatArray, log_loss: float) -> None:
        self.times.append(time)
        self.coefficients.append(coefficients)
        self.log_losses.append(log_loss)

    def _halve(self) -> None:
        """Keep the even powers; ``index`` counts powers of the new ratio from here on."""
        for column in (self.times, self.coefficients, self.log_losses):
            del column[1::2]
        self.index = (self.index + 1) // 2
        self.log_ratio *= 2.0


class TimesRecorder(Recorder):
    """The given times that the flow passes before its end."""

    def __init__(self, times: FloatArray) -> None:
        super().__init__(1.0, len(times) + 2)
        self._due = times

    def _next(self) -> float:
        return float(self._due[self.index]) if self.index < len(self._due) else np.inf
