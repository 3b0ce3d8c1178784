"""How far a run has come towards its end, on the scales on which training moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from implicitbias.flow._result import FlowState


class Towards:
    """The part of the way that is done, as training closes in on the first of its ends.

    Residuals fall and margins grow by powers, so parts of the way are counted in their logarithms;
    steps and times are counted as they are. A plateau is one: the number stands still on it.

    Parameters
    ----------
    residual
        Regression: ends at this ||X beta - y|| / ||y||; 0 never does, and None is none.
    log_margin
        Classification: ends at this logarithm of the margin.
    log_loss
        The logarithm of the loss at which it ends, instead of a residual or a margin; None for
        those.
    ends
        Pairs of an attribute of ``FlowState`` and its value at the end, None for none.
    """

    def __init__(
        self,
        residual: float | None,
        log_margin: float | None = None,
        log_loss: float | None = None,
        ends: Sequence[tuple[str, float | None]] = (),
    ) -> None:
        self._log_residual = math.log(residual) if residual else -math.inf
        self._log_margin, self._log_loss, self._ends = log_margin or 0.0, log_loss, ends
        self._first: float | None = None

    def share(self, state: FlowState) -> float:
        """From 0 to 1."""
        shares = [getattr(state, name) / end for name, end in self._ends if end is not None]
        if self._log_loss is not None:
            shares.append(self._fallen(state.log_loss, self._log_loss))
        elif state.residual > 0.0:  # NaN in classification
            shares.append(self._fallen(math.log(state.residual), self._log_residual))
        elif state.log_margin is not None and self._log_margin > 0.0:
            shares.append(state.log_margin / self._log_margin)
        return min(1.0, float(max([0.0, *shares])))

    def _fallen(self, log: float, end: float) -> float:
        """The part of its fall to the end that a logarithm has left behind."""
        self._first = log if self._first is None else self._first
        return (self._first - log) / (self._first - end) if self._first > end else 0.0

    def telling(
        self, callback: Callable[[FlowState], object] | None
    ) -> Callable[[FlowState], object] | None:
        """The callback, told the part that is done; None for none."""
        if callback is None:
            return None
        return lambda state: callback(replace(state, share=self.share(state)))
