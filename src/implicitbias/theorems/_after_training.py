"""What training decides of the assumptions, once it has ended."""

from __future__ import annotations

from collections.abc import Sequence

from implicitbias._verdicts import Verdict
from implicitbias.theorems._assumptions import DRIVER_CONVERGES, FALLS_BELOW_ONE


def decided_by_training(
    verdicts: Sequence[Verdict], log_loss: float, driver: Verdict | None = None
) -> tuple[Verdict, ...]:
    """The verdicts with what training says: its lowest log loss, whether that fell below 0.

    ``driver`` is what it says of the direction of X^T r (``Theorem1.direction_settled``), if that
    was measured. What is decided already is kept, and so is "undecided" where the loss stayed above
    1: nobody knows how it would have gone on.
    """
    said = {} if driver is None else {DRIVER_CONVERGES: driver}
    if log_loss < 0.0:
        detail = "the lowest log of the loss in training"
        said[FALLS_BELOW_ONE] = Verdict(FALLS_BELOW_ONE, "holds", log_loss, detail)
    return tuple(
        said.get(one.assumption, one) if one.status == "undecided" else one for one in verdicts
    )
