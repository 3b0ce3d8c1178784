"""A flow's end held against a predicted limit: what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from implicitbias._closing import Closing, LossCourse
from implicitbias._errors import Outcome
from implicitbias._html import Badge, Mark
from implicitbias._results import Record
from implicitbias.descent import EffectiveStart, Run
from implicitbias.flow import Flow
from implicitbias.limits import LEADS, UNIQUE, Limit

Word = Literal["agrees", "undecided", "DISAGREES"]
MARKS: dict[Word, Mark] = {"agrees": "good", "undecided": "open", "DISAGREES": "bad"}
TOLERANCE = 1e-8
SAME_WAY = 1e-5  # radians between two flows at the same margin
BOTH = "parameters - dual"
UNNAMED = UNIQUE, LEADS  # claims without which one of several points is meant
EFFECTIVE = "effective limit"  # what a pair of a run may end with
TRAINED = (
    *(Outcome.RESIDUAL_REACHED, Outcome.PRECISION_REACHED, Outcome.MARGIN_REACHED),
    *(Outcome.LOSS_REACHED, Outcome.GIVEN),
)

# Stopped on the way, wherever that leads.
STOPPED = (
    *(Outcome.TIME_REACHED, Outcome.STEP_LIMIT, Outcome.STOPPED_BY_CALLBACK),
    Outcome.UNSTABLE,
)

# Of flows with a limit that does not fit the data: at rest, or elsewhere for good.
ENDED = (Outcome.STATIONARY, Outcome.RESIDUAL_REACHED, Outcome.GIVEN)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Record):
    """A flow's end held against a predicted limit.

    Attributes
    ----------
    error
        The largest relative difference over all pairs that were compared; for directions the
        smallest angle that a flow reached.
    tolerance
        What counts as agreement.
    flow, limit
        The witness (the parameter flow where it was run) and the prediction.
    pairs
        The relative difference or angle per pair, such as "parameters - limit".
    distance
        What the theory does not say to be small. For a small-scale limit:
        ||beta(flow) - beta(limit)|| / ||beta(limit)|| at this scale. For a run of gradient descent
        that is held against the limit of its effective start: |beta(run) - beta(limit)|_inf /
        |beta(limit)|_inf, the effect of its finite steps. None otherwise.
    closings
        For directions: how each flow closes in, in the order of ``pairs``.
    effective
        The effective start of a run, with the factors by which its offsets shrank and the effective
        scale of each coordinate; None for flows.
    losses
        For directions: how the loss of each flow fell in time, against the limit's ``loss_rate``;
        it does not enter the verdict.
    doubt
        Why nothing can be said of a run that is not at the limit; "" where something can.
    """

    error: float
    tolerance: float
    flow: Flow
    limit: Limit
    pairs: Mapping[str, float] = field(default_factory=dict)
    distance: float | None = None
    closings: tuple[Closing, ...] = ()
    effective: EffectiveStart | None = None
    doubt: str = ""
    losses: tuple[LossCourse, ...] = ()

    @property
    def trained(self) -> bool:
        """Whether the flow came to its end, so that there is something to compare.

        A run that fits the data did, though it was stopped by its number of steps. Where the limit
        does not fit them a flow came to its end at rest, or however it was stopped at the limit.
        """
        if self.limit.fitted is not None:
            return self.error <= self.tolerance or self.flow.outcome in ENDED
        fits = isinstance(self.flow, Run) and self.flow.fits
        return fits or self.flow.outcome in TRAINED

    @property
    def agrees(self) -> bool:
        """Whether the flow reached its end and every pair agrees.

        Points agree to the tolerance. A direction, which no flow reaches, agrees when the angle is
        below the tolerance or falls, at the predicted rate once its exponent has settled; with two
        flows it is enough that one shows this, if both point the same way at the same margin. A
        direction that is ``undecided`` does not agree.
        """
        if self.closings:
            near = any(one.angle <= self.tolerance or one.consistent for one in self.closings)
            return self.trained and near and self.pairs.get(BOTH, 0.0) <= SAME_WAY
        return self.trained and bool(self.error <= self.tolerance)

    @property
    def undecided(self) -> bool:
        """Whether nothing can be said: the flow ended too early, or no one point is predicted.

        It was stopped by time, steps or a callback on its way, or rounding decided that (a run of
        gradient descent that was stopped has not reached the limit: it disagrees); or its direction
        has hardly begun to close in, or would at a rate of 0; or the prediction is one of several
        points of a face, and does not say which; or it does not fit the data, and the flow was
        stopped before it came to rest; or there is a ``doubt``.
        """
        if self.doubt:
            return not self.agrees
        if not self.closings:
            stopped = self.flow.outcome in STOPPED and not isinstance(self.flow, Run)
            return (stopped or self.limit.fitted is not None) and not self.trained
        apart = self.pairs.get(BOTH, 0.0) > SAME_WAY
        if not self.trained and self.flow.outcome in STOPPED:
            return not apart
        unnamed = any(one.assumption in UNNAMED and not one.holds for one in self.limit.assumptions)
        early = unnamed or not any(one.decided for one in self.closings)
        return early and self.trained and not apart and not self.agrees

    @property
    def verdict(self) -> Word:
        """What ``agrees`` and ``undecided`` say, in a word."""
        return "agrees" if self.agrees else "undecided" if self.undecided else "DISAGREES"

    def _short(self) -> str:
        error = f"error {self.error:.1e} of {self.tolerance:.0e}"
        return f"{self.verdict} with {self.limit.theorem}, {error}"

    def _badge(self) -> Badge:
        return Badge(self.verdict, MARKS[self.verdict])

    def to_dict(self) -> dict[str, Any]:
        """As for every result, with the verdict."""
        return {"verdict": self.verdict} | super().to_dict()

    def _effective_text(self) -> str:
        """What is left to say of a run that was held against ``limit`` itself, in vain."""
        if (
            self.effective is None
            or self.agrees
            or any(name.endswith(EFFECTIVE) for name in self.pairs)
        ):
            return ""
        if self.doubt:
            return f"; {self.doubt}"
        if self.effective.parameters is None:
            return f"; {self.effective.reason}"
        return (
            "; steps of finite size move a run's end: hold it against predict_limit(network, "
            "problem, run.effective_start)"
        )

    def __str__(self) -> str:
        if self.closings:
            named = zip(self.pairs, self.closings, strict=False)
            found = "; ".join(f"{name}: {closing}" for name, closing in named)
            found += "".join(f"; {course}" for course in self.losses)
            if BOTH in self.pairs:
                found += f"; {BOTH} at the same margin: angle {self.pairs[BOTH]:.1e}"
        else:
            pairs = ", ".join(f"{name} {error:.1e}" for name, error in self.pairs.items())
            found = f"error {self.error:.1e} ({pairs})"
        text = f"{self.verdict} with {self.limit.theorem}: {found}"
        if self.distance is not None:
            whose = "small-scale limit" if self.effective is None else "flow's own limit"
            text += f"; distance to the {whose} {self.distance:.2e}"
        text += self._effective_text()
        early = self.flow.outcome is Outcome.LOSS_REACHED and not self.closings
        if not self.trained or (early and not self.agrees):
            text += f"; {self.flow.outcome.value}"
        if self.limit.fitted is not None:
            text += "; the limit does not fit the data"
        if self.undecided and self.closings:
            enough = min(one.enough for one in self.closings)
            if np.isfinite(enough):
                text += f"; follow the flow further (until_log_margin={enough:.3g})"
        return text
