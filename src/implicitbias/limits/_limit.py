"""What a prediction is: a limit, the result it rests on, and its certificate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from implicitbias._arrays import EPS, FloatArray, NumericArray, Parameters, worst_of
from implicitbias._results import Record, plain
from implicitbias._verdicts import Verdict
from implicitbias.features import Features, as_features

Kind = Literal["point", "direction", "stationary direction", "small-scale limit"]
GapKind = Literal["duality gap", "first-order gap with the carried slack"]

PLAIN = 1e-11  # residuals up to here are stated as they are
ROUNDING = 64 * EPS  # of a coefficient, as far as solvers go


def relative_residual(X: FloatArray | Features, coefficients: FloatArray, y: FloatArray) -> float:
    """||X beta - y|| / ||y||, with 0/0 = 0.

    Where y = 0, relative to what the largest coefficient would give if all were like it. Beyond
    1e-11 without what a change of every coefficient by 64 roundings explains: where the terms of
    X beta are that much larger than y, as with features of a large offset, no floats do better.
    """
    Z, whole = as_features(X), y
    if not y.any() and coefficients.any():
        coefficients = coefficients / np.abs(coefficients).max()  # a ratio of their own sizes
        whole = Z.absolute(np.ones_like(coefficients))
    # entries over the largest: squares neither over- nor underflow
    size = float(np.abs(whole).max(initial=0.0)) or 1.0
    scale = float(np.ldexp(1.0, int(np.clip(np.frexp(size)[1], -1000, 1000))))
    with np.errstate(over="ignore", invalid="ignore"):
        missing = float(np.linalg.norm((Z @ coefficients - y) / scale))
    if missing == 0.0:
        return 0.0
    size = float(np.linalg.norm(whole / scale))
    if not missing > PLAIN * size or not np.isfinite(missing):
        return missing / size if size > 0 else np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        explained = ROUNDING * Z.absolute(coefficients)
        beyond = np.maximum(np.abs(Z.precise.residual(coefficients, y)) - explained, 0.0)
        left = float(np.linalg.norm(beyond / scale))
    return max(left / size, PLAIN) if size > 0 else np.inf


def relative_difference(found: FloatArray, expected: FloatArray) -> float:
    """||found - expected||_inf / ||expected||_inf, with 0/0 = 0."""
    missing = float(np.abs(found - expected).max(initial=0.0))
    size = float(np.abs(expected).max(initial=0.0))
    if missing == 0.0:
        return 0.0
    return missing / size if size > 0 else np.inf


@dataclass(frozen=True, repr=False)
class Certificate(Record):
    """How far the returned point is from satisfying the problem it is said to solve.

    Attributes
    ----------
    feasibility
        ||X beta - y|| / ||y|| (regression), or the largest violation of a margin (classification).
    gap
        The duality gap relative to the objective; None where there is none.
    kkt_residual
        The largest relative violation of the optimality conditions; None where a gap is given.
    error
        An estimate of |beta - beta*|_inf / |beta*|_inf (of the angle to beta*, for directions),
        from one correction whose residuals are evaluated beyond float64; None where none was made.
    gap_kind
        "duality gap", or "first-order gap with the carried slack" where float64 cannot hold a dual
        point: sum |rho_j r_j| / sum |rho_j u_j|, r_j the mismatch of primal and dual slope.
    """

    feasibility: float
    gap: float | None = None
    kkt_residual: float | None = None
    gap_kind: GapKind = "duality gap"
    error: float | None = None
    _one_line: ClassVar[bool] = True

    @property
    def worst(self) -> float:
        """The largest number that applies, by magnitude; NaN counts as infinite."""
        numbers = (self.feasibility, self.gap, self.kkt_residual, self.error)
        return worst_of(*(abs(value) for value in numbers if value is not None))

    def to_dict(self) -> dict[str, Any]:
        """As for every result, with ``worst``; None where a number does not apply."""
        return super().to_dict() | {"worst": plain(self.worst)}

    def __str__(self) -> str:
        text = f"feasibility {self.feasibility:.1e}"
        if self.gap is not None:
            text += f", {self.gap_kind} {self.gap:.1e}"
        if self.kkt_residual is not None:
            text += f", KKT residual {self.kkt_residual:.1e}"
        if self.error is not None:
            text += f", error {self.error:.1e}"
        return text


@dataclass(frozen=True, eq=False, repr=False)
class Limit(Record):
    """Where gradient flow ends, by which result, and how well that is certified.

    Attributes
    ----------
    coefficients
        beta, shape (d,); for directions scaled so that min_i y_i x_i^T beta = 1.
    kind
        "point", "direction", "stationary direction" or "small-scale limit".
    theorem
        The result that applies, such as "Corollary 5" or "beyond Theorem 5".
    certificate
        Measured at ``coefficients``.
    assumptions
        One verdict per assumption of the result.
    parameters
        The limits of the layers (unit directions for Theorem 3); None where no result gives them.
    spectrum
        rho with beta = S^T rho, or None where the result does not use it.
    dual
        nu, or None. Regression: the time integral of the negative residual, of networks that
        decouple; of fully connected ones beta = X^T nu. Classification: multipliers of the margins
        in the problem that the direction solves, up to a factor.
    unreached
        alpha (I - X^+ X) Wbar_1 of a fully connected network, shape (d, d_2): times the later
        layers it is the part of beta that training never moves to the minimum-norm solution.
    rate
        For directions: the exponent of the margin with which the flow's direction closes in,
        asymptotically; None where no result gives it.
    note
        What a reader should know besides, or "".
    fitted
        X beta where no interpolator has the signs that the start keeps: the least-squares fit of y
        under them, (n,), to which ``certificate.feasibility`` refers; None where X beta = y.
    num_iterations
        Newton steps taken, several of which may share a factorisation; 0 for closed forms and
        linear programs.
    certified_to
        The largest certificate that was to count as an answer, or None.
    """

    coefficients: FloatArray
    kind: Kind
    theorem: str
    certificate: Certificate
    assumptions: tuple[Verdict, ...] = ()
    parameters: Parameters | None = None
    spectrum: NumericArray | None = None
    dual: FloatArray | None = None
    unreached: FloatArray | None = None
    rate: float | None = None
    note: str = ""
    num_iterations: int = 0
    certified_to: float | None = None
    fitted: FloatArray | None = None

    def _short(self) -> str:
        d, worst = self.coefficients.size, self.certificate.worst
        return f"{self.kind} by {self.theorem}, d={d}, certified to {worst:.1e}"

    def __str__(self) -> str:
        beta = np.array2string(
            self.coefficients, precision=6, threshold=8, edgeitems=3, max_line_width=200
        )
        lines = [
            f"{self.kind} by {self.theorem}: beta = {beta}",
            f"  certificate: {self.certificate}",
            *(f"  {verdict}" for verdict in self.assumptions),
        ]
        if self.rate is not None:
            lines.append(f"  the flow's direction closes in like margin^-{self.rate:.3g}")
        if self.note:
            lines.append(f"  {self.note}")
        return "\n".join(lines)
