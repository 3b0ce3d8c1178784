"""Many potential problems as one array program: the answers and certificates of one by one."""

from dataclasses import replace

import numpy as np
import pytest

from implicitbias.coordinates import Curves, TwoSidedCurves
from implicitbias.dual import as_given
from implicitbias.features import Dense, Lost
from implicitbias.limits import (
    Arrived,
    PotentialProblem,
    PotentialStack,
    PotentialState,
    certify,
    certify_stack,
    follow_stack,
    solve,
    stack_kind,
)

N, M = 6, 20
SCALES = np.log([1.0, 0.1, 0.02])


def layers(depth, start, rng):
    if start == "Theorem 5":
        return np.vstack([np.tile(rng.uniform(0.5, 2.0, M), (depth - 1, 1)), np.zeros(M)])
    return rng.standard_normal((depth, M))


def problems(depth, start, count=4, shared=True, lost=False):
    rng = np.random.default_rng(12)
    found = []
    Z = Dense(rng.standard_normal((N, M)))
    for _ in range(count):
        Z = Z if shared else Dense(rng.standard_normal((N, M)))
        if start == "two-sided":
            curves = TwoSidedCurves.from_start(rng.uniform(0.5, 2.0, (2, M)), depth, 0.0)
        else:
            curves = Curves.from_start(layers(depth, start, rng), 0.0)
        off = Lost(Dense(1e-15 * rng.standard_normal((N, M))), 1e-15 * np.ones(N))
        y = rng.standard_normal(N)
        found.append(PotentialProblem(Z, y, curves, lost=off if lost else None))
    if lost:
        found = [replace(each, lost=found[0].lost) for each in found]
    return found


def solved(given, log_scales=SCALES):
    """(member, stop) -> a solution's row."""
    stack, pools = PotentialStack.of(given), []
    follow_stack(stack, np.tile(log_scales, (len(given), 1)), pools.append)
    together = Arrived.together(pools)
    solution = certify_stack(stack.take(together.members), together)
    return {
        (int(member), int(stop)): (solution, row)
        for row, (member, stop) in enumerate(
            zip(solution.members, solution.stops, strict=True)
        )
        if solution.settled[row]
    }  # fmt: skip


CASES = [
    (2, "Theorem 5"),
    (3, "Theorem 5"),
    (5, "Theorem 5"),
    (2, "random"),
    (3, "random"),
    (2.0, "two-sided"),
    (2.5, "two-sided"),
]


@pytest.mark.parametrize(("depth", "start"), CASES)
@pytest.mark.parametrize("shared", [True, False])
def test_solutions_and_certificates_are_those_of_one_by_one(depth, start, shared):
    given = problems(depth, start, shared=shared)
    found = solved(given)
    assert len(found) >= 0.9 * len(given) * SCALES.size  # others are left to the ordinary solver
    for (member, stop), (solution, row) in found.items():
        problem, state = solve(given[member].shifted(SCALES[stop]))
        alone = certify(problem, state)
        rho = problem.curves.rho(alone.state.t)
        assert np.abs(solution.rho[row] - rho).max() < 1e-12 * np.abs(rho).max()
        np.testing.assert_allclose(solution.nu[row], alone.nu, rtol=1e-9, atol=1e-9)
        here = problem.curves.layers(alone.state.t)
        np.testing.assert_allclose(solution.layers[:, row], here, rtol=1e-9, atol=1e-12)
        same = measured(given[member].shifted(SCALES[stop]), solution, row)
        kind = "first" if solution.first_order[row] else "duality gap"
        assert same.gap_kind.startswith(kind)
        assert solution.feasibility[row] == pytest.approx(same.feasibility, rel=0.5, abs=2e-15)
        assert solution.gap[row] == pytest.approx(same.gap, rel=0.5, abs=1e-14)
        assert solution.error[row] == pytest.approx(same.error, rel=0.5, abs=2e-15)


def measured(problem, solution, row):
    """The certificate that the ordinary solver gives the same point."""
    units = (problem.curves.depth - 2) * problem.curves.log_unit.max()
    nu, none = solution.nu[row] * np.exp(units), np.zeros(M)
    state = PotentialState(solution.t[row], nu, none, as_given(problem.features))
    return certify(problem, state, 0).certificate


def test_what_was_lost_before_counts():
    kept = problems(3, "Theorem 5", lost=True)
    without = [replace(each, lost=None) for each in kept]
    for place, (solution, row) in solved(kept).items():
        plain, same = solved(without)[place]
        alone = measured(kept[place[0]].shifted(SCALES[place[1]]), solution, row).error
        assert solution.error[row] > plain.error[same]
        assert solution.error[row] == pytest.approx(alone, rel=0.5, abs=1e-15)


def test_a_wrong_dual_point_is_seen_in_the_gap():
    stack, pools = PotentialStack.of(problems(2, "Theorem 5")), []
    follow_stack(stack, np.tile(SCALES, (4, 1)), pools.append)
    found = Arrived.together(pools)
    found.t = found.t + 1e-4  # too far for a factorisation to be kept
    assert not certify_stack(stack.take(found.members), found).settled.any()


def test_members_that_cannot_be_followed_drop_out_alone():
    given = problems(3, "Theorem 5")
    first, second = given[0], given[1]
    Z = first.features.toarray().copy()
    Z[1] = Z[0] * (1.0 + 1e-12)  # rows that are nearly one
    given = [
        replace(each, features=Dense(Z if each is second else Z.copy() * 1.0)) for each in given
    ]
    fresh = problems(3, "Theorem 5", count=3, shared=False)
    found = solved([fresh[0], replace(fresh[1], features=Dense(Z)), fresh[2]])
    assert {member for member, _ in found} == {0, 2}


def test_each_member_has_goals_of_its_own():
    given = problems(2, "Theorem 5", count=2)
    stack, pools = PotentialStack.of(given), []
    goals = np.array([[0.0, -1.0, -2.0], [-3.0, np.nan, np.nan]])
    follow_stack(stack, goals, pools.append)
    found = Arrived.together(pools)
    places = sorted(zip(found.members.tolist(), found.stops.tolist(), strict=True))
    assert places == [(0, 0), (0, 1), (0, 2), (1, 0)]
    assert found.log_scales[found.members == 1] == [-3.0]


def test_what_is_stacked_with_what():
    rng = np.random.default_rng(21)
    problem = problems(3, "Theorem 5", count=1)[0]
    kind = stack_kind(problem)
    assert kind is not None
    assert kind == stack_kind(problems(3, "Theorem 5", count=1)[0])
    assert kind != stack_kind(problems(4, "Theorem 5", count=1)[0])
    assert kind != stack_kind(problems(3, "random", count=1)[0])
    locked = Curves.from_start(np.ones((3, M)), 0.0)
    for other in (
        replace(problem, target=np.zeros(N)),
        replace(problem, curves=locked),
        replace(problem, log_excess=1.0),
        replace(problem, rounding=(np.ones(N), np.ones(M))),
        replace(problem, features=Dense(1e150 * rng.standard_normal((N, M)))),
        replace(problem, features=Dense(np.zeros((0, M))), target=np.zeros(0)),
    ):
        assert stack_kind(other) is None
