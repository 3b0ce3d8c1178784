"""The dual of a training loop that runs elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import (
    FloatArray,
    IntArray,
    compensated,
    finite_array,
    positive_float,
    positive_int,
)
from implicitbias._errors import InvalidInputError
from implicitbias._numbers import numeric_array


class DualRecorder:
    """nu = -sum_k gamma_k dL_k/df, summed with compensation along a training loop.

    dL/df_i is the derivative of the loss as it is descended, by the network's output at point i:
    ``output.grad`` in PyTorch. Whatever the loss averages over, batches or noise are in it.

    Parameters
    ----------
    num_points
        n.

    Raises
    ------
    InvalidInputError
        n is not a whole number >= 1.

    Examples
    --------
    In a loop of PyTorch, with the outputs' gradients retained::

        output.retain_grad()
        loss.backward()
        recorder.add(output.grad, step, batch)
        optimizer.step()
    """

    def __init__(self, num_points: int) -> None:
        self._sum = np.zeros(positive_int(num_points, "num_points"))
        self._lost = np.zeros_like(self._sum)
        self.num_steps = 0

    def __repr__(self) -> str:
        return f"DualRecorder(num_points={self._sum.size}, num_steps={self.num_steps})"

    @property
    def dual(self) -> FloatArray:
        """nu so far, (n,)."""
        return np.asarray(self._sum - self._lost)

    def add(self, output_gradient: Any, step: float, batch: Any = None) -> None:
        """Count one step.

        Parameters
        ----------
        output_gradient
            dL/df at the points of the step, any shape with so many entries.
        step
            gamma_k >= 0.
        batch
            The indices of those points, repetitions allowed; all n in their order if None.

        Raises
        ------
        InvalidInputError
            Not finite, or of the wrong size; an index that is none of a point.
        """
        if output_gradient is None:
            raise InvalidInputError(
                "output_gradient is None; expected dL/df. PyTorch keeps it where "
                "output.retain_grad() is called before loss.backward(), in the same step."
            )
        flat = numeric_array(output_gradient, "output_gradient", "numbers").ravel()
        gradient: FloatArray = finite_array(flat, "output_gradient", shape=(None,))
        step = positive_float(step, "step", allow_zero=True)
        points = len(self._sum)
        where = np.arange(points) if batch is None else _indices(batch, points)
        if where.size != gradient.size:
            raise InvalidInputError(
                f"output_gradient has {gradient.size} entries for {where.size} points; expected "
                "one for each."
            )
        change = np.zeros(points)
        np.add.at(change, where, -step * gradient)
        self._sum, self._lost = compensated(self._sum, self._lost, change)
        self.num_steps += 1


def _indices(batch: Any, points: int) -> IntArray:
    """The points of a batch, flat."""
    if type(batch) is np.ndarray and batch.dtype.kind == "i":
        if np.any((batch < 0) | (batch >= points)):
            raise _foreign(batch, points)
        return batch.ravel()
    where = numeric_array(batch, "batch", "indices of points").ravel()
    whole = np.asarray(batch).dtype.kind != "b" and np.all(where == np.round(where))
    if not whole or np.any((where < 0) | (where >= points)):
        raise _foreign(batch, points)
    return where.astype(np.intp)


def _foreign(batch: Any, points: int) -> InvalidInputError:
    return InvalidInputError(f"batch is {batch!r}; expected indices from 0 to {points - 1}.")
