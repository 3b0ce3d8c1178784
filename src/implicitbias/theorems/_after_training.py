"""What training decides of the assumptions, once it has ended."""

from __future__ import annotations

from collections.abc import Sequence

from implicitbias._verdicts import Verdict
from implicitbias.theorems._assumptions import FALLS_BELOW_ONE


def decided_by_training(verdicts: Sequence[Verdict], log_loss: float) -> tuple[Verdict, ...]:
    """The verdicts with what the lowest log loss of training says: whether it fell below 0.

    What is decided already is kept, and so is "undecided" where the loss stayed above 1: nobody
    knows how it would have gone on.
    """
    if not log_loss < 0.0:
        return tuple(verdicts)
    fell = Verdict(FALLS_BELOW_ONE, "holds", log_loss, "the lowest log of the loss in training")
    return tuple(
        fell if one.status == "undecided" and one.assumption == FALLS_BELOW_ONE else one
        for one in verdicts
    )
