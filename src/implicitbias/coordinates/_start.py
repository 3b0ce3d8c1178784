"""From the layers' initial values to offsets, kinds and units, without cancellation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from implicitbias._arrays import EPS, BoolArray, ComplexArray, FloatArray, IntArray
from implicitbias.coordinates._complex_start import TurningLayers, turning_start
from implicitbias.coordinates._shape import LOG_ZERO, Shape

SAME = 4 * EPS  # offsets within their own rounding count as equal


@dataclass(frozen=True, eq=False)
class Start:
    """Where m coordinates start and what stays fixed.

    Attributes
    ----------
    shape
        The coordinates up to units and sign.
    order
        Layer indices by growing magnitude, (L, m): the moving layer, the next, the others.
    signs
        Signs of the layers in that order, (L, m), int8; of the first, the sign of Q.
    orientation
        -1 where Q is locked negative, else 1, (m,).
    dead
        Whether the coordinate never moves, (m,).
    log_size
        log C: the unit of Q, (m,).
    log_unit
        (L - 2) log_unit is the log of the product of the n other layers at f_i = 1, (m,).
    log_others
        Logs of those n values, (n, m); of a dead coordinate, of its constant layers.
    t0
        The start in the curves' parameter, (m,).
    turning
        The layers of the coordinates that turn, for which order, signs and log_others mean
        nothing; None without any.
    """

    shape: Shape
    order: IntArray
    signs: npt.NDArray[np.int8]
    orientation: FloatArray
    dead: BoolArray
    log_size: FloatArray
    log_unit: FloatArray
    log_others: FloatArray
    t0: FloatArray
    turning: TurningLayers | None = None

    def take(self, keep: BoolArray | IntArray) -> Start:
        """Return the coordinates ``keep`` alone."""
        return Start(
            shape=self.shape.take(keep),
            order=self.order[:, keep],
            signs=self.signs[:, keep],
            orientation=self.orientation[keep],
            dead=self.dead[keep],
            log_size=self.log_size[keep],
            log_unit=self.log_unit[keep],
            log_others=self.log_others[:, keep],
            t0=self.t0[keep],
            turning=None if self.turning is None else self.turning.take(keep),
        )


def start_from(coordinates: FloatArray, log_scale: float) -> Start:
    """Sort the layers of each coordinate and measure c_l = (|p_l| - |q|) (|p_l| + |q|)."""
    depth = len(coordinates)
    # halve only what would overflow in |p_l| + |q|: exact
    exponent = np.where(np.abs(coordinates).max(axis=0) > 1e300, 30, 0)
    unit = log_scale + exponent * np.log(2.0)
    order = np.argsort(np.abs(coordinates), axis=0, kind="stable")
    layers = np.take_along_axis(np.ldexp(coordinates, -exponent), order, axis=0)
    layers = np.where(layers == 0.0, 0.0, layers)
    sizes, signs = np.abs(layers), np.where(np.signbit(layers), -1, 1)
    signs[0] *= signs[1:].prod(axis=0)
    locked = (sizes[1] == sizes[0]) & (sizes[0] > 0.0)
    dead = sizes[1] == 0.0
    log_offsets = _log_offsets(sizes)
    crossing = ~(locked | dead)
    with np.errstate(divide="ignore"):
        log_sizes = np.log(sizes)
    half_next = np.where(crossing, 0.5 * log_offsets[0], np.where(locked, log_sizes[0], 0.0))
    log_ratio = _log_ratio(sizes, log_offsets, locked)
    log_ratio = np.where(dead, 0.0, log_ratio)
    equal = bool(np.all(np.abs(log_ratio) <= SAME)) and not locked.any()
    # crossing: f^2 = 1 + sinh^2 x / r;  locked: f^2 = (e^{2x} + r) / (1 + r)
    log_g = np.where(locked, -np.logaddexp(0.0, log_ratio), -log_ratio)
    log_h = np.where(locked, np.maximum(-np.logaddexp(0.0, -log_ratio), LOG_ZERO), 0.0)
    log_others = np.where(crossing, 0.5 * log_offsets[1:], log_sizes[2:])
    log_unit = log_others.mean(axis=0) if depth > 2 else half_next
    log_unit = np.where(dead, 0.0, log_unit)
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = np.sqrt(sizes[1] - sizes[0]) * np.sqrt(sizes[1] + sizes[0])
        t0 = np.where(crossing, np.copysign(np.arcsinh(sizes[0] / gap), signs[0]), 0.0)
    return Start(
        shape=Shape(depth, locked, log_g, log_h, equal),
        order=order,
        signs=signs.astype(np.int8),
        orientation=np.where(locked & (signs[0] < 0), -1.0, 1.0),
        dead=dead,
        log_size=half_next + unit,
        log_unit=log_unit + unit,
        log_others=log_others + unit,
        t0=t0,
    )


def equal_layers(start: Start, log_size: FloatArray, x: FloatArray) -> FloatArray:
    """The layers, (L, m) in their original order, where all offsets are equal.

    C sinh x and C cosh x, and cosh x times what the others are at x = 0.
    """
    sinh = np.sinh(x)
    cosh, size = np.sqrt(1.0 + sinh * sinh), np.exp(log_size)
    others = np.exp(start.log_others + (log_size - start.log_size))
    moved = np.concatenate([[sinh * size, cosh * size], cosh * others])
    moved[0] *= start.signs[1:].prod(axis=0)
    moved[1:] *= start.signs[1:]
    result = np.empty_like(moved)
    np.put_along_axis(result, start.order, moved, axis=0)
    return result


def start_from_complex(coordinates: ComplexArray, log_scale: float) -> Start:
    """The same for complex layers: those with an imaginary part turn."""
    depth, turns = len(coordinates), np.any(coordinates.imag != 0.0, axis=0)
    unused = (np.arange(depth) > 0).astype(float)[:, None]
    start = start_from(np.where(turns, unused, coordinates.real), log_scale)
    layers, log_size, log_product = turning_start(coordinates[:, turns], turns)
    log_unit = (log_product - log_size) / (depth - 2) if depth > 2 else log_size
    units = start.log_size.copy(), start.log_unit.copy(), start.t0.copy()
    for unit, value in zip(units, (log_size, log_unit, layers.t0), strict=True):
        unit[turns] = value
    units[0][turns] += log_scale
    units[1][turns] += log_scale
    shape = replace(start.shape, equal=False, turning=layers.turning if depth > 2 else None)
    return replace(
        start, shape=shape, log_size=units[0], log_unit=units[1], t0=units[2], turning=layers
    )


def _log_offsets(sizes: FloatArray) -> FloatArray:
    """log c_l of all layers but the smallest; -inf where c_l = 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(sizes[1:] - sizes[0]) + np.log(sizes[1:] + sizes[0]))


def _log_ratio(sizes: FloatArray, log_offsets: FloatArray, locked: BoolArray) -> FloatArray:
    """log r_i: c_i over the smallest offset (crossing) or over q^2 (locked)."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        below = np.where(locked, sizes[0], sizes[1] - sizes[0])
        above = np.where(locked, sizes[0], sizes[1] + sizes[0])
        ratio = (sizes[2:] - sizes[0]) / below * ((sizes[2:] + sizes[0]) / above)
        far = log_offsets[1:] - np.where(locked, 2.0 * np.log(sizes[0]), log_offsets[0])
        near = np.log(ratio)
    return np.asarray(np.where(np.isinf(ratio) | (ratio == 0.0), far, near))
