"""Nonnegative least squares, by SciPy, also of no column at all."""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls as scipy_nnls

from implicitbias._arrays import FloatArray


def nnls(
    matrix: FloatArray, right: FloatArray, maxiter: int | None = None
) -> tuple[FloatArray, float]:
    """min_{v >= 0} ||A v - b||: v, (k,), and the norm that is left.

    Without columns SciPy (1.17) frees memory twice, which ends the process.

    Raises
    ------
    RuntimeError
        The iterations were used up.
    """
    if matrix.shape[1] == 0 or len(right) == 0:
        return np.zeros(matrix.shape[1]), float(np.linalg.norm(right))
    found, left = scipy_nnls(matrix, right, maxiter=maxiter)
    return np.asarray(found), float(left)
