"""When complex decoupled coordinates follow scalar curves in real clocks.

For each coordinate j the layers obey dp_l/dt = conj([S(-X^T r)]_j prod_{k != l} p_{k,j}). If the
numbers [S x_i]_j share a phase theta_j up to sign over the points i, then Z = e^{-i theta} X S^T is
real, and with phases phi_l that add up to theta_j the turned layers q_l = e^{i phi_l} p_l obey
dq_l/ds = conj(prod_{k != l} q_k) in the real clock s = Z^T nu, and rho = e^{-i theta} prod_l q_l.

- They stay real when they start real, which some choice of phi allows exactly when
  e^{i theta} prod_l p_l(0) is real: always, if one layer starts at zero.
- Otherwise I = Im prod_l q_l stays, and R = Re prod_l q_l follows a curve of its own
  (``_complex_shape``): rho = e^{-i theta} (R + i I). X S^T e^{-i theta} i I is imaginary where beta
  is real, so that predictions are Z R, and only beta = Re S^T rho keeps the part of I.

Single points, even data and data with a common shift reduce; see theory of the dual flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from implicitbias._arrays import (
    EPS,
    BoolArray,
    ComplexArray,
    FloatArray,
    IntArray,
    NumericArray,
)
from implicitbias._verdicts import Status, Verdict
from implicitbias.coordinates._curves import Curves
from implicitbias.coordinates._scalar_curves import ScalarCurves
from implicitbias.coordinates._twins import exact_twins
from implicitbias.coordinates._two_sided_curves import TwoSidedCurves
from implicitbias.features import Dense, Features, Spectra

TOLERANCE = 1e-10
ROUNDING = 1e-13  # imaginary parts of the start below this, relative to its largest, are dropped
TWIN = 1e-12  # coordinates whose data and start agree to this part of the largest entry are one
NEAR = 1e-9  # parameters this close are averaged themselves: rho changes by the square of it


@dataclass(frozen=True, eq=False)
class RealCoordinates:
    """Real data, and starts as real as possible, equivalent to complex ones.

    Attributes
    ----------
    features
        Z, real, shape (n, m).
    start
        The turned layers q_l(0), shape (L, m), in units of the scale. A column is real where
        I = 0; elsewhere one of its layers is complex.
    phases
        e^{-i theta}, shape (m,): rho = phases * (R + i I). None where all are 1.
    gauge
        e^{-i phi_l}, shape (L, m): p_l = gauge_l * q_l. None where all are 1.
    data_verdict, start_verdict
        Whether the data share a phase and whether the start is real in it, with the defects. Where
        the data do not, the real features above are only the nearest ones.
    paired
        Whether the coordinates were complex: those of a conjugate pair then follow one curve.
    power
        D where the layers are u and v and rho = u^D - v^D; None where rho is their product.
    """

    features: Features
    start: NumericArray
    phases: ComplexArray | None
    gauge: ComplexArray | None
    data_verdict: Verdict
    start_verdict: Verdict
    paired: bool = False
    power: float | None = None

    @property
    def exact(self) -> bool:
        """Whether the coordinates are equivalent to real ones."""
        return self.data_verdict.holds and self.start_verdict.holds

    def start_error(self, bases: float) -> FloatArray:
        """What entries of the start are off by, (L, 1), from bases U_l that are off by so much.

        Beside their rounding, and what the phases dropped.
        """
        off = 2.0 * EPS + bases + self.data_verdict.value + min(self.start_verdict.value, ROUNDING)
        return np.asarray(off * np.abs(self.start).max(axis=1, initial=0.0, keepdims=True))

    @property
    def reduces(self) -> bool:
        """Whether the coordinates follow scalar curves in real clocks, real or not."""
        return self.data_verdict.holds and (self.power is None or self.start_verdict.holds)

    @property
    def turned(self) -> bool:
        """Whether any phase had to be taken out."""
        return self.phases is not None or self.gauge is not None

    def curves(self, log_scale: float, keep: BoolArray | None = None) -> ScalarCurves:
        """The scalar curves (of the columns ``keep``) from the start times exp(log_scale)."""
        start = self.start if keep is None else self.start[:, keep]
        if self.power is not None:
            return TwoSidedCurves.from_start(start, self.power, log_scale)
        return Curves.from_complex_start(start, log_scale)

    def spectrum(self, rho: FloatArray, imaginary: FloatArray | None = None) -> NumericArray:
        """rho in the original phases, from R and, where it counts, I = ``Curves.imaginary``."""
        whole: NumericArray = rho
        if imaginary is not None and imaginary.any():
            whole = rho + 1j * imaginary
        return whole if self.phases is None else self.phases * whole

    def layers(self, values: NumericArray) -> NumericArray:
        """p_l in the original phases, from the values q_l of the layers, (L, m)."""
        return values if self.gauge is None else self.gauge * values

    def shape_of(self, layers: NumericArray) -> NumericArray:
        """rho of real layers p_l, up to a factor that keeps it within float64."""
        if self.power is None:
            sizes = np.abs(layers).max(axis=1, keepdims=True)
            return np.asarray(np.prod(layers / sizes, axis=0))
        u, v = np.abs(layers) / np.abs(layers).max()
        return np.asarray(u**self.power - v**self.power)

    def log_weights(self, layers: NumericArray, signs: FloatArray) -> FloatArray:
        """2 log |p_1 + sign p_2| of two layers, or 2 log u and 2 log v by the sign, (k,).

        What coordinates that grow for ever to one side differ by: p_1 +- conj(p_2) grow like
        e^{+-s}, u and v of D = 2 like e^{+-2 s}.
        """
        first, second = layers
        grown = np.where(signs > 0.0, first, second)
        if self.power is None:
            grown = first + signs * second.conj()
        with np.errstate(divide="ignore"):  # -inf: a coordinate that never grows on this side
            return np.asarray(2.0 * np.log(np.abs(grown)))

    def level(
        self, curves: ScalarCurves, t: FloatArray, keep: BoolArray | None = None
    ) -> FloatArray:
        """The parameters t of the curves (of the columns ``keep``), those of twins made equal.

        Near the end of the clock a rounding decides how conjugate pairs, and equal columns, share
        their rho. Their sum is kept; real layers of a pair, and symmetry, need equal parts.
        """
        labels, signs = self.twins
        if keep is not None:
            labels, signs = labels[keep], signs[keep]
        count = np.bincount(labels)[labels]
        if not (count > 1).any():
            return t

        def mean(values: FloatArray) -> FloatArray:
            return np.asarray(np.bincount(labels, values)[labels] / count)

        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            middle, shared = mean(signs * t), mean(signs * curves.rho(t))
            wide = mean(np.abs(signs * t - middle)) > NEAR
            far = curves.t_from_rho(signs * np.sign(shared), np.log(np.abs(shared)))
        level = np.where(wide, far, signs * middle)
        return np.where((count > 1) & np.isfinite(level) & np.isfinite(t), level, t)

    @property
    def twins(self) -> tuple[IntArray, FloatArray]:
        """Labels, equal where coordinates move alike for ever up to a sign, and that sign."""
        return self._twins if self.paired else self._equal_columns

    @cached_property
    def _equal_columns(self) -> tuple[IntArray, FloatArray]:
        mirrored = self.power is not None
        return exact_twins(self.features, np.asarray(self.start.real), mirrored=mirrored)

    @cached_property
    def _twins(self) -> tuple[IntArray, FloatArray]:
        """Labels, equal where data and start agree up to the sign of the clock; and that sign."""
        features = self.features.toarray()
        mix = np.cos(np.arange(1.0, len(features) + 1.0))  # any generic combination
        signs = np.where(mix @ features < 0.0, -1.0, 1.0)
        features, start = _unit(features * signs), _unit(self.start)
        key = np.vstack([features, np.abs(start), signs * np.prod(start, axis=0).real])
        order = np.argsort(np.cos(np.arange(2.0, len(key) + 2.0)) @ key, kind="stable")
        apart = np.abs(np.diff(key[:, order], axis=1)).max(axis=0, initial=0.0) > TWIN
        labels = np.empty(order.size, dtype=np.intp)
        labels[order] = np.concatenate([[0], np.cumsum(apart)])
        return labels, signs


def reduce_to_real(
    features: Features | Spectra | NumericArray, start: NumericArray
) -> RealCoordinates:
    """Take the common phases out of X S^T (n, m) and of the start p (L, m)."""
    phases, real_features, data_defect = _common_phases(features)
    gauge, turned_start, start_defect = _turned_start(start, phases)
    data = "the data share a phase in every coordinate"
    return RealCoordinates(
        real_features,
        turned_start,
        phases,
        gauge,
        _verdict(data, data_defect, TOLERANCE, "the phase defect", " of a point"),
        _verdict("the start is real in that phase", start_defect, ROUNDING, "its imaginary part"),
        (
            not isinstance(features, Features)
            and (isinstance(features, Spectra) or np.iscomplexobj(features))
        )
        or np.iscomplexobj(start),
    )


def pairs(features: Features, start: FloatArray, power: float) -> RealCoordinates:
    """The coordinates rho = u^D - v^D of a two-sided network: real data, (u, v)(0) as (2, m)."""
    below = np.maximum(-start, 0.0) if power % 2.0 else np.zeros_like(start)
    side, place = np.unravel_index(int(below.argmax()), below.shape) if below.size else (0, 0)
    worst = float(below.max(initial=0.0))
    detail = f"the largest entry below 0: {'uv'[side]}[{place}]" if worst else "none is below 0"
    if power % 2.0 == 0.0:
        detail = "u^D and v^D do not tell signs"
    return RealCoordinates(
        features,
        start,
        None,
        None,
        Verdict("the data are real", "holds", 0.0, "in the network's own coordinates"),
        Verdict(
            "u(0), v(0) >= 0, or D is an even number", "fails" if worst else "holds", worst, detail
        ),
        power=power,
    )


def _verdict(
    assumption: str, defect: float, tolerance: float, name: str, whose: str = ""
) -> Verdict:
    status: Status = "holds" if defect <= tolerance else "fails"
    return Verdict(assumption, status, defect, f"{name}, relative to the largest entry{whose}")


def _unit(array: NumericArray) -> NumericArray:
    """The array over its largest magnitude; zero stays zero."""
    return array / (float(np.abs(array).max(initial=0.0)) or 1.0)


def _common_phases(
    features: Features | Spectra | NumericArray,
) -> tuple[ComplexArray | None, Features, float]:
    if isinstance(features, Spectra):
        return features.common_phases(TOLERANCE)
    if isinstance(features, Features):
        return None, features, 0.0
    if not np.iscomplexobj(features):
        return None, Dense(np.asarray(features, dtype=np.float64)), 0.0
    sizes = np.abs(features).max(axis=1, initial=0.0, keepdims=True)
    scaled = features / np.where(sizes > 0.0, sizes, 1.0)  # whatever the units of the points
    imaginary = np.abs(scaled.imag).max(axis=0, initial=0.0)
    defect = float(imaginary.max(initial=0.0))
    if defect <= TOLERANCE:
        return None, Dense(np.ascontiguousarray(features.real)), defect
    angle = 0.5 * np.angle((scaled**2).sum(axis=0))
    phases = np.where(imaginary <= TOLERANCE, 1.0, np.exp(-1j * angle))
    defect = float(np.abs((scaled * phases).imag).max())
    return phases, Dense(np.ascontiguousarray((features * phases).real)), defect


def _turned_start(
    start: NumericArray, phases: ComplexArray | None
) -> tuple[ComplexArray | None, NumericArray, float]:
    sizes = np.abs(start).max(axis=1, initial=0.0, keepdims=True)  # layers may be far apart
    nearly_real = np.abs(np.imag(start)) <= ROUNDING * sizes
    if phases is None and nearly_real.all():
        dropped = np.abs(np.imag(start)) / np.where(sizes > 0.0, sizes, 1.0)
        defect = float(dropped.max(initial=0.0))
        return None, np.ascontiguousarray(start.real, dtype=np.float64), defect
    magnitude = np.abs(start)
    columns = np.arange(start.shape[1])
    turn = np.where(nearly_real, 1.0, np.exp(-1j * np.angle(start))).astype(np.complex128)
    free = magnitude.argmin(axis=0)  # the smallest layer takes up the remaining phase
    turn[free, columns] = 1.0
    total = np.ones(start.shape[1]) if phases is None else phases.conj()
    turn[free, columns] = total / turn.prod(axis=0)
    turned = turn * start
    left = np.where(np.arange(len(start))[:, None] == free, turned.imag, 0.0)
    parts = np.abs(left) / np.where(sizes > 0.0, sizes, 1.0)
    defect = float(parts.max())
    left[parts <= ROUNDING] = 0.0
    if not left.any():
        return turn.conj(), np.ascontiguousarray(turned.real), defect
    return turn.conj(), turned.real + 1j * left, defect
