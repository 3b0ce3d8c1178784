"""argmin sum_j Psi_j^*(rho_j) s.t. Z rho >= 1 by its dual in n dimensions, to 40 digits.

max sum nu - sum_j Psi_j([Z^T nu]_j), nu >= 0: projected Newton. psi = Psi' of the flows themselves:

    two-sided, u = v = eta:   u' = D u^{D-1}, v' = -D v^{D-1},  psi = u^D - v^D;
    one-sided, layers (eta, .., eta, 0):   q' = (q^2 + eta^2)^{(L-1)/2},  psi = q q'.
"""

import mpmath as mp
import numpy as np

DIGITS = 40


def two_sided(eta, power):
    """psi and psi' of u^D - v^D from u = v = eta; s is bounded for D > 2."""
    if power == 2:
        return (
            lambda s: 2 * eta**2 * mp.sinh(4 * s),
            lambda s: 8 * eta**2 * mp.cosh(4 * s),
        )
    less = mp.mpf(power) - 2
    start = mp.mpf(eta) ** -less

    def side(s, sign):
        base = start - sign * power * less * s
        return base ** (-power / less) if base > 0 else mp.inf

    def slope(s, sign):
        base = start - sign * power * less * s
        return power**2 * base ** (-power / less - 1)

    return (
        lambda s: side(s, 1) - side(s, -1),
        lambda s: slope(s, 1) + slope(s, -1),
    )


def one_sided(eta, depth):
    """psi and psi' from layers (eta, .., eta, 0), L = 2, 3 or 4."""
    size = abs(mp.mpf(eta))

    def q(s):
        if depth == 2:
            return size * mp.sinh(s)
        if depth == 3:
            return size * mp.tan(size * s) if abs(size * s) < mp.pi / 2 else mp.inf
        x = size**2 * s
        return size * x / mp.sqrt(1 - x**2) if abs(x) < 1 else mp.inf

    def rate(s):
        return (q(s) ** 2 + size**2) ** (mp.mpf(depth - 1) / 2)

    def slope(s):
        r = q(s)
        return rate(s) * (
            rate(s) + (depth - 1) * r**2 * (r**2 + size**2) ** (mp.mpf(depth - 3) / 2)
        )

    return lambda s: q(s) * rate(s), slope


def margin_point(Z, curves, ratio, degree):
    """rho as floats, (m,), and the active points; curves are pairs (psi, psi') at scale 1.

    At the scale a = ratio^{1/L} psi becomes a^L psi(a^{L-2} s): rho = ratio psi(s'), and s' does as
    well for a dual point.
    """
    with mp.workdps(DIGITS):
        return _solved(np.asarray(Z, dtype=float), curves, mp.mpf(ratio))


def _solved(Z, curves, ratio):
    n, m = Z.shape
    exact = mp.matrix(Z.tolist())
    nu = [mp.mpf(0)] * n

    def clocks(point):
        return [mp.fdot((exact[i, j], point[i]) for i in range(n)) for j in range(m)]

    def rho_at(point):
        return [ratio * psi(s) for (psi, _), s in zip(curves, clocks(point), strict=True)]

    def gradient(rho):
        return [1 - mp.fdot((exact[i, j], rho[j]) for j in range(m)) for i in range(n)]

    def is_finite(values):
        return all(mp.isfinite(v) for v in values)

    size = None
    for _ in range(2000):
        rho = rho_at(nu)
        g = gradient(rho)
        free = [i for i in range(n) if nu[i] > 0 or g[i] > 0]
        size = max([abs(g[i]) for i in free] + [0])
        if size < mp.mpf(10) ** (8 - DIGITS):
            return np.array([float(v) for v in rho]), np.array(free)
        weights = [ratio * slope(s) for (_, slope), s in zip(curves, clocks(nu), strict=True)]
        while True:  # a point at 0 that the step would lower stays there
            step = _newton_step(exact, weights, free, g)
            kept = [i for a, i in enumerate(free) if nu[i] > 0 or step[a] > 0]
            if kept == free:
                break
            free = kept
        whole = [mp.mpf(0)] * n
        for a, i in enumerate(free):
            whole[i] = step[a]
        longest = max(abs(change) for change in clocks(whole))
        length = min(mp.mpf(1), 1 / longest) if longest > 0 else mp.mpf(1)
        while True:
            moved = list(nu)
            for a, i in enumerate(free):
                moved[i] = max(nu[i] + length * step[a], mp.mpf(0))
            there = rho_at(moved)
            # the dual is concave: stop where it still rises along the projected step
            if is_finite(there):
                ahead = gradient(there)
                rise = mp.fdot((ahead[i], moved[i] - nu[i]) for i in range(n))
                if rise >= -(mp.mpf(10) ** (4 - DIGITS)) or length < mp.mpf(10) ** -30:
                    break
            length /= 2
        nu = moved
    raise RuntimeError(f"projected Newton stopped at {mp.nstr(size, 3)}")


def _newton_step(Z, weights, points, gradient):
    size = len(points)
    hessian = mp.matrix(size, size)
    for a, i in enumerate(points):
        for b, k in enumerate(points):
            hessian[a, b] = mp.fdot((Z[i, j] * w, Z[k, j]) for j, w in enumerate(weights))
        hessian[a, a] *= 1 + mp.mpf(10) ** (2 - DIGITS)
    return mp.lu_solve(hessian, mp.matrix([gradient[i] for i in points]))
