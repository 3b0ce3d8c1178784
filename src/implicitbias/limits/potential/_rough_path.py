"""Limits along the scale to about three digits, for choosing a scale and not for answering.

The path is followed as in ``_path``, but corrected to a few digits only; scales on the way are
read off by cubic interpolation of t in log alpha between two corrected points with their tangents.
Nothing is certified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import Point, ScalarCurves
from implicitbias.dual import NewtonSystem, as_given
from implicitbias.limits.potential import _descent as bent
from implicitbias.limits.potential._path import TINY_STEP, solve
from implicitbias.limits.potential._problem import (
    PathError,
    PotentialProblem,
    PotentialState,
    linearise,
    moved_along,
    newton_step,
)

FIRST, WIDEST = 1.6, 3.0  # steps in L log alpha: cubic interpolation keeps its digits
ROUGH = 1e-2  # of y that interpolated limits may miss
CLOSE = 0.15  # a Newton step this short leaves the rest to the next
ENOUGH = 0.02  # one this short leaves nothing
FAR = 8.0  # one this long asks for a shorter way
MOVED = 1e-3  # a solution this near the start may be at a needlessly large scale
MOST_CORRECTIONS = 6
MOST_BENT = 12
SHORT = 0.05  # steps in L log alpha from where on Newton's method is worth a try
KEPT = 0.3  # a factorisation is kept while every correction is this part of the last
LONG = 1.0  # one this long asks for a new factorisation


@dataclass(frozen=True, eq=False)
class _Node:
    """A point of the path: log alpha relative to the problem's, the state and its tangent.

    ``system`` is one factored near it, where weights are mild.
    """

    x: float
    curves: ScalarCurves
    state: PotentialState
    dt: FloatArray
    dnu: FloatArray
    system: NewtonSystem | None = None


def rough_path(problem: PotentialProblem, log_scales: FloatArray) -> FloatArray:
    """rho at every log alpha, given relative to the problem's own scale; (n_scales, m).

    Raises
    ------
    PathError
        The path could not be followed.
    """
    order = np.argsort(-log_scales, kind="stable")
    top = float(log_scales[order[0]])
    start, node = _first(problem.shifted(top), top)
    rho = np.empty((log_scales.size, problem.curves.size))
    waiting = [int(i) for i in order]
    while waiting and log_scales[waiting[0]] >= node.x:
        rho[waiting.pop(0)] = start.curves.rho(node.state.t)
    depth, last = problem.curves.depth, float(log_scales[order[-1]])
    width = FIRST / depth
    while waiting:
        width = min(width, node.x - last)
        following = _next(start, node, width)
        missing = np.inf if following is None else _missing_between(start, node, following)
        if following is None or missing > ROUGH:
            width *= 0.5
            if width < TINY_STEP:
                raise PathError(f"the path stopped at log scale {node.x:.4g}", node.state)
            continue
        passed = [i for i in waiting if log_scales[i] >= following.x - TINY_STEP]
        waiting = waiting[len(passed) :]
        there = log_scales[passed, None]
        growth = np.exp(node.curves.depth * (there - node.x))  # rho is alpha^L times its shape
        rho[passed] = growth * node.curves.point(_between(node, following, there)).rho
        node = following
        width *= min(2.0, 0.8 * (ROUGH / max(missing, TINY_STEP)) ** 0.25)
        width = min(width, WIDEST / depth)
    return rho


def _first(problem: PotentialProblem, x: float) -> tuple[PotentialProblem, _Node]:
    """The node at the problem's own scale: Newton's method from the start if that is near."""
    curves = problem.curves
    nu, mismatch = np.zeros(problem.target.size), np.zeros(curves.size)
    state = PotentialState(curves.t0, nu, mismatch, as_given(problem.features))
    node = _corrected(problem, curves, state, x)
    if node is not None and float(np.abs(node.state.t - curves.t0).max()) > MOVED:
        return problem, node
    problem, state = solve(problem)
    node = _corrected(problem, problem.curves, state, x - problem.log_excess)
    if node is None:
        raise PathError("the rows of X S^T are numerically dependent", state)
    return problem, node


def _corrected(
    problem: PotentialProblem,
    curves: ScalarCurves,
    state: PotentialState,
    x: float,
    known: NewtonSystem | None = None,
) -> _Node | None:
    """The node that corrections lead to; None where they lead nowhere."""
    if state.rows.basis is None:
        point = curves.point(state.t)
        system = bent._system(problem, point, known)
        if system is not None:
            return _by_bent_steps(problem, point, state, system, x)
    return _by_newton(problem, curves, state, x)


def _by_bent_steps(
    problem: PotentialProblem, point: Point, state: PotentialState, known: NewtonSystem, x: float
) -> _Node | None:
    """As ``_descent``, with few factorisations, while weights are mild."""
    curves, system, last = point.curves, known, np.inf
    size = float(np.abs(problem.target).max()) or 1.0
    for _ in range(MOST_BENT):
        missing = problem.target - problem.features @ point.rho
        part = float(np.abs(missing).max()) / size
        step = bent._corrected(point, state, system, missing) if part < np.inf else None
        if step is None or step[2] > FAR:
            return None
        state, point, length = step
        longest = max(length, part)
        if longest < ENOUGH:
            return _Node(x, curves, state, *_tangent(problem, point, system), system)
        if longest > KEPT * last or length > LONG:
            fresh, last = bent._system(problem, point, system), np.inf
            if fresh is None:
                return None
            system = fresh
        else:
            last = longest
    return None


def _tangent(
    problem: PotentialProblem, here: Point, system: NewtonSystem
) -> tuple[FloatArray, FloatArray]:
    """dt and dnu per unit of log scale, while Z rho stays; the system belongs to a point near."""
    dt, dnu = bent._tangent(problem, here, system)
    slope = np.exp(here.log_rho_slope)
    left = -problem.curves.depth * (problem.features @ here.rho) - problem.features @ (slope * dt)
    more, moved = system.solve(left, np.zeros_like(dt))
    return dt + more * np.exp(system.slopes.log_u - here.log_u_slope), dnu + moved


def _by_newton(
    problem: PotentialProblem, curves: ScalarCurves, state: PotentialState, x: float
) -> _Node | None:
    """By a factorisation a step, in combined rows where weights ask for that.

    The last also gives the tangent, along which Z rho stays while log alpha moves.
    """
    close = False
    for _ in range(MOST_CORRECTIONS):
        found = linearise(problem, curves, state)
        if found is None:
            return None
        system, state = found
        step = newton_step(curves, state, system, system.rows.target(problem.target))
        if step is None or step[1] > FAR:
            return None
        state, length, missing = step
        was_close, close = close, max(length, missing) < CLOSE
        if max(length, missing) < ENOUGH or (was_close and length < CLOSE):
            growth = -curves.depth * (system.rows.features @ curves.rho(state.t))
            dt, dnu = system.solve(growth, np.zeros_like(state.t))
            return _Node(x, curves, state, dt, dnu)
    return None


def _next(problem: PotentialProblem, node: _Node, width: float) -> _Node | None:
    """The node at x - width; None where the corrections fail."""
    curves = node.curves.shifted(-width)
    state = moved_along(node.curves, node.state, -width, node.dt, node.dnu)
    found = _corrected(problem, curves, state, node.x - width, node.system)
    if found is None and curves.depth * width < SHORT:
        return _by_newton(problem, curves, state, node.x - width)
    return found


def _missing_between(problem: PotentialProblem, first: _Node, second: _Node) -> float:
    """What the interpolation misses of Z rho = y half-way, relative to y."""
    half = 0.5 * (first.x + second.x)
    between = _between(first, second, np.array(half))
    rho = first.curves.shifted(half - first.x).point(between).rho
    missing = np.abs(problem.features @ rho - problem.target).max()
    return float(missing / (np.abs(problem.target).max() or 1.0))


def _between(first: _Node, second: _Node, x: FloatArray) -> FloatArray:
    """Cubic Hermite interpolation of t at log alpha = x, one a row."""
    h = second.x - first.x
    s = (x - first.x) / h
    value = (1 + 2 * s) * (1 - s) ** 2 * first.state.t + s * s * (3 - 2 * s) * second.state.t
    slope = s * (1 - s) ** 2 * first.dt - s * s * (1 - s) * second.dt
    return np.asarray(value + h * slope)
