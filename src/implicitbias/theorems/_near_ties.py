"""Whether columns tie for the l1 max margin in truth, or in float64 alone.

Where the coordinates Z = X S^T are rounded, |z_j^T a| = 1 to rounding says neither that a column
takes part in the limit nor that it does not, and the two limits may be far apart. Only columns of
conjugate characters, which are one real column, tie whatever is rounded.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.features import Features
from implicitbias.limits import MaxMargin
from implicitbias.theorems._situation import ROUNDED, Situation
from implicitbias.theorems._top_space import MOST_TERMS, integers

ROUNDINGS = 32.0  # of an entry of Z, below which |z_j^T a| - 1 has no sign
PAIRED = 1e-9  # of S: conjugate coordinates, which are computed one by one
NEAR = 1e-6  # farther from the bound the conditioning of the support is not asked for
Verdicts = tuple[Verdict, ...]


def require_true_ties(
    situation: Situation, rows: Features, moves: BoolArray, found: MaxMargin, verdicts: Verdicts
) -> None:
    """Refuse columns of rounded rows that tie to rounding, and may not.

    Parameters
    ----------
    situation, verdicts
        What is asked about, and what is known of it.
    rows
        Z on the coordinates ``moves``, (n, m), real or complex.
    found
        The l1 max-margin point on them.

    Raises
    ------
    NoPredictionError
        Rounding decides which columns the point uses.
    """
    if situation.rows_are_exact:
        return
    noise = _noise(situation, moves, found)
    if rows.is_complex:
        gap, told = 1.0 - float(found.kappa or 0.0), float(noise.max(initial=0.0))
        if (found.rho == 0).any() and gap <= told:
            raise _undecided(gap, told, verdicts)
        return
    rho = np.asarray(found.rho, dtype=np.float64)
    support, first = np.flatnonzero(rho), _first_alike(situation, moves)
    used = np.unique(first[support])
    charged = rows.rows(np.flatnonzero(found.multipliers > 0.0))
    matrix = np.asarray(charged.columns(used), dtype=np.float64)
    lost = ROUNDINGS * (ROUNDED + situation.decomposition.residual) * matrix.size**0.5
    if np.linalg.matrix_rank(_unit(matrix), tol=lost) < used.size:
        raise _undecided(0.0, float(noise[used].max()), verdicts)
    gaps = 1.0 - _pulls(rows, found)
    near = np.flatnonzero((rho == 0.0) & (gaps < NEAR) & ~np.isin(first, used))
    if not near.size:
        return
    shares = np.linalg.lstsq(matrix, np.asarray(charged.columns(near)), rcond=None)[0]
    told = noise[near] + noise[used] @ np.abs(shares)
    worst = int(np.argmin(gaps[near] - told))
    if gaps[near][worst] <= told[worst]:
        raise _undecided(float(gaps[near][worst]), float(told[worst]), verdicts)


def _noise(situation: Situation, moves: BoolArray, found: MaxMargin) -> FloatArray:
    """What the rounding of Z does to z_j^T a at most, (m,)."""
    decomposition = situation.decomposition
    unit = ROUNDINGS * (ROUNDED + decomposition.residual)
    pull = float(np.abs(found.multipliers) @ situation.problem.features.row_norms())
    return np.asarray(unit * pull * decomposition.lengths[moves])


def _pulls(rows: Features, found: MaxMargin) -> FloatArray:
    """|z_j^T a|, or how far it is along the sign that a coordinate keeps, (m,)."""
    driver = np.asarray(rows.T @ found.multipliers)
    signs = np.zeros(driver.size) if found.signs is None else found.signs
    return np.where(signs == 0.0, np.abs(driver), signs * driver)


def _unit(matrix: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(matrix, axis=0)
    return np.asarray(matrix / np.where(lengths > 0.0, lengths, 1.0))


def _first_alike(situation: Situation, moves: BoolArray) -> np.ndarray:
    """For each moving coordinate the first one of the same real column, by its place, (m,)."""
    places = np.flatnonzero(moves)
    if situation.network.is_fourier:
        keys = np.minimum(places, (-places) % moves.size)
        return np.asarray(np.searchsorted(places, _seen(keys, moves)))
    S = situation.decomposition.S[places]
    if _is_given(situation):
        columns = (integers(situation.problem.X) @ integers(S.real.T)).T.tolist()
        known: dict[tuple[int, ...], int] = {}
        return np.array([known.setdefault(tuple(each), i) for i, each in enumerate(columns)])
    alike = (S[:, None, :] == S[None, :, :]).all(axis=2)
    if not situation.decomposition.is_real:  # a real tensor has every complex coordinate twice
        size = np.abs(S).max(axis=1, keepdims=True)
        apart = np.abs(S[:, None, :] - S[None, :, :].conj()).max(axis=2)
        turns = np.abs(S.imag).max(axis=1, keepdims=True) > NEAR * size
        alike |= turns & (apart <= PAIRED * size)
    return np.asarray(alike.argmax(axis=1))


def _is_given(situation: Situation) -> bool:
    """Whether Z is the product of X with an S that is the network's own, and can be had exactly."""
    decomposition, rows = situation.decomposition, len(situation.problem.y)
    few = decomposition.size * decomposition.num_features * rows <= MOST_TERMS
    return decomposition.is_real and decomposition.residual == 0.0 and few


def _seen(keys: np.ndarray, moves: BoolArray) -> np.ndarray:
    """Frequencies whose cosine moves; the mirrored one where only that does."""
    return np.where(moves[keys], keys, (-keys) % moves.size)


def _undecided(gap: float, told: float, verdicts: Verdicts) -> NoPredictionError:
    return NoPredictionError(
        f"columns of X S^T tie for the l1 max-margin point up to {gap:.1e}, and their rounding is "
        f"{told:.1e}: which of them the limit uses is not told. Take features whose columns tie "
        "exactly, or differ by more than that.",
        verdicts,
    )
