"""Which point of the optimal face the path ends at: the next order of the small-scale limit.

    L >= 3: max sum_j rho_j^{2/L},      L = 2: min sum_j rho_j (log rho_j - 2 log eta_j)

over rho > 0 on the face M x = m, rho_j = 2^{k_j} x_j. Both are strictly convex and infinitely steep
at rho_j = 0, so that the minimiser is interior. Newton's method in float64, then the same steps
with residuals in balls:

    h dx - M^T dnu = M^T nu - g,    M dx = m - M x,

by QR of h^{-1/2} M^T with rows in falling order, stable however far the x_j are apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import qr, solve_triangular

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.limits.potential._extended import column, floats_of, middle

MAX_STEPS = 400
TO_BOUNDARY = 0.9  # of the way to x_j = 0
SAFE = 0.05  # relative steps this short change the curvature by a tenth: no search along them
CLOSE = 1e-7  # relative steps this short: float64 has done its part
SETTLED = 1e-24
MAX_CORRECTIONS = 12


@dataclass(frozen=True, eq=False)
class TieBreak:
    """sum_j of a strictly convex function of x_j: its gradient and curvature.

    Attributes
    ----------
    depth
        L.
    exponents
        k: rho_j = 2^{k_j} x_j up to a common factor, (k,).
    log_eta
        For L = 2, (k,); otherwise unused.
    """

    depth: int
    exponents: IntArray
    log_eta: FloatArray

    def slopes(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The gradient g and the curvature h > 0, up to a common factor and a constant."""
        size = np.ldexp(1.0, self.exponents)
        if self.depth == 2:
            inner = np.log(x) + self.exponents * np.log(2.0) - 2.0 * self.log_eta
            return size * inner, size / x
        slope = size ** (2 / self.depth) * x ** (2 / self.depth - 1)
        return -slope, (1 - 2 / self.depth) * slope / x

    def exact_gradient(self, x: Any) -> Any:
        """g as an ``arb_mat`` for one."""
        from flint import arb, fmpq

        two, power = arb(2), fmpq(2, self.depth)
        values = []
        for j, (k, eta) in enumerate(zip(self.exponents, self.log_eta, strict=True)):
            size = two ** int(k)
            if self.depth == 2:
                values.append(size * ((size * x[j, 0]).log() - 2 * arb(float(eta))))
            else:
                values.append(-(size ** arb(power)) * x[j, 0] ** arb(power - 1))
        return column(values)


def break_tie(
    tie: TieBreak, equations: Any, target: Any, start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The minimiser over M x = m and the last correction of it.

    Parameters
    ----------
    equations, target
        M and m, as ``arb_mat``, the rows independent.
    start
        A point with x > 0.

    Raises
    ------
    ValueError
        Newton's method did not converge.
    """
    matrix = floats_of(equations).reshape(equations.nrows(), equations.ncols())
    x = _minimiser(tie, matrix, floats_of(target), start)
    return _polished(tie, equations, target, matrix, x)


def _minimiser(tie: TieBreak, matrix: FloatArray, target: FloatArray, x: FloatArray) -> FloatArray:
    for _ in range(MAX_STEPS):
        gradient, curvature = tie.slopes(x)
        dx, _ = _step(matrix, curvature, -gradient, target - matrix @ x)
        relative = dx / x
        longest = float(np.abs(relative).max())
        if longest < CLOSE:
            return np.asarray(x + dx)
        width = min(1.0, TO_BOUNDARY / max(float(-relative.min()), TO_BOUNDARY))
        before = abs(float(gradient @ dx))
        while width * longest > SAFE and float(tie.slopes(x + width * dx)[0] @ dx) > 0.5 * before:
            width *= 0.5
        x = x + width * dx
    raise ValueError(f"the tie was not broken in {MAX_STEPS} Newton steps")


def _polished(
    tie: TieBreak, equations: Any, target: Any, matrix: FloatArray, x: FloatArray
) -> tuple[FloatArray, FloatArray]:
    from flint import arb_mat

    gradient, curvature = tie.slopes(x)
    _, nu = _step(matrix, curvature, -gradient, np.zeros(len(matrix)))
    point, dual = column(x.tolist()), column(nu.tolist())
    transposed = equations.transpose()
    size, previous, last = np.ldexp(1.0, tie.exponents), np.inf, np.full(x.size, np.inf)
    for _ in range(MAX_CORRECTIONS):
        mismatch = transposed * dual - tie.exact_gradient(point)
        missing = target - equations * point
        x = floats_of(point)
        dx, dnu = _step(matrix, tie.slopes(x)[1], floats_of(mismatch), floats_of(missing))
        change = float(np.abs(size * dx).max() / (size * x).max())
        if not change < 0.5 * previous or np.any(dx < -TO_BOUNDARY * x):
            break
        point = middle(point + arb_mat(len(x), 1, dx.tolist()))
        dual = middle(dual + arb_mat(len(dnu), 1, dnu.tolist()))
        previous, last = change, dx
        if change < SETTLED:
            break
    return floats_of(point), last


def _step(
    matrix: FloatArray, curvature: FloatArray, mismatch: FloatArray, missing: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """dx and dnu of the Newton step, (k,) and (r,)."""
    width = 1.0 / np.sqrt(curvature)
    order = np.argsort(-width, kind="stable")
    q, r, columns = qr((matrix * width).T[order], mode="economic", pivoting=True)
    pull = (width * mismatch)[order]
    inner = solve_triangular(r, missing[columns], trans="T") - q.T @ pull
    dx, dnu = np.empty_like(width), np.empty_like(missing)
    dx[order] = pull + q @ inner
    dnu[columns] = solve_triangular(r, inner)
    return width * dx, dnu
