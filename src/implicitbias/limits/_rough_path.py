"""Limits along the scale to about three digits, for choosing a scale and not for answering.

The path is followed as in ``_potential``, but corrected to a few digits only; scales on the way are
read off by cubic interpolation of t in log alpha between two corrected points with their tangents.
Nothing is certified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import Curves
from implicitbias.limits._potential import (
    TINY_STEP,
    PathError,
    PotentialProblem,
    PotentialState,
    linearise,
    moved_along,
    newton_step,
    solve,
)

FIRST, WIDEST = 0.8, 1.5  # steps in log alpha: cubic interpolation keeps its digits
ROUGH = 2e-2  # of y that interpolated limits may miss
CLOSE = 0.15  # a Newton step this short leaves the rest to the next
FAR = 8.0  # one this long asks for a shorter way
MOST_CORRECTIONS = 5


@dataclass(frozen=True)
class _Node:
    """A point of the path: log alpha relative to the problem's, the state and its tangent."""

    x: float
    curves: Curves
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
    start, state = solve(problem.shifted(top))
    node = _node(start, start.curves, state, top - start.log_excess)
    if node is None:
        raise PathError("the rows of X S^T are numerically dependent", state)
    rho = np.empty((log_scales.size, problem.curves.size))
    waiting = [int(i) for i in order]
    while waiting and log_scales[waiting[0]] >= node.x:
        rho[waiting.pop(0)] = start.curves.rho(node.state.t)
    width = FIRST
    last = float(log_scales[order[-1]])
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
        width = min(width * min(2.0, 0.8 * (ROUGH / max(missing, TINY_STEP)) ** 0.25), WIDEST)
    return rho


def _node(
    problem: PotentialProblem, curves: Curves, state: PotentialState, x: float
) -> _Node | None:
    """One more Newton step, and the tangent: Z rho stays while log alpha moves."""
    found = linearise(problem, curves, state)
    if found is None:
        return None
    system, state = found
    step = newton_step(curves, state, system, system.rows.target(problem.target))
    if step is None or not step[1] < CLOSE:
        return None
    state = step[0]
    growth = -curves.depth * (system.rows.features @ curves.rho(state.t))
    dt, dnu = system.solve(growth, np.zeros_like(state.t))
    return _Node(x, curves, state, dt, dnu)


def _next(problem: PotentialProblem, node: _Node, width: float) -> _Node | None:
    """The node at x - width; None where the corrections fail."""
    curves = node.curves.shifted(-width)
    state = moved_along(node.curves, node.state, -width, node.dt, node.dnu)
    for _ in range(MOST_CORRECTIONS):
        found = linearise(problem, curves, state)
        if found is None:
            return None
        system, state = found
        step = newton_step(curves, state, system, system.rows.target(problem.target))
        if step is None or step[1] > FAR:
            return None
        state, length, missing = step
        if max(length, missing) < CLOSE:
            return _node(problem, curves, state, node.x - width)
    return None


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
