"""Many small potential problems taken along their scales at once, from the largest down.

As ``_descent``: from the weighted l2 solution by bent steps, factorisations kept while corrections
contract, path steps as wide as the last ones allow. Every pass over the arrays moves each member by
one step of its own, a correction or a prediction, wherever on its way it is. A member that cannot
be followed while its weights are mild drops out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray
from implicitbias.coordinates import Point
from implicitbias.dual import StackSystem
from implicitbias.limits.potential import _descent as one
from implicitbias.limits.potential._path import LOG_LINEAR
from implicitbias.limits.potential._problem import (
    FACTOR_KEPT,
    HOPELESS_STEP,
    MAX_CORRECTIONS,
    STEP_CAP,
)
from implicitbias.limits.potential._stack import PotentialStack, all_finite, largest

LOWER = (2.5, 0.6)  # in log scale: how far below the first scale the first step may end
LARGE_START = 1e3  # starts whose predictions are so many times the targets are not taken
THINNED = 0.7  # of the members: when so few are left the arrays are made as small


@dataclass(eq=False)
class Arrived:
    """Members at one of their scales, one a row.

    Attributes
    ----------
    members, stops
        Which member, at which of its scales, (B,).
    log_scales
        (B,).
    t, nu
        (B, m), (B, n).
    system
        Factored near t.
    iterations
        Corrections so far, (B,).
    """

    members: IntArray
    stops: IntArray
    log_scales: FloatArray
    t: FloatArray
    nu: FloatArray
    system: StackSystem
    iterations: IntArray

    @classmethod
    def together(cls, parts: Sequence[Arrived]) -> Arrived:
        """Several as one."""
        systems = [vars(each.system) for each in parts]
        names = [each.name for each in fields(cls) if each.name != "system"]
        held: dict[str, Any] = {
            name: np.concatenate([getattr(each, name) for each in parts]) for name in names
        }
        system = {name: np.concatenate([each[name] for each in systems]) for name in systems[0]}
        return cls(**held, system=StackSystem(**system))


def follow_stack(
    problem: PotentialStack, log_scales: FloatArray, arrived: Callable[[Arrived], object]
) -> None:
    """Call ``arrived`` with members as they reach their scales.

    Parameters
    ----------
    problem
        B members.
    log_scales
        (B, S), relative to the problems' own scales, falling in each row; NaN after the last.
    arrived
        May be called many times, with any members; some may never come.
    """
    with np.errstate(all="ignore"):
        walk = _begun(problem, log_scales, arrived)
        while walk.alive.any():
            if walk.alive.mean() < THINNED:
                walk.thin()
            walk.step()


@dataclass(eq=False)
class _Walk:
    """Where every member is, one a row; ``node`` is the last point that was good."""

    arrived: Callable[[Arrived], object]
    problem: PotentialStack
    goals: FloatArray
    ends: IntArray  # how many goals each has
    members: IntArray
    stops: IntArray
    x: FloatArray
    t: FloatArray
    nu: FloatArray
    w: FloatArray  # a Z^T nu - (u(t) - u(t_0)), (B, m)
    node_x: FloatArray
    node_t: FloatArray
    node_nu: FloatArray
    node_w: FloatArray
    system: StackSystem
    width: FloatArray
    last: FloatArray
    first: FloatArray
    counts: IntArray
    iterations: IntArray
    alive: BoolArray
    stale: BoolArray  # the system is to be factored anew
    predicting: BoolArray
    final: BoolArray

    def thin(self) -> None:
        """Leave out who has arrived or dropped out."""
        index = np.flatnonzero(self.alive)
        for each in fields(self)[1:]:
            value = getattr(self, each.name)
            kept = value[index] if isinstance(value, np.ndarray) else value.take(index)
            setattr(self, each.name, kept)

    def step(self) -> None:
        """One prediction or correction of every member."""
        here = self.problem.at(self.x).point(self.t.ravel())
        self._refactor(here)
        correcting = self.alive & ~self.predicting
        predicting = np.flatnonzero(self.alive & self.predicting & ~self.stale)
        if correcting.any():
            self._correct(here, correcting)
        if predicting.size:
            self._predict(predicting)

    def _refactor(self, here: Point) -> None:
        index = np.flatnonzero(self.stale & self.alive)
        if not index.size:
            return
        rows, log_a = self.problem.rows, self.problem.log_a
        slopes = rows(here.log_rho_slope)[index], rows(here.log_u_slope)[index], log_a[index]
        fresh = StackSystem.at(self.problem.features, index, *slopes)
        self.system.put(index, fresh)
        self.stale[index] = False
        self.last[index] = np.inf
        self._back(index[~fresh.sound])

    def _back(self, index: IntArray) -> None:
        """From a point that was no good to the last good one, for a shorter step."""
        self.width[index] = 0.5 * np.minimum(self.width, self.node_x - self.x)[index]
        self.alive[index] &= self.width[index] >= one.SHORTEST
        for name in ("x", "t", "nu", "w"):
            getattr(self, name)[index] = getattr(self, f"node_{name}")[index]
        self.predicting[index] = self.stale[index] = True

    def _correct(self, here: Point, moving: BoolArray) -> None:
        """A bent correction of the members ``moving``, and what it says of them."""
        problem, deep = self.problem, self.problem.curves.depth > 2
        features, rows = problem.features, problem.rows
        log_u = rows(here.log_u_slope)
        missing = problem.targets - features.times(rows(here.rho))
        part = largest(missing) / problem.sizes
        clocked = bool(log_u.any())  # else the clock is t itself
        if clocked:  # u' dt = a Z^T dnu + w with u' at this t
            mismatch = self.w * np.exp(-self.system.log_u)
            dt, dnu = self.system.solve(features, missing, mismatch)
            dt *= np.exp(self.system.log_u - log_u)
        else:
            dt, dnu = self.system.solve(features, missing, self.w)
        length = largest(dt)
        good = (part < one.MISSED[deep]) & (length < HOPELESS_STEP) & all_finite(dnu)
        good &= (self.counts > 0) | (length <= one.LONGEST_FIRST[deep])
        good &= self.counts < MAX_CORRECTIONS
        self._back(np.flatnonzero(moving & ~good))
        good &= moving & self.alive
        share = np.where(good, np.minimum(1.0, one.STEP_CAP[deep] / length), 0.0)[:, None]
        straight = np.where(good[:, None], share * dt, 0.0)
        step = self._bent(here, straight, length)
        beyond = straight - rows(here.increment(step.ravel()))
        if clocked:
            beyond *= np.exp(log_u)
        self.w = (1.0 - share) * self.w + beyond
        self.t = self.t + step
        self.nu = self.nu + share * np.where(good[:, None], dnu, 0.0)
        self._judge(here, good, length, part)

    def _bent(self, here: Point, straight: FloatArray, length: FloatArray) -> FloatArray:
        """As ``_bent_step``, for members whose correction is long."""
        long, rows = (length > one.BENT)[:, None], self.problem.rows
        if not long.any():
            return straight
        outwards, inwards = map(rows, here.rates)
        rate = np.where(outwards * straight >= 0.0, outwards, inwards)
        step = np.where(long, one.bent(straight, rate), straight)
        free = largest(straight) < one.FREE
        if self.problem.curves.depth > 2 or free.all():
            return step
        there = np.abs(rows(here.curves.point(here.t + straight.ravel()).rho))
        light = there < one.LIGHT * largest(rows(here.rho))[:, None]
        return np.where(light & ~free[:, None], straight, step)

    def _judge(
        self,
        here: Point,
        moved: BoolArray,
        length: FloatArray,
        part: FloatArray,
    ) -> None:
        """Who has arrived, and who needs a new factorisation, as in ``_arrive``."""
        self.iterations += moved
        self.first = np.where(moved & (self.counts == 0), length, self.first)
        self.counts += moved
        longest = np.maximum(length, part)
        strict = self.final & (longest < one.SETTLING)
        slow = longest > self.last * np.where(strict, one.CONTRACTS_WELL, one.CONTRACTS)
        close = np.where(self.final, one.SETTLED, one.ROUGH)
        settled = (length < close) & (part < np.where(self.final, one.SETTLED, one.ROUGHLY_MET))
        there = moved & (settled | (slow & (longest < FACTOR_KEPT)))
        far = there & self.final & ~self._near(here, there & self.final)
        self.stale |= moved & ((slow | (length > one.LONG)) & ~there | far)
        self.last = np.where(moved, longest, self.last)
        there &= ~far
        self.stale &= ~there
        self._report(np.flatnonzero(there & self.final))
        first = np.maximum(self.first, one.FLOOR)
        wider = np.clip(np.sqrt(one.GOOD_FIRST / first), 0.5, 2.5)
        self.width = np.where(there, np.minimum(self.width * wider, one.WIDEST), self.width)
        self.predicting |= there

    def _near(self, here: Point, asked: BoolArray) -> BoolArray:
        """Whether the system was factored so near that it measures what is left."""
        if not asked.any():
            return asked
        log_rho, log_u = map(self.problem.rows, (here.log_rho_slope, here.log_u_slope))
        changes = log_rho + (self.problem.log_a - log_u) - self.system.log_weights
        return largest(changes) < one.NEAR

    def _report(self, index: IntArray) -> None:
        """Hand over who is at a scale of its own, and turn to the next."""
        if not index.size:
            return
        self.arrived(
            Arrived(
                self.members[index],
                self.stops[index],
                self.x[index],
                self.t[index],
                self.nu[index],
                self.system.take(index),
                self.iterations[index],
            )
        )
        self.stops[index] += 1
        self.alive[index] = self.stops[index] < self.ends[index]

    def _predict(self, index: IntArray) -> None:
        """On along the path: rho kept, and the tangent's change of it bent, as ``_predicted``."""
        index = index[self.alive[index]]
        if not index.size:
            return
        part, here, dt, dnu = self._tangents(index)
        rows, x, t = part.rows, self.x[index], self.t[index]
        goal, width = self.goals[index, self.stops[index]], self.width[index]
        final = x - 1.15 * width < goal
        change = np.where(final, goal, x - width) - x
        straight = change[:, None] * dt
        there = part.at(x + change)
        signs = np.sign(here.t)
        kept = rows(there.t_from_rho(signs, here.curves.log_abs_rho(here.t)))
        kept = np.where(np.isfinite(kept), kept, t) - t
        rest = straight - kept
        rate = rows(there.slope_rates((t + kept).ravel())[0])
        step = kept + np.where(rate * rest > 0.0, one.bent(rest, rate), rest)
        beyond = straight - rows(there.point(here.t).increment(step.ravel()))
        self._keep(index)
        self.x[index] = np.where(final, goal, x + change)
        self.t[index] = t + step
        self.nu[index] += change[:, None] * dnu
        self.w[index] += beyond * np.exp(rows(here.log_u_slope))
        self.final[index] = final
        self.counts[index], self.last[index], self.first[index] = 0, np.inf, np.inf
        self.predicting[index], self.stale[index] = False, True
        self.alive[index] &= all_finite(self.t[index]) & all_finite(self.w[index])

    def _tangents(self, index: IntArray) -> tuple[PotentialStack, Point, FloatArray, FloatArray]:
        """The members' problems, where they are, and dt and dnu per unit of log scale."""
        part, system = self.problem.take(index), self.system.take(index)
        here = part.at(self.x[index]).point(self.t[index].ravel())
        growth = -here.curves.depth * part.features.times(part.rows(here.rho))
        dt, dnu = system.solve(part.features, growth, None)
        return part, here, dt * np.exp(system.log_u - part.rows(here.log_u_slope)), dnu

    def _keep(self, index: IntArray) -> None:
        """Make the members' points their nodes."""
        for name in ("x", "t", "nu", "w"):
            getattr(self, f"node_{name}")[index] = getattr(self, name)[index]


def _begun(
    problem: PotentialStack, goals: FloatArray, arrived: Callable[[Arrived], object]
) -> _Walk:
    """At the weighted l2 solution near the largest scale, as ``_least_squares``."""
    count, depth = problem.shape[0], problem.curves.depth
    features, rows = problem.features, problem.rows
    t0 = rows(problem.curves.t0)
    point = problem.curves.point(problem.curves.t0)
    log_rho, log_u = rows(point.log_rho_slope), rows(point.log_u_slope)
    system = StackSystem.at(features, np.arange(count), log_rho, log_u, problem.log_a)
    unit, _ = system.solve(features, problem.targets / problem.sizes[:, None], None)
    reach = np.log(largest(unit)) + np.log(problem.sizes)
    first = (reach - np.log(STEP_CAP)) / depth
    x = np.maximum(goals[:, 0], first - LOWER[depth > 2])
    rests = ~t0.any(axis=1)
    alive = system.sound & np.isfinite(first)
    alive &= ~rests | (reach - depth * x >= LOG_LINEAR)
    x = np.where(alive, x, 0.0)
    began = problem.at(x).point(problem.curves.t0)
    alive &= features.absolute(rows(began.rho)).max(axis=1) < LARGE_START * problem.sizes
    system = system.at_scales(depth * x)
    dt, _ = system.solve(features, problem.targets - features.times(rows(began.rho)), None)
    rho = rows(began.rho) + np.exp(rows(began.log_rho_slope)) * dt
    t = rows(began.curves.t_from_rho(np.sign(rho).ravel(), np.log(np.abs(rho)).ravel()))
    t = np.where(np.isfinite(t), t, t0)
    moved = rows(began.increment((t - t0).ravel()))
    mismatch, nu = system.solve(features, np.zeros_like(problem.targets), -moved)
    w = mismatch * np.exp(log_u)
    alive &= all_finite(w) & all_finite(nu)
    none, far = np.zeros(count, dtype=np.intp), np.full(count, np.inf)
    return _Walk(
        arrived=arrived,
        problem=problem,
        goals=goals,
        ends=np.isfinite(goals).sum(axis=1),
        members=np.arange(count),
        stops=none.copy(),
        x=x,
        t=t,
        nu=nu,
        w=w,
        node_x=x.copy(),
        node_t=t.copy(),
        node_nu=nu.copy(),
        node_w=w.copy(),
        system=system,
        width=np.full(count, one.FIRST_WIDTH),
        last=far.copy(),
        first=far.copy(),
        counts=none.copy(),
        iterations=none.copy(),
        alive=alive,
        stale=alive.copy(),
        predicting=np.zeros(count, dtype=bool),
        final=x <= goals[:, 0],
    )
