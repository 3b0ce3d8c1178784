"""The potential problem against high precision, against itself, and its certificate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from helpers.potentials import random_problem, theorem5_start
from implicitbias.coordinates import Curves
from implicitbias.limits import PathError, PotentialProblem, certify, rescale, solve
from reference.dual_newton import limit


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("scale", [1e2, 1.0, 1e-2, 1e-5, 1e-9])
def test_every_coordinate_agrees_with_high_precision(depth, scale):
    problem, eta = random_problem(depth, depth, scale)
    problem, state = solve(problem)
    state = certify(problem, state).state
    expected = limit(problem.features.toarray(), problem.target, eta, scale, depth)
    np.testing.assert_allclose(problem.curves.rho(state.t), expected, rtol=2e-12)


@pytest.mark.parametrize("depth", [2, 3, 5, 8])
def test_certificate_holds_from_large_to_vanishing_scales(depth):
    problem, _ = random_problem(1, depth, 1e4, num_rows=10, num_coordinates=40)
    problem, state = solve(problem)
    for _ in range(19):
        problem, state = rescale(problem, state, -16 * np.log(10))
        assert certify(problem, state).certificate.worst < 1e-11
    assert problem.curves.log_unit.max() < -290 * np.log(10)


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
def test_carried_solution_equals_the_one_found_afresh(depth):
    problem, _ = random_problem(2, depth, 1.0, num_rows=6, num_coordinates=20)
    carried, state = rescale(*solve(problem), np.log(1e-5))
    carried, fresh = solve(carried)
    np.testing.assert_allclose(
        carried.curves.rho(state.t), carried.curves.rho(fresh.t), rtol=1e-9, atol=1e-14
    )


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-8])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_certificate_sees_a_point_that_is_feasible_but_not_optimal(depth, scale):
    problem, _ = random_problem(3, depth, scale)
    problem, state = solve(problem)
    null = np.linalg.svd(problem.features.toarray())[2][-1]
    right = rho = problem.curves.rho(state.t)
    rho = rho + 1e-2 * np.abs(rho).max() * null
    moved = problem.curves.t_from_rho(np.sign(rho), np.log(np.abs(rho)))
    mismatch = -problem.curves.u_increment(state.t, moved - state.t)
    mismatch = mismatch / np.exp(problem.curves.log_u_slope(moved))
    for carried in (mismatch, state.mismatch):  # admitted, and hidden
        given = replace(state, t=moved, mismatch=carried)
        certificate = certify(problem, given, corrections=0).certificate
        assert certificate.feasibility < 1e-10
        assert certificate.gap > 1e-7
        assert certificate.error > 1e-3
        corrected = certify(problem, given)
        assert corrected.certificate.worst < 1e-11
        np.testing.assert_allclose(problem.curves.rho(corrected.state.t), right, atol=1e-11)


def test_sparse_target_reached_by_fewer_coordinates_than_rows():
    rng = np.random.default_rng(4)
    features = rng.normal(size=(20, 60))
    sparse = np.zeros(60)
    sparse[:3] = (1.0, -2.0, 0.5)
    curves = Curves.from_start(theorem5_start(np.ones(60), 3), np.log(1e-40))
    problem = PotentialProblem(features, features @ sparse, curves)
    problem, state = solve(problem)
    certified = certify(problem, state)
    np.testing.assert_allclose(problem.curves.rho(certified.state.t), sparse, atol=1e-11)
    assert certified.certificate.worst < 1e-11


def test_a_sign_that_cannot_be_reached_is_an_error_not_an_answer():
    curves = Curves.from_start(np.ones((2, 1)), 0.0)  # locked: rho > 0 for ever
    with pytest.raises(PathError):
        solve(PotentialProblem(np.ones((1, 1)), np.array([-1.0]), curves))
