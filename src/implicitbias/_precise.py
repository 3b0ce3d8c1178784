"""b - A x to about 75 bits, by products without rounding errors.

A and x are split into leading parts of (53 - log2 d) / 2 bits and the rest: A = A_1 + A_2 and
x = x_1 + x_2. Every partial sum of A_1 x_1 then fits a float64, in whatever order it is summed, and

    b - A x = ((b - A_1 x_1) - A_1 x_2) - A_2 x

loses only the rounding of terms that are smaller by the bits of a leading part. Rows and columns
are brought to one size by powers of two first, so that no part of them is cut off.

Source: the error-free splitting of Ozaki, Ogita, Oishi and Rump, Numerical Algorithms 59 (2012).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, columns_times, is_sparse, rows_times

BLOCK = 1 << 20  # entries of A split at a time


def precise_residual(matrix: FloatArray, vector: FloatArray, target: FloatArray) -> FloatArray:
    """b - A x, (n,), for A (n, d), dense or CSR, x (d,) and b (n,), all finite."""
    if is_sparse(matrix):
        matrix = matrix.tocsr()
    width = max(1, BLOCK // max(matrix.shape[0], 1))
    missing, low = target, np.zeros_like(target)
    for start in range(0, matrix.shape[1], width):
        whole = is_sparse(matrix) or matrix.shape[1] <= width
        part = slice(None) if whole else slice(start, start + width)
        exact, rest = _parts(matrix[:, part], vector[part])
        total = missing - exact
        back = total - missing
        low = low + ((missing - (total - back)) - (exact + back)) - rest
        missing = total
        if whole:
            break
    return np.asarray(missing + low)


def _parts(matrix: Any, vector: FloatArray) -> tuple[FloatArray, FloatArray]:
    """A_1 x_1, exactly, and the rest of A x."""
    columns = np.frexp(_largest(matrix, 0))[1]
    scaled = columns_times(matrix, np.ldexp(1.0, -columns))
    rows = np.frexp(_largest(scaled, 1))[1]
    scaled = rows_times(scaled, np.ldexp(1.0, -rows))
    x = np.ldexp(vector, columns)
    bits = (51 - int(np.ceil(np.log2(max(vector.size, 1))))) // 2
    leading, rest = _split(scaled, bits)
    size = float(np.abs(x).max(initial=0.0))
    first = _leading(x, bits, size) if size > 0.0 else x
    exact = leading @ first
    low = leading @ (x - first) + rest @ x
    return np.ldexp(exact, rows), np.ldexp(low, rows)


def _split(matrix: Any, bits: int) -> tuple[Any, Any]:
    """Leading bits of entries of size at most one, and the rest."""
    if not is_sparse(matrix):
        leading = _leading(matrix, bits, 1.0)
        return leading, matrix - leading
    leading, rest = matrix.copy(), matrix.copy()
    leading.data = _leading(matrix.data, bits, 1.0)
    rest.data = matrix.data - leading.data
    return leading, rest


def _leading(values: FloatArray, bits: int, size: float) -> FloatArray:
    """The values rounded to multiples of 2^(e - bits), 2^e >= size."""
    anchor = 1.5 * np.ldexp(1.0, int(np.frexp(size)[1]) + 52 - bits)
    return np.asarray((values + anchor) - anchor)


def _largest(matrix: Any, axis: int) -> FloatArray:
    if not is_sparse(matrix):
        return np.asarray(np.maximum(matrix.max(axis=axis), -matrix.min(axis=axis)))
    return np.asarray(abs(matrix).max(axis=axis).toarray()).ravel()
