"""Limits along the scale to about three digits, for choosing a scale and not for answering.

The path is followed as in ``_path``, but corrected to a few digits only; scales on the way are
read off by cubic interpolation of t in log alpha between two corrected points with their tangents.
Nothing is certified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import ScalarCurves
from implicitbias.dual import as_given
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


@dataclass(frozen=True, eq=False)
class _Node:
    """A point of the path: log alpha relative to the problem's, the state and its tangent."""

    x: float
    curves: ScalarCurves
    state: PotentialState
    dt: FloatArray
    dnu: FloatArray


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
        rho[passed] = growth * node.curves.rho(_between(node, following, there))
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
    problem: PotentialProblem, curves: ScalarCurves, state: PotentialState, x: float
) -> _Node | None:
    """The node that Newton's method leads to; None where it leads nowhere.

    The last factorisation also gives the tangent, along which Z rho stays while log alpha moves.
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
    return _corrected(problem, curves, state, node.x - width)


def _missing_between(problem: PotentialProblem, first: _Node, second: _Node) -> float:
    """What the interpolation misses of Z rho = y half-way, relative to y."""
    half = 0.5 * (first.x + second.x)
    rho = first.curves.shifted(half - first.x).rho(_between(first, second, np.array(half)))
    missing = np.abs(problem.features @ rho - problem.target).max()
    return float(missing / (np.abs(problem.target).max() or 1.0))


def _between(first: _Node, second: _Node, x: FloatArray) -> FloatArray:
    """Cubic Hermite interpolation of t at log alpha = x, one a row."""
    h = second.x - first.x
    s = (x - first.x) / h
    value = (1 + 2 * s) * (1 - s) ** 2 * first.state.t + s * s * (3 - 2 * s) * second.state.t
    slope = s * (1 - s) ** 2 * first.dt - s * s * (1 - s) * second.dt
    return np.asarray(value + h * slope)
