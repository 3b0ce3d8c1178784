"""Limits of two-sided regression, beta = u^D - v^D, by Newton's method in mpmath on the dual.

    min_nu  sum_j Psi_j([X^T nu]_j) - y^T nu,        Psi' = u^D - v^D,
    u^{2-D} = u0^{2-D} - D (D-2) s,  v^{2-D} = v0^{2-D} + D (D-2) s;   D = 2: u0 e^{2s}, v0 e^{-2s}.

Imports nothing of the package.
"""

import mpmath as mp


def powers(s, u0, v0, power):
    """(u, v) at the clock s, or None outside its range."""
    if power == 2:
        return u0 * mp.exp(2 * s), v0 * mp.exp(-2 * s)
    c = power * (power - 2)
    moved = []
    for start, sign in ((u0, -1), (v0, 1)):
        if start == 0:
            moved.append(mp.mpf(0))
            continue
        base = start ** (2 - power) + sign * c * s
        if base <= 0:
            return None
        moved.append(base ** (1 / (2 - power)))
    return tuple(moved)


def value_and_slopes(clocks, starts, power):
    """Sum of Psi, and lists of rho and of rho'; None outside the domain."""
    total, rho, slopes = mp.mpf(0), [], []
    for s, (u0, v0) in zip(clocks, starts, strict=True):
        pair = powers(s, u0, v0, power)
        if pair is None:
            return None
        u, v = pair
        total += (u * u + v * v - u0 * u0 - v0 * v0) / (2 * power)
        rho.append(u**power - v**power)
        slopes.append(power**2 * (u ** (2 * power - 2) + v ** (2 * power - 2)))
    return total, rho, slopes


def limit(X, y, u0, v0, power, scale, digits=120, most=4000):
    """Beta, a list of mpf, to about half of the digits.

    Parameters
    ----------
    X, y
        (n, d) and (n,), of floats.
    u0, v0
        The directions, (d,) each.
    power, scale
        D and alpha.
    """
    with mp.workdps(digits):
        n, d = len(X), len(X[0])
        X = [[mp.mpf(float(value)) for value in row] for row in X]
        y = [mp.mpf(float(value)) for value in y]
        D, a = mp.mpf(float(power)), mp.mpf(float(scale))
        starts = [(a * mp.mpf(float(u)), a * mp.mpf(float(v))) for u, v in zip(u0, v0, strict=True)]

        def at(nu):
            clocks = [mp.fsum(X[i][j] * nu[i] for i in range(n)) for j in range(d)]
            found = value_and_slopes(clocks, starts, D)
            if found is None:
                return None
            total, rho, slopes = found
            total -= mp.fsum(y[i] * nu[i] for i in range(n))
            missing = [y[i] - mp.fsum(X[i][j] * rho[j] for j in range(d)) for i in range(n)]
            return total, rho, slopes, missing

        nu = [mp.mpf(0)] * n
        here = at(nu)
        for _ in range(most):
            total, _, slopes, missing = here
            hessian = mp.matrix(n, n)
            for i in range(n):
                for k in range(n):
                    hessian[i, k] = mp.fsum(X[i][j] * slopes[j] * X[k][j] for j in range(d))
            step = mp.lu_solve(hessian, mp.matrix(missing))
            decrease = mp.fsum(missing[i] * step[i] for i in range(n))
            width = mp.mpf(1)
            if D == 2:  # exponentials of long steps leave no digits
                moved = [mp.fsum(X[i][j] * step[i] for i in range(n)) for j in range(d)]
                width = min(width, 1 / max(abs(value) for value in moved))
            while True:
                there = [nu[i] + width * step[i] for i in range(n)]
                found = at(there)
                if found is not None and found[0] <= total - width * decrease / 4:
                    break
                if width < mp.mpf(10) ** -8 and found is not None:
                    break
                width /= 2
            nu, here = there, found
            largest = max(abs(value) for value in y) or mp.mpf(1)
            left = max(abs(value) for value in here[3])
            if left < largest * mp.mpf(10) ** (-digits // 2):
                return here[1]
        raise ArithmeticError(f"not solved in {most} steps: {mp.nstr(left)} is left")
