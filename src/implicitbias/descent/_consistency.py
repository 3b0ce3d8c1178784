"""Whether a recorded dual and the layers it was recorded for can be of one gradient descent.

Carried back by its clock, the end of a run misses its start by what finite steps do. The clock of
u and v in rho = u^D - v^D, and of two layers' p_1 +- p_2 (D = 2), is tau(u) = u^{2-D} / (D - 2), or
-log u: the flow adds to it what a step adds, and less than the step by R = tau(u (1 - z)) -
tau(u) - tau'(u) (-u z) >= 0 for all |z| < 1, tau being convex. So the effective tau(u) and tau(v)
lie above those of the start, both, whatever the steps were; a wrong clock lowers one of them. What
is measured is |R_u - R_v| / (R_u + R_v), at most 1.

Runs that are refused without fault have steps with |x_k| > 1 (5 of 1,400 with steps up to 1.6,
whose offsets had grown). One factor on all layers, as of weight decay, is not seen.

For products of three layers and more both the miss, projected to the clock, and |log f| of the
offsets' factors f are sums over steps of x_k^2 = (gamma_k g_k)^2 times squares of layers, and their
ratio is of order one: at most 0.61 in 2,800 runs of 3 to 6 layers (small and large steps, batches,
label noise); 4 to 900 where steps were recorded 10 percent too large or left out, indices mixed
up, or momentum used.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray

MARGIN = 2.0  # of what is bounded by 1, or was at most 0.61
ROUNDING = 1e-3  # of the layers' size: single precision, over many steps
CONDITIONED = 1e-3  # offsets below this part of p^2 have no factor worth a judgement
LARGE = 0.1  # factors below are of steps too large to judge by


def misses(
    before: FloatArray, after: FloatArray, end: FloatArray, power: float | None, factors: FloatArray
) -> FloatArray:
    """By how many times what steps explain the effective start misses the start, (m,).

    Parameters
    ----------
    before, after, end
        The layers of each coordinate at the start, the effective start and the end, (L, m).
    power
        D where the layers are u and v of u^D - v^D; None where they are multiplied.
    factors
        What ``EffectiveStart`` says of offsets.

    Returns
    -------
    FloatArray
        Above 1: no steps with |x_k| < 1 do that. 0 where steps were too large, or offsets too
        small, to judge.
    """
    with np.errstate(all="ignore"):
        if not np.nanmin(factors, initial=1.0) > LARGE:
            return np.zeros(before.shape[1])
        if power is not None:
            found = _of_two(before, after, end, power)
        elif len(before) == 2:
            old, new, last = (_sum_and_difference(each) for each in (before, after, end))
            found = _of_two(old, new, last, 2.0)
        else:
            found = _of_more(before, after, end)
    return np.nan_to_num(found, nan=0.0, posinf=0.0)


def _sum_and_difference(layers: FloatArray) -> FloatArray:
    return np.array([layers[0] + layers[1], layers[0] - layers[1]])


def _of_two(before: FloatArray, after: FloatArray, end: FloatArray, power: float) -> FloatArray:
    old, new, last = (_clock(np.abs(each), power) for each in (before, after, end))
    up, down = new - old
    sizes = np.abs(np.array([before, end])) ** (2.0 - power)
    explained = MARGIN * np.abs(up + down) + ROUNDING * sizes.max(axis=(0, 1))
    u, v = np.abs(before)
    enough = np.minimum(u, v) > CONDITIONED * np.maximum(u, v)
    return np.where(enough & np.isfinite(last).all(axis=0), np.abs(up - down) / explained, 0.0)


def _clock(u: FloatArray, power: float) -> FloatArray:
    """tau(u)."""
    return -np.log(u) if power == 2.0 else np.asarray(u ** (2.0 - power) / (power - 2.0))


def _of_more(before: FloatArray, after: FloatArray, end: FloatArray) -> FloatArray:
    speed, last = _speed(before), _speed(end)
    moved = ((after - before) * speed).sum(axis=0) / (speed**2).sum(axis=0)
    unit = np.maximum(_size(before) / _size(speed), _size(end) / _size(last))
    old, new = ((p[:, None] - p[None]) * (p[:, None] + p[None]) for p in (before, end))
    enough = np.abs(old) > CONDITIONED * (before**2).max(axis=0)
    shrunk = np.where(enough, np.abs(np.log(np.abs(new / old))), 0.0).sum(axis=1).max(axis=0)
    found = np.abs(moved) / (unit * (MARGIN * shrunk + ROUNDING))
    return np.where(enough.any(axis=(0, 1)), found, 0.0)


def _size(layers: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((layers**2).sum(axis=0)))


def _speed(layers: FloatArray) -> FloatArray:
    """dp/ds, (L, m)."""
    return np.array([np.delete(layers, at, axis=0).prod(axis=0) for at in range(len(layers))])
