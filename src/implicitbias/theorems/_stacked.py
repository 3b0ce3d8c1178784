"""The limits of many situations as one array program, assembled as in ``_regression``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias.limits import (
    Arrived,
    Certificate,
    Limit,
    PotentialStack,
    StackSolution,
    certify_stack,
    follow_stack,
    relative_residual,
    stack_kind,
)
from implicitbias.theorems._limit_problem import Member
from implicitbias.theorems._situation import Situation

MEMBERS = (1 << 21, 1 << 16)  # entries of Z times members, and of rho times members, in one program


def stacked_limits(members: Sequence[Member]) -> list[list[Limit | None]]:
    """One list a member, a limit a scale; None where the ordinary solver has to be asked."""
    answers: list[list[Limit | None]] = [[None] * each.log_scales.size for each in members]
    groups: defaultdict[Any, list[int]] = defaultdict(list)
    for index, member in enumerate(members):
        if member.falling.size and _is_plain(member.situation):
            kind = stack_kind(member.situation.potential)
            if kind is not None:
                groups[kind, id(member.situation.potential.features.given)].append(index)
    alike: defaultdict[Any, list[int]] = defaultdict(list)
    for (kind, _), found in groups.items():
        alike[kind].extend(found)
    for found in alike.values():
        n, m = members[found[0]].situation.potential.features.shape
        most = max(1, min(MEMBERS[0] // (n * max(n, m)), MEMBERS[1] // m))
        for start in range(0, len(found), most):
            _solve([members[i] for i in found[start : start + most]], found[start:], answers)
    return answers


def _is_plain(situation: Situation) -> bool:
    """Whether its coordinates are its coefficients, none forced to 0 and no two always equal.

    And more of them than equations, which decide all of it otherwise.
    """
    if len(situation.targets) >= situation.problem.num_features:
        return False
    if not situation.decomposition.is_identity or situation.reach.forced.any():
        return False
    return bool((np.bincount(situation.reduction.twins[0]) == 1).all())


def _solve(
    members: Sequence[Member], places: Sequence[int], answers: list[list[Limit | None]]
) -> None:
    """Write what could be certified to ``answers``, at the members' ``places``."""
    stack = PotentialStack.of([each.situation.potential for each in members])
    orders = [each.falling for each in members]
    goals = np.full((len(members), max(order.size for order in orders)), np.nan)
    for row, member, order in zip(goals, members, orders, strict=True):
        row[: order.size] = member.log_scales[order]
    waiting: list[Arrived] = []

    def certify() -> None:
        found = Arrived.together(waiting)
        waiting.clear()
        solution = certify_stack(stack.take(found.members), found)
        for row in np.flatnonzero(solution.settled):
            member = int(solution.members[row])
            index = int(orders[member][solution.stops[row]])
            answers[places[member]][index] = _limit(members[member], solution, int(row))

    def arrived(found: Arrived) -> None:
        waiting.append(found)
        if sum(each.members.size for each in waiting) >= len(members):
            certify()

    follow_stack(stack, goals, arrived)
    if waiting:
        certify()


def _limit(member: Member, solution: StackSolution, row: int) -> Limit | None:
    """The Limit of one row, as ``assemble_potential``; None where it does not fit float64."""
    rho, problem = solution.rho[row].copy(), member.situation.problem
    if not np.isfinite(rho).all():
        return None
    nu, feasibility = solution.nu[row].copy(), float(solution.feasibility[row])
    if problem.rank < len(problem.y):
        feasibility = relative_residual(problem.features, rho, problem.y)
    kind: Any = "first-order gap with the carried slack"
    return Limit(
        rho,
        "point",
        member.name,
        Certificate(
            feasibility,
            float(solution.gap[row]),
            gap_kind=kind if solution.first_order[row] else "duality gap",
            error=float(solution.error[row]),
        ),
        member.verdicts,
        _layers(solution.layers[:, row].copy()),
        rho,
        nu if np.isfinite(nu).all() else None,
        num_iterations=int(solution.iterations[row]),
    )


def _layers(layers: FloatArray) -> Parameters | None:
    """The layers of diagonal networks and pairs, (k, m); None where they overflow."""
    if not np.isfinite(layers).all():
        return None
    return tuple(layers)
