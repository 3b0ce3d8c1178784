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
NEGLIGIBLE = 1e-6  # in D^{1/2}: eps / NEGLIGIBLE is the accuracy of the weights


class Face:
    """Points A under one D.

    Directions of weights in which K is below ``NEGLIGIBLE`` (points that agree in every coordinate
    of any size) change no margin: there the weights stay what they were.

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
        self.differences = self.columns[:, 1:] - self.columns[:, :1]
        self.rank = 0
        if len(features) > 1:
            self._factor(float(np.linalg.norm(self.columns[:, 0])))

    def _factor(self, length: float) -> None:
        self.qr, pivots, self.tau, *_ = lapack.dgeqp3(self.differences)
        self.pivots = pivots - 1
        diagonal = np.abs(np.diagonal(self.qr))
        self.rank = int(np.sum(diagonal > NEGLIGIBLE * max(float(diagonal[0]), length)))
        self.triangle = self.qr[: self.rank, : self.rank]

    def weights(self, before: FloatArray) -> FloatArray:
        """w, (k,), sum w = 1, from the weights before; not all need be positive."""
        fixed = before[1:].copy()
        if self.rank:
            free = self.pivots[: self.rank]
            fixed[free] = 0.0
            target = -(self.columns[:, 0] + self.differences @ fixed)
            rotated, *_ = lapack.dormqr(
                "L", "T", self.qr, self.tau, target[:, None], 32 * self.columns.shape[1]
            )
            fixed[free] = lapack.dtrtrs(self.triangle, rotated[: self.rank])[0][:, 0]
        return np.concatenate([[1.0 - fixed.sum()], fixed])

    def levelling(self, gaps: FloatArray) -> FloatArray:
        """delta, (k,), of sum 0 with K delta = -gaps + constant, in units exp(log_top)."""
        change = np.zeros(len(gaps) - 1)
        if self.rank:
            free = self.pivots[: self.rank]
            target = gaps[0] - gaps[1:][free]
            half, _ = lapack.dtrtrs(self.triangle, target, trans=1)
            change[free] = lapack.dtrtrs(self.triangle, half)[0]
        return np.concatenate([[-change.sum()], change])

    def rates(self, weights: FloatArray, features: FloatArray) -> tuple[FloatArray, float]:
        """Growth of the margins of ``features``, and that of A, in units exp(log_top)."""
        pull = self.columns @ weights
        return np.asarray((features[:, self.order] * self.roots) @ pull), float(pull @ pull)


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
        A start, (n,), >= 0, of sum 1.
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
        wanted = face.weights(current)
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
    here = current[shrinking]
    way = here - wanted[shrinking]  # 0 for a point that was added and weighs nothing
    parts = np.divide(here, way, where=way > 0.0, out=np.zeros_like(way))
    first = int(shrinking[np.argmin(parts)])
    moved = current + parts.min() * (wanted - current)
    return active[:first] + active[first + 1 :], np.delete(np.maximum(moved, 0.0), first)
