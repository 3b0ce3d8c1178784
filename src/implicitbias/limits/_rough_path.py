"""Limits along the scale to about three digits, for choosing a scale and not for answering.

The path is followed as in ``_potential``, but as far at a time as two-digit corrections reach;
scales on the way are read off by cubic interpolation of t in log alpha between two corrected points
with their tangents. Nothing is certified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import Curves
from implicitbias.limits._potential import (
    TINY_STEP,
    PathError,
    PotentialProblem,
    PotentialState,
    correct,
    linearise,
    moved_along,
    solve,
)

WIDEST = 1.5  # of log alpha in one step: cubic interpolation then keeps three digits
FIRST = 0.5


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
    rho = np.empty((log_scales.size, problem.curves.size))
    waiting = [int(i) for i in order]
    while waiting and log_scales[waiting[0]] >= node.x:
        rho[waiting.pop(0)] = start.curves.rho(node.state.t)
    width = FIRST
    last = float(log_scales[order[-1]])
    while waiting:
        width = min(width, node.x - last)
        following, spent = _next(start, node, width)
        if following is None:
            width *= 0.4
            if width < TINY_STEP:
                raise PathError(f"the path stopped at log scale {node.x:.4g}", node.state)
            continue
        while waiting and log_scales[waiting[0]] >= following.x - TINY_STEP:
            index = waiting.pop(0)
            curves = start.curves.shifted(float(log_scales[index]) - top + start.log_excess)
            rho[index] = curves.rho(_between(node, following, float(log_scales[index])))
        node = following
        if spent <= 2:
            width = min(2.0 * width, WIDEST)
    return rho


def _node(
    problem: PotentialProblem, curves: Curves, state: PotentialState, x: float
) -> _Node:
    """Attach the tangent: Z rho stays while log alpha moves."""
    found = linearise(problem, curves, state)
    if found is None:
        raise PathError("the rows of X S^T are numerically dependent", state)
    system, state = found
    growth = -curves.depth * (system.rows.features @ curves.rho(state.t))
    dt, dnu = system.solve(growth, np.zeros_like(state.t))
    return _Node(x, curves, state, dt, dnu)


def _next(
    problem: PotentialProblem, node: _Node, width: float
) -> tuple[_Node | None, int]:
    """The node at x - width, and the corrections it took; None where they fail."""
    curves = node.curves.shifted(-width)
    guess = moved_along(node.curves, node.state, -width, node.dt, node.dnu)
    state = correct(problem, curves, problem.target, replace(guess, iterations=0), rough=True)
    if state is None:
        return None, 0
    return _node(problem, curves, state, node.x - width), state.iterations


def _between(first: _Node, second: _Node, x: float) -> FloatArray:
    """Cubic Hermite interpolation of t."""
    h = second.x - first.x
    s = (x - first.x) / h
    value = (1 + 2 * s) * (1 - s) ** 2 * first.state.t + s * s * (3 - 2 * s) * second.state.t
    slope = s * (1 - s) ** 2 * first.dt - s * s * (1 - s) * second.dt
    return np.asarray(value + h * slope)
