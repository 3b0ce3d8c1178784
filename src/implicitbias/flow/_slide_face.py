"""The weights that keep the smallest margins equal.

On points A with equal margins, da/dtau = w with sum w = 1 changes margin i at the rate (K w)_i,
K = Z_A D Z_A^T, D = diag(psi'). They stay equal when (K w)_A is constant, which makes w the
minimiser of w^T K w on sum w = 1: the point of least norm in the affine hull of the columns
b_i = D^{1/2} z_i. With c_i = b_i - b_0 that is least squares, min || b_0 + C eta ||, by Householder
QR with the rows in decreasing order of D and column pivoting: row-wise stable, whatever the range
of D.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack

from implicitbias._arrays import FloatArray, IntArray

VIOLATION = 1e-9  # relative, of a margin's growth over the common one
MAX_PIVOTS = 200


class Face:
    """Affinely independent points A under one D.

    Parameters
    ----------
    features
        Z_A, (k, m).
    log_slopes
        log D, (m,).
    """

    def __init__(self, features: FloatArray, log_slopes: FloatArray) -> None:
        order = np.argsort(-log_slopes)
        self.order = order
        self.log_top = float(log_slopes[order[0]])
        with np.errstate(under="ignore"):
            self.roots = np.exp(0.5 * (log_slopes[order] - self.log_top))
        self.columns = (features[:, order] * self.roots).T
        self.size = len(features) - 1
        if self.size:
            differences = np.asfortranarray(self.columns[:, 1:] - self.columns[:, :1])
            self.qr, pivots, self.tau, *_ = lapack.dgeqp3(differences, overwrite_a=1)
            self.pivots = pivots - 1

    @property
    def independent(self) -> bool:
        """Whether the triangle is invertible at all."""
        if not self.size:
            return True
        return self.size <= len(self.roots) and bool(np.all(np.diag(self.qr)[: self.size] != 0.0))

    def weights(self) -> FloatArray:
        """w, (k,), sum w = 1; not all need be positive."""
        if not self.size:
            return np.ones(1)
        rotated, *_ = lapack.dormqr(
            "L", "T", self.qr, self.tau, self.columns[:, :1].copy(order="F"), 32 * self.size
        )
        steps, _ = lapack.dtrtrs(self.qr[: self.size], -rotated[: self.size])
        return self._spread(steps[:, 0])

    def levelling(self, gaps: FloatArray) -> FloatArray:
        """delta, (k,), of sum 0 with K delta = -gaps + constant, in units exp(log_top)."""
        if not self.size:
            return np.zeros(1)
        target = (gaps[0] - gaps[1:])[self.pivots]
        triangle = self.qr[: self.size]
        half, _ = lapack.dtrtrs(triangle, target, trans=1)
        steps, _ = lapack.dtrtrs(triangle, half)
        return self._spread(steps, total=0.0)

    def rates(self, weights: FloatArray, features: FloatArray) -> tuple[FloatArray, float]:
        """Growth of the margins of ``features``, and that of A, in units exp(log_top)."""
        pull = self.columns @ weights
        return np.asarray((features[:, self.order] * self.roots) @ pull), float(pull @ pull)

    def _spread(self, steps: FloatArray, total: float = 1.0) -> FloatArray:
        eta = np.empty(self.size)
        eta[self.pivots] = steps
        return np.concatenate([[total - eta.sum()], eta])


def choose_face(
    features: FloatArray, log_slopes: FloatArray, weights: FloatArray, candidates: IntArray
) -> tuple[IntArray, FloatArray] | None:
    """The points of least norm's support among ``candidates``, by Wolfe's active set method.

    Margins of candidates outside grow faster than the common one, or as fast.

    Parameters
    ----------
    features
        Z, (n, m).
    log_slopes
        log D, (m,).
    weights
        A start, (n,), >= 0, of sum 1, its positive entries affinely independent candidates.
    candidates
        Indices of points with the smallest margin.

    Returns
    -------
    (A, w) or None
        Indices and positive weights; None where the pivots do not end.
    """
    active = [int(index) for index in np.flatnonzero(weights > 0.0)]
    current = weights[active]
    for _ in range(MAX_PIVOTS):
        face = Face(features[active], log_slopes)
        if not face.independent:
            return None
        wanted = face.weights()
        if wanted.min() > 0.0:
            growth, common = face.rates(wanted, features[candidates])
            slowest = int(np.argmin(growth))
            if growth[slowest] >= common * (1.0 - VIOLATION) or candidates[slowest] in active:
                return np.array(active), wanted
            active, current = [*active, int(candidates[slowest])], np.append(wanted, 0.0)
            continue
        active, current = _until_blocked(active, current, wanted)
    return None


def _until_blocked(
    active: list[int], current: FloatArray, wanted: FloatArray
) -> tuple[list[int], FloatArray]:
    """Go from the current weights towards the wanted ones until one is zero, and drop it."""
    shrinking = np.flatnonzero(wanted <= 0.0)
    parts = current[shrinking] / (current[shrinking] - wanted[shrinking])
    first = int(shrinking[np.argmin(parts)])
    moved = current + parts.min() * (wanted - current)
    return active[:first] + active[first + 1 :], np.delete(np.maximum(moved, 0.0), first)
