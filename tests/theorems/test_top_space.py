"""Multiplicities of the largest singular value, by integers."""

import numpy as np
import pytest

from implicitbias import (
    Classification,
    ConvolutionalNetwork,
    GroupConvolutionalNetwork,
    Initialization,
    NoPredictionError,
    TensorNetwork,
    predict_limit,
)

KLEIN = np.array([[a ^ b for b in range(4)] for a in range(4)])
START = [[0.5, 1.0], [0.3, -0.2, 0.1]]


@pytest.mark.parametrize("off", [1e-14, 1e-15, 1e-16])
def test_values_that_tie_to_rounding_alone_are_refused(off):
    """The truth is (1, 1/2, 1/2) for every off > 0, and another for 0: (1, 0.476, 0.476)."""
    problem, init = Classification([[1.0, off, 0.0]], [1.0]), Initialization(START, scale=1.0)
    with pytest.raises(NoPredictionError, match="are not equal"):
        predict_limit(ConvolutionalNetwork(3, (2, 3)), problem, init)


def test_values_that_are_equal_are_equal():
    problem, init = Classification([[1.0, 0.0, 0.0]], [1.0]), Initialization(START, scale=1.0)
    found = predict_limit(ConvolutionalNetwork(3, (2, 3)), problem, init)
    first = np.array([0.5 + 0.3, 1.0 + 0.1])  # v_1 + M v_2, M w = (w_1, 0, w_2)
    beta = found.coefficients
    assert found.note.startswith("The top singular value is 2-fold")
    assert beta[0] == pytest.approx(1.0)
    assert beta[1] == pytest.approx(beta[2], rel=1e-12)
    assert beta[1] == pytest.approx(first[0] * first[1] / (first @ first), rel=1e-12)


def test_a_group_whose_data_are_cosines_in_float64():
    """cos(pi / 2) is 6e-17: the two largest singular values differ by 2.4e-16."""
    x = np.cos(2 * np.pi * np.arange(4) / 4)
    init = Initialization([[-2.0, 2, 2, -1], [0.0, -2, -1, 0]], scale=1.0)
    network = GroupConvolutionalNetwork(KLEIN, 2)
    with pytest.raises(NoPredictionError, match="are not equal"):
        predict_limit(network, Classification([x], [1.0]), init)
    found = predict_limit(network, Classification([np.round(x)], [1.0]), init)
    assert found.certificate.worst <= 1e-8


@pytest.mark.parametrize("gap", [1e-14, 1e-15])
def test_a_diagonal_tensor_is_told_apart_by_its_entries(gap):
    """Its decomposition is exact, as that of the diagonal network is."""
    tensor = np.zeros((2, 2, 2))
    tensor[[0, 1], [0, 1], [0, 1]] = 1.0
    init = Initialization([[0.5, 1.0], [0.3, -0.2]], scale=1.0)
    problem = Classification([[1.0, 1.0 - gap]], [1.0])
    found = predict_limit(TensorNetwork(tensor), problem, init)
    np.testing.assert_array_equal(found.coefficients, [1.0, 0.0])


def test_a_frequency_is_two_fold_by_structure():
    x = np.cos(2 * np.pi * np.arange(200) / 200) + 0.01 * np.arange(200) ** 0.5
    network = ConvolutionalNetwork(200, (200, 200))
    init = Initialization.random(network, 1.0, seed=0)
    found = predict_limit(network, Classification([x - x.mean()], [1.0]), init)
    assert found.certificate.worst <= 1e-8
