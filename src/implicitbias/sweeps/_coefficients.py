"""What is kept of coefficients: a summary for the table; their bytes where asked for."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, stable_norm
from implicitbias._results import plain

NONZERO = 1e-6  # of the largest coefficient


def summary(beta: FloatArray, truth: FloatArray | None, *, directed: bool) -> dict[str, Any]:
    """Norms, the number of coefficients that are not small, and the error against the truth.

    The error is ||beta - truth|| / ||truth||; of directions, between vectors of unit length.
    """
    size = np.abs(beta)
    largest = float(size.max(initial=0.0))
    found = {
        "l1": plain(float(size.sum())),
        "l2": plain(stable_norm(beta)),
        "largest": plain(largest),
        "num_nonzero": int(np.count_nonzero(size > NONZERO * largest)),
    }
    if truth is None:
        return found
    if directed and 0.0 < largest < np.inf:
        beta = beta / largest
        beta = beta / stable_norm(beta)
    error = float(stable_norm(beta - truth) / stable_norm(truth))
    return found | {"truth_error": plain(error)}


def packed(beta: FloatArray) -> str:
    """The bytes of float64 numbers, little-endian, as text."""
    return b64encode(np.ascontiguousarray(beta, dtype="<f8").tobytes()).decode("ascii")


def unpacked(text: str) -> FloatArray:
    """The numbers that ``packed`` packed."""
    return np.frombuffer(b64decode(text), dtype="<f8").astype(np.float64)
