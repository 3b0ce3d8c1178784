"""Complex layers as turning coordinates: their polynomial, and the way back to the layers.

    |q_l|^2 = Q^2 + D_l,    d arg q_l / ds = -I / |q_l|^2,

so that arg q_l falls, for I > 0, by int |I| dQ / [sqrt(g(Q^2)) (Q^2 + D_l)] over Q: never by more
than pi. For L = 2 that is arctan(sqrt(D_k / D_l) tanh x), the closed form
q_1(s) = q_1(0) cosh s + conj(q_2(0)) sinh s.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit

from implicitbias._arrays import BoolArray, ComplexArray, FloatArray, IntArray
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates._complex_shape import Turning
from implicitbias.coordinates._integrals import blocks
from implicitbias.coordinates._scalars import (
    LOG2,
    MAX_NEWTON,
    QUADRATIC,
    arcsinh_exp,
    log_cosh,
    log_sinh,
)
from implicitbias.coordinates._short_steps import NODES, WEIGHTS

PANEL = 0.75  # of log Q: the nearest singularity is 0.8 away
DECAYED = 40.0
BLOCK = 256  # coordinates treated together: bounds the memory of the nodes


@dataclass(frozen=True, eq=False)
class TurningLayers:
    """The layers of the turning coordinates among m, in units of C.

    Attributes
    ----------
    turning
        Which they are, and their polynomials.
    log_squares
        log D_l, the squared layers where R = 0, (L, k).
    angles
        arg q_l(0), (L, k).
    side
        The sign of I, (k,).
    t0
        The start in the curves' parameter, (k,).
    """

    turning: Turning
    log_squares: FloatArray
    angles: FloatArray
    side: FloatArray
    t0: FloatArray

    @property
    def columns(self) -> BoolArray:
        """Boolean (m,)."""
        return self.turning.columns

    def take(self, keep: BoolArray | IntArray) -> TurningLayers | None:
        """Return those among the coordinates ``keep``; None where there are none."""
        turning = self.turning.take(keep)
        if turning is None:
            return None
        kept = (np.cumsum(self.columns) - 1)[keep][self.columns[keep]]
        return TurningLayers(
            turning,
            self.log_squares[:, kept],
            self.angles[:, kept],
            self.side[kept],
            self.t0[kept],
        )

    @property
    def log_imaginary(self) -> FloatArray:
        """log |I|, (k,)."""
        return np.asarray(0.5 * self.log_squares.sum(axis=0))

    def layers(self, t: FloatArray, log_size: FloatArray) -> ComplexArray:
        """The layers q_l at t, (L, k), for C = exp(log_size)."""
        result = np.empty(self.angles.shape, dtype=np.complex128)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # inf and NaN stay
            sizes = np.exp(log_size + 0.5 * np.logaddexp(2.0 * log_sinh(t), self.log_squares))
            angles = self.angles - self.side * (self._turned(t) - self._turned_at_start)
            result.real, result.imag = sizes * np.cos(angles), sizes * np.sin(angles)
        return result

    @cached_property
    def _turned_at_start(self) -> FloatArray:
        return self._turned(self.t0)

    def _turned(self, t: FloatArray) -> FloatArray:
        """The angle by which each layer has turned since R = 0, odd in t, (L, k)."""
        if len(self.log_squares) == 2:
            logs = 0.5 * (self.log_squares - self.log_squares.max(axis=0))
            return np.asarray(np.arctan2(np.exp(logs[::-1]) * np.tanh(t), np.exp(logs)))
        unit = 0.5 * np.minimum(self.log_squares.min(axis=0), 0.0)
        top = 0.5 * np.maximum(self.log_squares.max(axis=0), 0.0)
        end = np.minimum(
            arcsinh_exp(log_sinh(t) - unit), arcsinh_exp(top - unit) + DECAYED / self.turning.depth
        )
        result = np.empty_like(self.log_squares)
        for part in blocks(np.argsort(end), BLOCK):
            result[:, part] = self._integral(part, end[part], unit[part])
        return np.asarray(np.sign(t) * result)

    def _integral(self, part: IntArray, end: FloatArray, unit: FloatArray) -> FloatArray:
        """int_0^end |I| / [sqrt(g) (Q^2 + D_l)] (dQ/dv) dv over Q = e^unit sinh v."""
        panels = max(1, int(np.ceil(np.nan_to_num(end).max() / PANEL)))
        v = ((np.arange(panels)[:, None] + NODES) / panels).reshape(-1, 1) * end
        base = unit + log_sinh(v)
        turning = Turning(np.ones(part.size, dtype=bool), self.turning.log_weights[:, part])
        squares = self.log_squares[:, part]
        log_g = 2.0 * turning.log_factors_at(base) + np.logaddexp(0.0, 2.0 * base)
        rate = 0.5 * (squares.sum(axis=0) - symmetric_sums(squares)[-2]) + unit
        common = rate + log_cosh(v) - 0.5 * log_g
        weights = np.tile(WEIGHTS / panels, panels)
        speeds = (np.exp(common - np.logaddexp(2.0 * base, row)) for row in squares)
        return np.stack([end * (weights @ speed) for speed in speeds])


def turning_start(
    coordinates: ComplexArray, columns: BoolArray
) -> tuple[TurningLayers, FloatArray, FloatArray]:
    """The turning coordinates through q_l(0) = ``coordinates``, (L, k): log C and log sqrt(g(0)).

    Raises
    ------
    InvalidInputError
        A product of layers is real: such a coordinate does not turn.
    """
    depth = len(coordinates)
    parts = np.stack([coordinates.real, coordinates.imag])
    exponents = np.frexp(np.abs(parts).max(axis=0))[1]
    top, low = exponents.max(axis=0), exponents.min(axis=0)
    exponent = np.maximum((top + low) // 2, top - 1000)  # nothing under- or overflows
    scaled = np.ldexp(parts[0], -exponent) + 1j * np.ldexp(parts[1], -exponent)
    sizes = np.abs(scaled)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs, phasor = np.log(sizes), np.prod(scaled / sizes, axis=0)
    if not np.all(np.abs(phasor.imag) > 0.0):
        raise InvalidInputError(
            "a coordinate has complex layers with a real product: turn them so that they are real."
        )
    log_product = logs.sum(axis=0)
    squares = _log_squares(sizes, 2.0 * (log_product + np.log(np.abs(phasor.imag))))
    sums = symmetric_sums(squares)
    log_size = 0.5 * (sums[-2] - sums[-3])
    powers = np.arange(2, depth)[:, None]
    weights = sums[: depth - 2][::-1] + 2.0 * powers * log_size - sums[-2]
    turning = Turning(columns, np.minimum(weights, 0.0))
    with np.errstate(divide="ignore"):
        log_real = log_product + np.log(np.abs(phasor.real))
    x = turning.x_from_log_r(log_real - log_size - 0.5 * sums[-2])
    layers = TurningLayers(
        turning,
        squares - 2.0 * log_size,
        np.angle(coordinates),
        np.sign(phasor.imag),
        np.copysign(x, phasor.real),
    )
    shift = exponent * LOG2
    return layers, log_size + shift, 0.5 * sums[-2] + (depth - 1) * shift


def symmetric_sums(logs: FloatArray) -> FloatArray:
    """Logs of the elementary symmetric sums e_0, .., e_L of exp(logs), (L + 1, k)."""
    sums = np.full((len(logs) + 1, logs.shape[1]), -np.inf)
    sums[0] = 0.0
    for count, row in enumerate(logs, start=1):
        sums[1 : count + 1] = np.logaddexp(sums[1 : count + 1], sums[:count] + row)
    return sums


def _log_squares(sizes: FloatArray, log_target: FloatArray) -> FloatArray:
    """log D_l = log(e + c_l) with prod_l (e + c_l) = I^2, c_l the offsets of the squared sizes.

    Newton's method on log e, from above: sum_l log(e + c_l) is convex in it.
    """
    smallest = sizes.min(axis=0)
    with np.errstate(divide="ignore"):
        offsets = np.log(sizes - smallest) + np.log(sizes + smallest)
    ordered = np.sort(offsets, axis=0)
    later = np.concatenate([np.cumsum(ordered[:0:-1], axis=0)[::-1], np.zeros((1, smallest.size))])
    count = np.arange(1, len(sizes) + 1)[:, None]
    root = ((log_target - later) / count).min(axis=0)
    for _ in range(MAX_NEWTON):
        excess = np.logaddexp(root, offsets).sum(axis=0) - log_target
        step = excess / expit(root - offsets).sum(axis=0)
        root = root - step
        if np.all(np.abs(step) <= QUADRATIC):
            break
    return np.asarray(np.logaddexp(root, offsets))
