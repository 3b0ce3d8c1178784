"""Saved points of a classification flow, thinned evenly when there are too many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias.flow._budget import Budget
from implicitbias.flow._result import stacked


@dataclass(frozen=True, eq=False)
class SavedPoint:
    """beta as exp(log_size) * shape, with the time and the loss.

    Attributes
    ----------
    shape
        (d,), of order 1.
    margin
        Smallest y_i x_i^T shape.
    layers
        Theta, if it is to be saved and does not overflow.
    """

    shape: FloatArray
    log_size: float
    margin: float
    log_time: float
    log_loss: float
    layers: Parameters | None = None


@dataclass(frozen=True, eq=False)
class SavedPath:
    """The saved points as the columns of a ``Flow``.

    Attributes
    ----------
    coefficients, directions
        (T, d): beta, and beta over its smallest margin (over its length where that is <= 0).
    log_times, times, log_losses, margins, log_margins
        (T,).
    parameters
        Theta, (T, ...) each, or empty.
    """

    coefficients: FloatArray
    directions: FloatArray
    log_times: FloatArray
    times: FloatArray
    log_losses: FloatArray
    margins: FloatArray
    log_margins: FloatArray
    parameters: Parameters


class MarginRecord:
    """At most ``num_points`` points, the first and the last among them, their layers if asked."""

    def __init__(self, num_points: int, layered: bool = False) -> None:
        self.room, self.layered = num_points, layered
        self.points: list[SavedPoint] = []
        self.stride, self.skipped = 1, 0

    def copy(self) -> MarginRecord:
        """A record that goes on from here by itself."""
        other = MarginRecord(self.room, self.layered)
        other.points = list(self.points)
        other.stride, other.skipped = self.stride, self.skipped
        return other

    def before(self, log_time: float) -> Iterator[float]:
        """Logs of the times to save before this one: none of a record that goes by points."""
        return iter(())

    def due(self) -> bool:
        """Whether the next point is to be saved; to be asked once for every point."""
        self.skipped += 1
        return self.skipped >= self.stride

    def add(self, point: SavedPoint) -> None:
        """Save a point."""
        if len(self.points) >= self.room:
            self.points = self.points[::2]
            self.stride *= 2
        self.points.append(point)
        self.skipped = 0

    def close(self, point: SavedPoint) -> None:
        """Save the end, once."""
        last = self.points[-1]
        there = (last.log_size, last.margin) == (point.log_size, point.margin)
        if there and len(self.points) > 1:
            del self.points[-1]
        del self.points[self.room - 1 :]
        self.points.append(point)

    def path(self) -> SavedPath:
        """Everything saved, as arrays."""
        shapes = np.stack([point.shape for point in self.points])
        sizes, smallest, log_times, log_losses = np.array(
            [(p.log_size, p.margin, p.log_time, p.log_loss) for p in self.points]
        ).T
        lengths = np.linalg.norm(shapes, axis=1)
        units = np.where(smallest > 0, smallest, np.where(lengths > 0, lengths, 1.0))
        with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
            scales = np.exp(sizes)[:, None]
            log_margins = np.where(smallest > 0, sizes + np.log(np.abs(smallest)), -np.inf)
            return SavedPath(
                np.where(shapes == 0.0, 0.0, shapes * scales),
                shapes / units[:, None],
                log_times,
                np.exp(log_times),
                log_losses,
                np.where(smallest == 0.0, 0.0, scales[:, 0] * smallest),
                log_margins,
                stacked([point.layers for point in self.points]),
            )


class TimesRecord(MarginRecord):
    """The start, the given times that the flow passes, and its end."""

    def __init__(self, times: FloatArray, layered: bool = False) -> None:
        super().__init__(len(times) + 2, layered)
        self.log_times, self.index = np.log(times), 0

    def before(self, log_time: float) -> Iterator[float]:
        """Logs of the times that the flow has passed, each of them once."""
        while self.index < len(self.log_times) and self.log_times[self.index] < log_time:
            self.index += 1
            yield float(self.log_times[self.index - 1])

    def due(self) -> bool:
        """No other points."""
        return False


def record_of(budget: Budget) -> MarginRecord:
    """The record that a budget asks for."""
    if budget.times is None:
        return MarginRecord(budget.num_points, budget.save_parameters)
    return TimesRecord(budget.times, budget.save_parameters)
