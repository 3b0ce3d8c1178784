"""Gauss-Legendre quadrature on [0, 1]."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray


def gauss(count: int) -> tuple[FloatArray, FloatArray]:
    """So many nodes and weights."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return 0.5 * (1.0 + nodes), 0.5 * weights
