"""Changes of rho, measured in the coefficients beta = S^T rho that are asked for.

Relative to |beta|_inf, not to |rho|_inf: coordinates may cancel in beta, and one that is small in
rho is large in beta where its row of S is long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from implicitbias._arrays import EPS, FloatArray
from implicitbias.coordinates import ScalarCurves

DRAWS = 4  # of roundings that are independent of each other
LARGEST_EXPONENT = 600.0


@dataclass(frozen=True, eq=False)
class Seen:
    """beta as a function of rho, linear but for the part that keeps still.

    Attributes
    ----------
    coefficients
        beta, (d,), of rho, (m,), and of the imaginary parts that coordinates keep, (m,), or None.
    rounding
        What the entries of S are off by, relative to |S_j|.
    of_each
        The coefficients of the rows of a (k, m) array, (k, d), if that is faster than one by one.
    """

    coefficients: Callable[[FloatArray, FloatArray | None], FloatArray]
    rounding: float
    of_each: Callable[[FloatArray], FloatArray] | None = None
    _last: dict[str, tuple[ScalarCurves, FloatArray, float]] = field(
        default_factory=dict, repr=False
    )

    def largest(self, moved: FloatArray) -> float:
        """|S^T moved|_inf, of the worst column of an (m, k) array; NaN counts as infinite."""
        if not moved.any():
            return 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            columns = np.ascontiguousarray(moved.reshape(len(moved), -1).T)
            if self.of_each is not None:
                changes = self.of_each(columns)
            else:
                changes = np.array([self.coefficients(column, None) for column in columns])
            return float(np.nan_to_num(np.abs(changes), nan=np.inf).max(initial=0.0))

    def of_amounts(self, amounts: FloatArray) -> float:
        """The same for amounts without a sign, each coordinate's on its own; drawn a few times."""
        return self.largest(_draws(amounts.size) * amounts[:, None])


def relative(seen: Seen | None, rho: FloatArray, moved: FloatArray) -> float:
    """|S^T moved|_inf / |S^T rho|_inf, the worst column; in rho itself if None, or if beta = 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        size = 0.0 if seen is None else float(np.abs(seen.coefficients(rho, None)).max(initial=0.0))
        if seen is not None and size > 0.0:
            return seen.largest(moved) / size
        largest = float(np.abs(moved).max(initial=0.0))
        return largest / float(np.abs(rho).max(initial=0.0)) if largest > 0.0 else 0.0


def relative_amounts(seen: Seen | None, rho: FloatArray, amounts: FloatArray) -> float:
    """The same for amounts without a sign, each coordinate's on its own."""
    if seen is None:
        return relative(None, rho, amounts)
    return relative(seen, rho, _draws(amounts.size) * amounts[:, None])


def rounding(seen: Seen | None, rho: FloatArray) -> float:
    """What the rounding of rho, and of S, does to beta."""
    return EPS if seen is None else relative_amounts(seen, rho, (EPS + seen.rounding) * np.abs(rho))


def log_top(curves: ScalarCurves, t: FloatArray) -> float:
    """log |rho|_inf."""
    return float(np.max(curves.log_abs_rho(t), initial=-np.inf))


def in_rho(curves: ScalarCurves, t: FloatArray, dt: FloatArray) -> FloatArray:
    """rho' dt / |rho|_inf, for dt of shape (m,) or (m, k); 0 where rho = 0."""
    top = log_top(curves, t)
    if top == -np.inf:
        return np.zeros_like(dt)
    slope = _slope(curves, t, top)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return np.asarray(slope * dt if dt.ndim == 1 else slope[:, None] * dt)


def _slope(curves: ScalarCurves, t: FloatArray, top: float) -> FloatArray:
    """rho' / |rho|_inf for top = log |rho|_inf."""
    with np.errstate(under="ignore"):
        return np.asarray(np.exp(np.minimum(curves.log_rho_slope(t) - top, LARGEST_EXPONENT)))


def relative_move(
    seen: Seen | None, curves: ScalarCurves, t: FloatArray, moved: FloatArray
) -> float:
    """|d beta|_inf / |beta|_inf at t for changes of rho over |rho|_inf, the worst column."""
    size = 0.0 if seen is None else _size(seen, curves, t)
    if seen is None or size == 0.0:
        return float(np.abs(moved).max(initial=0.0))
    return seen.largest(moved) / size


def relative_change(
    seen: Seen | None, curves: ScalarCurves, t: FloatArray, dt: FloatArray
) -> float:
    """The same for changes of t; 0 where rho = 0."""
    return relative_move(seen, curves, t, in_rho(curves, t, dt))


def relative_error(seen: Seen | None, curves: ScalarCurves, t: FloatArray, dt: FloatArray) -> float:
    """What dt and the rounding of t, of log rho and of S do to beta, relative to it."""
    top = log_top(curves, t)
    if top == -np.inf:
        return 0.0
    size = 0.0 if seen is None else _size(seen, curves, t)
    if seen is None or size == 0.0:
        rounded = np.abs(dt) + EPS * np.abs(t)
        return relative_change(None, curves, t, rounded) + EPS * (4.0 + abs(top))
    logs, slope = curves.log_abs_rho(t), _slope(curves, t, top)
    amounts = (_rounded(logs) + seen.rounding) * np.exp(logs - top)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        amounts, moved = amounts + slope * (EPS * np.abs(t)), slope * dt
    kept, still = _still(curves, top), 0.0
    if kept is not None:
        with np.errstate(divide="ignore"):
            drawn = _draws(kept.size).T * (_rounded(np.log(np.abs(kept)) + top) * np.abs(kept))
        still = max(np.abs(seen.coefficients(0.0 * kept, each)).max() for each in drawn)
    return (seen.largest(moved) + seen.of_amounts(amounts) + still) / size


def _rounded(logs: FloatArray) -> FloatArray:
    """The relative rounding of exp(logs)."""
    return np.asarray(EPS * (4.0 + np.where(np.isfinite(logs), np.abs(logs), 0.0)))


def _size(seen: Seen, curves: ScalarCurves, t: FloatArray) -> float:
    """|beta|_inf / |rho|_inf; the last is remembered."""
    last = seen._last.get("size")
    if last is None or last[0] is not curves or last[1] is not t:
        last = seen._last["size"] = curves, t, _measured(seen, curves, t)
    return last[2]


def _measured(seen: Seen, curves: ScalarCurves, t: FloatArray) -> float:
    top = log_top(curves, t)
    if top == -np.inf:
        return 0.0
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rho = np.sign(curves.rho(t)) * np.exp(curves.log_abs_rho(t) - top)
        beta = seen.coefficients(rho, _still(curves, top))
    return float(np.nan_to_num(np.abs(beta), nan=0.0).max(initial=0.0))


def _still(curves: ScalarCurves, top: float) -> FloatArray | None:
    """The imaginary parts that coordinates keep, over |rho|_inf; None where they are 0."""
    if not curves.imaginary.any():
        return None
    with np.errstate(over="ignore"):
        return np.asarray(curves.imaginary * np.exp(-top))


@lru_cache(maxsize=1)
def _draws(size: int) -> FloatArray:
    draws = np.random.default_rng(1).standard_normal((size, DRAWS))
    draws.flags.writeable = False  # shared
    return draws
