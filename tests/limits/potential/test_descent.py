"""Bent steps down the scale: the same limits as the path of straight ones, by less work."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.potentials import random_problem, theorem5_start
from implicitbias.coordinates import Curves, TwoSidedCurves
from implicitbias.dual import as_given, mild_system
from implicitbias.limits import (
    PathError,
    PotentialProblem,
    PotentialState,
    certify,
    rescale,
    solve,
)
from implicitbias.limits.potential import _descent, _path
from implicitbias.limits.potential._problem import slopes_at

KINDS = ["equal", "uneven", "any", "locked", "two-sided"]


@pytest.fixture(autouse=True)
def always_bent(monkeypatch):
    """Bent steps also where they do not pay."""
    monkeypatch.setattr(_descent, "FEWEST_ROWS", (0, 0))
    monkeypatch.setattr(_descent, "FARTHEST", (np.inf, np.inf))


def start_of(kind, depth, size, rng):
    """Curves at scale 1."""
    if kind == "two-sided":
        return TwoSidedCurves.from_start(rng.uniform(0.5, 2.0, (2, size)), depth + 0.3, 0.0)
    if kind in ("equal", "uneven"):
        eta = np.ones(size) if kind == "equal" else rng.uniform(0.3, 2.0, size)
        return Curves.from_start(theorem5_start(eta, depth), 0.0)
    layers = rng.normal(size=(depth, size))
    if kind == "locked":
        layers[1, :4] = -layers[0, :4]
    return Curves.from_start(layers, 0.0)


def problem_of(kind, depth, scale, seed=0, size=30):
    rng = np.random.default_rng(seed)
    curves = start_of(kind, depth, size, rng).shifted(np.log(scale))
    return PotentialProblem(rng.normal(size=(5, size)), rng.normal(size=5), curves)


def certified(problem, state):
    """rho, corrected to rounding."""
    done = certify(problem, state)
    assert done.certificate.worst < 1e-11
    return problem.curves.rho(done.state.t)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("scale", [1.0, 1e-1, 1e-3, 1e-9])
def test_bent_steps_end_where_straight_ones_do(kind, depth, scale, monkeypatch):
    problem = problem_of(kind, depth, scale)
    found = certified(*solve(problem))
    monkeypatch.setattr(_path, "from_least_squares", lambda *_: None)
    expected = certified(*solve(problem))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [2, 3])
def test_a_solution_carried_down_by_bent_steps_equals_a_fresh_one(kind, depth):
    problem = problem_of(kind, depth, 1e-1)
    carried, state = rescale(*solve(problem), np.log(1e-2))
    expected = certified(*solve(problem.shifted(np.log(1e-2))))
    found = certified(carried, state)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def counted(monkeypatch):
    """The calls that factor a system on the way."""
    calls, factor = [], _descent.mild_system
    monkeypatch.setattr(
        _descent, "mild_system", lambda *a, **k: (calls.append(1), factor(*a, **k))[1]
    )
    return calls


@pytest.mark.parametrize(("depth", "scale", "most"), [(2, 1e-1, 3), (2, 1e-4, 8), (3, 1e-2, 9)])
def test_few_factorisations_are_made(depth, scale, most, monkeypatch):
    problem, _ = random_problem(7, depth, scale, num_rows=20, num_coordinates=200)
    monkeypatch.setattr(_path, "follow", None)
    calls = counted(monkeypatch)
    solved, state = solve(problem)
    assert state.path_steps == 0
    assert 0 < len(calls) <= most
    certified(solved, state)


@pytest.mark.parametrize("depth", [2, 3])
def test_close_scales_need_at_most_two_factorisations_each(depth, monkeypatch):
    problem, _ = random_problem(8, depth, 1e-1, num_rows=20, num_coordinates=200)
    problem, state = solve(problem)
    calls = counted(monkeypatch)
    for _ in range(10):
        problem, state = rescale(problem, state, -0.2)
    assert len(calls) <= 20
    certified(problem, state)


def test_what_bent_steps_cannot_do_is_left_to_the_path():
    problem = problem_of("equal", 3, 1e-30)
    change, state = _descent.from_least_squares(*_beginning(problem))
    assert -np.inf < change < 0.0
    assert state.system is None
    certified(*solve(problem))


def _beginning(problem):
    """The problem at its first scale, the system there, and the way that is left."""
    rest = PotentialState(
        problem.curves.t0, np.zeros(5), np.zeros(problem.curves.size), as_given(problem.features)
    )
    own = float(problem.curves.log_unit.max())
    first, system = _path._first_scale(problem, rest)
    return (
        problem.shifted(first - own),
        system.at_scale(problem.curves.depth * first),
        own - first,
    )


@pytest.mark.parametrize(("depth", "scale"), [(3, 1e-2), (2, 1e-20)])
def test_bent_steps_are_not_tried_where_they_do_not_pay(depth, scale, monkeypatch):
    monkeypatch.undo()
    problem = problem_of("equal", depth, scale)
    assert _descent.from_least_squares(*_beginning(problem)) is None
    solved, state = solve(problem)
    calls = counted(monkeypatch)
    assert _descent.descend(solved, state, -30.0) == (0.0, state)
    assert not calls


def test_the_way_ends_where_no_more_steps_are_allowed():
    problem = problem_of("equal", 3, 1e-3)
    at_first, system, change = _beginning(problem)
    allowed = replace(at_first, max_iterations=8)
    reached, state = _descent.from_least_squares(allowed, system, change)
    assert reached > change
    assert 0 < state.iterations <= 9
    assert _descent.from_least_squares(replace(at_first, max_iterations=1), system, change) is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [2, 3])
def test_the_first_point_is_the_weighted_least_squares_solution(kind, depth):
    at_first, system, _ = _beginning(problem_of(kind, depth, 1e-3))
    curves = at_first.curves.shifted(-0.6)
    state = _descent._least_squares(at_first, curves, system)
    movable = ~curves.locked
    start = curves.rho(curves.t0)
    weights = np.exp(curves.log_rho_slope(curves.t0) - curves.log_u_slope(curves.t0))
    weights = weights * np.exp((curves.depth - 2) * (curves.log_unit - curves.log_unit.max()))
    z = at_first.features.toarray()
    nu = np.linalg.solve((z * weights) @ z.T, at_first.target - z @ start)
    expected = start + weights * (z.T @ nu)
    np.testing.assert_allclose(curves.rho(state.t)[movable], expected[movable], rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_the_carried_mismatch_is_that_of_the_dual_point(kind, depth):
    at_first, system, _ = _beginning(problem_of(kind, depth, 1e-3))
    curves = at_first.curves.shifted(-0.6)
    state = _descent._least_squares(at_first, curves, system)
    near = mild_system(at_first.features, slopes_at(curves, state.t))
    for _ in range(4):  # by one factorisation, ever further away
        missing = at_first.target - at_first.features @ curves.rho(state.t)
        state, *_ = _descent._corrected(curves.point(state.t), state, near, missing)
    a = np.exp((curves.depth - 2) * (curves.log_unit - curves.log_unit.max()))
    moved = curves.u_increment(curves.t0, state.t - curves.t0)
    expected = (a * (at_first.features.T @ state.nu) - moved) * np.exp(-curves.log_u_slope(state.t))
    np.testing.assert_allclose(state.mismatch, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("carried", [False, True])
def test_a_dead_end_after_bent_steps_is_left_for_the_path_from_the_start(carried, monkeypatch):
    problem = problem_of("equal", 3, 1e-12)
    expected = certified(*solve(problem))
    change = np.log(1e-11)
    began = solve(problem.shifted(-change)) if carried else None
    along, ways = _path._along_scale, []

    def once_closed(given, state, log_scale_change):
        ways.append(log_scale_change)
        if len(ways) == 1:
            raise PathError("closed", state)
        return along(given, state, log_scale_change)

    monkeypatch.setattr(_path, "_along_scale", once_closed)
    solved, state = rescale(*began, change) if carried else solve(problem)
    assert len(ways) == 2
    assert ways[0] > ways[1]  # bent steps had come some way
    np.testing.assert_allclose(certified(solved, state), expected, rtol=1e-9, atol=1e-12)
