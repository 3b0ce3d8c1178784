"""How a flow's direction closes in on a predicted one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._results import Record
from implicitbias.flow import Flow
from implicitbias.limits import Limit, LossRate

SETTLED = 0.15  # relative change of a closing exponent below which it counts as asymptotic
RATE_TOLERANCE = 0.25
SLOWEST = 0.1  # part of the predicted exponent below which an angle stands still
TYPICAL_RATE = 0.5  # stands in where no exponent is predicted
MEASURABLE = 1e-3  # exponents below this are none: margin^-rate is 0.9 at margin 1e45
SMALL = 3.0  # log(1/scale) of starts that are seen to hold a flow back
ASYMPTOTIC = 0.02  # radians; further away no exponent is the last one
ROUNDING = 1e-11  # angles below this are those of the solvers, and say nothing about the rate
FALLEN, RESOLVED = 20.0, 3e4  # log(1 / loss) where its course says something, and most
DELAY = 30.0  # log margins a unit of log(1/scale), until no saddle is ahead


@dataclass(frozen=True, repr=False)
class Closing(Record):
    """How a flow's direction approaches a predicted one.

    Attributes
    ----------
    angle
        Between the two at the flow's end, in radians.
    exponent
        -d log(angle) / d log(margin) over the last factor 100 of the margin.
    settled
        Whether it agrees with that over the factor 100 before to 15 %, at an angle below 0.02:
        further away an exponent may stand still for long and be another than the last one.
    rate
        The exponent the theory predicts asymptotically, or None.
    log_margin
        Log of the margin at the flow's end.
    delay
        By how much log margin the start may hold the flow back: small starts pass saddles first.
    """

    angle: float
    exponent: float
    settled: bool
    rate: float | None
    log_margin: float = float("inf")
    delay: float = 0.0
    _one_line: ClassVar[bool] = True

    @property
    def confirms(self) -> bool:
        """Whether falling at the predicted rate would say something: not where that is about 0."""
        return self.rate is None or self.rate >= MEASURABLE

    @property
    def consistent(self) -> bool:
        """Whether the angle falls noticeably, and as predicted where the exponent has settled."""
        slowest = MEASURABLE if self.rate is None else SLOWEST * self.rate
        if not (self.confirms and self.exponent > slowest):
            return False
        if self.rate is None or not self.settled:
            return True
        return abs(self.exponent - self.rate) <= RATE_TOLERANCE * self.rate

    @property
    def enough(self) -> float:
        """Log margin from which on the angle says something: margin^-rate is 1e-3 there."""
        if not self.confirms:
            return float("inf")
        return float(np.log(1e3)) / (self.rate or TYPICAL_RATE) + self.delay

    @property
    def decided(self) -> bool:
        """Whether the exponent has settled, or the flow went far enough for it to do so.

        Not while it is faster than predicted: what falls slowest may be the smallest as yet.
        """
        if self.rate is not None and self.exponent > (1.0 + RATE_TOLERANCE) * self.rate:
            return False
        return self.confirms and (self.settled or self.log_margin >= self.enough)

    def __str__(self) -> str:
        if self.angle <= ROUNDING or np.isnan(self.exponent):
            return f"angle {self.angle:.1e}"
        state = "" if self.settled else ", not settled"
        expected = "" if self.rate is None else f", predicted {self.rate:.3g} asymptotically"
        way = "closing like margin^-" if self.exponent >= 0.0 else "growing like margin^"
        return f"angle {self.angle:.1e}, {way}{abs(self.exponent):.3g}{state}{expected}"


def closing_of(flow: Flow, limit: Limit) -> Closing:
    """Measure the angle to the limit along the flow."""
    directions = flow.coefficients if flow.directions is None else flow.directions
    heights = np.asarray(flow.log_margins)
    separates = np.isfinite(heights)  # before, the margin is not positive
    heights = heights[separates]
    angles = np.array([angle_between(b, limit.coefficients) for b in directions[separates]])
    if angles.size == 0:
        return Closing(np.pi, np.nan, False, limit.rate, -np.inf)
    end, top = float(angles[-1]), float(heights[-1])
    angles, heights = angles[angles > ROUNDING], heights[angles > ROUNDING]
    if angles.size < 3:
        return Closing(end, np.nan, False, limit.rate, top)
    # Two equal stretches of log margin: a factor 100 each, more for flows that went much further.
    stretch = max(np.log(100.0), 0.2 * (heights[-1] - heights[0]))
    marks = heights[-1] - stretch * np.arange(3)
    logs = np.interp(marks, heights, np.log(angles))
    last, before = float(logs[1] - logs[0]) / stretch, float(logs[2] - logs[1]) / stretch
    alike = abs(last - before) <= SETTLED * abs(last) and marks[2] >= heights[0]
    return Closing(end, last, bool(alike and end < ASYMPTOTIC), limit.rate, top)


@dataclass(frozen=True, repr=False)
class LossCourse(Record):
    """How the loss of a flow fell in time, against what its limit direction says.

    Attributes
    ----------
    log_constant, power
        Measured: of log t = log_constant + x - power log(x + H) + .., x = log(1 / loss).
    expected
        The limit's ``loss_rate``: both as predicted, and H.
    log_loss
        Of the point at which the constant was measured; the power is between it and one where
        log(1 / loss) is a hundredth of that, NaN for flows that have not come so far.
    """

    log_constant: float
    power: float
    expected: LossRate
    log_loss: float
    _one_line: ClassVar[bool] = True

    @property
    def error(self) -> float:
        """|log constant - predicted|, the relative error of the constant."""
        return abs(self.log_constant - self.expected.log_constant)

    def __str__(self) -> str:
        text = f"constant of the loss off by {self.error:.1e} at log(loss) = {self.log_loss:.3g}"
        if not np.isfinite(self.power):
            return text
        return f"{text}, power of log t {self.power:.5g} of {self.expected.power:.5g}"


def loss_course_of(flow: Flow, limit: Limit, *, at: float = RESOLVED) -> LossCourse | None:
    """Measured where the loss is nearest to e^{-at}; None where it never came to e^{-20}.

    Later, log t and x are so large that float64 hardly holds their difference.
    """
    expected = limit.loss_rate
    if expected is None:
        return None
    known = np.isfinite(flow.log_times) & (-flow.log_losses >= FALLEN)
    heights, log_times = -flow.log_losses[known], flow.log_times[known]
    if heights.size == 0:
        return None
    left = log_times - expected.log_times(-heights)  # of the constant: measured less expected
    last = int(np.argmin(np.abs(np.log(heights / at))))
    first = int(np.argmin(np.abs(np.log(100.0 * heights / heights[last]))))
    power = float("nan")
    if heights[first] < 0.1 * heights[last]:
        spread = np.log((heights[last] + expected.entropy) / (heights[first] + expected.entropy))
        power = expected.power - float((left[last] - left[first]) / spread)
    constant = expected.log_constant + float(left[last])
    return LossCourse(constant, power, expected, -float(heights[last]))


def delay_of(flow: Flow) -> float:
    """By how much log margin a small start holds a flow back, seen from beta(0) where that moves.

    beta(0) is of the size scale^L; it is 0 where the last layer is, and says nothing then.
    """
    size = float(np.abs(flow.coefficients[0]).max(initial=0.0))
    if size == 0.0 or flow.final_parameters is None:
        return 0.0
    return DELAY * max(0.0, -float(np.log(size)) / len(flow.final_parameters) - SMALL)


def angle_between(first: FloatArray, second: FloatArray) -> float:
    """The angle of two directions in radians, accurate where it is tiny."""
    one, other = (v / np.abs(v).max() for v in (first, second))  # whatever their sizes
    one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
    return float(2 * np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other)))
