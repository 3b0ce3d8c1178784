"""The right-hand side of the dual flow, d nu/dt = y - Z rho(Z^T nu), as an integrator calls it."""

from __future__ import annotations

from math import isfinite

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import Direct
from implicitbias.dual import DualOracle
from implicitbias.flow.integrators._step import finite

UNSEEN = 1e-9  # slopes below this part of the largest: Newton's iteration needs none of them


class DualVelocity:
    """At states nu / unit, for every kind of curves.

    Attributes
    ----------
    direct
        Whether it takes rho from the clock, so that a state is all there is to know.
    """

    direct = False

    def __init__(self, oracle: DualOracle, unit: float) -> None:
        self.oracle, self.unit = oracle, unit

    def velocity(self, _: float, state: FloatArray) -> FloatArray:
        """y - Z rho, (n,), huge outside the domain."""
        return finite(-self.oracle.gradient(self.unit * state))

    def jacobian(self, _: float, state: FloatArray) -> FloatArray:
        """-unit Z diag(psi') Z^T, (n, n)."""
        return finite(-self.unit * self.oracle.hessian(self.unit * state))

    def predictions(self, state: FloatArray) -> FloatArray:
        """Z rho, (n,)."""
        return self.oracle.gradient(self.unit * state) + self.oracle.target

    def spectrum(self, state: FloatArray) -> FloatArray:
        """rho, (m,); NaN for what is outside the domain."""
        return self.oracle.spectrum(self.unit * state)

    def spectra(self, states: FloatArray) -> FloatArray:
        """rho of each of a stack of states, (T, m)."""
        return np.stack([self.spectrum(state) for state in states])


class DirectVelocity(DualVelocity):
    """The same where rho is one function of the clock: two products and a handful of functions.

    It is called ten thousand times, with overflows ignored.
    """

    direct = True

    def __init__(self, oracle: DualOracle, unit: float, curve: Direct, sizes: FloatArray) -> None:
        super().__init__(oracle, unit)
        self.curve, self.sizes = curve, sizes
        self.features, self.target = np.ascontiguousarray(oracle.features.toarray()), oracle.target
        self.start = oracle.curves.u(oracle.curves.t0)
        self.rates = unit * oracle.weights

    def velocity(self, _: float, state: FloatArray) -> FloatArray:
        """y - Z rho, (n,)."""
        value: FloatArray = self.target - self.features @ self._spectrum(state)
        return value if isfinite(value @ value) else finite(value)

    def jacobian(self, _: float, state: FloatArray) -> FloatArray:
        """-unit Z diag(psi') Z^T, (n, n)."""
        slopes = self.sizes * self.rates * self.curve.slope(self._clock(state))
        seen = slopes > UNSEEN * slopes.max(initial=0.0)
        if not seen.any():  # NaN, or nothing moves
            return finite(-(self.features * slopes) @ self.features.T)
        root = self.features[:, seen] * np.sqrt(slopes[seen])
        return finite(-(root @ root.T))

    def predictions(self, state: FloatArray) -> FloatArray:
        """Z rho, (n,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(self.features @ self._spectrum(state))

    def spectrum(self, state: FloatArray) -> FloatArray:
        """rho, (m,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            rho = self._spectrum(state)
        return super().spectrum(state) if np.isnan(rho).any() else rho

    def spectra(self, states: FloatArray) -> FloatArray:
        """The same in one product where all are inside of the domain."""
        with np.errstate(over="ignore", invalid="ignore"):
            rho = self._spectrum(states)
        return super().spectra(states) if np.isnan(rho).any() else rho

    def _spectrum(self, state: FloatArray) -> FloatArray:
        rho: FloatArray = self.sizes * self.curve.r(self._clock(state))
        return rho

    def _clock(self, state: FloatArray) -> FloatArray:
        return np.asarray(self.start + self.rates * (state @ self.features))


def velocity_of(oracle: DualOracle, unit: float) -> DualVelocity:
    """The faster one where it exists."""
    direct = oracle.curves.direct()
    return DualVelocity(oracle, unit) if direct is None else DirectVelocity(oracle, unit, *direct)
