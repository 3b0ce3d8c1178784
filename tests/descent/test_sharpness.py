"""Sharpness against dense Hessians by complex steps."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.descents import NETWORKS, regression, separable, task
from implicitbias import datasets
from implicitbias._errors import Outcome
from implicitbias.descent import gradient_descent
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork, FullyConnectedNetwork
from implicitbias.problems import Regression
from reference import brute_descent as brute


@pytest.mark.parametrize("family", list(NETWORKS))
@pytest.mark.parametrize("loss", ["squared", "exponential", "logistic"])
@pytest.mark.parametrize("mean", [False, True])
def test_small_networks(family, loss, mean):
    network, problem, init = (regression if loss == "squared" else separable)(family)
    options = {} if loss == "squared" else {"loss": loss}
    run = gradient_descent(
        network,
        problem,
        init,
        step=0.002,
        max_steps=20,
        reduction="mean" if mean else "sum",
        **options,
    )
    dense = brute.hessian(family, run.final_parameters, problem.X, problem.y, loss=loss, mean=mean)
    assert np.argmin(run.log_losses) == run.best
    if run.best == len(run.steps) - 1:
        assert run.sharpness == pytest.approx(np.linalg.eigvalsh(dense)[-1], rel=1e-6)


def test_more_parameters_than_are_formed():
    network = DiagonalNetwork(40, 3)
    rng = np.random.default_rng(0)
    X, layers = rng.standard_normal((5, 40)), list(rng.uniform(0.5, 1.0, (3, 40)))
    problem = Regression(X, X @ rng.standard_normal(40))
    run = gradient_descent(network, problem, Initialization(layers, 1.0), step=1e-3, max_steps=5)
    best = [layer[run.best] for layer in run.parameters]
    values = np.linalg.eigvalsh(brute.hessian("diagonal", best, X, problem.y))
    assert run.sharpness == pytest.approx(values[-1], rel=1e-6)


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_of_the_data(unit):
    network, X, y, init = task("diagonal")
    runs = [
        gradient_descent(
            network, Regression(each * X, each * y), init, step=0.01 / each**2, max_steps=3
        )
        for each in (1.0, unit)
    ]
    assert runs[1].sharpness == pytest.approx(unit**2 * runs[0].sharpness, rel=1e-6)


def test_where_gradients_underflow_it_is_zero():
    """A run over the loss passes float64 with its points separated: no step was too large."""
    problem = datasets.separable(8, 20, 0.5, seed=0)
    network = FullyConnectedNetwork((20, 10))
    init = Initialization.random(network, scale=0.5, seed=0)
    run = gradient_descent(network, problem, init, step=0.01, over_loss=True)
    assert run.outcome is Outcome.DIVERGED
    assert run.sharpness == 0.0
    assert "until_margin" in run.message and "sharpness" not in run.message
