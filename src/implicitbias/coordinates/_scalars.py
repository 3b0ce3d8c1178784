"""Hyperbolic functions by their logarithms, their arguments, and when Newton's method arrives."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from implicitbias._arrays import FloatArray

FloatOrArray: TypeAlias = "np.float64 | FloatArray"

LOG2 = float(np.log(2.0))
QUADRATIC = 1e-9  # a Newton step this short leaves an error of its square: rounding
MAX_NEWTON = 100
SQUARED = 300.0  # sinh^2 of less does not overflow


def log_sinh(x: FloatArray) -> FloatArray:
    """log |sinh x|, -inf at 0."""
    size = np.abs(x)
    with np.errstate(divide="ignore"):
        return size + np.log(-np.expm1(-2.0 * size)) - LOG2


def log_cosh(x: FloatArray) -> FloatArray:
    """log cosh x, relatively accurate."""
    size = np.abs(x)
    if size.max(initial=0.0) < SQUARED:
        return np.asarray(0.5 * np.log1p(np.sinh(size) ** 2))
    small = 0.5 * np.log1p(np.sinh(np.minimum(size, 1.0)) ** 2)
    return np.where(size < 1.0, small, size + np.log1p(np.exp(-2.0 * size)) - LOG2)


def arcsinh_exp(base: FloatArray) -> FloatArray:
    """arcsinh e^base >= 0."""
    large = base + np.log1p(np.sqrt(1.0 + np.exp(-2.0 * np.abs(base))))
    small = np.arcsinh(np.exp(np.minimum(base, 0.0)))
    return np.where(base > 0.0, large, small)


def log_expm1(y: FloatArray) -> FloatArray:
    """log |e^y - 1|, -inf at 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(y, 0.0) + np.log(-np.expm1(-np.abs(y))))
