"""min sum_j Psi_j^*(rho_j) subject to Z rho = y: where the flow of a decomposable network ends.

Unknowns are the curves' parameters t (m,) and the dual point nu (n,), joined by

    Z rho(t) = y,        u(t) = u(t_0) + a * (Z^T nu),

with rho, u as in ``coordinates`` and a_j = exp((L - 2) (log C_j - max log C)), which puts nu in
units of exp(-(L - 2) max log C). Newton's method on both (``dual._newton``), with the mismatch of
the second equation *carried*, in units of t, by the recurrence of a Newton step: minus the
second-order remainder of u. Where u(t) is within rounding of the end of its range the recurrence
still knows the slack that Z^T nu no longer holds.

Source: Theorem 5 of Yun, Krishnan and Mobahi (ICLR 2021) and its extension to every real start.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, NumericArray
from implicitbias.coordinates import ScalarCurves
from implicitbias.dual import NewtonSystem, Rows, Slopes, newton_system
from implicitbias.features import ExactSums, Features, Lost, Precise, as_features
from implicitbias.limits.potential._seen import Seen

MAX_CORRECTIONS = 25
MAX_PATH_STEPS = 2000
MAX_ITERATIONS = MAX_CORRECTIONS * MAX_PATH_STEPS
ROUGH = 1e-2
FACTOR_KEPT = 1e-5  # steps this short change the Newton matrix by as little
WELL_CONDITIONED = 1e-5  # rcond from where on single precision is worth a try
STEP_CAP = 1.5  # largest change of t in one Newton step: rho changes by at most e^{1.5 L}
SHORT_STEP = 0.02  # up to here the carried mismatch needs every digit; longer ones are corrected
HOPELESS_STEP = 1e3  # a Newton step this long means that the guess was too far
FIRST_STEP = 12.0  # so does a first one this long: a shorter way is cheaper
UNEVEN = 2.0**-20  # rows this much smaller than others are brought to their size
LARGEST_TARGET = 1e150  # up to here targets of small rows may grow by that
FAR_OFF = 20.0  # so do predictions that miss the targets by this many times their size


@dataclass(frozen=True, eq=False)
class PotentialProblem:
    """min sum_j Psi_j^*(rho_j) s.t. Z rho = y.

    Attributes
    ----------
    features
        Z = X S^T, real, shape (n, m), of full row rank.
    target
        y, shape (n,).
    curves
        The m coordinates with their offsets and start.
    log_excess
        How far the scale asked for lies beyond the curves' own, in a regime where rho no longer
        depends on it.
    max_iterations
        Newton steps after which a path is given up.
    start
        p_l(0) up to one factor, (L, m), where these and Z are exact as given: then ties among the
        columns are decided in exact arithmetic. None where they were computed in float64.
    products
        Z, for products beyond float64; those of the features if None.
    rounding
        e (n,) and f (m,) with |Z_ij - exact| up to about e_i f_j; None where Z is exact.
    rough_start
        p_l(0) as computed, (L, m), and what entries are off by, (L, 1); None where it is exact.
    lost
        What rounding took from Z and y before, beside ``rounding``; None where nothing is known of.
    seen
        The coefficients S^T rho in which errors are measured; None where they are rho.
    row_exponents
        e, (n,): row i of Z and y is that asked for over 2^{e_i}; None where all e are 0.
    """

    features: Features
    target: FloatArray
    curves: ScalarCurves
    log_excess: float = 0.0
    max_iterations: int = MAX_ITERATIONS
    start: FloatArray | None = None
    products: Precise | ExactSums | None = field(default=None, repr=False)
    rounding: tuple[FloatArray, FloatArray] | None = field(default=None, repr=False)
    rough_start: tuple[NumericArray, FloatArray] | None = field(default=None, repr=False)
    seen: Seen | None = field(default=None, repr=False)
    lost: Lost | None = field(default=None, repr=False)
    row_exponents: IntArray | None = None

    def with_even_rows(self) -> PotentialProblem:
        """The same with small rows as large as the largest, where they are 2^20 times apart."""
        sizes = self.features.largest(1)
        if not sizes.size or not sizes.min() < UNEVEN * sizes.max():
            return self
        exponents = np.frexp(sizes)[1]
        exponents = np.where(sizes > 0.0, exponents - exponents.max(), 0)
        with np.errstate(over="ignore"):
            target = np.ldexp(self.target, -exponents)
        if not np.abs(target).max() < LARGEST_TARGET:
            return self
        rounding, lost = self.rounding, self.lost
        if rounding is not None:
            rounding = np.ldexp(rounding[0], -exponents), rounding[1]
        if lost is not None:
            entries = None if lost.entries is None else lost.entries.shifted(-exponents)
            lost = Lost(entries, np.ldexp(lost.targets, -exponents))
        return replace(
            self,
            features=self.features.shifted(-exponents),
            target=target,
            rounding=rounding,
            lost=lost,
            row_exponents=exponents,
        )

    def as_given(self, values: FloatArray) -> FloatArray:
        """Values (n,) or (n, k) in the units of these rows as in those of the rows asked for."""
        if self.row_exponents is None:
            return values
        return np.ldexp(values, self.row_exponents.reshape(-1, *[1] * (values.ndim - 1)))

    def dual_as_given(self, nu: FloatArray) -> FloatArray:
        """The dual point (n,) of the rows asked for: its terms nu_i z_i are the same."""
        return nu if self.row_exponents is None else np.ldexp(nu, -self.row_exponents)

    @property
    def precise(self) -> Precise | ExactSums:
        """Z, for products beyond float64: those of the features unless others are given."""
        return self.features.precise if self.products is None else self.products

    def shifted(self, log_scale_change: float) -> PotentialProblem:
        """The same problem at a scale exp(log_scale_change) times as large."""
        return replace(self, curves=self.curves.shifted(log_scale_change))

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", as_features(self.features))

    @property
    def actual_curves(self) -> ScalarCurves:
        """The curves at the scale that was asked for."""
        return self.curves.shifted(self.log_excess)


@dataclass(frozen=True, eq=False)
class PotentialState:
    """A point on the way, or the solution, and the work it took.

    Attributes
    ----------
    t
        The curves' parameters, shape (m,).
    nu
        The dual point in units of exp(-(L - 2) max log C), in the rows of ``rows``, shape (n,).
    mismatch
        (u(t_0) + a Z^T nu - u(t)) / u'(t), carried, shape (m,).
    rows
        The choice of rows last used.
    system
        The last Newton system, factored a short step away from t; None where t is only a guess.
    """

    t: FloatArray
    nu: FloatArray
    mismatch: FloatArray
    rows: Rows
    iterations: int = 0
    path_steps: int = 0
    system: NewtonSystem | None = field(default=None, repr=False)


class PathError(Exception):
    """The path could not be followed; the last good state is kept as evidence.

    ``curves``, those of the state, are given where the path could have gone on.
    """

    def __init__(
        self, message: str, state: PotentialState, curves: ScalarCurves | None = None
    ) -> None:
        super().__init__(message)
        self.state, self.curves = state, curves


def log_dual_weights(curves: ScalarCurves) -> FloatArray:
    """log a_j = (L - 2) (log C_j - max log C), shape (m,)."""
    return np.asarray((curves.depth - 2) * (curves.log_unit - curves.log_unit.max()))


def at_actual_scale(
    problem: PotentialProblem, state: PotentialState
) -> tuple[PotentialProblem, PotentialState]:
    """The same solution at the scale that was asked for, where t does not depend on it."""
    system, growth = state.system, problem.curves.depth * problem.log_excess
    state = replace(state, system=None if system is None else system.at_scale(growth))
    return replace(problem, curves=problem.actual_curves, log_excess=0.0), state


def slopes_at(curves: ScalarCurves, t: FloatArray) -> Slopes:
    """log rho', log u' and log a at t."""
    return Slopes(curves.log_rho_slope(t), curves.log_u_slope(t), log_dual_weights(curves))


def _moved(
    curves: ScalarCurves,
    state: PotentialState,
    step: float,
    dt: FloatArray,
    dnu: FloatArray,
    keep: float,
) -> PotentialState:
    """The state after a step along (dt, dnu), ``keep`` of its mismatch carried over."""
    moved = step * dt
    t = state.t + moved
    if float(np.abs(moved).max(initial=0.0)) > SHORT_STEP:
        beyond = curves.u_increment(state.t, moved, relative=True) - moved
    else:
        beyond = curves.u_remainder(state.t, moved, relative=True)
    mismatch = keep * state.mismatch - beyond
    with np.errstate(over="ignore", invalid="ignore"):
        mismatch = mismatch * np.exp(curves.log_u_slope(state.t) - curves.log_u_slope(t))
    return replace(state, t=t, nu=state.nu + step * dnu, mismatch=mismatch, system=None)


def moved_along(
    curves: ScalarCurves, state: PotentialState, step: float, dt: FloatArray, dnu: FloatArray
) -> PotentialState:
    """The state after a step along a path's tangent, its mismatch carried over whole."""
    return _moved(curves, state, step, dt, dnu, keep=1.0)


def _with_rows(
    problem: PotentialProblem, curves: ScalarCurves, state: PotentialState, rows: Rows
) -> PotentialState:
    """The same state in other rows. For L = 2 the mismatch follows from nu, to rounding."""
    if rows is state.rows:
        return state
    given = state.rows.dual_as_given(state.nu)
    nu = rows.dual_from_given(given, problem.features)
    mismatch = state.mismatch
    if curves.depth == 2:
        clock = curves.u(curves.t0) + rows.features.T @ nu
        mismatch = (clock - curves.u(state.t)) * np.exp(-curves.log_u_slope(state.t))
    return replace(state, nu=nu, mismatch=mismatch, rows=rows)


def linearise(
    problem: PotentialProblem,
    curves: ScalarCurves,
    state: PotentialState,
    *,
    combine: bool = False,
    rough: bool = False,
) -> tuple[NewtonSystem, PotentialState] | None:
    """The factored Newton system at a state, and the state in the rows it chose."""
    slopes = slopes_at(curves, state.t)
    system = newton_system(problem.features, state.rows, slopes, combine=combine, rough=rough)
    if system is None:
        return None
    return system, _with_rows(problem, curves, state, system.rows)


def last_system(
    problem: PotentialProblem,
    curves: ScalarCurves,
    state: PotentialState,
    *,
    rough: bool = False,
) -> tuple[NewtonSystem, PotentialState] | None:
    """The system that led to a state, or one factored there: good enough for a tangent."""
    if state.system is not None:
        return state.system, state
    return linearise(problem, curves, state, rough=rough)


def correct(
    problem: PotentialProblem,
    curves: ScalarCurves,
    target: FloatArray,
    state: PotentialState,
    *,
    rough: bool = False,
) -> PotentialState | None:
    """Newton's method at fixed target and scale; None where it does not converge.

    ``rough`` stops at two digits, enough to follow a path. Otherwise at some five; the rest is for
    ``_refine``.
    """
    close = ROUGH if rough else FACTOR_KEPT
    goal = state.rows.target(target)
    if not missing_from(state.rows.features, goal, curves, state.t)[1] < FAR_OFF:
        return None
    known: NewtonSystem | None = None
    for count in range(MAX_CORRECTIONS):
        well = rough and (known is None or known.rcond > WELL_CONDITIONED)
        if count == 0:
            found = last_system(problem, curves, state, rough=well)
        else:
            combine = known is not None and known.combined is not None  # and so it stays
            found = linearise(problem, curves, state, combine=combine, rough=well)
        if found is None:
            return None
        if found[0].rows is not state.rows:
            goal = found[0].rows.target(target)
        known, state = found
        step = newton_step(curves, state, known, goal)
        if step is None or (count == 0 and step[1] > FIRST_STEP):
            return None
        state, length, missing = step
        state = replace(state, iterations=state.iterations + 1)
        if length >= close or missing > close:
            continue
        return replace(state, system=known)
    return None


def newton_step(
    curves: ScalarCurves, state: PotentialState, system: NewtonSystem, goal: FloatArray
) -> tuple[PotentialState, float, float] | None:
    """The state after a damped step, the step's length and what was missing relative to goal."""
    missing, part = missing_from(system.rows.features, goal, curves, state.t)
    if part == np.inf:
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # steps beyond float64 are none
        dt, dnu = system.solve(missing, state.mismatch)
    length = float(np.abs(dt).max(initial=0.0))
    if not (length < HOPELESS_STEP and np.isfinite(dnu).all()):
        return None
    step = min(1.0, STEP_CAP / length) if length > 0 else 1.0
    return _moved(curves, state, step, dt, dnu, 1.0 - step), length, part


def missing_from(
    features: Features, goal: FloatArray, curves: ScalarCurves, t: FloatArray
) -> tuple[FloatArray, float]:
    """What is missing of the goal, and its size relative to the goal, or to the start if 0.

    Infinite where rho does not fit float64.
    """
    rho = curves.rho(t)
    if not np.isfinite(rho).all():
        return goal, np.inf
    with np.errstate(over="ignore", invalid="ignore"):
        missing = goal - features @ rho
    if not np.isfinite(missing).all():
        return goal, np.inf
    part, size = (float(np.abs(each).max(initial=0.0)) for each in (missing, goal))
    if size == 0.0:
        size = float(features.absolute(curves.rho(curves.t0)).max(initial=0.0))
    return missing, part / size if part > 0.0 else 0.0
