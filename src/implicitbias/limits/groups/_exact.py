"""What the optimality conditions of a group's layers leave, in rational numbers.

Layers, multipliers and rows are binary fractions; sums and products of them are exact, and each
residual is rounded once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.networks import GroupConvolutionalNetwork


class Left(NamedTuple):
    """dN/dw_l - M(c) o (.., I at l, ..), (L, g); t - Z beta, (n,); and beta, (g,), rounded."""

    layers: FloatArray
    margins: FloatArray
    beta: FloatArray


def exact_residuals(
    network: GroupConvolutionalNetwork,
    layers: FloatArray,
    a: FloatArray,
    rows: FloatArray,
    targets: FloatArray,
) -> Left:
    """The residuals of w_l = M(Z^T a) o (w_1, .., I at l, .., w_L) and Z beta = t.

    Parameters
    ----------
    layers, a
        w, (L, g), and the multipliers of the rows, (n,).
    rows, targets
        Z, (n, g), and t, (n,).
    """
    group = network.group
    w = [_row(layer) for layer in layers]
    data, goal = _matrix(rows), _row(targets)
    prefixes = [_row(a) * data]  # c w_1 .. w_{l-1}, correlated
    for layer in w[:-1]:
        prefixes.append(prefixes[-1] * _gathered(layer, group.right_quotients))
    suffix, gradients = w[-1], [prefixes[-1]]
    for index in range(len(w) - 2, -1, -1):
        gradients.append(suffix * _gathered(prefixes[index], group.table.T))
        suffix = w[index] * _gathered(suffix, group.left_quotients)
    missing = goal - suffix * data.transpose()
    left = [layer - gradient for layer, gradient in zip(w, gradients[::-1], strict=True)]
    return Left(np.stack([_floats(one) for one in left]), _floats(missing), _floats(suffix))


def _matrix(array: FloatArray) -> Any:
    import flint

    entries = [flint.fmpq(*value.as_integer_ratio()) for value in array.ravel().tolist()]
    return flint.fmpq_mat(array.shape[0], array.shape[1], entries)


def _row(vector: FloatArray) -> Any:
    return _matrix(vector[None, :])


def _gathered(row: Any, places: IntArray) -> Any:
    """The matrix with entry ``row[places[i, j]]`` at (i, j)."""
    import flint

    entries = row.entries()
    gathered = [entries[place] for place in places.ravel().tolist()]
    return flint.fmpq_mat(places.shape[0], places.shape[1], gathered)


def _floats(row: Any) -> FloatArray:
    return np.array([int(value.p) / int(value.q) for value in row.entries()])
