"""SciPy's linear programs, given up where the simplex method goes in circles."""

from __future__ import annotations

from typing import Any

import scipy.optimize

from implicitbias._arrays import FloatArray

MOST_PIVOTS = 100  # a row and column


def linprog(cost: FloatArray, *, options: dict[str, Any] | None = None, **given: Any) -> Any:
    """``scipy.optimize.linprog``; status 1 after MOST_PIVOTS pivots a row and column."""
    sides = (given.get(name) for name in ("b_ub", "b_eq"))
    size = len(cost) + sum(len(side) for side in sides if side is not None)
    return scipy.optimize.linprog(
        cost, options={"maxiter": MOST_PIVOTS * size, **(options or {})}, **given
    )
