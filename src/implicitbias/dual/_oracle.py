"""The dual of a decomposable regression: D(nu) and its derivatives, all of size n."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import EPS, FloatArray
from implicitbias.coordinates import ScalarCurves
from implicitbias.dual._newton import weighted_gram
from implicitbias.features import Features, as_features


class DualOracle:
    """D(nu) = sum_j Psi_j([Z^T nu]_j) - y^T nu, convex, with grad D(nu) = Z rho(nu) - y.

    Its gradient flow d nu/dt = -grad D(nu) from nu = 0 is gradient flow in the parameters, seen
    from n dimensions: rho_j = psi_j([Z^T nu]_j), p_l = P_l([Z^T nu]_j) along the way.

    The dual point is kept in units in which it neither over- nor underflows at any scale of the
    initialization: ``nu`` here is exp((L - 2) log_unit) times the integral of y - Z rho over t, and
    values of D carry the same factor. Outside the domain of D (L >= 3) everything is NaN.

    Parameters
    ----------
    features
        Z = X S^T, real, (n, m).
    target
        y, (n,).
    curves
        The m coordinates.
    """

    def __init__(
        self, features: Features | FloatArray, target: FloatArray, curves: ScalarCurves
    ) -> None:
        self.features, self.target, self.curves = as_features(features), target, curves
        self.log_unit = float(curves.log_unit.max())
        self.weights = np.exp((curves.depth - 2) * (curves.log_unit - self.log_unit))
        self.lengths = self.features.column_norms()
        self._base = np.zeros(target.size), curves.t0
        self._start = curves.u(curves.t0)
        nowhere = np.full(target.size + 1, np.nan)  # no nu, also where nu is empty
        self._points_at = self._spectrum_at = nowhere, curves.t0

    def value(self, nu: FloatArray) -> float:
        """D(nu)."""
        factor = float(np.exp((self.curves.depth - 2) * self.log_unit))
        potential = factor * float(self.curves.potential(self.points(nu)).sum())
        return potential - float(self.target @ nu)

    def gradient(self, nu: FloatArray) -> FloatArray:
        """Z rho(nu) - y, (n,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            gradient: FloatArray = self.features @ self.spectrum(nu) - self.target
        return gradient

    def hessian(self, nu: FloatArray) -> FloatArray:
        """Z diag(psi'(Z^T nu)) Z^T, (n, n)."""
        if not self.target.size:
            return np.zeros((0, 0))
        return weighted_gram(self.features, self.slopes(nu))

    def spectrum(self, nu: FloatArray) -> FloatArray:
        """rho(nu), (m,); the last is remembered."""
        last, rho = self._spectrum_at
        if not np.array_equal(nu, last):
            if self.curves.equal:
                rho = self.curves.rho_from_u(self._clock(nu))
            else:
                rho = self.curves.rho(self.points(nu))
            self._spectrum_at = nu.copy(), rho
        return rho

    def slopes(self, nu: FloatArray) -> FloatArray:
        """psi', the derivative of rho_j by [Z^T nu]_j, (m,)."""
        t = self.points(nu)
        with np.errstate(over="ignore"):
            slope = np.exp(self.curves.log_rho_slope(t) - self.curves.log_u_slope(t))
            return np.asarray(slope * self.weights)

    def layers(self, nu: FloatArray) -> FloatArray:
        """p_l(nu), (L, m)."""
        return self.curves.layers(self.points(nu))

    def rounding(self, nu: FloatArray) -> float:
        """Norm of what one rounding of Z^T nu and of rho changes in the gradient."""
        clock = self.features.absolute_transposed(nu)
        with np.errstate(over="ignore", invalid="ignore"):
            error = np.abs(self.spectrum(nu)) + self.slopes(nu) * clock
            return EPS * float(np.linalg.norm(self.lengths * error))

    def points(self, nu: FloatArray) -> FloatArray:
        """The curves' parameter t at nu, (m,); NaN outside the domain. The last is remembered."""
        last, t = self._points_at
        if not np.array_equal(nu, last):
            t = self._points(nu)
            self._points_at = nu.copy(), t
        return t

    def place(self, nu: FloatArray, t: FloatArray) -> None:
        """Take t as the curves' parameter at nu: more than Z^T nu tells."""
        self._points_at = nu.copy(), t
        self._spectrum_at = nu.copy(), self.curves.rho(t)

    def rebase(self, nu: FloatArray) -> None:
        """Measure from nu on: points near it become cheap, and keep their slack's digits."""
        if not self.curves.equal:
            self._base = nu.copy(), self.points(nu)

    def _clock(self, nu: FloatArray) -> FloatArray:
        return self._start + self.weights * (nu @ self.features)

    def _points(self, nu: FloatArray) -> FloatArray:
        if self.curves.equal:
            return self.curves.t_from_u(self._clock(nu))
        base_nu, base_t = self._base
        change = self.weights * ((nu - base_nu) @ self.features)
        return base_t + self.curves.t_increment(base_t, change)
