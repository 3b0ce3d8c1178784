"""When complex decoupled coordinates follow real scalar curves.

For each coordinate j the layers obey dp_l/dt = conj([S(-X^T r)]_j prod_{k != l} p_{k,j}). If the
numbers [S x_i]_j share a phase theta_j up to sign over the points i, then Z = e^{-i theta} X S^T is
real, and with phases phi_l that add up to theta_j the turned layers q_l = e^{i phi_l} p_l obey
dq_l/ds = conj(prod_{k != l} q_k) in the real clock s = Z^T nu. They stay real when they start real,
which some choice of phi allows exactly when e^{i theta} prod_l p_l(0) is real: always, if one layer
starts at zero. Then rho = e^{-i theta} prod_l q_l.

Single points, even data and data with a common shift reduce; see theory of the dual flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import ComplexArray, FloatArray, NumericArray
from implicitbias._verdicts import Status, Verdict

TOLERANCE = 1e-10


@dataclass(frozen=True)
class RealCoordinates:
    """Real data and real starts, equivalent to complex ones.

    Attributes
    ----------
    features
        Z, real, shape (n, m).
    start
        The turned layers q_l(0), real, shape (L, m), in units of the scale.
    phases
        e^{-i theta}, shape (m,): rho = phases * (real rho). None where all are 1.
    gauge
        e^{-i phi_l}, shape (L, m): p_l = gauge_l * q_l. None where all are 1.
    data_verdict, start_verdict
        Whether the data share a phase and whether the start is real in it, with the defects. Where
        one of them fails the real numbers above are only the nearest ones.
    """

    features: FloatArray
    start: FloatArray
    phases: ComplexArray | None
    gauge: ComplexArray | None
    data_verdict: Verdict
    start_verdict: Verdict

    @property
    def exact(self) -> bool:
        """Whether the reduction holds."""
        return self.data_verdict.holds and self.start_verdict.holds

    @property
    def turned(self) -> bool:
        """Whether any phase had to be taken out."""
        return self.phases is not None or self.gauge is not None

    def spectrum(self, rho: FloatArray) -> NumericArray:
        """Rho in the original phases."""
        return rho if self.phases is None else self.phases * rho

    def layers(self, values: FloatArray) -> NumericArray:
        """p_l in the original phases, from the real layer values (L, m)."""
        return values if self.gauge is None else self.gauge * values


def reduce_to_real(features: NumericArray, start: NumericArray) -> RealCoordinates:
    """Take the common phases out of X S^T (n, m) and of the start p (L, m)."""
    phases, real_features, data_defect = _common_phases(features)
    gauge, real_start, start_defect = _real_start(start, phases)
    return RealCoordinates(
        real_features,
        real_start,
        phases,
        gauge,
        _verdict("the data share a phase in every coordinate", data_defect, "the phase defect"),
        _verdict("the start is real in that phase", start_defect, "its imaginary part"),
    )


def _verdict(assumption: str, defect: float, name: str) -> Verdict:
    status: Status = "holds" if defect <= TOLERANCE else "fails"
    return Verdict(assumption, status, defect, f"{name}, relative to the largest entry")


def _common_phases(features: NumericArray) -> tuple[ComplexArray | None, FloatArray, float]:
    size = float(np.abs(features).max(initial=0.0))
    if size == 0.0 or not np.iscomplexobj(features):
        return None, np.asarray(features.real, dtype=np.float64), 0.0
    if float(np.abs(features.imag).max()) <= TOLERANCE * size:
        return None, np.ascontiguousarray(features.real), 0.0
    scaled = features / size
    angle = 0.5 * np.angle((scaled**2).sum(axis=0))
    almost_real = np.abs(scaled.imag).max(axis=0) <= TOLERANCE
    phases = np.where(almost_real, 1.0, np.exp(-1j * angle))
    turned = features * phases
    defect = float(np.abs(turned.imag).max()) / size
    return phases, np.ascontiguousarray(turned.real), defect


def _real_start(
    start: NumericArray, phases: ComplexArray | None
) -> tuple[ComplexArray | None, FloatArray, float]:
    size = float(np.abs(start).max(initial=0.0))
    imaginary = float(np.abs(start.imag).max(initial=0.0)) if np.iscomplexobj(start) else 0.0
    if phases is None and imaginary <= TOLERANCE * size:
        return None, np.ascontiguousarray(start.real, dtype=np.float64), 0.0
    magnitude = np.abs(start)
    columns = np.arange(start.shape[1])
    turn = np.where(
        np.abs(np.imag(start)) <= TOLERANCE * size, 1.0, np.exp(-1j * np.angle(start))
    ).astype(np.complex128)
    free = magnitude.argmin(axis=0)  # the smallest layer takes up the remaining phase
    turn[free, columns] = 1.0
    total = np.ones(start.shape[1]) if phases is None else phases.conj()
    turn[free, columns] = total / turn.prod(axis=0)
    turned = turn * start
    defect = float(np.abs(turned.imag).max()) / size if size > 0 else 0.0
    return turn.conj(), np.ascontiguousarray(turned.real), defect
