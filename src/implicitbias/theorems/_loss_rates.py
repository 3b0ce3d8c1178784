"""The loss against time of limit directions: the squares of their layers, their points' shares."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, NumericArray
from implicitbias.features import Features
from implicitbias.limits import LossRate, Shares, late_shares
from implicitbias.theorems._situation import Situation

UnitGram = tuple[FloatArray, FloatArray]
SHARED = 1e-9  # relative: margins that are the smallest
HELD = 1e-9  # a share of the loss that is not on its way to 0
SPANNED = 1e-12  # relative: an eigenvalue of unit rows' Gram matrix that is not rounding


def loss_rate(situation: Situation, squares: float, shares: Shares) -> LossRate:
    """From ||Theta||^2 where the smallest margin is 1, and the points' shares of the loss."""
    degree = situation.network.degree
    log_constant = float(np.log(squares)) - 2.0 * float(np.log(degree))
    return LossRate(degree, log_constant, shares.entropy, shares.entropy_error)


def chain_squares(situation: Situation, beta: FloatArray) -> float:
    """sum_l ||W_l||^2 of aligned layers of rank one: L ||beta||^{2/L}."""
    depth = situation.network.depth
    return float(depth * float(np.linalg.norm(beta)) ** (2.0 / depth))


def coordinate_squares(situation: Situation, rho: NumericArray) -> float:
    """sum_l ||v_l||^2 = L sum_j |rho_j|^{2/L} of balanced layers; once for u^D - v^D."""
    degree = situation.network.degree
    layers = 1.0 if situation.decomposition.power is not None else degree
    return layers * float((np.abs(rho) ** (2.0 / degree)).sum())


def smallest_margins(situation: Situation, beta: FloatArray) -> IntArray:
    """The points of smallest margin."""
    margins = situation.problem.y * (situation.problem.features @ beta)
    return np.flatnonzero(margins <= margins.min() * (1.0 + SHARED))


def equal_shares(situation: Situation, beta: FloatArray) -> Shares:
    """Of the smallest margins where all points are multiples of one."""
    parts = np.zeros(situation.problem.num_points)
    active = smallest_margins(situation, beta)
    parts[active] = 1.0 / active.size
    return Shares(parts, 0.0)


def chain_shares(situation: Situation, beta: FloatArray, multipliers: FloatArray) -> Shares:
    """Of a direction all of whose coordinates move."""
    rows = situation.problem.features.scaled(situation.problem.y, None)
    return late_shares(multipliers, smallest_margins(situation, beta), gram_of(rows))


def chain_closing(situation: Situation, shares: Shares) -> float:
    """The exponent of the margin with which aligned layers' direction closes in.

    Parts of beta that no point of smallest margin sees keep to the layers' first-order growth,
    margin^{1 - 1/L}; where there are none the differences of the margins, which stay, hold beta.
    """
    rows, held = situation.problem.features, np.flatnonzero(shares.parts > HELD)
    if held.size < rows.shape[1]:
        return 1.0 / situation.network.depth
    gram, _ = gram_of(rows)(held)
    values = np.linalg.eigvalsh(gram)[-rows.shape[1] :]
    return 1.0 if values[0] > SPANNED * values[-1] else 1.0 / situation.network.depth


def coordinate_shares(
    situation: Situation,
    beta: FloatArray,
    rows: Features,
    rho: NumericArray,
    multipliers: FloatArray,
) -> Shares:
    """Of a direction whose coordinates rho other than 0 move; ``rows`` are of all."""
    some, active = rows.taken(np.flatnonzero(rho)), smallest_margins(situation, beta)
    return late_shares(multipliers, active, gram_of(some), gram_of(rows))


def gram_of(rows: Features) -> Callable[[IntArray], UnitGram]:
    """Inner products of some of the rows over their lengths, as real vectors, and the lengths."""

    def gram(points: IntArray) -> UnitGram:
        chosen = rows.rows(points)
        lengths = chosen.row_norms()
        chosen = chosen.scaled(1.0 / np.where(lengths > 0.0, lengths, 1.0), None)
        if chosen.is_complex:
            array = chosen.toarray()
            return np.asarray((array @ array.conj().T).real), lengths
        upper = np.triu(chosen.gram(np.ones(chosen.shape[1])))
        return np.asarray(upper + np.triu(upper, 1).T), lengths

    return gram
