"""h_D and q_D of two-sided models beta = u^D - v^D, for every real D >= 2.

From u = v = alpha gradient flow moves beta = alpha^D h_D(z), z the clock in units, with

    h_D(z) = (1 - z)^{-D/(D-2)} - (1 + z)^{-D/(D-2)} on (-1, 1),       h_2(z) = 2 sinh z on R,
    q_D(w) = int_0^w h_D^{-1},            q_2(w) = 2 - sqrt(4 + w^2) + w arcsinh(w / 2),

and regression ends at argmin sum_j q_D(beta_j / alpha^D) s.t. X beta = y. No form used here
cancels, at either end. With z = tanh(x / kappa), kappa = D / (D - 2), w = h_D(z) is
2 sinh x cosh^kappa(x / kappa).

Source: Woodworth, Gunasekar, Lee, Moroshko, Savarese, Golan, Soudry and Srebro, "Kernel and rich
regimes in overparametrized models", COLT 2020, Theorems 1 and 3.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, real_argument, real_power
from implicitbias.coordinates._pair import Pair
from implicitbias.coordinates._scalars import FloatOrArray, log_cosh

__all__ = ["h", "h_inverse", "q"]

POLISHED = 1e6  # values of h up to which Newton's method on h itself restores the last digits
STEPS = 2


def h(z: Any, power: float) -> FloatOrArray:
    """h_D(z) = (1 - z)^{-D/(D-2)} - (1 + z)^{-D/(D-2)}, elementwise; 2 sinh z for D = 2.

    Odd and increasing, from (-1, 1) onto R (D = 2: from R).

    Parameters
    ----------
    z
        Any real numbers, any shape. NaN outside [-1, 1] and for NaN, -+inf at the ends; inf on
        overflow.
    power
        D >= 2, whole or not.

    Raises
    ------
    InvalidInputError
        ``z`` is not real numbers, or ``power`` is not a finite number >= 2.

    Source: Theorem 3 of Woodworth et al. (COLT 2020).
    """
    power, values = _checked(z, "z", power)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        size = _h(np.abs(values), power)
    return np.copysign(size, values)[()]


def h_inverse(w: Any, power: float) -> FloatOrArray:
    """h_D^{-1}(w), elementwise; odd and increasing, from R onto (-1, 1) (D = 2: arcsinh(w / 2)).

    Parameters
    ----------
    w
        Any real numbers, any shape; NaN for NaN.
    power
        D >= 2, whole or not.

    Raises
    ------
    InvalidInputError
        ``w`` is not real numbers, or ``power`` is not a finite number >= 2.

    Source: Theorem 3 of Woodworth et al. (COLT 2020).
    """
    power, values = _checked(w, "w", power)
    return np.copysign(_z_and_angle(np.abs(values), power)[0], values)[()]


def q(w: Any, power: float) -> FloatOrArray:
    """q_D(w) = int_0^w h_D^{-1}, elementwise; even and convex, about w^2 (D - 2) / (4 D) near 0.

    Arguments and errors as for ``h_inverse``; inf and 0 on over- and underflow.

    Source: Theorems 1 and 3 of Woodworth et al. (COLT 2020).
    """
    power, values = _checked(w, "w", power)
    size = np.abs(values)
    z, angle = _z_and_angle(size, power)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        # int_0^z h is at most half of w z, for h is convex: little cancels
        rest = np.where(size > 0.0, _primitive(angle, power) / size, 0.0)
        return (size * (z - np.where(np.isnan(rest), 0.0, rest)))[()]


def _checked(value: Any, name: str, power: Any) -> tuple[float, FloatArray]:
    """D and the argument, validated."""
    return real_power(power, "power"), real_argument(value, name)


@lru_cache(maxsize=64)
def _kappa(power: float) -> tuple[float, float]:
    """D / (D - 2) as a float and what the float misses."""
    exact = Fraction(power) / (Fraction(power) - 2)
    return float(exact), float(exact - Fraction(float(exact)))


def _raised(z: FloatArray, power: float, more: int = 0) -> tuple[FloatArray, FloatArray]:
    """(1 - z)^{-p} and (1 + z)^{-p}, p = kappa + more: digits that 1 -+ z and p miss included."""
    kappa, rest = _kappa(power)
    results = []
    for sign in (-1.0, 1.0):
        base = 1.0 + sign * z
        missed = sign * z - (base - 1.0)
        first = np.power(base, -(kappa + more))
        lost = (kappa + more) * missed / base + rest * np.log(base)
        results.append(np.where(base > 0.0, first - first * lost, first))
    return results[0], results[1]


def _h(z: FloatArray, power: float) -> FloatArray:
    """h_D(z) for z >= 0."""
    if power == 2.0:
        return 2.0 * np.sinh(z)
    kappa, rest = _kappa(power)
    above, below = _raised(z, power)
    exponent = 2.0 * np.arctanh(np.minimum(z, 1.0))
    small = below * np.expm1(kappa * exponent) + below * np.exp(kappa * exponent) * (
        rest * exponent
    )
    value = np.where(kappa * exponent < 1.0, small, above - below)
    value = np.where(np.isnan(value) & (z < 1.0), np.inf, value)  # the correction of an overflow
    return np.where(z > 1.0, np.nan, np.where(z == 1.0, np.inf, value))


def _z_and_angle(w: FloatArray, power: float) -> tuple[FloatArray, FloatArray]:
    """z = h_D^{-1}(w) for w >= 0, and arctanh z (D = 2: z itself)."""
    if power == 2.0:
        z = np.arcsinh(0.5 * w)
        return z, z
    pair = Pair(power, np.zeros(w.size, dtype=bool))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        x = pair.x_from_log_r(np.log(w).ravel()).reshape(w.shape)
        angle = pair.k * x
        z = np.tanh(angle)
        for _ in range(STEPS):
            above, below = _raised(z, power, 1)
            step = (_h(z, power) - w) / (_kappa(power)[0] * (above + below))
            near = (w < POLISHED) & (z > 0.0) & (z < 1.0) & np.isfinite(step)
            z = z - np.where(near, step, 0.0)
    polished = (w < POLISHED) & (z < 0.5)
    return z, np.where(polished, np.arctanh(np.where(polished, z, 0.0)), angle)


def _primitive(angle: FloatArray, power: float) -> FloatArray:
    """int_0^z h_D = [(1 - z)^{1 - kappa} + (1 + z)^{1 - kappa} - 2] / (kappa - 1)."""
    if power == 2.0:
        return 4.0 * np.sinh(0.5 * angle) ** 2
    less = 2.0 / (power - 2.0)  # kappa - 1
    return 2.0 * np.expm1(less * log_cosh(angle) + log_cosh(less * angle)) / less
