"""The limit of Theorem 5 in high precision: damped Newton on the convex dual, with mpmath.

With A_j = alpha |eta_j|, tau_j = A_j^{L-2} [Z^T nu]_j and rho_j = A_j^L h_L(tau_j), the dual is
D(nu) = sum_j A_j^2 F(tau_j) - y^T nu with F' = h_L, for depths 2, 3, 4 in closed form.
"""

from __future__ import annotations

import mpmath as mp
import numpy as np

END = {2: mp.inf, 3: mp.pi / 2, 4: mp.mpf(1)}


def h(tau, depth):
    if depth == 2:
        return mp.sinh(tau) * mp.cosh(tau)
    if depth == 3:
        return mp.tan(tau) / mp.cos(tau) ** 2
    return tau / (1 - tau**2) ** 2


def h_slope(tau, depth):
    if depth == 2:
        return mp.cosh(2 * tau)
    if depth == 3:
        return (1 + 3 * mp.tan(tau) ** 2) / mp.cos(tau) ** 2
    return (1 + 3 * tau**2) / (1 - tau**2) ** 3


def antiderivative(tau, depth):
    if depth == 2:
        return mp.sinh(tau) ** 2 / 2
    if depth == 3:
        return mp.tan(tau) ** 2 / 2
    return tau**2 / (1 - tau**2) / 2


def limit(features, target, eta, scale, depth, digits=60):
    """rho as float64 array: argmin of the potential at one scale, features (n, m), eta (m,)."""
    with mp.workdps(digits):
        z = mp.matrix(features.tolist())
        y = mp.matrix(target.tolist())
        nu = mp.zeros(y.rows, 1)
        path = [mp.mpf(scale) * mp.mpf(4) ** k for k in range(200) if scale * 4.0**k <= 64] or [
            mp.mpf(scale)
        ]
        previous = None
        for alpha in reversed(path):
            unit = [alpha * abs(mp.mpf(float(e))) for e in eta]
            if previous is not None and depth > 2:
                nu = nu * (previous / alpha) ** (depth - 2)
            nu, tau = _newton(z, y, unit, nu, depth)
            previous = alpha
        return np.array([float(a**depth * h(t, depth)) for a, t in zip(unit, tau, strict=True)])


def _newton(z, y, unit, nu, depth):
    value, tau = _value(z, y, unit, nu, depth)
    for _ in range(400):
        rho = mp.matrix([a**depth * h(t, depth) for a, t in zip(unit, tau, strict=True)])
        slope = [a ** (2 * depth - 2) * h_slope(t, depth) for a, t in zip(unit, tau, strict=True)]
        gradient = z * rho - y
        weighted = mp.matrix(z.rows, z.cols)
        for i in range(z.rows):
            for j in range(z.cols):
                weighted[i, j] = z[i, j] * slope[j]
        step = mp.lu_solve(weighted * z.T, -gradient)
        decrement = -(gradient.T * step)[0]
        if decrement < mp.mpf(10) ** (-mp.mp.dps + 10) * (1 + abs(value)):
            return nu, tau
        size = mp.mpf(1)
        while True:
            trial, trial_tau = _value(z, y, unit, nu + size * step, depth)
            if trial is not None and trial <= value - size * decrement / 4:
                break
            size /= 2
        nu, value, tau = nu + size * step, trial, trial_tau
    raise RuntimeError("no convergence")


def _value(z, y, unit, nu, depth):
    s = z.T * nu
    tau = [a ** (depth - 2) * s[j] for j, a in enumerate(unit)]
    if any(abs(t) >= END[depth] for t in tau):
        return None, None
    total = sum(a**2 * antiderivative(t, depth) for a, t in zip(unit, tau, strict=True))
    return total - (y.T * nu)[0], tau
