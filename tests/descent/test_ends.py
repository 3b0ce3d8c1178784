"""How runs end: every outcome, with the sentence that says so."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.descents import regression, separable
from implicitbias._errors import InfeasibleProblemError, InvalidInputError, Outcome
from implicitbias.descent import gradient_descent
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Classification, Regression
from reference import brute_descent as brute

ONE = Regression([[1.0]], [1.0])
POINTS = Classification([[2.0, 1.0], [-1.0, 0.5]], [1, -1])


def one(first, last=None, **options):
    init = Initialization([[first], [first if last is None else last]], 1.0)
    return gradient_descent(DiagonalNetwork(1, 2), ONE, init, **options)


def test_the_residual():
    run = one(0.5, step=0.2, until_residual=1e-6)
    assert run.outcome is Outcome.RESIDUAL_REACHED and run.residual <= 1e-6
    before = one(0.5, step=0.2, until_residual=1e-6, max_steps=run.num_steps - 1)
    assert before.outcome is Outcome.STEP_LIMIT and before.residual > 1e-6
    assert f"<= 1e-06 after {run.num_steps} steps" in run.message
    assert one(0.5, step=0.2, until_residual=10.0).num_steps == 0


def test_the_loss():
    network, problem, init = regression("diagonal")
    run = gradient_descent(network, problem, init, step=0.01, until_loss=0.1)
    assert run.outcome is Outcome.LOSS_REACHED and np.exp(run.log_losses[-1]) <= 0.1
    assert "log loss" in run.message
    network, problem, init = separable("diagonal")
    run = gradient_descent(network, problem, init, step=0.01, until_loss=0.01, reduction="mean")
    assert run.outcome is Outcome.LOSS_REACHED
    margins = problem.y * (problem.X @ run.final_coefficients)
    assert np.exp(-margins).sum() <= 0.01
    assert run.log_losses[-1] == pytest.approx(np.log(np.exp(-margins).sum()))


def test_the_margin():
    network, problem, init = separable("fully connected")
    run = gradient_descent(network, problem, init, step=0.01, until_margin=2.0)
    assert run.outcome is Outcome.MARGIN_REACHED and run.margins[-1] >= 2.0
    assert f">= 2 after {run.num_steps} steps" in run.message and np.isnan(run.residual)


def test_the_last_step():
    run = one(0.5, step=1e-3, max_steps=1)
    assert run.outcome is Outcome.STEP_LIMIT and run.num_steps == 1
    assert "integrator" not in str(run)


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("family", ["diagonal", "fully connected", "convolutional"])
def test_divergence_names_the_largest_stable_step(family, mean):
    network, problem, init = regression(family)
    reduction = "mean" if mean else "sum"
    run = gradient_descent(network, problem, init, step=50.0, reduction=reduction)
    assert run.outcome is Outcome.DIVERGED and run.steps[-1] < run.num_steps
    best = [layer[run.best] for layer in run.parameters]
    values = np.linalg.eigvalsh(brute.hessian(family, best, problem.X, problem.y, mean=mean))
    assert run.sharpness == pytest.approx(values[-1], rel=1e-6)
    assert run.largest_stable_step == pytest.approx(2.0 / values[-1], rel=1e-6)
    assert f"2 / sharpness = {run.largest_stable_step:.4g}" in run.message
    assert all(np.isfinite(layer).all() for layer in run.parameters)


def test_steps_settle_below_two_over_the_sharpness_and_not_above():
    u = 1.01
    sharpness = one(1.0 + 1e-9, step=0.1).sharpness
    assert sharpness == pytest.approx(2.0, rel=1e-6)
    assert one(u, step=0.99, max_steps=5000).outcome is Outcome.RESIDUAL_REACHED
    assert one(u, step=1.01, max_steps=5000).residual > 1e-3


def test_two_points_in_turn_are_no_rest():
    """With steps above 2 / sharpness a run may go to and fro between the same two floats."""
    run = one(1.1, step=1.05, times=[1000, 1002, 1003, 4000])
    assert run.coefficients[1] == run.coefficients[2] != run.coefficients[3]
    assert run.num_steps == 4000 and run.outcome is Outcome.STEP_LIMIT


def test_small_first_steps_are_no_rest():
    run = one(0.5, step=lambda k: 1e-25 if k < 40 else 0.2)
    assert run.outcome is Outcome.RESIDUAL_REACHED
    slow = np.r_[np.full(40, 1e-25), np.full(100, 0.2)]
    assert one(0.5, step=slow).outcome is Outcome.RESIDUAL_REACHED


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rounding_allows_no_less(momentum):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((2, 3)), rng.standard_normal(2)
    init = Initialization([np.full(3, 30.0), np.full(3, 20.0)], 1.0)
    run = gradient_descent(
        DiagonalNetwork(3, 2),
        Regression(X, y),
        init,
        step=1e-4 * (1 - momentum),
        momentum=momentum,
        until_residual=1e-300,
    )
    assert run.outcome is Outcome.PRECISION_REACHED and run.residual <= 1e-11
    assert "rounding allows no less" in run.message


def test_steps_that_round_off_end_a_run():
    run = one(1.0, 0.5, step=1e-25, until_residual=1e-14)
    assert run.outcome is Outcome.PRECISION_REACHED and run.num_steps < 10
    with_momentum = one(1.0, 0.5, step=1e-25, momentum=0.9)
    assert with_momentum.outcome is Outcome.PRECISION_REACHED
    classes = Initialization([[600.0, 0.5], [2.0, 0.5]], 1.0)
    run = gradient_descent(DiagonalNetwork(2, 2), POINTS, classes, step=0.1)
    assert run.outcome is Outcome.PRECISION_REACHED and run.log_losses[-1] < -500.0


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_gradient_of_zero(momentum):
    run = one(0.0, step=0.1, momentum=momentum)
    assert run.outcome is Outcome.STATIONARY and run.num_steps == 1
    assert "exactly zero" in run.message and run.residual == 1.0
    zero = Initialization([np.zeros(2), np.zeros(2)], 1.0)
    run = gradient_descent(DiagonalNetwork(2, 2), POINTS, zero, step=lambda k: 0.1)
    assert run.outcome is Outcome.STATIONARY


def test_batches_and_noise_may_bring_a_run_on():
    for options in ({"batch_size": 1}, {"label_noise": 0.1}):
        assert one(0.0, step=0.1, max_steps=9, **options).outcome is Outcome.STEP_LIMIT


def test_zero_targets_are_measured_against_the_start():
    init = Initialization([[1.0], [0.5]], 1.0)
    run = gradient_descent(DiagonalNetwork(1, 2), Regression([[1.0]], [0.0]), init, step=0.2)
    assert run.outcome is Outcome.RESIDUAL_REACHED
    assert run.residual == pytest.approx(abs(run.final_coefficients[0]) / 0.5)
    empty = gradient_descent(DiagonalNetwork(1, 2), Regression([[0.0]], [0.0]), init, step=0.2)
    assert empty.outcome is Outcome.RESIDUAL_REACHED and empty.num_steps == 0


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize("size", [None, 1])
def test_steps_over_the_loss_go_far_beyond_underflow(loss, size):
    network, init = DiagonalNetwork(2, 2), Initialization([[1.0, 1.0], [0.5, -0.5]], 1.0)
    run = gradient_descent(
        network,
        POINTS,
        init,
        step=0.1,
        loss=loss,
        over_loss=True,
        batch_size=size,
        until_margin=1e6,
    )
    assert run.outcome is Outcome.MARGIN_REACHED and run.log_losses[-1] < -1e4
    assert np.isfinite(run.log_losses).all() and np.isfinite(run.final_coefficients).all()
    assert np.all(np.diff(run.log_losses) < 0.0) and run.log_times[-1] > 1e4
    assert run.times[-1] == np.inf
    direction = run.final_coefficients / np.linalg.norm(run.final_coefficients)
    assert (POINTS.y * (POINTS.X @ direction)).min() > 0.4
    assert run.sharpness == 0.0 and run.largest_stable_step == np.inf


def test_margins_beyond_float64_end_a_run_without_warnings():
    network, problem, init = separable("fully connected")
    run = gradient_descent(network, problem, init, step=0.05, over_loss=True, times=range(3000))
    assert run.outcome is Outcome.DIVERGED
    assert np.isfinite(run.coefficients).all() and run.margins[-1] > 1e6


@pytest.mark.parametrize("problem", [Regression(np.eye(2), [1.0, 2.0]), POINTS])
def test_starts_beyond_float64_are_refused(problem):
    init = Initialization([np.ones(2), np.ones(2)], 1e160)
    with pytest.raises(InvalidInputError, match=r"start's predictions.*smaller scale"):
        gradient_descent(DiagonalNetwork(2, 2), problem, init, step=0.1)


def test_classes_that_overlap_are_refused():
    problem = Classification([[1.0, 2.0], [1.0, 2.0]], [1, -1])
    init = Initialization([np.ones(2), np.ones(2)], 1.0)
    with pytest.raises(InfeasibleProblemError):
        gradient_descent(DiagonalNetwork(2, 2), problem, init, step=0.1)
