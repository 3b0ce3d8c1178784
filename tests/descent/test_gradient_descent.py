"""gradient_descent against plain loops; stacks, seeds, schedules, callbacks and saved steps."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.descents import NETWORKS, regression, separable
from implicitbias._errors import InvalidInputError, Outcome
from implicitbias.descent import gradient_descent
from implicitbias.descent._draws import Draws
from implicitbias.flow import FlowState
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork, TwoSidedDiagonalNetwork
from implicitbias.problems import Regression
from reference import brute_descent as brute

K = 200
FAMILIES = list(NETWORKS)


def drawn(seed, n, size, replacement, delta, steps=K):
    """The batches and shifts of each step, as index arrays."""
    draws = Draws([seed], n, size, replacement=replacement, noise=bool(delta))
    found = [draws.next() for _ in range(steps)]
    batches = None if size is None else [batch[0] for batch, _ in found]
    return batches, [delta * signs[0] for _, signs in found] if delta else None


def assert_same(run, reference, tolerance=1e-12):
    for at, layer in enumerate(run.parameters):
        expected = reference.stacked(at)[run.steps]
        size = np.abs(expected).max()
        assert np.abs(layer - expected).max() <= tolerance * size
    size = np.abs(reference.dual).max()
    assert np.abs(run.dual - reference.dual).max() <= tolerance * size


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize(
    ("size", "replacement", "delta"),
    [(None, False, 0.0), (None, False, 0.3), (1, False, 0.0), (3, False, 0.1), (3, True, 0.1)],
)
def test_regression_is_the_plain_loop(family, mean, momentum, size, replacement, delta):
    network, problem, init = regression(family)
    step = 0.01 * (4.0 if mean else 1.0) * (1.0 - momentum)
    run = gradient_descent(
        network,
        problem,
        init,
        step=step,
        batch_size=size,
        replacement=replacement,
        label_noise=delta,
        momentum=momentum,
        seed=5,
        reduction="mean" if mean else "sum",
        until_residual=1e-300,
        max_steps=K,
    )
    batches, shifts = drawn(5, 4, size, replacement, delta)
    reference = brute.descend(
        family,
        init.parameters(),
        problem.X,
        problem.y,
        np.full(K, step),
        batches=batches,
        shifts=shifts,
        momentum=momentum,
        mean=mean,
    )
    assert run.num_steps == run.steps[-1] == K and run.steps[0] == 0
    assert_same(run, reference)
    assert run.times == pytest.approx(step * run.steps, rel=1e-12)
    last = problem.X @ run.final_coefficients - problem.y
    assert run.residual == pytest.approx(np.linalg.norm(last) / np.linalg.norm(problem.y))
    assert run.log_losses[-1] == pytest.approx(np.log(0.5 * last @ last))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize("over_loss", [False, True])
@pytest.mark.parametrize(
    ("mean", "momentum", "size"), [(False, 0.0, None), (True, 0.5, None), (True, 0.0, 2)]
)
def test_classification_is_the_plain_loop(family, loss, over_loss, mean, momentum, size):
    network, problem, init = separable(family)
    run = gradient_descent(
        network,
        problem,
        init,
        step=0.0005,
        loss=loss,
        over_loss=over_loss,
        momentum=momentum,
        batch_size=size,
        reduction="mean" if mean else "sum",
        max_steps=K,
    )
    reference = brute.descend(
        family,
        init.parameters(),
        problem.X,
        problem.y,
        np.full(K, 0.0005),
        loss=loss,
        over_loss=over_loss,
        momentum=momentum,
        mean=mean,
        batches=drawn(0, 4, size, False, 0.0)[0],
    )
    assert_same(run, reference)
    assert run.margins[-1] == pytest.approx(
        (problem.y * (problem.X @ run.final_coefficients)).min()
    )


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_times_sum_the_steps_over_the_loss(mean, momentum):
    network, problem, init = separable("diagonal")
    run = gradient_descent(
        network,
        problem,
        init,
        step=0.01,
        over_loss=True,
        reduction="mean" if mean else "sum",
        momentum=momentum,
        times=range(21),
    )
    losses = np.exp(run.log_losses) / (4 if mean else 1)
    assert run.times[1:] == pytest.approx(np.cumsum(0.01 / losses[:-1]), rel=1e-12)
    assert run.times[0] == 0.0 and run.log_times[0] == -np.inf


def test_over_the_loss_neither_means_nor_sums_matter():
    network, problem, init = separable("diagonal")
    ends = [
        gradient_descent(
            network, problem, init, step=0.01, over_loss=True, reduction=reduction, max_steps=50
        ).final_coefficients
        for reduction in ("sum", "mean")
    ]
    np.testing.assert_allclose(*ends, rtol=1e-12)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [None, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_stack_is_its_runs(family, size, momentum):
    network, problem, _ = regression(family)
    inits = [regression(family, seed=seed)[2] for seed in range(3)]
    steps = [0.005, np.linspace(0.01, 0.001, 120), lambda k: 0.01 / (1 + k)]
    shared = {
        "batch_size": size,
        "label_noise": 0.2,
        "momentum": momentum,
        "until_residual": 1e-300,
        "max_steps": 120,
    }
    runs = gradient_descent(network, problem, inits, step=steps, seed=[7, 8, 9], **shared)
    for run, init, step, seed in zip(runs, inits, steps, [7, 8, 9], strict=True):
        alone = gradient_descent(network, problem, init, step=step, seed=seed, **shared)
        assert run.seed == seed and np.array_equal(run.steps, alone.steps)
        for one, other in zip(run.parameters, alone.parameters, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(run.dual, alone.dual, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(run.times, alone.times, rtol=1e-12)


def test_a_stack_of_classifications_is_its_runs():
    network, problem, init = separable("diagonal")
    options = {"over_loss": True, "until_margin": 20.0, "batch_size": 2}
    runs = gradient_descent(network, problem, init, step=[0.02, 0.05], seed=[1, 2], **options)
    assert runs[0].num_steps != runs[1].num_steps
    for run, step, seed in zip(runs, [0.02, 0.05], [1, 2], strict=True):
        alone = gradient_descent(network, problem, init, step=step, seed=seed, **options)
        assert run.num_steps == alone.num_steps and run.outcome is Outcome.MARGIN_REACHED
        np.testing.assert_allclose(run.final_coefficients, alone.final_coefficients, rtol=1e-10)


def test_seeds_decide_and_nothing_else():
    network, problem, init = regression("diagonal")

    def run(seed):
        return gradient_descent(
            network,
            problem,
            init,
            step=0.01,
            seed=seed,
            batch_size=2,
            label_noise=0.1,
            max_steps=50,
        )

    first, again, other = run(3), run(3), run(4)
    assert np.array_equal(first.final_coefficients, again.final_coefficients)
    assert not np.array_equal(first.final_coefficients, other.final_coefficients)


def test_schedules_as_arrays_functions_and_numbers():
    network, problem, init = regression("diagonal")
    asked = []

    def step(k):
        asked.append(k)
        return 0.01

    options = {"max_steps": 30, "until_residual": 1e-300}
    ends = [
        gradient_descent(network, problem, init, step=each, **options).final_coefficients
        for each in (0.01, np.full(30, 0.01), step)
    ]
    assert np.array_equal(ends[0], ends[1]) and np.array_equal(ends[0], ends[2])
    assert sorted(set(asked)) == list(range(30))
    for noise in (np.full(30, 0.1), lambda k: 0.1):
        found = gradient_descent(network, problem, init, step=0.01, label_noise=noise, **options)
        plain = gradient_descent(network, problem, init, step=0.01, label_noise=0.1, **options)
        assert np.array_equal(found.final_coefficients, plain.final_coefficients)


def test_an_array_of_steps_is_the_run():
    network, problem, init = regression("diagonal")
    steps = np.array([0.01, 0.0, 0.02])
    run = gradient_descent(network, problem, init, step=steps, max_steps=100)
    assert run.num_steps == 3 and run.outcome is Outcome.STEP_LIMIT
    assert run.times[-1] == pytest.approx(0.03)
    assert np.array_equal(steps, [0.01, 0.0, 0.02])


def test_batches_of_all_points_are_the_full_batch():
    network, problem, init = regression("diagonal")
    ends = [
        gradient_descent(network, problem, init, step=0.01, batch_size=size, max_steps=40)
        for size in (None, 4)
    ]
    np.testing.assert_allclose(
        ends[0].final_coefficients, ends[1].final_coefficients, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize(
    ("times", "saved", "last"),
    [([0], [0], 0), ([3], [0, 3], 3), ([0, 2, 5], [0, 2, 5], 5), (np.array([4.0]), [0, 4], 4)],
)
def test_saved_steps(times, saved, last):
    network, problem, init = regression("diagonal")
    run = gradient_descent(network, problem, init, step=0.01, times=times)
    assert run.steps.tolist() == saved and run.num_steps == last
    assert len(run.coefficients) == len(run.log_losses) == len(run.parameters[0]) == len(saved)


def test_times_and_max_steps_together():
    network, problem, init = regression("diagonal")
    run = gradient_descent(network, problem, init, step=0.01, times=[2, 50], max_steps=10)
    assert run.steps.tolist() == [0, 2, 10]
    longer = gradient_descent(network, problem, init, step=0.01, times=[2], max_steps=10)
    assert longer.steps.tolist() == [0, 2, 10]


@pytest.mark.parametrize("num_points", [2, 3, 7])
def test_num_points_bounds_the_saved_steps(num_points):
    network, problem, init = regression("diagonal")
    run = gradient_descent(network, problem, init, step=0.01, max_steps=64, num_points=num_points)
    assert run.steps[0] == 0 and run.steps[-1] == 64 and len(run.steps) <= num_points


def test_callbacks_see_every_look_and_stop():
    network, problem, init = regression("diagonal")
    states: list[FlowState] = []

    def callback(state):
        states.append(state)
        return state.num_steps == 7

    run = gradient_descent(network, problem, init, step=0.01, callback=callback)
    assert run.outcome is Outcome.STOPPED_BY_CALLBACK and run.num_steps == 7 == run.steps[-1]
    assert [state.num_steps for state in states] == list(range(8))
    assert states[-1].residual == run.residual and states[-1].time == pytest.approx(0.07)
    assert "7" in run.message
    states.clear()
    gradient_descent(network, problem, init, step=0.01, batch_size=3, times=[9], callback=callback)
    assert [state.num_steps for state in states] == [0, 2, 4, 6, 8]


def test_callbacks_that_raise_and_interrupts_pass_through():
    network, problem, init = regression("diagonal")
    for error in (ValueError, KeyboardInterrupt):

        def callback(state, error=error):
            raise error

        with pytest.raises(error):
            gradient_descent(network, problem, init, step=0.01, callback=callback)


def test_nothing_given_is_changed_or_kept():
    X, y = np.eye(2, 3), np.ones(2)
    layers = [np.ones(3), np.full(3, 0.5)]
    steps, times = np.full(9, 0.1), np.array([0, 3, 9])
    for array in (X, y, *layers, steps, times):
        array.flags.writeable = False
    init = Initialization(layers, scale=1.0)
    run = gradient_descent(
        DiagonalNetwork(3, 2), Regression(X, y), init, step=steps, label_noise=steps, times=times
    )
    before = run.final_coefficients.copy()
    start = [layer.copy() for layer in init.parameters()]
    for layer in run.parameters:
        layer[:] = 7.0
    run.dual[:] = 7.0
    assert np.array_equal(run.final_coefficients, before)
    for one, other in zip(init.parameters(), start, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"init": 2, "step": [0.1]}, "init 2, step 1"),
        ({"step": [0.1, 0.1], "seed": [1, 2, 3]}, "step 2, seed 3"),
        ({"step": []}, "step 0"),
        ({"step": 0.1, "seed": []}, "seed 0"),
    ],
)
def test_lists_of_other_lengths_are_refused(given, told):
    network, problem, init = regression("diagonal")
    init = [init] * given["init"] if "init" in given else init
    options = {name: value for name, value in given.items() if name != "init"}
    with pytest.raises(InvalidInputError, match=told):
        gradient_descent(network, problem, init, **options)


def test_ranges_are_lists_of_seeds_and_no_step_is_a_run():
    network, problem, init = regression("diagonal")
    runs = gradient_descent(
        network, problem, init, step=0.01, batch_size=1, seed=range(3), max_steps=5
    )
    assert [run.seed for run in runs] == [0, 1, 2]
    none = gradient_descent(network, problem, init, step=0.01, times=[0])
    assert none.num_steps == 0 and none.steps.tolist() == [0]


def test_steps_out_of_the_domain_end_the_run():
    """u^2.5 needs u >= 0: a step below it is no step of the network."""
    network = TwoSidedDiagonalNetwork(1, 2.5)
    problem, init = Regression([[1.0]], [-0.2]), Initialization([[1.0], [1.0]], scale=1.0)
    run = gradient_descent(network, problem, init, step=0.3)
    assert run.outcome is Outcome.DIVERGED
    assert min(layer.min() for layer in run.parameters) >= 0.0
    assert "for which the network is defined" in run.message
    assert gradient_descent(network, problem, init, step=0.01).outcome is Outcome.RESIDUAL_REACHED
