"""rho in C^m with S^T rho real, written in real unknowns whose groups have the norms |rho_j|.

A real network's S has rows in conjugate pairs up to phases: conj(S_j) = psi S_k. (The singular
values of M(x) are |S x|_j, and a simple singular value of a real matrix has real singular vectors
up to phase.) Then S^T rho is real for rho_k = psi conj(rho_j): one complex unknown a pair, and one
real unknown where k = j. An S without such pairs is taken with S^T rho real as equations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, eye_array, kron
from scipy.spatial import cKDTree

from implicitbias._arrays import FloatArray, NumericArray, finite_array
from implicitbias._errors import InvalidInputError
from implicitbias.features import Dense, Features

PROBES = 4  # random real vectors that tell rows of S apart
PAIR_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class Groups:
    """rho = expansion @ r with r real; group g has the norm |rho_j| of its members.

    Attributes
    ----------
    expansion
        Sparse (m, K), at most two entries a row; its columns are orthogonal as real vectors.
    labels
        The group of each real unknown, shape (K,).
    members
        How many coordinates share the group's norm, shape (G,).
    first
        One coordinate of each group, shape (G,).
    equations
        Real (2d or d, K) rows that r must annihilate for S^T rho to be real; empty if automatic.
    """

    expansion: csr_array
    labels: np.ndarray
    members: FloatArray
    first: np.ndarray
    equations: FloatArray

    @property
    def real(self) -> bool:
        """Whether every group is a single real number."""
        return bool(self.labels.size == self.members.size)

    def rows(self, A: Features) -> Features:
        """Real constraint rows C with C r = Re(A rho), shape (n, K)."""
        if not A.is_array:  # only where every coordinate is real: C = A
            return A
        rows = (A.toarray() @ self.expansion).real
        return Dense(np.ascontiguousarray(rows, dtype=np.float64))

    def rho(self, r: FloatArray) -> NumericArray:
        """The coordinates of the unknowns."""
        return np.asarray(self.expansion @ r)

    def unknowns(self, rho: NumericArray) -> FloatArray:
        """The unknowns nearest to given coordinates (exact if S^T rho is real)."""
        counts = np.asarray((abs(self.expansion) ** 2).sum(axis=0)).ravel()
        return np.asarray((self.expansion.conj().T @ rho).real / counts, dtype=np.float64)

    def group_weights(self, weights: FloatArray | None) -> FloatArray:
        """Weights of the groups' norms; conjugate partners must carry equal weights."""
        if weights is None:
            return self.members.copy()
        owner = np.zeros(weights.size, dtype=int)
        coo = self.expansion.tocoo()
        owner[coo.row] = self.labels[coo.col]
        expected = weights[self.first][owner]
        wrong = np.flatnonzero(np.abs(weights - expected) > 1e-12 * expected)
        if wrong.size:
            raise InvalidInputError(
                f"weights[{wrong[0]}] is {weights[wrong[0]]:.6g} but its conjugate partner has "
                f"{expected[wrong[0]]:.6g}; |rho_j| is equal within a pair, so give both the same."
            )
        return np.asarray(weights[self.first] * self.members)


def real_groups(m: int) -> Groups:
    """Every coordinate real (S real): K = m, S^T rho real by itself."""
    index = np.arange(m)
    return Groups(csr_array(eye_array(m)), index, np.ones(m), index, np.zeros((0, m)))


def twin_groups(labels: np.ndarray, signs: FloatArray) -> Groups:
    """Real coordinates equal, up to their signs, wherever they have one label 0, 1, ..."""
    index, (_, first) = np.arange(labels.size), np.unique(labels, return_index=True)
    expansion = csr_array((signs, (index, labels)), shape=(labels.size, first.size))
    counts = np.bincount(labels).astype(np.float64)
    own = np.arange(first.size)
    return Groups(expansion, own, counts, first, np.zeros((0, first.size)))


def paired_groups(partner: Sequence[int] | np.ndarray, phase: NumericArray) -> Groups:
    """Groups of an S with conj(S_j) = phase_j S_partner(j); partner is its own inverse."""
    partner, phase = np.asarray(partner), np.asarray(phase, dtype=np.complex128)
    first = np.flatnonzero(np.arange(partner.size) <= partner)
    single = partner[first] == first
    width = np.where(single, 1, 2)
    start = np.concatenate([[0], np.cumsum(width)[:-1]])
    alone, column = first[single], start[single]
    j, k, real_part = first[~single], partner[first[~single]], start[~single]
    one, psi = np.ones(j.size), phase[j]
    data = np.concatenate([np.sqrt(phase[alone]), one, 1j * one, psi, -1j * psi])
    row = np.concatenate([alone, j, j, k, k])
    col = np.concatenate([column, real_part, real_part + 1, real_part, real_part + 1])
    shape = (partner.size, int(width.sum()))
    labels = np.repeat(np.arange(first.size), width)
    expansion = csr_array((data, (row, col)), shape=shape)
    return Groups(expansion, labels, width.astype(float), first, np.zeros((0, shape[1])))


def fourier_groups(d: int) -> Groups:
    """Groups of S = c F, F the DFT of length d: frequency j pairs with d - j."""
    return paired_groups((-np.arange(d)) % d, np.ones(d))


def conjugate_groups(S: NumericArray) -> Groups:
    """Groups of any S, shape (m, d): pairs where its rows have them, equations where not.

    Raises
    ------
    InvalidInputError
        ``S`` is not a finite matrix.
    """
    S = finite_array(S, "S", shape=(None, None), allow_complex=True)
    if not np.iscomplexobj(S) or not S.imag.any():
        return real_groups(S.shape[0])
    found = _partners(S)
    if found is not None:
        return paired_groups(*found)
    m = S.shape[0]
    index = np.arange(m)
    expansion = csr_array(kron(eye_array(m), np.array([[1.0, 1j]])))
    equations = np.ascontiguousarray((S.T @ expansion).imag)
    return Groups(expansion, np.repeat(index, 2), np.ones(m), index, equations)


def _partners(S: NumericArray) -> tuple[np.ndarray, NumericArray] | None:
    """Partner and phase of every row, or None if some row has no conjugate partner."""
    m, d = S.shape
    norms = np.linalg.norm(S, axis=1)
    top = float(norms.max())
    probes = S @ np.random.default_rng(0).normal(size=(d, PROBES)) / (top * np.sqrt(d))
    lead = probes[:, :1]
    turn = np.where(np.abs(lead) > 0, lead.conj() / np.where(lead == 0, 1, np.abs(lead)), 1.0)
    keys = probes * turn  # free of each row's own phase
    tree = cKDTree(np.hstack([keys.real, keys.imag]))
    near = tree.query_ball_point(np.hstack([keys.real, -keys.imag]), PAIR_TOLERANCE)
    partner = np.full(m, -1)
    for j in range(m):
        if partner[j] >= 0:
            continue
        candidates = [k for k in near[j] if partner[k] < 0]
        if not candidates:
            return None
        k = j if j in candidates else candidates[0]
        partner[j], partner[k] = k, j
    inner = np.sum(S.conj() * S[partner].conj(), axis=1)  # conj(S_j) = psi S_k
    phase = np.where(norms > 0, inner / np.where(np.abs(inner) > 0, np.abs(inner), 1.0), 1.0)
    defect = np.abs(S.conj() - phase[:, None] * S[partner]).max()
    return (partner, phase) if defect <= PAIR_TOLERANCE * top else None
