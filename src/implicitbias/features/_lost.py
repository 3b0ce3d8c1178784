"""What rounding took from Z and y when they were formed, as differences of rows or projections.

It is no error of solving Z rho = y, and moves its solution all the same: by the condition of Z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.features._base import Features


@dataclass(frozen=True, eq=False)
class Lost:
    """Z + E and y + e are what was meant.

    Attributes
    ----------
    entries
        E, (n, m), or None where it is 0.
    targets
        |e|, (n,).
    """

    entries: Features | None
    targets: FloatArray

    def of(self, rows: Any, columns: Any) -> Lost:
        """What some rows and columns have lost."""
        entries = None if self.entries is None else self.entries.rows(rows).taken(columns)
        return Lost(entries, self.targets[rows])

    def in_rows(self, rho: FloatArray, exponent: int = 0) -> FloatArray:
        """|E rho| + |e|, (n,), for rho and y times 2^exponent."""
        size = np.ldexp(self.targets, exponent)
        return size if self.entries is None else size + np.abs(self.entries @ rho)

    def in_clocks(self, nu: FloatArray, width: int) -> FloatArray:
        """|E^T nu|, (m,) for m = ``width``."""
        return np.zeros(width) if self.entries is None else np.abs(self.entries.T @ nu)


def lost_in_difference(a: FloatArray, b: FloatArray, difference: FloatArray) -> FloatArray:
    """(a - b) - difference, exactly, for the rounded difference (Knuth)."""
    back = difference - a
    return np.asarray((a - (difference - back)) - (b + back))
