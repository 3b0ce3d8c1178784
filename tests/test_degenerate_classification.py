"""Data at the edge of what classification means: right, or refused with the evidence."""

import numpy as np
import pytest

from implicitbias import InfeasibleProblemError, InvalidInputError, gradient_flow, predict_limit
from implicitbias.closing import angle_between
from implicitbias.comparison import verify
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork
from implicitbias.problems import Classification

X = np.array([[1.0, 0.3, -0.2, 0.5], [-0.4, 1.0, 0.6, 0.1], [0.2, -0.7, 1.0, 0.3]])
Y = np.array([1.0, -1.0, 1.0])
DEPTHS = pytest.mark.parametrize("depth", [2, 3])


def start(depth, d=4):
    network = DiagonalNetwork(d, depth)
    return network, Initialization.random(network, 0.3, seed=1, gap=0.2)


def limit_of(problem, depth):
    network, init = start(depth, problem.num_features)
    return predict_limit(network, problem, init).coefficients


def end_of(problem, depth):
    network, init = start(depth, problem.num_features)
    return gradient_flow(network, problem, init, until_margin=1e4).final_direction


@pytest.mark.parametrize(
    "labels", [["no", "yes", "no"], [True, False, True], [0, 1, 0], np.array([7.5, 9.0, 7.5])]
)
def test_labels_of_any_kind_are_two_signs(labels, depth=2):
    problem = Classification(X, labels)
    signed = Classification(X, problem.y)
    np.testing.assert_array_equal(limit_of(problem, depth), limit_of(signed, depth))
    np.testing.assert_array_equal(end_of(problem, depth), end_of(signed, depth))


@DEPTHS
def test_duplicate_points_leave_the_limit(depth):
    twice = Classification(np.vstack([X, X[:1]]), np.append(Y, Y[0]))
    once = Classification(X, Y)
    assert angle_between(limit_of(twice, depth), limit_of(once, depth)) < 1e-9
    found = verify(*start(depth)[:1], twice, start(depth)[1])
    assert found.agrees, str(found)


@DEPTHS
def test_one_point_and_labels_all_alike(depth):
    for problem in (Classification(X[:1], [-1]), Classification(np.abs(X), [-1, -1, -1])):
        network, init = start(depth)
        found = verify(network, problem, init)
        assert found.agrees, str(found)
        margins = problem.y * (problem.X @ found.limit.coefficients)
        assert margins.min() == pytest.approx(1.0)


def test_a_zero_point_and_opposite_duplicates_are_refused_with_the_evidence():
    network, init = start(2)
    for data, labels in (
        (np.vstack([X, np.zeros(4)]), [1, -1, 1, 1]),
        (np.vstack([X, X[:1]]), [1, -1, 1, -1]),
    ):
        problem = Classification(data, labels)
        for verb in (predict_limit, gradient_flow):
            with pytest.raises(InfeasibleProblemError) as caught:
                verb(network, problem, init)
            weights = np.asarray(caught.value.evidence)
            assert (weights >= 0.0).all()
            assert weights.any()
            assert np.abs((weights * problem.y) @ data).max() < 1e-12


@DEPTHS
def test_features_that_are_always_zero_stay_out(depth):
    wide = Classification(np.column_stack([X, np.zeros(3)]), Y)
    network = DiagonalNetwork(5, depth)
    init = Initialization.random(network, 0.3, seed=1, gap=0.2)
    limit = predict_limit(network, wide, init)
    assert limit.coefficients[4] == 0.0
    flow = gradient_flow(network, wide, init, until_margin=1e4)
    assert abs(flow.final_direction[4]) < 1e-4


def test_other_numbers_of_labels_are_refused():
    with pytest.raises(InvalidInputError):
        Classification(X, ["a", "b", "c"])
    with pytest.raises(InvalidInputError):
        Classification(X, ["a", "a", "a"])
