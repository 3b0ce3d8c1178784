"""Classification: labels and losses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp

from helpers.networks import laws
from implicitbias.problems import Classification

X3 = np.eye(3)


@pytest.mark.parametrize(
    ("labels", "signs", "classes"),
    [
        ([-1, 1, 1], [-1, 1, 1], [-1, 1]),
        ([1, 1, 1], [1, 1, 1], [-1, 1]),
        ([-1.0, -1.0, -1.0], [-1, -1, -1], [-1, 1]),
        (np.array([1, 1, 1], dtype=np.uint8), [1, 1, 1], [-1, 1]),
        ([0, 1, 0], [-1, 1, -1], [0, 1]),
        ([2, 1, 2], [1, -1, 1], [1, 2]),
        ([0.5, 7.25, 7.25], [-1, 1, 1], [0.5, 7.25]),
        ([True, False, True], [1, -1, 1], [False, True]),
        (["spam", "ham", "ham"], [1, -1, -1], ["ham", "spam"]),
        (["1", "-1", "1"], [1, -1, 1], ["-1", "1"]),
        (np.array(["b", "a", "b"], dtype=object), [1, -1, 1], ["a", "b"]),
        (np.array([3, 5, 5], dtype=object), [-1, 1, 1], [3, 5]),
        (np.array([1, -1, 1], dtype=object), [1, -1, 1], [-1, 1]),
    ],
)
def test_labels(labels, signs, classes):
    problem = Classification(X3, labels)
    np.testing.assert_array_equal(problem.y, signs)
    assert problem.y.dtype == np.float64
    assert problem.classes.tolist() == classes


def test_predicted_signs_map_back_to_labels():
    labels = np.array(["no", "yes", "no"])
    problem = Classification(X3, labels)
    np.testing.assert_array_equal(problem.classes[(problem.y > 0).astype(int)], labels)


@laws
@given(st.lists(st.floats(-700, 700), min_size=3, max_size=3))
def test_losses_against_mpmath(predictions):
    problem = Classification(X3, [1, -1, 1])
    f = np.array(predictions)
    exact = sum(
        mp.exp(-mp.mpf(y) * mp.mpf(p)) for y, p in zip([1, -1, 1], predictions, strict=True)
    )
    assert problem.loss(f) == pytest.approx(float(exact), rel=1e-15 * 1000)
    assert problem.log_loss(f) == pytest.approx(float(mp.log(exact)), rel=1e-14, abs=1e-14)
    expected = [-y * mp.exp(-y * mp.mpf(p)) for y, p in zip([1, -1, 1], predictions, strict=True)]
    np.testing.assert_allclose(problem.residual(f), [float(r) for r in expected], rtol=1e-13)


def test_losses_past_underflow_and_overflow():
    problem = Classification(X3, [1, -1, 1])
    margins = np.array([1e8, 2e8, 3e8]) * problem.y
    assert problem.loss(margins) == 0.0
    assert problem.log_loss(margins) == -1e8
    assert problem.loss(-margins) == np.inf
    assert problem.log_loss(-margins) == 3e8
    np.testing.assert_array_equal(problem.residual(margins), [0, 0, 0])


def test_features_are_kept_by_reference():
    assert Classification(X3, [1, 1, -1]).X is X3


def test_rank_and_rows():
    problem = Classification([[1, 2], [2, 4], [0, 1]], [1, 1, -1])
    assert problem.rank == len(problem.rows) == 2
    assert (problem.num_points, problem.num_features) == (3, 2)


def test_repr():
    assert repr(Classification(X3, ["no", "yes", "no"])) == (
        "Classification(num_points=3, num_features=3, 2 of class 'no' as -1, "
        "1 of class 'yes' as +1)"
    )
