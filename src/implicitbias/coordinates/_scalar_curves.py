"""What every decoupled coordinate is: rho as an increasing function of its own clock."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from copy import copy
from fractions import Fraction
from typing import ClassVar, Self

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray, NumericArray
from implicitbias.coordinates._direct import Direct
from implicitbias.coordinates._points import Point

RATE_STEP = 2.0**-12  # over which slopes are compared


class ScalarCurves(ABC):
    """m coordinates rho_j = psi_j(s_j), each increasing in its clock s_j, Psi_j' = psi_j convex.

    A real parameter t, increasing in s, stands for both: rho = rho(t), and in units
    s = exp(-(L - 2) log_unit) (u(t) - u(t0)), L being the degree to which beta grows with the
    parameters: rho from a start e^c times as large is e^{L c} rho of the clock e^{(L - 2) c} s.

    - crossing: rho takes every value; s in a range around 0, finite for L > 2;
    - locked: rho keeps its sign and reaches 0 only as t -> -+inf;
    - dead: rho = 0 for ever; t = s.

    Every method takes and returns arrays of shape (m,), unless it says otherwise.
    """

    log_unit: FloatArray
    growth_rate: ClassVar[float]  # d log |rho| / d |s| for long clocks, L = 2

    @property
    @abstractmethod
    def depth(self) -> float:
        """L."""

    @property
    def size(self) -> int:
        """m."""
        return self.log_unit.size

    @property
    @abstractmethod
    def t0(self) -> FloatArray:
        """The parameter at s = 0."""

    @property
    @abstractmethod
    def locked(self) -> BoolArray:
        """Where rho keeps its sign."""

    @property
    @abstractmethod
    def orientation(self) -> FloatArray:
        """-1 where rho is locked below 0, else 1: its sign, however small."""

    @property
    @abstractmethod
    def dead(self) -> BoolArray:
        """Where rho = 0 for ever."""

    @property
    def turning(self) -> BoolArray:
        """Where rho has a constant imaginary part."""
        return np.zeros(self.size, dtype=bool)

    @property
    def imaginary(self) -> FloatArray:
        """That part; 0 elsewhere."""
        return np.zeros(self.size)

    @property
    def equal(self) -> bool:
        """Whether all coordinates follow one curve whose rho is known by the clock alone."""
        return False

    @abstractmethod
    def shifted(self, log_scale_change: float | FloatArray) -> Self:
        """Return the same directions at scales exp(log_scale_change) times as large; one or m."""

    @abstractmethod
    def begun_at(self, t: FloatArray) -> Self:
        """Return the same curves with s = 0 at t."""

    @abstractmethod
    def take(self, keep: BoolArray | IntArray) -> Self:
        """Return the coordinates ``keep`` (indices or a mask) alone."""

    def remembering(self) -> Self:
        """The same, which keeps what it found at the last two t: those must stay as they are."""
        kept = copy(self)
        for name in ("log_abs_rho", "rho", "log_rho_slope", "log_u_slope", "u"):
            kept.__dict__[name] = _Remembered(getattr(self, name))
        return kept

    # rho

    @abstractmethod
    def log_abs_rho(self, t: FloatArray) -> FloatArray:
        """log |rho|, in actual units."""

    def rho(self, t: FloatArray) -> FloatArray:
        """rho; 0 or inf on under- or overflow."""
        return self._signs(t) * exp(self.log_abs_rho(t))

    def _signs(self, t: FloatArray) -> FloatArray:
        return np.where(self.locked, self.orientation, np.sign(t))

    def scaled_rho(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """rho over exp(log_size), and log_size, that of the largest; 0 and -inf if all vanish.

        Here t may be a stack (..., m); log_size is then (...).
        """
        logs = self.log_abs_rho(t)
        top = logs.max(axis=-1, initial=-np.inf)
        return self._signs(t) * exp(logs - np.where(top == -np.inf, 0.0, top)[..., None]), top

    def rho_from_u(self, u: FloatArray) -> FloatArray:
        """rho at the clock u; NaN outside the range."""
        return self.rho(self.t_from_u(u))

    def direct(self) -> tuple[Direct, FloatArray] | None:
        """r and what of it is rho, rho = units r(u), if one function of u serves all; else None."""
        return None

    @abstractmethod
    def log_rho_slope(self, t: FloatArray) -> FloatArray:
        """Log of d rho / dt, in actual units."""

    @abstractmethod
    def t_from_rho(self, sign: FloatArray, log_abs_rho: FloatArray) -> FloatArray:
        """t with rho(t) = sign exp(log_abs_rho); NaN where the coordinate cannot reach it.

        rho = 0 (sign 0, or log_abs_rho -inf) is t = 0 where crossing or dead and t = -+inf, the
        limit, where locked.
        """

    def point(self, t: FloatArray) -> Point:
        """What a step from t asks for, evaluated once; t must stay as it is."""
        return Point(self, t)

    # the clock

    @abstractmethod
    def u(self, t: FloatArray) -> FloatArray:
        """The clock in units: odd where crossing, L > 2: 0 at the finite end where locked."""

    @abstractmethod
    def log_u_slope(self, t: FloatArray) -> FloatArray:
        """Log of du/dt."""

    def slope_rates(self, t: FloatArray) -> tuple[FloatArray, FloatArray]:
        """d log rho' / dt and d log u' / dt to some digits; 0 where dead."""
        below, above = t - RATE_STEP, t + RATE_STEP
        with np.errstate(divide="ignore", invalid="ignore"):
            rho = (self.log_rho_slope(above) - self.log_rho_slope(below)) / (above - below)
            clock = (self.log_u_slope(above) - self.log_u_slope(below)) / (above - below)
        return np.where(np.isfinite(rho), rho, 0.0), np.where(np.isfinite(clock), clock, 0.0)

    @abstractmethod
    def u_limits(self) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of u's range."""

    def clock_lengths(self) -> tuple[FloatArray, FloatArray]:
        """From u(t0) down to the lower end of u's range, and up to the upper one."""
        low, high = self.u_limits()
        here, near = self.u(self.t0), self.slack(self.t0)  # the latter of all digits near an end
        up = np.where(self.locked, self.orientation > 0.0, self.t0 > 0.0)
        down = np.where(self.locked, self.orientation < 0.0, self.t0 < 0.0)
        known = np.isfinite(near)
        below = np.where(down & known, near, here - low)
        return below, np.where(up & known, near, high - here)

    def small_scale_lengths(self) -> tuple[FloatArray, FloatArray]:
        """log w^- and log w^+, (m,) each: how long clocks last as the scale alpha tends to 0.

        A clock s that moves to one side makes rho of order one at w log(1/alpha) for L = 2, at
        w alpha^{-(L - 2)} for L > 2, log alpha being counted from these curves; infinite where the
        coordinate does not grow to that side.
        """
        if self.depth == 2:
            below = above = np.full(self.size, 2.0 / self.growth_rate)
        else:
            below, above = self.clock_lengths()
        closed = (self.dead | (self.locked & (side * self.orientation > 0)) for side in (1, -1))
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = [
                np.where(shut, np.inf, np.log(length) - (self.depth - 2) * self.log_unit)
                for shut, length in zip(closed, (below, above), strict=True)
            ]
        return logs[0], logs[1]

    @abstractmethod
    def log_slack(self, t: FloatArray) -> FloatArray:
        """Log of the slack; never underflows."""

    def slack(self, t: FloatArray) -> FloatArray:
        """Distance from u(t) to the end of its range on t's side; where locked, to its one end."""
        return exp(self.log_slack(t))

    @abstractmethod
    def u_increment(self, t: FloatArray, dt: FloatArray, *, relative: bool = False) -> FloatArray:
        """u(t + dt) - u(t), or that over u'(t), without cancellation."""

    @abstractmethod
    def u_remainder(self, t: FloatArray, dt: FloatArray, *, relative: bool = False) -> FloatArray:
        """u(t + dt) - u(t) - u'(t) dt, or that over u'(t), without cancellation."""

    @abstractmethod
    def t_from_u(self, u: FloatArray) -> FloatArray:
        """t with u(t) = u; NaN outside the range."""

    @abstractmethod
    def t_increment(self, t: FloatArray, du: FloatArray) -> FloatArray:
        """dt with u(t + dt) = u(t) + du, without cancellation; NaN outside the range."""

    @abstractmethod
    def t_from_log_slack(self, sides: FloatArray, log_slack: FloatArray) -> FloatArray:
        """t on the side +-1 by the log of its slack, L > 2; NaN beyond half of the range."""

    # what ties depend on

    @abstractmethod
    def kind(self, layers: FloatArray, side: float) -> tuple[Hashable, Fraction]:
        """What the length of a clock to one side depends on, and an exact factor of it, L > 2.

        Lengths of one kind are to each other as these factors; ``layers`` is a start's column.
        """

    @abstractmethod
    def log_ahead(self, sides: FloatArray) -> FloatArray:
        """The constant of log |rho| for long clocks on the side +-1, L = 2, beside all others'."""

    # layers and potentials

    @abstractmethod
    def layers(self, t: FloatArray) -> NumericArray:
        """The layers, (k, m), in their original order."""

    @abstractmethod
    def potential(self, t: FloatArray) -> FloatArray:
        """Psi(s(t)), 0 at t0."""

    def conjugate(self, t: FloatArray) -> FloatArray:
        """Psi*(rho(t)) = rho s - Psi = int s d rho >= 0."""
        return self.divergence(t, self.t0)

    def divergence(self, t: FloatArray, t_other: FloatArray) -> FloatArray:
        """Psi*(rho(t)) + Psi(s') - rho(t) s' >= 0 at s' = s(t_other)."""
        return exp(self.log_divergence(t, t_other))

    @abstractmethod
    def log_divergence(self, t: FloatArray, t_other: FloatArray) -> FloatArray:
        """Log of the divergence, -inf where t = t_other; never under- or overflows."""

    # in the units of the network

    def psi(self, s: FloatArray) -> FloatArray:
        """rho = psi(s); NaN outside the clock's range."""
        return self.rho(self.t0 + self._step(s))

    def psi_slope(self, s: FloatArray) -> FloatArray:
        """psi'(s) > 0."""
        t = self.t0 + self._step(s)
        ratio = self.log_rho_slope(t) - self.log_u_slope(t)
        return exp(ratio + (self.depth - 2) * self.log_unit)

    def potential_of_s(self, s: FloatArray) -> FloatArray:
        """Psi(s), convex, Psi' = psi; inf outside the clock's range."""
        step = self._step(s)
        outside = np.isnan(step)
        return np.where(outside, np.inf, self._potential(np.where(outside, 0.0, step)))

    def conjugate_of_rho(self, rho: FloatArray) -> FloatArray:
        """Psi*(rho), convex; inf where the coordinate cannot reach rho."""
        with np.errstate(divide="ignore"):
            t = self.t_from_rho(np.sign(rho), np.log(np.abs(rho)))
        outside = np.isnan(t)
        return np.where(outside, np.inf, self.conjugate(np.where(outside, self.t0, t)))

    def _step(self, s: FloatArray) -> FloatArray:
        """t - t0 at the clock s."""
        with np.errstate(over="ignore", divide="ignore"):
            log_s = np.log(np.abs(s))
            du = np.sign(s) * np.exp(log_s + (self.depth - 2) * self.log_unit)
        return self.t_increment(self.t0, du)

    @abstractmethod
    def _potential(self, step: FloatArray) -> FloatArray:
        """Psi at t0 + step."""


class _Remembered:
    """A function of one array that keeps its last two values; these are closed to writing."""

    def __init__(self, function: Callable[[FloatArray], FloatArray]) -> None:
        self._function = function
        self._last: list[tuple[FloatArray, FloatArray]] = []

    def __call__(self, t: FloatArray) -> FloatArray:
        for known, value in self._last:
            if known is t:
                return value
        value = self._function(t)
        value.flags.writeable = False
        self._last = [(t, value), *self._last[:1]]
        return value


def exp(log_value: FloatArray) -> FloatArray:
    """exp with silent under- and overflow."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(log_value)
