"""The points' shares of a late loss: which multipliers they are, where a direction has several.

Late margins are m_i = x - log p_i, and only what moves the layers at their limit moves margins by
as little: log p = Z w + const with Z the rows of what does. So p is, of the multipliers over their
sum, the one of largest entropy,

    max - sum_i p_i log p_i  s.t.  Z^T p = Z^T a / sum a,  p >= 0,

a smooth concave problem in w. It is the only one where Z's rows are independent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from implicitbias._arrays import FloatArray, IntArray

UnitGram = tuple[FloatArray, FloatArray]

DEPENDENT = 1e-13  # an eigenvalue of the Gram matrix of unit rows that is rounding, times n
MOVED = 1e-10  # relative: squares of what a dependency of some columns leaves of the others
LARGEST = 2000  # points of smallest margin whose dependencies are sought
ELSEWHERE = 1e-9  # part of the multipliers at points of other margins
STEPS = 200  # of Newton's method; about 10, and one for each factor e of a share that tends to 0
CLOSE = 1e-13
HALVINGS = 30


class Shares(NamedTuple):
    """p >= 0 with sum 1, (n,), and by how much its entropy may be off: 0 where p is known."""

    parts: FloatArray
    entropy_error: float

    @property
    def entropy(self) -> float:
        """H = - sum_i p_i log p_i."""
        return entropy_of(self.parts)


def entropy_of(parts: FloatArray) -> float:
    """- sum_i p_i log p_i."""
    some = parts[parts > 0.0]
    return max(0.0, -float((some * np.log(some)).sum()))


def late_shares(
    multipliers: FloatArray,
    active: IntArray,
    moving: Callable[[IntArray], UnitGram],
    every: Callable[[IntArray], UnitGram] | None = None,
) -> Shares:
    """The shares of the points of smallest margin.

    Where a dependency of the moving columns is none of the others, these grow, or stay, as the
    start decides, and so do the shares.

    Parameters
    ----------
    multipliers
        a >= 0, (n,).
    active
        The points of smallest margin.
    moving, every
        Gram matrices of the unit rows of some points, (k, k), and the rows' lengths, (k,): by the
        columns that move margins at the limit, and by all; None where these are the same.
    """
    parts = multipliers / multipliers.sum()
    if active.size < 2 or parts[active].sum() < 1.0 - ELSEWHERE:
        return Shares(parts, 0.0)
    if active.size > LARGEST:
        return Shares(parts, _spread(parts, active.size))
    gram, lengths = moving(active)
    values, vectors = np.linalg.eigh(gram)
    free = values <= DEPENDENT * active.size * values[-1]
    if not free.any():
        return Shares(parts, 0.0)
    rows = lengths[:, None] * vectors[:, ~free] * np.sqrt(values[~free])
    found = _largest_entropy(rows / lengths.max(), parts[active])
    if found is None:
        return Shares(parts, _spread(parts, active.size))
    parts = np.zeros_like(parts)
    parts[active] = found
    dependencies = vectors[:, free] / lengths[:, None]
    if every is not None and _moves_others(dependencies, *every(active)):
        return Shares(parts, _spread(parts, active.size))
    return Shares(parts, 0.0)


def _spread(parts: FloatArray, count: int) -> float:
    """How far the entropy is from 0 or from that of equal shares."""
    entropy = entropy_of(parts)
    return max(entropy, float(np.log(count)) - entropy)


def _moves_others(dependencies: FloatArray, gram: FloatArray, lengths: FloatArray) -> bool:
    """Whether a combination of the points that moving columns do not see is one that others do."""
    terms = dependencies * lengths[:, None]
    terms = terms / np.abs(terms).sum(axis=0)
    return bool((np.einsum("ik,ij,jk->k", terms, gram, terms) > MOVED).any())


def _largest_entropy(rows: FloatArray, parts: FloatArray) -> FloatArray | None:
    """p of largest entropy with Z^T p as given, by Newton's method in w; None if it stops short."""
    goal = parts @ rows
    size = float(np.abs(rows).max())
    w = np.zeros(rows.shape[1])
    value, found = _dual(rows, goal, w)
    for _ in range(STEPS):
        left = goal - found @ rows
        if float(np.abs(left).max()) <= CLOSE * size:
            return found
        centred = rows - found @ rows
        curvature = centred.T @ (found[:, None] * centred)
        damping = CLOSE * float(np.trace(curvature)) * np.eye(w.size)
        step = np.linalg.lstsq(curvature + damping, left, rcond=None)[0]
        for _ in range(HALVINGS):
            following, shares = _dual(rows, goal, w + step)
            if following >= value:
                break
            step = step / 2.0
        else:
            return found if float(np.abs(left).max()) <= np.sqrt(CLOSE) * size else None
        w, value, found = w + step, following, shares
    return None


def _dual(rows: FloatArray, goal: FloatArray, w: FloatArray) -> tuple[float, FloatArray]:
    """w^T goal - log sum exp(Z w), and the shares exp(Z w) over their sum."""
    heights = rows @ w
    weights = np.exp(heights - heights.max())
    total = float(weights.sum())
    return float(w @ goal - heights.max() - np.log(total)), weights / total
