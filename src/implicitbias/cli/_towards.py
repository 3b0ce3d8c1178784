"""How far a run has come towards its end, on the scales on which training moves."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from implicitbias.flow import FlowState

SURE = 0.02  # done before the time left is worth a word


class Towards:
    """Percent done and time left, as training closes in on the first of its ends.

    Residuals fall and margins grow by powers, so parts of the way are counted in their logarithms;
    steps and times are counted as they are. A plateau is one: the number stands still on it.

    Parameters
    ----------
    residual
        Regression: ends at this ||X beta - y|| / ||y||; 0 never does.
    margin
        Classification: ends at this margin.
    ends
        Pairs of an attribute of ``FlowState`` and its value at the end, None for none.
    loss
        The loss at which it ends, instead of a residual or a margin; None for those.
    """

    def __init__(
        self,
        residual: float,
        margin: float | None = None,
        ends: Sequence[tuple[str, float | None]] = (),
        loss: float | None = None,
    ) -> None:
        self._residual, self._margin, self._ends, self._loss = residual, margin, ends, loss
        self._first: float | None = None
        self._began: float | None = None

    def share(self, state: FlowState) -> float:
        """The part of the way that is done, from 0 to 1."""
        shares = [getattr(state, name) / end for name, end in self._ends if end is not None]
        if self._loss is not None:
            shares.append(self._fallen(state.log_loss, math.log(self._loss)))
        elif state.residual > 0.0:  # NaN in classification
            end = math.log(self._residual) if self._residual > 0.0 else -math.inf
            shares.append(self._fallen(math.log(state.residual), end))
        elif state.log_margin is not None and self._margin is not None and self._margin > 1.0:
            shares.append(state.log_margin / math.log(self._margin))
        return min(1.0, float(max([0.0, *shares])))

    def _fallen(self, log: float, end: float) -> float:
        """The part of its fall to the end that a logarithm has left behind."""
        self._first = log if self._first is None else self._first
        return (self._first - log) / (self._first - end) if self._first > end else 0.0

    def told(self, state: FlowState) -> str:
        """Such as "42 %, 3 s so far, about 4 s left"."""
        now = time.monotonic()
        self._began = now if self._began is None else self._began
        return share_told(self.share(state), now - self._began)


def share_told(share: float, seconds: float) -> str:
    """Such as "42 %, 3 s so far, about 4 s left", where the rest goes like what is done."""
    text = f"{100 * share:.0f} %, {seconds:.0f} s so far"
    if share < SURE:
        return text
    return f"{text}, about {seconds * (1.0 - share) / share:.0f} s left"
