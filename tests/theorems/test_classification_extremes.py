"""Directions of data near a tie, of any size, and where M(x) = 0, against exact vertices."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import implicitbias as ib
from implicitbias._closing import angle_between
from reference.precise_faces import l1_direction, l2_direction


def separable_data(seed: int, n: int = 4, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    X = random.integers(-3, 4, (n, d)).astype(float)
    y = np.sign(X @ (random.integers(1, 4, d) + 0.5))
    return X, y


def direction(network, X, y, start=None):
    if start is None:
        start = ib.Initialization.random(network, 0.1, seed=0, gap=0.1)
    return ib.predict_limit(network, ib.Classification(X, y), start)


@pytest.mark.parametrize("apart", [1e-7, 1e-9, 1e-11, 1e-13])
def test_columns_that_nearly_tie(apart):
    """A linear program's ten digits choose among them at random: 0.45 rad off, certified."""
    network = ib.DiagonalNetwork(num_features=6, depth=2)
    for seed in range(12):
        X, y = separable_data(seed)
        X[:, -1] = X[:, 0]
        X *= 1 + apart * np.random.default_rng(seed).standard_normal(X.shape)
        if not ib.Classification(X, y).separability().verdict.holds:
            continue
        limit = direction(network, X, y)
        expected, _ = l1_direction((X * y[:, None]).tolist(), np.outer([1.0, 0.0], np.ones(6)))
        found = angle_between(limit.coefficients, np.array(expected))
        assert found <= 10 * max(limit.certificate.error, 1e-15)


@pytest.mark.parametrize("exponent", [-300, -200, -160, 160, 200, 300])
@pytest.mark.parametrize("fully_connected", [False, True])
def test_the_units_of_the_data_do_not_matter(exponent, fully_connected):
    random = np.random.default_rng(1)
    X, y = random.standard_normal((4, 6)), np.array([1.0, -1.0, 1.0, 1.0])
    network = ib.DiagonalNetwork(num_features=6, depth=2)
    if fully_connected:
        network = ib.FullyConnectedNetwork((6, 3))
    start = ib.Initialization.random(network, 0.1, seed=1)
    Z = (X * y[:, None]).tolist()
    expected = l2_direction(Z) if fully_connected else l1_direction(Z, start.directions)[0]
    for data in (X * 10.0**exponent, scipy.sparse.csr_array(X * 10.0**exponent)):
        limit = direction(network, data, y, start)
        # scaled to the smallest margin 1, as for data of size 1
        np.testing.assert_allclose(
            limit.coefficients / 10.0**-exponent, expected, rtol=1e-12, atol=1e-13
        )


@pytest.mark.parametrize("sparse", [False, True])
def test_norms_of_rows_whose_squares_do_not_fit(sparse):
    from implicitbias.features import as_features

    rows = np.array([[3e-200, 4e-200], [3e200, 4e200], [3.0, 4.0], [0.0, 0.0], [3e-310, 4e-310]])
    given = scipy.sparse.csr_array(rows) if sparse else rows
    np.testing.assert_allclose(
        as_features(given).row_norms(), [5e-200, 5e200, 5, 0, 5e-310], rtol=1e-12
    )


@pytest.mark.parametrize("problem", [ib.Regression, ib.Classification])
def test_a_point_without_an_output_is_refused(problem):
    tensor = np.zeros((1, 2, 2))
    tensor[0, 0, 1] = 1.0
    network = ib.TensorNetwork(tensor)
    start = ib.Initialization([[1.0], [0.0, 0.0]], scale=0.1)
    with pytest.raises(ib.NoPredictionError, match="no parameters give the point an output"):
        ib.predict_limit(network, problem([[1.0, 0.0]], [-1.0]), start)


def test_outputs_that_overflow_at_the_start():
    X, y = np.array([[1.0, -2.0, 0.5, 1.0], [0.3, 1.0, -1.0, 2.0]]), [1, -1]
    network = ib.FullyConnectedNetwork((4, 2, 2))
    limit = direction(network, X, y, ib.Initialization.random(network, 1e110, seed=1))
    expected = l2_direction((X * np.array([[1.0], [-1.0]])).tolist())
    np.testing.assert_allclose(limit.coefficients, expected, rtol=1e-13)


def test_deep_directions_are_read_off_late_in_units_of_the_start():
    """At margin 1e6 a start of size 1e20 in beta has not moved: its direction is no one's."""
    network = ib.ConvolutionalNetwork(num_features=3, filter_sizes=(3,) * 4)
    problem = ib.Classification([[-1.0, 1.0, 2.0], [1.0, -2.0, -1.0]], [-1, 1])
    first = np.array([1.0, 0.0, 0.0])
    start = ib.Initialization.last_layer_zero(network, [first] * 3, 5.7e16)
    with pytest.raises(ib.NoPredictionError, match="the flow decides"):
        ib.predict_limit(network, problem, start)


def test_contradicting_equations_have_no_small_error():
    from implicitbias.limits.margin._exact import refined

    matrix = np.array([[2.0, 3.0], [2.0, 3.0 + 1e-8], [3.0, 0.0]])
    assert refined(matrix, np.array([1 / 3, 1 / 9]), np.ones(3))[1] == np.inf
    assert refined(matrix[1:], np.array([1 / 3, 1 / 9]), np.ones(2))[1] < 1e-15


@pytest.mark.parametrize(("apart", "stays"), [(0.0, True), (1e-7, False), (1e-9, False)])
def test_saddles_are_ends_only_by_symmetry(apart, stays):
    """Equal columns stay equal for ever; nearly equal ones part, at margins far beyond 1e6."""
    X = np.array([[1.0, 2.0, 1.0], [3.0, -1.0, 3.0]])
    X[:, 2] *= 1 + apart * np.array([1.0, 0.3])
    network = ib.DiagonalNetwork(num_features=3, depth=3)
    start = ib.Initialization.last_layer_zero(network, np.ones(3), 0.1)
    if stays:
        found = direction(network, X, np.array([1.0, 1.0]), start).coefficients
        assert found[0] == pytest.approx(found[2], rel=1e-14)
    else:
        with pytest.raises(ib.NoPredictionError, match="leaves it later"):
            direction(network, X, np.array([1.0, 1.0]), start)


def test_sparse_classes_where_a_flow_decides():
    """A tie on which points off the margin pulled: as the dense answer."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(40):
        X = random.integers(0, 2, (4, 5)).astype(float)
        y = np.where(X[:, 0] > 0, 1.0, -1.0)
        network = ib.DiagonalNetwork(num_features=5, depth=2)
        start = ib.Initialization.last_layer_zero(network, np.ones(5), 0.1)
        try:
            dense = direction(network, X, y, start)
        except ib.ImplicitBiasError:
            continue
        if "pulled early" in dense.note:
            found.append(dense)
            sparse = direction(network, scipy.sparse.csr_array(X), y, start)
            np.testing.assert_allclose(sparse.coefficients, dense.coefficients, atol=1e-9)
        if len(found) == 2:
            break
    assert found


@pytest.mark.parametrize("family", [ib.DiagonalNetwork, ib.TwoSidedDiagonalNetwork])
def test_points_whose_margins_no_float64_vector_holds_are_refused_by_their_size(family):
    """Warnings are errors: 1e-160 and 1e160 overflowed on the way."""
    network, (X, y) = family(6, 2), separable_data(3)
    start = ib.Initialization([np.full(6, 1.0), np.full(6, 0.5)], 0.1)
    for far in (120, 160):
        sized = X * np.array([10.0**-far, 1.0, 1.0, 10.0**far])[:, None]
        with pytest.raises(ib.InvalidInputError, match="a point, of the largest, is of size"):
            ib.predict_limit(network, ib.Classification(sized, y), start)
