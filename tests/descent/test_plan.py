"""What gradient_descent refuses, and what it is told then."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from helpers.descents import regression, separable
from implicitbias._errors import InvalidInputError
from implicitbias.descent import gradient_descent
from implicitbias.problems import Regression

REFUSED = [
    ({"step": 0.0}, "step is 0"),
    ({"step": -1.0}, "step is -1"),
    ({"step": np.nan}, "step is nan"),
    ({"step": np.inf}, "step is inf"),
    ({"step": "a"}, "step is 'a'"),
    ({"step": None}, "step is None"),
    ({"step": (k for k in range(3))}, "step is <generator"),
    ({"step": np.array([])}, r"step has shape \(0,\)"),
    ({"step": np.ones((2, 2))}, r"step has shape \(2, 2\)"),
    ({"step": np.array([0.1, np.nan])}, "step contains nan at index 1"),
    ({"step": np.array([0.1, -1.0])}, "step has the entry -1"),
    ({"step": lambda k: np.nan if k == 2 else 0.1}, r"step\(2\) is nan"),
    ({"step": lambda k: -1.0}, r"step\(0\) is -1"),
    ({"step": lambda k: None}, r"step\(0\) is None"),
    ({"label_noise": -1.0}, "label_noise is -1"),
    ({"label_noise": lambda k: np.inf}, r"label_noise\(0\) is inf"),
    ({"batch_size": 0}, "batch_size is 0"),
    ({"batch_size": 5}, "batch_size is 5; expected at most 4"),
    ({"batch_size": 1.5}, "batch_size is 1.5"),
    ({"seed": -1}, "seed is -1"),
    ({"seed": 1.5}, "seed is 1.5"),
    ({"seed": None}, "seed is None"),
    ({"seed": np.random.default_rng(0)}, "seed is Generator"),
    ({"momentum": 1.0}, "momentum is 1; expected a number from 0 to below 1"),
    ({"momentum": -0.1}, "momentum is -0.1"),
    ({"reduction": "max"}, "reduction is 'max'; expected one of 'sum', 'mean'"),
    ({"loss": "hinge"}, "loss is 'hinge'"),
    ({"activation": "nope"}, "activation is 'nope'"),
    ({"over_loss": True}, "over_loss=True"),
    ({"until_margin": 1.0}, "until_margin is for classification"),
    ({"until_residual": 0.0}, "until_residual is 0"),
    ({"until_loss": 0.0}, "until_loss is 0"),
    ({"max_steps": 0}, "max_steps is 0"),
    ({"max_steps": 2**60}, "max_steps is"),
    ({"times": []}, "times is"),
    ({"times": [3, 2]}, "expected increasing numbers"),
    ({"times": [0.5]}, "expected whole numbers of steps"),
    ({"times": [np.nan]}, "expected whole numbers of steps"),
    ({"times": [-1, 2]}, "expected increasing numbers"),
    ({"times": 3}, "times is 3"),
    ({"times": [2**70]}, "times ends with"),
    ({"num_points": 1}, "num_points is 1"),
    ({"callback": 3}, "callback is 3"),
]


@pytest.mark.parametrize(("given", "told"), REFUSED)
def test_refused(given, told):
    with pytest.raises(InvalidInputError, match=told):
        gradient_descent(*regression("diagonal"), **({"step": 0.1, "max_steps": 5} | given))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"label_noise": 0.1}, "label_noise is for regression"),
        ({"label_noise": lambda k: 0.0}, "label_noise is for regression"),
        ({"until_margin": 0.0}, "until_margin is 0"),
        ({"until_margin": np.inf}, "until_margin is inf"),
    ],
)
def test_refused_for_classes(given, told):
    with pytest.raises(InvalidInputError, match=told):
        gradient_descent(*separable("diagonal"), step=0.1, max_steps=5, **given)


def test_what_does_not_belong_together():
    network, problem, init = regression("diagonal")
    with pytest.raises(InvalidInputError, match="order of the arguments"):
        gradient_descent(problem, network, init, step=0.1)
    with pytest.raises(InvalidInputError, match="init is a ndarray"):
        gradient_descent(network, problem, [np.ones(6)], step=0.1)
    with pytest.raises(InvalidInputError, match="sparse"):
        rows = Regression(sparse.csr_array(problem.X), problem.y)
        gradient_descent(network, rows, init, step=0.1)


@pytest.mark.parametrize("step", [1, np.float32(0.01), np.float64(0.01), range(1, 4)])
def test_numbers_of_any_kind(step):
    run = gradient_descent(*regression("diagonal", scale=0.1), step=step, max_steps=3)
    assert run.num_steps == 3


def test_seeds_as_arrays_and_large_numbers():
    runs = gradient_descent(
        *regression("diagonal"), step=0.01, seed=np.array([3, 4]), batch_size=2, max_steps=4
    )
    assert [run.seed for run in runs] == [3, 4]
    large = gradient_descent(
        *regression("diagonal"), step=0.01, seed=2**100, batch_size=2, max_steps=4
    )
    assert large.seed == 2**100


def test_labels_of_zero_and_one():
    network, problem, init = separable("diagonal")
    from implicitbias.problems import Classification

    other = Classification(problem.X, (problem.y > 0).astype(int))
    ends = [
        gradient_descent(network, each, init, step=0.01, max_steps=20).final_coefficients
        for each in (problem, other)
    ]
    assert np.array_equal(*ends)
