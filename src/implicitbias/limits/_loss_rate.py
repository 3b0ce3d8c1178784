"""How the training loss of a classification falls, from the limit direction alone.

For a network of degree D (f(x; c Theta) = c^D f(x; Theta)) whose layers tend to a direction, let
S be ||Theta||^2 where the smallest margin is 1. Then, with x = log(1 / loss),

    loss ~ (S / D^2) / (t (log t)^{2 - 2/D}),   t = (S / D^2) int^x (s + H)^{2/D - 2} e^s ds,

H = - sum_i p_i log p_i, p the limits of the points' shares of the loss, which are the multipliers
over their sum, of several those of largest entropy. The left is the right's leading order; the
right holds to O(1 / x^2), and to powers of 1 / x by which the layers' direction closes in: x^{-4/D}
where their squared norms differ. Source: Lyu and Li, ICLR 2020, for the rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from implicitbias._arrays import EPS, FloatArray, real_argument
from implicitbias._results import Record

TERMS = 200  # of the asymptotic series
STEPS = 60  # of Newton's method, which needs about 5
LEAST = 5.0  # of x + H: below it the series says nothing


@dataclass(frozen=True, repr=False)
class LossRate(Record):
    """log t = log_constant + x - (2 - 2/D) log(x + H) + .., x = log(1 / loss).

    Attributes
    ----------
    degree
        D: the depth L, or the power of a two-sided network.
    log_constant
        log(||Theta||^2 / D^2) where the smallest margin is 1: L^{-2} gamma^{-2/L} of the normalised
        margin gamma = margin / ||Theta||^L.
    entropy
        H, of the points' shares of the loss; 0 for a single support point.
    entropy_error
        By how much H may be off: not 0 where the points may share the loss in several ways and the
        start decides. Times are then off by up to this over x, relative.
    """

    degree: float
    log_constant: float
    entropy: float
    entropy_error: float = 0.0
    _one_line: ClassVar[bool] = True

    @property
    def constant(self) -> float:
        """C of loss ~ C / (t (log t)^power)."""
        return float(np.exp(self.log_constant))

    @property
    def power(self) -> float:
        """2 - 2/D: 1 for two layers, 2 for infinitely many."""
        return 2.0 - 2.0 / self.degree

    def log_times(self, log_losses: Any) -> FloatArray:
        """log t at which the log of the loss is ``log_losses``; NaN for losses near 1 or above.

        Raises
        ------
        InvalidInputError
            Not real numbers.
        """
        height = self.entropy - real_argument(log_losses, "log_losses")
        usable = height >= LEAST
        safe = np.where(usable & np.isfinite(height), height, LEAST)
        found = self.log_constant - self.entropy + safe - self.power * np.log(safe)
        found = np.where(usable, found + np.log(_series(safe, self.power)), np.nan)
        return np.where(height == np.inf, np.inf, found)

    def log_losses(self, log_times: Any) -> FloatArray:
        """The log of the loss at log t, the inverse of ``log_times``; NaN at times too early.

        Raises
        ------
        InvalidInputError
            Not real numbers.
        """
        wanted = real_argument(log_times, "log_times")
        earliest = float(self.log_times(self.entropy - LEAST))
        usable = wanted >= earliest
        safe = np.where(usable & np.isfinite(wanted), wanted, earliest + 1.0)
        height = np.maximum(safe - self.log_constant + self.entropy, LEAST)
        for _ in range(STEPS):
            slope = 1.0 - self.power / (height + self.power)  # of log t by x, nearly
            step = (safe - self.log_times(self.entropy - height)) / slope
            height = np.maximum(height + step, LEAST)
            if float(np.abs(step / height).max(initial=0.0)) <= 2 * EPS:
                break
        found = np.where(usable, self.entropy - height, np.nan)
        return np.where(wanted == np.inf, -np.inf, found)

    def __str__(self) -> str:
        logarithm = "log t" if self.power == 1.0 else f"(log t)^{self.power:.4g}"
        return f"loss ~ {self.constant:.6g} / (t {logarithm})"


def _series(height: FloatArray, power: float) -> FloatArray:
    """1 + p/X + p (p + 1)/X^2 + .., up to its smallest term: int^X s^-p e^s ds over X^-p e^X."""
    total, term = np.ones_like(height), np.ones_like(height)
    for k in range(TERMS):
        following = term * (power + k) / height
        term = np.where((power + k) < height, following, 0.0)
        total = total + term
        if float(term.max(initial=0.0)) < EPS:
            break
    return total
