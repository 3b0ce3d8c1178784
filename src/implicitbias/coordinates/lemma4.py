"""Lemma 4: p' = p^{L-2} q, q' = p^{L-1}, p(0) = 1, q(0) = 0, in closed form at every depth.

With p = cosh x and q = sinh x the time is the clock t = int_0^x cosh^{2-L}, so that

    h_L = p^{L-1} q = sinh x cosh^{L-1} x,        h_L^{-1}(tau) = t at sinh x cosh^{L-1} x = tau,
    H_L(tau) = int_0^tau h_L^{-1} = tau h_L^{-1}(tau) - q^2 / 2,

all odd or even, on (-c, c) with c = inf for L = 2 and B(1/2, (L-2)/2) / 2 otherwise.

Source: Lemma 4 of Yun, Krishnan and Mobahi, "A unifying view on implicit bias in training linear
neural networks", ICLR 2021; the closed forms follow from p^2 - q^2 = 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, positive_int, real_argument
from implicitbias.coordinates._equal_clock import log_q_of, total_clock, unit_clock
from implicitbias.coordinates._scalars import FloatOrArray, log_cosh

__all__ = ["H", "existence_time", "h", "h_inverse", "p", "q"]


def existence_time(depth: int) -> float:
    """c_L = sqrt(pi) Gamma((L-2)/2) / (2 Gamma((L-1)/2)); inf for L = 2.

    Correctly rounded. Lemma 4's solution exists on (-c_L, c_L), and h_L maps it onto R.

    Raises
    ------
    InvalidInputError
        ``depth`` is not a whole number >= 2.

    Source: Lemma 4 of Yun, Krishnan and Mobahi (ICLR 2021).
    """
    return total_clock(positive_int(depth, "depth", at_least=2))[0]


def p(t: Any, depth: int) -> FloatOrArray:
    """p(t) = cosh x(t): Lemma 4's larger layer, elementwise; even in t.

    Parameters
    ----------
    t
        Times, any shape. NaN outside (-c_L, c_L) and for NaN; inf on overflow (L = 2).
    depth
        L >= 2.

    Raises
    ------
    InvalidInputError
        ``t`` is not real numbers, or ``depth`` is not a whole number >= 2.

    Source: Lemma 4 of Yun, Krishnan and Mobahi (ICLR 2021).
    """
    depth, times = _checked(t, "t", depth)
    with np.errstate(over="ignore"):
        return np.cosh(_x_of_time(times, depth))[()]


def q(t: Any, depth: int) -> FloatOrArray:
    """q(t) = sinh x(t): Lemma 4's smaller layer, elementwise; odd in t.

    Arguments, limits and errors as for ``p``.

    Source: Lemma 4 of Yun, Krishnan and Mobahi (ICLR 2021).
    """
    depth, times = _checked(t, "t", depth)
    with np.errstate(over="ignore"):
        return np.sinh(_x_of_time(times, depth))[()]


def h(t: Any, depth: int) -> FloatOrArray:
    """h_L(t) = p(t)^{L-1} q(t), elementwise; odd and increasing, from (-c_L, c_L) onto R.

    Arguments, limits and errors as for ``p``.

    Source: Lemma 4 of Yun, Krishnan and Mobahi (ICLR 2021).
    """
    depth, times = _checked(t, "t", depth)
    x = _x_of_time(times, depth)
    with np.errstate(over="ignore"):
        two_layers = np.sinh(x) * np.cosh(x)
        return (two_layers if depth == 2 else two_layers * np.exp((depth - 2) * log_cosh(x)))[()]


def h_inverse(tau: Any, depth: int) -> FloatOrArray:
    """h_L^{-1}(tau), elementwise; odd and increasing, from R onto (-c_L, c_L).

    Parameters
    ----------
    tau
        Any real numbers, any shape; NaN for NaN.
    depth
        L >= 2.

    Raises
    ------
    InvalidInputError
        ``tau`` is not real numbers, or ``depth`` is not a whole number >= 2.

    Source: Lemma 4 of Yun, Krishnan and Mobahi (ICLR 2021).
    """
    depth, values = _checked(tau, "tau", depth)
    return _time_of_x(_x_of_tau(values, depth), depth)[()]


def H(tau: Any, depth: int) -> FloatOrArray:
    """H_L(tau) = int_0^tau h_L^{-1} = tau h_L^{-1}(tau) - q^2 / 2, elementwise; even and convex.

    Arguments and errors as for ``h_inverse``; inf and 0 on over- and underflow.

    Source: Theorem 5 of Yun, Krishnan and Mobahi (ICLR 2021).
    """
    depth, values = _checked(tau, "tau", depth)
    x = _x_of_tau(values, depth)
    # q^2 / (2 tau) = tanh x / (2 cosh^{L-2} x) is at most half of h_L^{-1}: little cancels
    half = 0.5 * np.tanh(x)
    if depth > 2:
        half = half * np.exp(-(depth - 2) * log_cosh(x))
    with np.errstate(over="ignore", under="ignore"):
        return (np.abs(values) * np.abs(_time_of_x(x, depth) - half))[()]


def _checked(value: Any, name: str, depth: Any) -> tuple[int, FloatArray]:
    """Depth and argument, validated."""
    return positive_int(depth, "depth", at_least=2), real_argument(value, name)


def _x_of_time(t: FloatArray, depth: int) -> FloatArray:
    """x at the clock t; NaN outside the existence time."""
    if depth == 2:
        return t
    clock, size = unit_clock(depth), np.abs(t)
    with np.errstate(invalid="ignore"):
        slack = (clock.total - size) + clock.total_rest
        inside = slack > 0.0
    x = clock.x_from(np.where(inside, size, 0.0), np.log(np.where(inside, slack, clock.total)))
    return np.where(inside, np.copysign(x, t), np.nan)


def _time_of_x(x: FloatArray, depth: int) -> FloatArray:
    """The clock at x; its limit c_L at infinity."""
    return x if depth == 2 else unit_clock(depth).u(x)


def _x_of_tau(tau: FloatArray, depth: int) -> FloatArray:
    """x with sinh x cosh^{L-1} x = tau."""
    size = np.abs(tau)
    with np.errstate(divide="ignore"):
        log_q = log_q_of(np.log(size), depth)
    # log q loses digits when |log q| is large; below q = 1 a multiplicative Newton step on
    # q (1 + q^2)^{(L-1)/2} = tau restores them
    small = log_q <= 0.0
    q = np.exp(np.where(small, log_q, 0.0))
    growth = np.exp(0.5 * (depth - 1) * np.log1p(q**2))
    slope = 1.0 + (depth - 1) * q**2 / (1.0 + q**2)
    with np.errstate(invalid="ignore"):
        polished = np.where(q > 0.0, q + (size / growth - q) / slope, 0.0)
        above = np.maximum(log_q, 0.0)
        large = above + np.log1p(np.sqrt(1.0 + np.exp(-2.0 * above)))
    return np.copysign(np.where(small, np.arcsinh(polished), large), tau)
