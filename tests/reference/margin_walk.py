"""Classification at finite loss by events: multipliers that never fall, in float64.

At a ratio mu = 1 / theta the point is rho = psi(s) / theta, s = Z^T nu, with margins Z rho >= 1,
and as theta rises nu rises at points of margin 1 alone. With the points P that rise fixed, Newton's
method solves Z_P psi(s_0 + Z_P^T x) = theta on a fine grid; where a margin falls short, or a rate
(Z_P psi' Z_P^T)^{-1} 1 is negative, the place is bisected to rounding, and the rates under
complementarity (nonnegative least squares) say which points rise from there on.
"""

import numpy as np
from scipy.optimize import nnls

MET, RISING, TOUCHING = 2e-14, 1e-12, 1e-11
BEGIN, COARSE, FINE, EARLY = -16.0, 0.1, 0.01, -6.0  # log theta, and steps in it


def one_sided(depth):
    """psi, psi' and the end of s of equal entries 1, the last layer 0."""
    if depth == 2:
        return lambda s: 0.5 * np.sinh(2 * s), lambda s: np.cosh(2 * s), np.inf
    if depth == 3:

        def slope(s):
            squared = np.tan(s) ** 2
            return (1 + squared) * (1 + 3 * squared)

        return lambda s: np.tan(s) * (1 + np.tan(s) ** 2), slope, np.pi / 2
    if depth == 4:
        return lambda s: s / (1 - s**2) ** 2, lambda s: (1 + 3 * s**2) / (1 - s**2) ** 3, 1.0
    raise ValueError(depth)


class Walk:
    """rho along rising theta; ``left`` are the log theta at which points left."""

    def __init__(self, Z, curves):
        self.Z, (self.psi, self.slope, self.end) = Z, curves
        self.s, self.log, self.left = np.zeros(Z.shape[1]), BEGIN, []
        self.base, self.P = self.s, self.rising(np.arange(len(Z)))
        self.x = self.solved(np.zeros(self.P.size), BEGIN)

    def rising(self, points):
        """Those of the points whose rates are positive under complementarity at s."""
        rows = self.Z[points] * np.sqrt(self.slope(self.s))
        rows = rows / np.linalg.norm(rows, axis=1).max()
        right = np.append(np.zeros(rows.shape[1]), 1.0)
        u, _ = nnls(np.vstack([rows.T, np.ones(len(rows))]), right, maxiter=1000)
        return points[u > 1e-9 * u.max()]

    def solved(self, x, log):
        rows, theta = self.Z[self.P], np.exp(log)
        for count in range(60):
            s = self.base + rows.T @ x
            missing = 1 - rows @ self.psi(s) / theta
            step = np.linalg.solve((rows * self.slope(s)) @ rows.T / theta, missing)
            moved, part = rows.T @ step, 1.0
            while np.any(np.abs(s + part * moved) >= self.end):
                part *= 0.5
            x = x + part * step
            small = np.abs(moved).max() <= 1e-14 * np.abs(s).max()
            if small or (count > 6 and np.abs(missing).max() < 1e-13):
                return x
        raise ValueError("Newton's method did not converge")

    def at(self, x, log):
        """s, what margins exceed 1 by, and rates, (n,), of P."""
        rows = self.Z[self.P]
        s = self.base + rows.T @ x
        rates = np.linalg.solve((rows * self.slope(s)) @ rows.T, np.ones(len(rows)))
        return s, self.Z @ self.psi(s) / np.exp(log) - 1, rates

    def is_wrong(self, x, log):
        _, spare, rates = self.at(x, log)
        spare[self.P] = 1.0
        return spare.min() < -MET or rates.min() < -RISING * np.abs(rates).max()

    def to(self, ratio):
        """rho at a ratio below the last."""
        goal = -np.log(ratio)
        while self.log < goal:
            there = min(goal, self.log + (FINE if self.log > EARLY else COARSE))
            x = self.solved(self.x, there)
            if self.is_wrong(x, there):
                self.event(there)
            else:
                self.x, self.log = x, there
        return self.psi(self.at(self.x, self.log)[0]) / np.exp(self.log)

    def event(self, wrong):
        """Bisect between here and there, and change the points that rise."""
        right, x = self.log, self.x
        while wrong - right > 1e-14 * max(1.0, abs(wrong)):
            middle = 0.5 * (right + wrong)
            found = self.solved(x, middle)
            if self.is_wrong(found, middle):
                wrong = middle
            else:
                right, x = middle, found
            if middle in (right, wrong) and wrong - right <= np.spacing(abs(middle)):
                break
        self.s, spare, _ = self.at(self.solved(x, wrong), wrong)
        rising = self.rising(np.flatnonzero(spare < TOUCHING))
        if np.array_equal(rising, self.P):
            raise ValueError("an event changes nothing")
        if not np.isin(self.P, rising).all():
            self.left.append(wrong)
        self.base, self.P, self.x, self.log = self.s, rising, np.zeros(rising.size), wrong
