"""The certificates of many small solved potential problems, as ``_certify`` and ``_refine``.

The same corrections from residuals beyond float64, the same first-order effect of every rounding,
the same gap. Members that need more (combined rows, exact sums, features that are themselves
rounded) are not settled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import EPS, BoolArray, FloatArray, IntArray
from implicitbias.coordinates import ScalarCurves
from implicitbias.dual import StackSystem
from implicitbias.limits._limit import PLAIN
from implicitbias.limits.potential._certify import BARELY, HELD, LOG2, NEAR, ROUGH, STILL, UNSEEN
from implicitbias.limits.potential._doubt import (
    FEW,
    LARGEST,
    LARGEST_EXPONENT,
    LAST_BIT,
    NOTHING,
    draws_of,
)
from implicitbias.limits.potential._refine import ENOUGH, KEPT, SETTLED
from implicitbias.limits.potential._stack import PotentialStack, all_finite, largest
from implicitbias.limits.potential._stack_path import Arrived

MOST_CORRECTIONS = 6


@dataclass(frozen=True, eq=False)
class StackSolution:
    """Solutions with their certificates, one a row; only what is ``settled`` means anything.

    Attributes
    ----------
    members, stops
        Which member, at which of its scales, (B,).
    settled
        Whether the certificate is that of the ordinary solver, (B,).
    t, rho, nu
        (B, m), (B, m), and (B, n) in actual units.
    layers
        (L, B, m).
    feasibility, gap, error
        (B,) each.
    first_order
        Whether the gap is that with the carried slack, (B,).
    iterations
        (B,).
    """

    members: IntArray
    stops: IntArray
    settled: BoolArray
    t: FloatArray
    rho: FloatArray
    nu: FloatArray
    layers: FloatArray
    feasibility: FloatArray
    gap: FloatArray
    error: FloatArray
    first_order: BoolArray
    iterations: IntArray


def certify_stack(problem: PotentialStack, found: Arrived) -> StackSolution:
    """Correct and measure ``found``; ``problem`` has the same rows."""
    with np.errstate(all="ignore"):
        return _certified(problem, found)


def _certified(problem: PotentialStack, found: Arrived) -> StackSolution:
    curves = problem.at(found.log_scales)
    at = _corrected(problem, curves, found)
    lost = _lost(problem, curves, at)
    feasibility, gap, first_order, measured = _gap(problem, curves, at)
    layers = curves.layers(at.t.ravel())
    rest = _layer_error(problem, curves, at, layers)
    settled = at.settled & measured & (lost <= ENOUGH)
    log_units = -(curves.depth - 2) * problem.rows(curves.log_unit).max(axis=1)
    return StackSolution(
        *(found.members, found.stops, settled, at.t, at.rho),
        at.nu * np.exp(log_units)[:, None],
        problem.rows(layers),
        *(feasibility, gap, np.maximum(at.error + lost + _lost_before(problem, curves, at), rest)),
        *(first_order, at.iterations),
    )


@dataclass(eq=False)
class _At:
    """Points, and what all measurements ask of them, one a row."""

    t: FloatArray
    nu: FloatArray
    system: StackSystem
    iterations: IntArray
    rho: FloatArray
    log_rho: FloatArray
    log_rho_slope: FloatArray
    log_u_slope: FloatArray
    missing: FloatArray  # y - Z rho
    mismatch: FloatArray
    moved: FloatArray  # u(t) - u(t_0)
    dt: FloatArray
    dnu: FloatArray
    error: FloatArray
    settled: BoolArray

    @property
    def slope(self) -> FloatArray:
        """rho' / |rho|_inf."""
        top = self.log_rho.max(axis=1, keepdims=True)
        return np.asarray(np.exp(np.minimum(self.log_rho_slope - top, LARGEST_EXPONENT)))

    def put(self, index: IntArray, other: _At) -> None:
        """Overwrite some rows."""
        for name, value in vars(self).items():
            if name == "system":
                continue  # theirs are a part of these
            value[index] = getattr(other, name)


def _corrected(problem: PotentialStack, curves: ScalarCurves, found: Arrived) -> _At:
    """Corrections until one is rounding, for the fewer and fewer members that need more."""
    at = _measured(problem, curves, found.t, found.nu, found.system, found.iterations)
    left = np.flatnonzero(~at.settled)
    for _ in range(MOST_CORRECTIONS):
        left = left[largest(at.dt[left]) < KEPT]
        if not left.size:
            break
        part = problem.take(left)
        own = part.at(found.log_scales[left])
        t, nu = at.t[left] + at.dt[left], at.nu[left] + at.dnu[left]
        again = _measured(part, own, t, nu, at.system.take(left), at.iterations[left] + 1)
        at.put(left, again)
        left = left[~again.settled]
    return at


def _measured(
    problem: PotentialStack,
    curves: ScalarCurves,
    t: FloatArray,
    nu: FloatArray,
    system: StackSystem,
    iterations: IntArray,
) -> _At:
    """The residuals at t and nu, beyond float64, and the Newton step from them."""
    rows, features, flat = problem.rows, problem.features, t.ravel()
    rho, log_rho = rows(curves.rho(flat)), rows(curves.log_abs_rho(flat))
    log_rho_slope, log_u_slope = rows(curves.log_rho_slope(flat)), rows(curves.log_u_slope(flat))
    missing = features.residual(rho, problem.targets)
    moved = rows(curves.u_increment(curves.t0, flat - curves.t0))
    a = np.exp(problem.log_a)
    mismatch = -a * features.transposed_residual(nu, moved / a) * np.exp(-log_u_slope)
    dt, dnu = system.solve(features, missing, mismatch)
    at = _At(
        *(t, nu, system, iterations, rho, log_rho, log_rho_slope, log_u_slope),
        *(missing, mismatch, moved, dt, dnu, np.zeros(len(t)), np.zeros(len(t), dtype=bool)),
    )
    at.error = largest(at.slope * (np.abs(dt) + EPS * np.abs(t)))
    at.error += EPS * (4.0 + np.abs(log_rho.max(axis=1)))
    at.settled = (at.error <= ENOUGH) & (largest(dt) <= SETTLED) & all_finite(dnu)
    return at


def _lost(problem: PotentialStack, curves: ScalarCurves, at: _At) -> FloatArray:
    """What rounding of units, clocks and products does, as ``lost_to_rounding``."""
    units = _units(problem, curves, at)
    rows, columns = problem.features.lengths
    norms = (np.linalg.norm(each, axis=1)[:, None] for each in (at.rho, at.nu))
    sizes, pulls = (lengths * norm for lengths, norm in zip((rows, columns), norms, strict=True))
    lost = _lost_with(problem, at, units, sizes, pulls)
    more = np.flatnonzero(~(lost < NOTHING))  # most often all of it is nothing, and a bound says so
    if more.size:
        features = problem.features.take(more)
        sizes[more] = features.absolute(at.rho[more])
        pulls[more] = features.absolute_transposed(at.nu[more])
        lost = _lost_with(problem, at, units, sizes, pulls)
    return lost


def _lost_with(
    problem: PotentialStack, at: _At, units: FloatArray, sizes: FloatArray, pulls: FloatArray
) -> FloatArray:
    clocks = np.exp(problem.log_a - at.log_u_slope) * pulls
    sizes = LAST_BIT * (sizes + np.abs(problem.targets))
    return _swayed(problem, at, sizes, units + LAST_BIT * clocks)


def _units(problem: PotentialStack, curves: ScalarCurves, at: _At) -> FloatArray:
    """The rounding of units and clocks in units of t, as ``_of_units``."""
    height = np.where(np.isfinite(at.log_rho), np.abs(at.log_rho), 0.0)
    sizes = 4.0 + height + curves.depth * np.abs(problem.rows(curves.log_unit))
    sizes *= np.exp(np.minimum(at.log_rho - at.log_rho_slope, LARGEST_EXPONENT))
    sizes += np.abs(at.moved) * np.exp(-at.log_u_slope)
    if curves.t0.any():
        began = problem.rows(curves.log_u_slope(curves.t0))
        sizes += np.abs(problem.rows(curves.t0)) * np.exp(began - at.log_u_slope)
    return np.asarray(EPS * sizes)


def _lost_before(problem: PotentialStack, curves: ScalarCurves, at: _At) -> FloatArray:
    """What rounding took from Z and y when they were formed does, as ``lost_before``."""
    if problem.lost is None and not problem.lost_targets.any():
        return np.zeros(len(at.t))
    sizes, clocks = problem.lost_targets, np.zeros_like(at.t)
    if problem.lost is not None:
        sizes = sizes + np.abs(problem.lost.times(at.rho))
        units = np.exp(problem.log_a - at.log_u_slope)
        clocks = units * np.abs(problem.lost.transposed(at.nu))
    return _swayed(problem, at, sizes, clocks)


def _swayed(problem: PotentialStack, at: _At, sizes: FloatArray, clocks: FloatArray) -> FloatArray:
    """The largest change of beta for predictions and clocks off by about so much, drawn."""
    n = sizes.shape[1]
    draws = draws_of(n + clocks.shape[1], FEW).T[:, None, :]
    moving, _ = at.system.solve(
        problem.features, draws[..., :n] * sizes, draws[..., n:] * np.minimum(clocks, LARGEST)
    )
    return np.asarray(largest(at.slope * moving).max(axis=0))


def _gap(
    problem: PotentialStack, curves: ScalarCurves, at: _At
) -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
    """Feasibility, gap, whether that is the first-order one, and whether all of it is known."""
    features, rows, flat = problem.features, problem.rows, at.t.ravel()
    a = np.exp(problem.log_a)
    missing = features.times(at.rho) - problem.targets
    sizes = problem.sizes[:, None]
    feasibility = np.linalg.norm(missing / sizes, axis=1)
    feasibility /= np.linalg.norm(problem.targets / sizes, axis=1)
    missing = np.where((feasibility > ROUGH)[:, None], -at.missing, missing)
    start, there = rows(curves.u(curves.t0)), rows(curves.u(flat))
    direct = start + a * features.transposed(at.nu) - there
    held = np.ones(len(at.t), dtype=bool)
    if curves.depth != 2:
        reach = np.maximum(np.abs(start), np.abs(there - start))
        held = np.asarray((rows(curves.slack(flat)) > HELD * reach).all(axis=1))
    gap, known = _duality_gap(problem, curves, at, direct, missing)
    if not held.all():
        first_order = _first_order_gap(problem, curves, at, start, there, direct)
        gap, known = np.where(held, gap, first_order), known | ~held
    return feasibility, gap, ~held, known & (feasibility <= PLAIN) & (gap <= UNSEEN)


def _duality_gap(
    problem: PotentialStack, curves: ScalarCurves, at: _At, du: FloatArray, missing: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """The gap at the clocks u(t) + du, relative to the objective, and where du is short."""
    rows, flat = problem.rows, at.t.ravel()
    dt = np.abs(du * np.exp(-at.log_u_slope))
    units = rows(curves.log_unit)
    logs = at.log_rho_slope + at.log_u_slope - (curves.depth - 2) * units
    excess = _log_sum(logs + 2.0 * np.log(dt) - LOG2)
    objective = _log_sum(rows(curves.log_divergence(flat, curves.t0)))
    near = largest(rows(flat - curves.t0)) < NEAR
    if near.any():
        barely = _log_sum(rows(curves.log_divergence(flat + BARELY, flat)))
        objective = np.where(near, np.maximum(objective, barely), objective)
    pairing = np.log(np.abs((at.nu * missing).sum(axis=1)))
    log_unit = -(curves.depth - 2) * units.max(axis=1)
    return _ratio(np.logaddexp(excess, pairing + log_unit), objective), largest(dt) < BARELY


def _first_order_gap(
    problem: PotentialStack,
    curves: ScalarCurves,
    at: _At,
    start: FloatArray,
    there: FloatArray,
    direct: FloatArray,
) -> FloatArray:
    """Where some slack is too small for a float64 dual point, with the carried mismatch."""
    a, slope = np.exp(problem.log_a), np.exp(at.log_u_slope)
    pulls = a * problem.features.absolute_transposed(at.nu)
    rounding = 16 * EPS * (pulls + np.abs(there) + np.abs(start))
    seen = np.maximum(np.abs(direct) - rounding, 0.0)
    carried = np.abs(at.mismatch) * slope
    height = np.where(at.rho != 0.0, at.log_rho - problem.log_a, -np.inf)
    moved = np.maximum(np.abs(there - start), BARELY * slope)
    first = _ratio(
        _log_sum(height + np.log(np.maximum(carried, seen))), _log_sum(height + np.log(moved))
    )
    return np.maximum(first, largest(seen))


def _layer_error(
    problem: PotentialStack, curves: ScalarCurves, at: _At, layers: FloatArray
) -> FloatArray:
    """max_l |dp_l|_inf / |p_l|_inf for the step that is left, as ``_layer_error``."""
    error, left = np.zeros(len(at.t)), largest(at.dt) > STILL
    if left.any():
        moved = problem.rows(curves.layers((at.t + at.dt).ravel()))
        layers = problem.rows(layers)
        sizes, changes = (np.abs(each).max(axis=-1) for each in (layers, moved - layers))
        measured = (sizes > 0.0) & np.isfinite(sizes) & np.isfinite(changes)
        parts = np.where(measured, changes / np.where(measured, sizes, 1.0), 0.0)
        error = np.where(left, parts.max(axis=0), 0.0)
    return error


def _log_sum(logs: FloatArray) -> FloatArray:
    """Log of the sum of exp(logs), (B,)."""
    top = logs.max(axis=1)
    safe = np.where(np.isfinite(top), top, 0.0)
    return np.asarray(safe + np.log(np.exp(logs - safe[:, None]).sum(axis=1)))


def _ratio(log_part: FloatArray, log_whole: FloatArray) -> FloatArray:
    """exp(log_part - log_whole), with 0/0 = 0."""
    return np.where(np.isneginf(log_part), 0.0, np.exp(np.minimum(log_part - log_whole, 700.0)))
