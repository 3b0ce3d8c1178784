"""Symmetric matrices of many rows: their upper triangles are made and factored in tiles.

Up to ``LARGEST`` rows BLAS and LAPACK do it at once. Beyond, products of rectangles do nearly all
of the work: the triangular routines of OpenBLAS 0.3.30 write beyond their buffers on two threads at
20,000 rows, which ends the process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.linalg import blas, lapack

LARGEST = 8192  # rows that the triangular routines are trusted with
TILE = 2048  # rows of a triangle that is factored at once
STRIP = 512  # columns whose change is in memory for a moment

Kind = TypeVar("Kind", np.float64, np.float32)


def add_product(half: npt.NDArray[Kind], total: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
    """The upper triangle of H H^T added to ``total``, (n, n) in Fortran's order, in place.

    Of the same kind, float64 or float32, for H (n, k).
    """
    if len(half) <= LARGEST:
        rank_k = blas.dsyrk if total.dtype == np.float64 else blas.ssyrk
        return np.asarray(rank_k(1.0, half.T, beta=1.0, c=total, trans=1, overwrite_c=1))
    for strip in _strips(0, len(half)):
        change = half[: strip.stop] @ half[strip].T
        change[strip] = np.triu(change[strip])
        total[: strip.stop, strip] += change
    return total


def factor_upper(matrix: npt.NDArray[np.float64]) -> bool:
    """Put U with U^T U = A in place of A's upper triangle, (n, n) float64 in Fortran's order.

    False where A is not positive definite to rounding; what is there then is of no use.
    """
    n = len(matrix)
    if n <= LARGEST:
        return int(lapack.dpotrf(matrix, lower=0, clean=0, overwrite_a=1)[1]) == 0
    for start in range(0, n, TILE):
        tile = slice(start, min(start + TILE, n))
        triangle, failed = lapack.dpotrf(matrix[tile, tile], lower=0, clean=1)
        if failed:
            return False
        matrix[tile, tile] = triangle
        for strip in _strips(tile.stop, n):
            matrix[tile, strip] = blas.dtrsm(1.0, triangle, matrix[tile, strip], trans_a=1)
        for strip in _strips(tile.stop, n):
            above = matrix[tile, tile.stop : strip.stop]
            matrix[tile.stop : strip.stop, strip] -= above.T @ matrix[tile, strip]
    return True


def _strips(start: int, stop: int) -> Iterator[slice]:
    return (slice(at, min(at + STRIP, stop)) for at in range(start, stop, STRIP))
