"""Columns over their standard deviations, so that units play no part."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.features import Dense
from implicitbias.problems._columns import spreads
from implicitbias.problems._offsets import Offsets
from implicitbias.problems._units import refuse_sizes_beyond

LEAST, MOST = 1e-100, 1e100  # standard deviations that are divided by


def standardised(X: FloatArray, *, shift: bool) -> tuple[FloatArray, FloatArray, Offsets | None]:
    """X_ij / s_j, the s_j, (d,), and what was taken off before.

    s_j = sqrt(mean((x_j - mean x_j)^2)), and 1 for constant columns.

    Parameters
    ----------
    X
        (n, d), finite.
    shift
        Whether offsets are taken off first, exactly: where a constant makes up for them.

    Raises
    ------
    InvalidInputError
        A standard deviation beyond 1e-100 to 1e100.
    """
    units = spreads(X)
    refuse_sizes_beyond(units, "the standard deviation of a column", LEAST, MOST)
    units = np.where(units > 0.0, units, 1.0)
    offsets = Offsets.of(X) if shift else None
    moved = X if offsets is None else offsets.subtracted(Dense(X)).toarray()
    return moved / units, units, offsets
