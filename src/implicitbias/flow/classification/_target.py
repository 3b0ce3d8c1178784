"""Where a classification flow is done: at a margin, or at a loss."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from implicitbias._errors import Outcome
from implicitbias.flow._arguments import Request
from implicitbias.flow._budget import End
from implicitbias.flow.classification._system import MarginPoint


@dataclass(frozen=True)
class Target:
    """The end asked for: whichever of the two comes first.

    Attributes
    ----------
    log_margin
        Log of the smallest margin; infinity where only the loss counts.
    log_loss
        Log of the training loss, or None.
    """

    log_margin: float
    log_loss: float | None = None

    def passed(self, point: MarginPoint) -> float:
        """Growing along the flow, and >= 0 from the end on."""
        margin = point.log_margin - self.log_margin
        return margin if self.log_loss is None else max(margin, self.log_loss - point.log_loss)

    def within(self, log_margin: float) -> Target:
        """The same, and not beyond this margin."""
        return replace(self, log_margin=min(self.log_margin, log_margin))

    def highest(self, num_points: int) -> float:
        """Log of the margin at which it is reached, or of one beyond."""
        if self.log_loss is None:
            return self.log_margin
        margin = float(np.log(num_points)) - self.log_loss  # loss <= n exp(-margin)
        return min(self.log_margin, float(np.log(max(margin, 1.0))))

    def end(self, point: MarginPoint, where: str = "") -> End:
        """Why a flow ends at this point."""
        if point.log_margin >= self.log_margin:
            return End(Outcome.MARGIN_REACHED, f"margin {point.margin:.4g}{where}.")
        return End(
            Outcome.LOSS_REACHED,
            f"loss exp({point.log_loss:.10g}) at margin {point.margin:.4g}{where}.",
        )


def target_of(request: Request) -> Target:
    """What a request asks for."""
    if request.goal.log_loss is None:
        return Target(request.log_target)
    return Target(np.inf, request.goal.log_loss)
