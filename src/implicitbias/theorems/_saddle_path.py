"""SaddlePath: what training passes on its way from a start of vanishing scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from implicitbias._arrays import ArrayLike, FloatArray, IntArray, finite_array, worst_of
from implicitbias._errors import InvalidInputError
from implicitbias._html import Badge
from implicitbias._results import Record
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.limits import Certificate

End = Literal["interpolation", "least loss", "growth"]
ENDS: dict[End, str] = {
    "interpolation": "the last saddle interpolates",
    "least loss": "training ends at the last saddle, with positive loss",
    "growth": "from then on the coefficients grow without bound",
}


@dataclass(frozen=True, eq=False, repr=False)
class SaddlePath(Record):
    """The saddles between which training jumps as the scale alpha of the start tends to 0.

    beta(t) tends to ``coefficients[i]`` for t between ``times[i]`` and ``times[i + 1]`` in units of
    log(1/alpha) for L = 2, of alpha^{-(L - 2)} for L > 2; before ``times[0]`` to 0.

    Attributes
    ----------
    coefficients
        beta, (k, d).
    times
        T at which each is reached, (k,), increasing.
    active
        For each, the decoupled coordinates that are not 0, ascending; of diagonal and two-sided
        networks the features.
    duals
        N at these times, (k, n): the integral of the negative residual in the units of time, so
        that S = Z^T N are the clocks.
    until
        The time at which the last is left; infinity where training ends there.
    growing
        Where it is left for coefficients that grow without bound: the coordinates that may.
    depth
        L: the degree to which beta grows with the parameters.
    certificates
        One for each: ``feasibility``, ||X beta - y|| / ||y|| where it interpolates, else 0;
        ``kkt_residual``, how far the clocks are from what makes it the next saddle and the loss
        from its least value on the cone of coordinates whose clocks have run out; ``error``.
    time_errors
        What each time is off by, relative to itself, an estimate, (k,).
    assumptions
        The verdicts of the result.
    end
        "interpolation", "least loss" where training ends without that, or "growth" where the
        first stage of a classification is over.
    theorem
        The result they rest on.
    """

    coefficients: FloatArray
    times: FloatArray
    active: tuple[IntArray, ...]
    duals: FloatArray
    until: float
    growing: IntArray
    depth: float
    certificates: tuple[Certificate, ...]
    time_errors: FloatArray
    assumptions: tuple[Verdict, ...]
    end: End
    theorem: str

    @property
    def final_coefficients(self) -> FloatArray:
        """The last saddle, (d,); 0 where there is none."""
        if not self.times.size:
            return np.zeros(self.coefficients.shape[1])
        last: FloatArray = self.coefficients[-1]
        return last

    @property
    def worst(self) -> float:
        """The largest number of all certificates and times."""
        numbers = [each.worst for each in self.certificates]
        return worst_of(0.0, *numbers, *self.time_errors.tolist())

    def coefficients_at(self, times: ArrayLike) -> FloatArray:
        """beta between the jumps, (len(times), d), at times T; NaN from ``until`` on.

        Raises
        ------
        InvalidInputError
            ``times`` is not a sequence of finite numbers >= 0.
        """
        wanted = finite_array(times, "times", shape=(None,))
        if not np.all(wanted >= 0.0):
            raise InvalidInputError(f"times contains {wanted.min():g}; expected numbers >= 0.")
        passed = np.searchsorted(self.times, wanted, side="right")
        known = np.vstack([np.zeros((1, self.coefficients.shape[1])), self.coefficients])
        found = known[passed]
        found[wanted >= self.until] = np.nan
        return np.asarray(found)

    def log_time_unit(self, log_scale: float) -> float:
        """log of what one unit of ``times`` is in the flow's t, at log alpha = ``log_scale`` < 0.

        Raises
        ------
        InvalidInputError
            It is not a finite number below 0.
        """
        log_alpha = float(finite_array(log_scale, "log_scale", shape=()))
        if not log_alpha < 0.0:
            raise InvalidInputError(
                f"log_scale is {log_alpha:g}; expected a number below 0: a small scale."
            )
        if self.depth == 2:
            return float(np.log(-log_alpha))
        return -(self.depth - 2) * log_alpha

    def _unit(self) -> str:
        return "log(1/alpha)" if self.depth == 2 else f"alpha^-{self.depth - 2:g}"

    def _short(self) -> str:
        count = self.times.size
        text = f"{count} saddle{'' if count == 1 else 's'}"
        if count:
            text += f" from T = {self.times[0]:.6g} to {self.times[-1]:.6g}"
        return f"{text} in units of {self._unit()}; worst certificate {self.worst:.1e}"

    def _badge(self) -> Badge:
        if self.worst <= CERTIFIED:
            return Badge("certified", "good")
        return Badge(f"certified only to {self.worst:.1e}", "open")

    def __str__(self) -> str:
        shown = 12
        lines = [f"{self._short()} ({self.theorem})"]
        for i in range(min(self.times.size, shown)):
            names = np.array2string(self.active[i], threshold=8, edgeitems=3, max_line_width=1000)
            lines.append(f"  T = {self.times[i]:<12.6g} not 0: {names}")
        if self.times.size > shown:
            lines.append(f"  ... and {self.times.size - shown} more")
        end = ENDS[self.end]
        if not self.times.size and not self.growing.size:
            end = "nothing moves: beta = 0 is the end"
        lines.append(f"  T = {self.until:.6g}: {end}" if self.growing.size else f"  {end}")
        return "\n".join([*lines, *(f"  {verdict}" for verdict in self.assumptions)])
