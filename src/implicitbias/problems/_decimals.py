"""Decimals as they are meant: 0.1 is stored as a binary fraction nearby.

A tie among columns of tenths, or of amounts with two digits after the point, is a tie of the
decimals: rounding to binary fractions would break it. Multiplied by a power of ten and rounded to
whole numbers, which float64 holds, such data are exact again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, is_sparse

MAX_DIGITS = 9  # after the point
MOST = 1e14  # whole numbers up to here tell a decimal of that many digits from its neighbours


def decimal_digits(X: Any, at_least: int = 0) -> int | None:
    """The fewest digits after the point that write all entries of X, None where 9 do not."""
    entries = X.data if is_sparse(X) else X
    few = entries[:1] if entries.ndim > 1 else entries[:64]  # mostly tells already
    return next(
        (k for k in range(at_least, MAX_DIGITS + 1) if _written(few, k) and _written(entries, k)),
        None,
    )


def whole_numbers(X: Any, digits: int) -> Any:
    """10^digits X, rounded; sparse where X is."""
    if not is_sparse(X):
        return np.rint(X * 10.0**digits)
    moved = X.copy()
    moved.data = np.rint(X.data * 10.0**digits)
    return moved


def as_decimals(X: Any, digits: int) -> Any:
    """The floats nearest to decimals of so many digits, for X as near as rounding leaves it."""
    moved = whole_numbers(X, digits)
    if not is_sparse(X):
        return moved / 10.0**digits
    moved.data /= 10.0**digits
    moved.eliminate_zeros()
    return moved


def _written(entries: FloatArray, digits: int) -> bool:
    if np.abs(entries).max(initial=0.0) > MOST / 10.0**digits:
        return False
    return np.array_equal(np.rint(entries * 10.0**digits) / 10.0**digits, entries)
