"""Singular tuples against the SVD, closed forms, an exhaustive scan and gradient ascent."""

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.networks import assert_near, cases, laws, orthonormal, size_of
from implicitbias import networks
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias.limits.singular._vectors import (
    critical_type,
    singular_residual_of_network,
    tensor_singular_error,
    tensor_singular_residual,
    tensor_singular_vectors,
)
from reference import tensor_singular as reference

KINDS = [float, complex]


def normal(rng, shape, kind=float):
    array = rng.standard_normal(shape)
    return array + 1j * rng.standard_normal(shape) if kind is complex else array


def assert_sound(tensor, found):
    """Sorted, positive, of unit norm, singular by an independent contraction, each one once."""
    values = [each.value for each in found]
    assert values == sorted(values, reverse=True)
    assert all(value > 0 for value in values)
    for value, vectors, residual in found:
        assert residual <= 1e-10
        assert reference.residual(tensor, vectors, value) <= residual + 1e-13
        np.testing.assert_allclose([np.linalg.norm(u) for u in vectors], 1.0, rtol=1e-12)
    products = np.array([reference.rank_one(each.vectors).ravel() for each in found])
    distances = np.linalg.norm(products[:, None] - products, axis=2)
    assert np.all(distances[~np.eye(len(found), dtype=bool)] > 1e-6)


def assert_same_tuples(found, expected, tolerance=1e-7):
    """Check that the two lists hold the same (value, vectors), matched by their products."""
    expected = list(expected)
    assert len(found) == len(expected)
    products = np.array([reference.rank_one(each[1]).ravel() for each in expected])
    for each in found:
        distances = np.linalg.norm(products - reference.rank_one(each.vectors).ravel(), axis=1)
        nearest = int(np.argmin(distances))
        assert distances[nearest] < tolerance
        assert each.value == pytest.approx(expected[nearest][0], rel=1e-9)


def test_documented_example_has_3_and_2_and_6_over_sqrt_13():
    tensor = reference.diagonal([3.0, 2.0], 3)
    found = tensor_singular_vectors(tensor)
    assert_sound(tensor, found)
    values = [each.value for each in found]
    np.testing.assert_allclose(values, [3.0, 2.0, *[6 / math.sqrt(13)] * 4], rtol=1e-14)
    assert [critical_type(tensor, each.vectors).ascent for each in found] == [0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("entries", "order", "count"),
    [([3, 2], 4, 10), ([3, 2, 1.5], 3, 31), ([3, 2, 1.5, 1], 3, 156), ([2, 1], 5, 18)],
)
def test_diagonal_tensors_have_their_known_tuples(entries, order, count):
    tensor = reference.diagonal(entries, order)
    found = tensor_singular_vectors(tensor)
    assert len(found) == count
    assert_sound(tensor, found)
    assert_same_tuples(found, reference.diagonal_tuples(entries, order))


def test_complex_diagonal_tensors_have_one_family_for_each_support():
    found = tensor_singular_vectors(reference.diagonal([3.0, 2.0j, -1.0], 3))
    supports = [[3], [2], [3, 2], [1], [3, 1], [2, 1], [3, 2, 1]]
    expected = [np.sum(np.array(part, float) ** -2) ** -0.5 for part in supports]
    np.testing.assert_allclose([each.value for each in found], sorted(expected)[::-1], rtol=1e-12)


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 2, 3), (2, 3, 3), (2, 4, 3)])
@pytest.mark.parametrize("seed", range(3))
def test_generic_tensors_have_what_an_exhaustive_scan_finds(shape, seed):
    tensor = normal(np.random.default_rng(seed), shape)
    found = tensor_singular_vectors(tensor)
    assert_sound(tensor, found)
    assert_same_tuples(found, reference.scanned_tuples(tensor))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 2), (1, 3)])
def test_order_two_is_the_singular_value_decomposition(shape, kind):
    matrix = normal(np.random.default_rng(0), shape, kind)
    found = tensor_singular_vectors(matrix)
    assert_sound(matrix, found)
    expected = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose([each.value for each in found], expected, rtol=1e-13)
    rebuilt = sum(s * np.outer(u, v).conj() for s, (u, v), _ in found)
    assert_near(rebuilt, matrix, np.linalg.norm(matrix))


def test_matrices_keep_ties_and_small_values_but_no_zeros():
    found = tensor_singular_vectors(np.diag([2.0, 2.0, 1e-12, 0.0]))
    np.testing.assert_allclose([each.value for each in found], [2.0, 2.0, 1e-12], rtol=1e-14)
    top = tensor_singular_vectors(np.diag([2.0, 2.0, 1.0]), include_saddles=False)
    assert [each.value for each in top] == [2.0, 2.0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_search_finds_the_svd_of_a_matrix_with_a_third_axis(kind):
    matrix = normal(np.random.default_rng(1), (4, 3), kind)
    found = tensor_singular_vectors(matrix[:, :, None])
    expected = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose([each.value for each in found], expected, rtol=1e-12)
    phase = 1j if kind is complex else -1.0
    types = [critical_type(matrix, [phase * u, v]) for _, (u, v, _), _ in found]
    assert all(each.flat == 0 for each in types)
    assert [each.ascent for each in types] == ([0, 2, 4] if kind is complex else [0, 1, 2])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(3, 3, 3), (4, 2, 3), (2, 3, 2, 2)])
def test_gradient_ascent_ends_in_listed_maxima(shape, kind):
    rng = np.random.default_rng(5)
    tensor = normal(rng, shape, kind)
    everything = tensor_singular_vectors(tensor)
    maxima = tensor_singular_vectors(tensor, include_saddles=False)
    assert_sound(tensor, everything)
    products = [reference.rank_one(each.vectors) for each in maxima]
    for _ in range(3):
        value, vectors = reference.ascend(tensor, [normal(rng, k, kind) for k in shape])
        overlaps = [np.vdot(product, reference.rank_one(vectors)).real for product in products]
        best = int(np.argmax(overlaps))
        assert overlaps[best] == pytest.approx(1.0, abs=1e-9)
        assert value == pytest.approx(maxima[best].value, rel=1e-12)
    listed = [each.value for each in everything if critical_type(tensor, each.vectors).ascent == 0]
    np.testing.assert_allclose([each.value for each in maxima], listed, rtol=1e-10)


def test_slow_climbs_do_not_pass_saddles_off_as_maxima():
    tensor = np.diag([1.0, 0.999])[:, :, None]
    assert len(tensor_singular_vectors(tensor)) == 2
    (top,) = tensor_singular_vectors(tensor, include_saddles=False)
    assert top.value == pytest.approx(1.0, rel=1e-12)


def test_flat_families_are_listed_once_for_each_value():
    network = networks.FullyConnectedNetwork((3, 2, 2))
    found = tensor_singular_vectors(network.data_tensor([1.0, 2.0, 2.0]))
    assert [each.value for each in found] == [pytest.approx(3.0)]
    assert critical_type(network.data_tensor([1.0, 2.0, 2.0]), found[0].vectors).flat > 0


def test_the_w_tensor_has_its_known_spectral_norm():
    tensor = np.zeros((2, 2, 2))
    tensor[0, 0, 1] = tensor[0, 1, 0] = tensor[1, 0, 0] = 1.0
    assert tensor_singular_vectors(tensor)[0].value == pytest.approx(2 / math.sqrt(3), rel=1e-13)


@settings(laws, max_examples=8)
@given(st.integers(0, 10_000), st.sampled_from(KINDS))
def test_orthogonal_changes_of_basis_carry_the_tuples_along(seed, kind):
    rng = np.random.default_rng(seed)
    shape = (2, 2, 2)
    tensor = normal(rng, shape, kind)
    turns = [orthonormal(rng, k, k, kind) for k in shape]
    turned = np.einsum("abc,ax,by,cz->xyz", tensor, *turns)
    moved = [
        (value, [turn @ u for turn, u in zip(turns, vectors, strict=True)])
        for value, vectors, _ in tensor_singular_vectors(turned)
    ]
    assert_same_tuples(tensor_singular_vectors(tensor), moved, tolerance=1e-5)


@pytest.mark.parametrize("scale", [1e-306, -7.0, 1e300])
@pytest.mark.parametrize("kind", KINDS)
def test_scaling_scales_the_values_and_nothing_else(scale, kind):
    tensor = normal(np.random.default_rng(3), (2, 3, 2), kind)
    plain, scaled = tensor_singular_vectors(tensor), tensor_singular_vectors(scale * tensor)
    expected = [abs(scale) * each.value for each in plain]
    np.testing.assert_allclose([each.value for each in scaled], expected, rtol=1e-9)
    assert max(each.residual for each in scaled) < 1e-10
    assert tensor_singular_residual(scale * tensor, plain[0].vectors) < 1e-14


def test_equal_seeds_give_equal_answers_and_limits_are_kept():
    tensor = normal(np.random.default_rng(0), (2, 3, 2))
    first, second = (tensor_singular_vectors(tensor, seed=4) for _ in range(2))
    for one, two in zip(first, second, strict=True):
        assert one.value == two.value
        assert all(np.array_equal(a, b) for a, b in zip(one.vectors, two.vectors, strict=True))
    largest = tensor_singular_vectors(tensor, seed=4, max_values=2)
    assert [each.value for each in largest] == [each.value for each in first[:2]]
    assert 1 <= len(tensor_singular_vectors(tensor, num_starts=1)) <= 4


def test_zero_tensors_have_no_tuples_and_no_residual():
    assert tensor_singular_vectors(np.zeros((2, 3))) == []
    assert tensor_singular_vectors(np.zeros((2, 3, 2))) == []
    assert tensor_singular_residual(np.zeros((2, 3)), [[1, 2], [1, 2, 3]]) == 0.0


def test_large_axes_of_low_rank_cost_nothing():
    rng = np.random.default_rng(0)
    matrix, axis = normal(rng, (3, 2)), normal(rng, 2000)
    found = tensor_singular_vectors(matrix[:, :, None] * axis)
    expected = np.linalg.svd(matrix, compute_uv=False) * np.linalg.norm(axis)
    np.testing.assert_allclose([each.value for each in found], expected, rtol=1e-11)


@laws
@given(cases(depths=(2, 3, 4)))
def test_residuals_of_a_network_and_of_its_data_tensor_agree(case):
    units = [layer / np.linalg.norm(layer) for layer in case.parameters]
    tensor = case.tensor @ (case.direction / np.linalg.norm(case.direction))
    value = np.sum(tensor * reference.rank_one([unit.ravel() for unit in units]))
    dense = tensor_singular_residual(tensor, case.parameters)
    size = size_of(case.tensor)
    assert_near(dense, reference.residual(tensor, [u.ravel() for u in units], value), 1.0)
    structured = singular_residual_of_network(case.network, case.direction, case.parameters)
    assert_near(structured * abs(value), dense * np.linalg.norm(tensor), size)


def test_network_residual_vanishes_at_the_limit_of_a_diagonal_network():
    """The two-basin example: (0, 1/3, 1/3) has multipliers (1, 1), so -u is along (2, 3, 3)."""
    network = networks.DiagonalNetwork(3, 3)
    layers = [scale * np.array([0.0, 1.0, 1.0]) for scale in (1e-200, 3.0, 1e200)]
    assert singular_residual_of_network(network, [2.0, 3.0, 3.0], layers) < 1e-15
    assert singular_residual_of_network(network, [2e300, 3e300, 3e300], layers) < 1e-15
    tensor = network.data_tensor([2.0, 3.0, 3.0])
    assert critical_type(tensor, layers).ascent == 1
    values = [each.value for each in tensor_singular_vectors(tensor)]
    assert min(abs(value - 3 / math.sqrt(2)) for value in values) < 1e-12


def test_network_residual_where_the_value_is_zero():
    network = networks.DiagonalNetwork(3, 3)
    apart = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert singular_residual_of_network(network, [1.0, 1.0, 1.0], apart) == 0.0
    half = [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    assert singular_residual_of_network(network, [1.0, 1.0, 1.0], half) == math.inf


@pytest.mark.parametrize(
    "tensor",
    [
        3.0,
        [1.0, 2.0],
        [[1.0, 2.0], [3.0]],
        [["a", "b"]],
        [[1.0, math.nan]],
        [[1.0, math.inf]],
        np.zeros((2, 0)),
        np.zeros((400, 400, 100)),
        None,
    ],
)
def test_malformed_tensors_are_refused(tensor):
    with pytest.raises(InvalidInputError, match="tensor"):
        tensor_singular_vectors(tensor)
    with pytest.raises(InvalidInputError, match="tensor"):
        tensor_singular_residual(tensor, [[1.0], [1.0]])


def test_complex_tensors_too_large_as_real_forms_are_refused():
    tensor = normal(np.random.default_rng(0), (2,) * 12, complex)
    with pytest.raises(InvalidInputError, match="complex, of order 12"):
        tensor_singular_vectors(tensor)


@pytest.mark.parametrize(
    ("option", "value"),
    [("num_starts", 0), ("seed", -1), ("residual", 0.0), ("residual", math.nan), ("max_values", 0)],
)
def test_malformed_options_are_refused(option, value):
    with pytest.raises(InvalidInputError, match=option):
        tensor_singular_vectors(np.eye(2), **{option: value})


@pytest.mark.parametrize(
    "vectors",
    [3.0, [[1.0, 1.0]], [[1.0, 1.0], [1.0]], [[0.0, 0.0], [1.0, 1.0]], [["a", "b"], [1.0, 1.0]]],
)
def test_malformed_vectors_are_refused(vectors):
    with pytest.raises(InvalidInputError, match="vectors"):
        tensor_singular_residual(np.eye(2), vectors)


def test_types_of_tuples_of_value_zero_are_refused():
    with pytest.raises(InvalidInputError, match="positive value"):
        critical_type(np.diag([1.0, 0.0]), [[0.0, 1.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    ("direction", "layers"),
    [([0.0, 0.0], [[1, 1], [1, 1]]), ([1.0, 1.0], [[0, 0], [1, 1]]), ([1.0], [[1, 1], [1, 1]])],
)
def test_malformed_network_points_are_refused(direction, layers):
    with pytest.raises(InvalidInputError):
        singular_residual_of_network(networks.DiagonalNetwork(2, 2), direction, layers)


PRECISE = 40


def refined_to_40_digits(tensor, vectors):
    """The singular tuple beside a given one: Newton on s u_l = A o (.., I at l, ..), |u_l| = 1."""
    shape = tensor.shape
    with mpmath.workdps(PRECISE):
        entries = {index: mpmath.mpf(float(tensor[index])) for index in np.ndindex(shape)}

        def equations(*unknowns):
            edges = np.cumsum([0, *shape])
            parts = [unknowns[a:b] for a, b in itertools.pairwise(edges)]
            values = unknowns[edges[-1] :]
            slopes = [[mpmath.mpf(0)] * size for size in shape]
            for index, entry in entries.items():
                for mode, i in enumerate(index):
                    factors = [parts[m][k] for m, k in enumerate(index) if m != mode]
                    slopes[mode][i] += entry * mpmath.fprod(factors)
            left = [
                g - value * u
                for slope, part, value in zip(slopes, parts, values, strict=True)
                for g, u in zip(slope, part, strict=True)
            ]
            return left + [mpmath.fsum(u * u for u in part) - 1 for part in parts]

        value = float(np.einsum("abc,a,b,c", tensor, *vectors))
        start = [float(u) for part in vectors for u in part] + [value] * len(shape)
        found = mpmath.findroot(equations, start, tol=1e-60, maxsteps=20)
    return np.split(np.array([float(x) for x in found]), np.cumsum(shape))[: len(shape)]


@pytest.mark.parametrize("near", [0.0, 0.5, 0.05])
def test_error_against_40_digits(near):
    """Where a direction is nearly flat, tuples are ill determined."""
    rng = np.random.default_rng(3)
    tensor = rng.standard_normal((2, 2, 2))
    if near:  # a flat direction, all but lifted
        tensor = np.zeros((2, 2, 2))
        tensor[0, 0, 0], tensor[0, 1, 1], tensor[1, 0, 1], tensor[1, 1, 0] = 1.0, near - 1, -1, -1
    for value, vectors, _ in tensor_singular_vectors(tensor):
        exact = refined_to_40_digits(tensor, vectors)
        off = max(np.linalg.norm(u - w) for u, w in zip(vectors, exact, strict=True))
        error = tensor_singular_error(tensor, vectors)
        assert value > 0
        assert off <= 10 * error
        assert error < 1e-6
        moved = [u + 1e-5 * rng.standard_normal(u.size) for u in vectors]
        moved = [u / np.linalg.norm(u) for u in moved]
        away = max(np.linalg.norm(u - w) for u, w in zip(moved, exact, strict=True))
        assert away <= 10 * tensor_singular_error(tensor, moved)


def test_error_of_what_is_no_tuple_or_one_of_a_curve():
    tensor = np.zeros((2, 2, 2))
    tensor[0, 0, 0] = 1.0
    first, second = np.eye(2)
    assert tensor_singular_error(tensor, [first, second, first]) == math.inf
    flat = np.zeros((2, 2, 2))
    flat[0] = np.eye(2)  # every u_2 = u_3 is singular
    assert tensor_singular_error(flat, [first, second, second]) == math.inf
    assert tensor_singular_error(tensor, [first, first, first]) <= 1e-15
    assert tensor_singular_error(tensor * 1j, [first, first, first]) <= 1e-15


def test_nothing_found_is_said():
    """Tuples that all but form curves: no iteration settles on one."""
    tensor = np.zeros((2, 2, 2))
    tensor[0, 0, 0], tensor[0, 1, 1], tensor[1, 0, 1], tensor[1, 1, 0] = 1.0, 1e-6 - 1, -1, -1
    with pytest.raises(NoPredictionError, match="larger residual"):
        tensor_singular_vectors(tensor, residual=1e-25)  # whatever rounding does elsewhere
