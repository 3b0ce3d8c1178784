"""Multilinear multiplication: contracting the modes of a tensor with vectors and matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from implicitbias._arrays import NumericArray, finite_array
from implicitbias._errors import InvalidInputError


def multilinear_multiply(tensor: Any, matrices: Iterable[Any]) -> NumericArray:
    """Compute [A o (C_1, .., C_L)]_{i_1..i_L} = sum_j A_{j_1..j_L} prod_l [C_l]_{j_l i_l}.

    The entries are given as the formula A o (B_1^T, ..., B_L^T) writes them, C_l = B_l^T: a plain
    transpose, nothing is conjugated. So A o (v_1, I, ..., I) is
    ``multilinear_multiply(A, [v_1, None, ..., None])``.

    Parameters
    ----------
    tensor
        A, of shape (k_1, ..., k_L), real or complex.
    matrices
        L entries: a matrix (k_l, p_l), which turns mode l into one of size p_l; a vector (k_l,),
        which contracts mode l away; or None, which leaves it.

    Returns
    -------
    ndarray
        The tensor of the modes that remain, in their order; zero-dimensional if none does.

    Raises
    ------
    InvalidInputError
        A wrong number of entries, wrong shapes, NaN or infinities.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 2.
    """
    result = finite_array(tensor, "tensor", shape=(None,) * np.ndim(tensor), allow_complex=True)
    try:
        matrices = tuple(matrices)
    except TypeError:
        raise InvalidInputError(
            f"matrices must be a sequence with one entry a mode; got {type(matrices).__name__}."
        ) from None
    if len(matrices) != result.ndim or result.ndim == 0:
        raise InvalidInputError(
            f"matrices has {len(matrices)} entries for a tensor with {result.ndim} modes; expected "
            "one entry a mode (None leaves a mode as it is) and at least one mode."
        )
    # From the last mode to the first, so that the modes not yet met keep their positions.
    for mode in range(result.ndim - 1, -1, -1):
        entry = matrices[mode]
        if entry is None:
            continue
        size = result.shape[mode]
        shape = (size,) if np.ndim(entry) == 1 else (size, None)
        entry = finite_array(entry, f"matrices, entry {mode + 1},", shape=shape, allow_complex=True)
        result = np.tensordot(result, entry, axes=(mode, 0))
        if entry.ndim == 2:
            result = np.moveaxis(result, -1, mode)
    return np.asarray(result)


def contract_first(tensor: NumericArray, vector: NumericArray) -> NumericArray:
    """Compute A o (v, I, ..., I): the first mode contracted away."""
    rest = tensor.shape[1:]
    return (vector @ tensor.reshape(len(vector), -1)).reshape(rest)


def contract_second(tensor: NumericArray, vector: NumericArray) -> NumericArray:
    """Compute A o (I, v, I, ..., I): the second mode contracted away."""
    size, _, *rest = tensor.shape
    return (vector @ tensor.reshape(size, len(vector), -1)).reshape(size, *rest)


def contract_all_but_second(tensor: NumericArray, other: NumericArray) -> NumericArray:
    """Compute sum_r A_{n k r} B_{n r}: ``contract_second``'s derivative by the vector, (n, k)."""
    size, length, *_ = tensor.shape
    left, right = tensor.reshape(size, length, -1), other.reshape(size, -1, 1)
    return (left @ right)[:, :, 0]


def outer_second(vector: NumericArray, other: NumericArray) -> NumericArray:
    """Compute v_k B_{n r}: ``contract_second``'s derivative by the tensor, (n, k, r)."""
    size, *rest = other.shape
    product: NumericArray = vector[:, None] * other.reshape(size, 1, -1)
    return product.reshape(size, len(vector), *rest)


def contract_last(tensor: NumericArray, vector: NumericArray) -> NumericArray:
    """Compute A o (I, ..., I, v): the last mode contracted away."""
    return tensor @ vector


def outer_columns(matrices: Sequence[NumericArray]) -> NumericArray:
    """[C_1]_j (x) ... (x) [C_L]_j, flattened row-major, as column j of a (prod k_l, m) array."""

    def grow(left: NumericArray, right: NumericArray) -> NumericArray:
        product: NumericArray = left[:, None, :] * right[None, :, :]
        return product.reshape(-1, left.shape[1])

    return reduce(grow, matrices)
