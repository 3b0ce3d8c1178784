"""The numerical search for Assumption 1: planted, noisy, generic and structured tensors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.networks import (
    assert_near,
    conjugate_pairs,
    laws,
    orthonormal,
    paired_rows,
    planted,
)
from implicitbias import networks
from implicitbias._errors import InvalidInputError
from implicitbias.networks import TensorNetwork, _search
from implicitbias.networks._assumption import orthonormality_defect
from reference import dense_networks as dense

LARGEST = {2: 12, 3: 8, 4: 6, 5: 5}


@st.composite
def decompositions(
    draw, kinds=("real", "zero row", "repeated row", "graded", "complex"), depths=(2, 3, 4, 5)
):
    """Draw S and bases with unequal k_l and d <= m <= min k_l."""
    depth = draw(st.sampled_from(depths))
    kind = draw(st.sampled_from(kinds))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    sizes = rng.integers(2, LARGEST[depth] + 1, depth)
    m = int(rng.integers(1, sizes.min() + 1))
    d = int(rng.integers(1, m + 1))
    if kind == "complex":
        return paired_rows(rng, m, d), [conjugate_pairs(rng, k, m) for k in sizes]
    S = rng.standard_normal((m, d))
    if kind == "zero row" and m > d:
        S[-1] = 0.0
    if kind == "repeated row" and m > d:
        S[-1] = S[0]
    if kind == "graded":
        S = S * 10.0 ** rng.uniform(-4, 0, (m, 1))
    return S, [orthonormal(rng, k, m) for k in sizes]


def search(tensor, tol=1e-8):
    return _search.search_decomposition(tensor, tol=tol)


def assert_is_decomposition(found, tensor, tolerance=1e-13):
    assert found.verdict.holds, found.verdict
    assert found.residual <= tolerance
    assert max(map(orthonormality_defect, found.bases)) <= 1e-13
    assert_near(planted(found.S, found.bases), tensor, np.linalg.norm(tensor), tolerance)


@laws
@given(decompositions())
def test_planted_decompositions_are_found(parts):
    S, bases = parts
    found = search(planted(S, bases))
    assert_is_decomposition(found, planted(S, bases))
    if np.isrealobj(S):
        assert found.is_real
    assert found.size == np.count_nonzero(np.linalg.norm(S, axis=1))
    sizes = np.linalg.norm(found.S, axis=1)
    assert np.all(np.diff(sizes) <= 1e-7 * sizes[0])


@laws
@given(decompositions(kinds=("real", "repeated row", "complex"), depths=(3, 4, 5)))
def test_three_layers_and_more_fix_the_columns_up_to_order_and_phase(parts):
    S, bases = parts
    found = search(planted(S, bases))
    overlaps = [np.abs(U.conj().T @ V) for U, V in zip(bases, found.bases, strict=True)]
    match = overlaps[0].argmax(axis=1)
    assert sorted(match) == list(range(len(S)))
    for overlap in overlaps:
        assert_near(overlap[np.arange(len(S)), match], np.ones(len(S)), 1.0)
    sizes = np.linalg.norm(found.S[match], axis=1)
    assert_near(sizes, np.linalg.norm(S, axis=1), np.linalg.norm(S))


@laws
@given(decompositions(kinds=("real", "complex"), depths=(3, 4, 5)), st.integers(0, 100))
def test_canonical_form_forgets_order_and_phases(parts, seed):
    S, bases = parts
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(S))
    again = search(planted(S[order], [basis[:, order] for basis in bases]))
    found = search(planted(S, bases))
    assert_near(again.S, found.S, np.linalg.norm(S), 1e-11)
    for left, right in zip(again.bases, found.bases, strict=True):
        assert_near(left, right, 1.0, 1e-11)


@pytest.mark.parametrize("phase", [1.0, -1.0, np.exp(0.7j)])
def test_rows_that_agree_up_to_a_phase(phase):
    # For two layers the tie holds for every input, and any rotation within it is as good.
    rng = np.random.default_rng(0)
    S = rng.standard_normal((4, 2)) + 1j * rng.standard_normal((4, 2))
    S[2] = phase * S[1]
    bases = [orthonormal(rng, 5, 4, complex), orthonormal(rng, 4, 4, complex)]
    assert_is_decomposition(search(planted(S, bases)), planted(S, bases))


def test_close_singular_values_are_told_apart():
    rng = np.random.default_rng(1)
    S = 1.0 + 1e-6 * rng.standard_normal((5, 3))
    bases = [orthonormal(rng, 6, 5), orthonormal(rng, 5, 5)]
    assert_is_decomposition(search(planted(S, bases)), planted(S, bases))


def test_complex_tensors_are_decomposed():
    rng = np.random.default_rng(2)
    S = rng.standard_normal((3, 2)) + 1j * rng.standard_normal((3, 2))
    bases = [orthonormal(rng, k, 3, complex) for k in (3, 5, 4)]
    assert_is_decomposition(search(planted(S, bases)), planted(S, bases))


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_the_scale_of_the_tensor_does_not_matter(scale):
    rng = np.random.default_rng(3)
    bases = [orthonormal(rng, k, 3) for k in (3, 5, 4)]
    tensor = planted(rng.standard_normal((3, 2)), bases)
    found = TensorNetwork(scale * tensor).orthogonal_decomposition()
    assert found.verdict.holds
    assert_near(found.S / scale, search(tensor).S, 10.0)


@pytest.mark.parametrize(
    ("noise", "status"),
    [(1e-12, "holds"), (1e-9, "holds"), (1e-6, "undecided"), (1e-3, "fails"), (1e-1, "fails")],
)
@pytest.mark.parametrize("depth", [2, 3, 4, 5])
@pytest.mark.parametrize("complex_", [False, True])
def test_residual_is_the_noise(noise, status, depth, complex_):
    rng = np.random.default_rng(4)
    make, rows = (conjugate_pairs, paired_rows) if complex_ else (orthonormal, None)
    S = rows(rng, 4, 3) if rows else rng.standard_normal((4, 3))
    tensor = planted(S, [make(rng, k, 4) for k in (6, 5, 4, 5, 5)[:depth]])
    slices = tensor.reshape(-1, 3)
    error = rng.standard_normal(slices.shape) * np.linalg.norm(slices, axis=0)
    error *= noise / np.sqrt(len(slices))
    found = search((slices + error).reshape(tensor.shape))
    assert found.verdict.status == status
    assert 0.3 * noise <= found.residual <= 1.3 * noise
    assert max(map(orthonormality_defect, found.bases)) <= 1e-13
    # The noise of two layers is a matrix of full rank, and a fifth row of S explains some of it.
    assert found.size == (5 if depth == 2 and status != "holds" else 4)


@pytest.mark.parametrize("sizes", [(3, 3), (5, 9), (3, 4, 5), (2, 2, 2), (3, 3, 3, 3), (2,) * 5])
def test_generic_tensors_fail_by_a_wide_margin(sizes):
    for seed in range(5):
        tensor = np.random.default_rng(seed).standard_normal((*sizes, 2))
        found = search(tensor)
        assert found.verdict.fails
        assert 0.1 < found.residual <= 1.0
        assert str(found.verdict).startswith("fails: ")


def test_every_matrix_of_one_feature_is_decomposable():
    tensor = np.random.default_rng(0).standard_normal((4, 3, 1))
    assert_is_decomposition(search(tensor), tensor)


@pytest.mark.parametrize(("d", "sizes"), [(5, (1, 5)), (6, (5, 6)), (4, (2, 3, 4))])
def test_short_filters_fail(d, sizes):
    found = networks.ConvolutionalNetwork(d, sizes).orthogonal_decomposition()
    assert found.verdict.fails
    assert found.residual > 0.3
    assert f"S lacks full column rank {d} as well" in found.verdict.detail


@pytest.mark.parametrize("widths", [(2, 2), (3, 2), (1, 2, 2), (2, 2, 2)])
def test_fully_connected_tensors_are_as_far_off_as_disjoint_paths_say(widths):
    found = search(dense.fully_connected(widths))
    paths = networks.FullyConnectedNetwork(widths).orthogonal_decomposition()
    assert found.verdict.fails
    assert found.residual == pytest.approx(paths.residual, rel=0.15)


def test_known_families_are_found_from_their_tensors():
    identity = search(dense.diagonal(4, 3))
    assert identity.is_real
    assert_is_decomposition(identity, dense.diagonal(4, 3))
    fourier = search(dense.convolutional(5, (5, 5, 5)))
    assert not fourier.is_real
    assert_is_decomposition(fourier, dense.convolutional(5, (5, 5, 5)))
    assert_near(np.linalg.norm(fourier.S, axis=1), np.full(5, 5.0), 5.0)


def test_a_feature_without_effect_fails_by_rank():
    S = np.zeros((3, 3))
    S[:, :2] = np.random.default_rng(0).standard_normal((3, 2))
    found = search(planted(S, [np.eye(3)] * 3))
    assert found.residual <= 1e-14
    assert found.verdict.fails
    assert "S lacks full column rank 3: smallest over largest" in found.verdict.detail


def test_nearly_dependent_features_are_undecided():
    S = np.array([[1.0, 1.0], [0.0, 3e-9], [0.5, 0.5]])
    found = search(planted(S, [np.eye(3)] * 3))
    assert found.verdict.status == "undecided"
    assert 1e-10 < found.verdict.value < 1e-8


def test_more_features_than_terms_fail_by_counting():
    S = np.random.default_rng(0).standard_normal((2, 3))
    found = search(planted(S, [np.eye(2)] * 3))
    assert found.verdict.fails
    assert "min k_l allows only 2 rows for 3 features" in found.verdict.detail


def test_the_zero_tensor_fails_without_terms():
    found = search(np.zeros((2, 3, 2)))
    assert found.verdict.fails
    assert found.S.shape == (0, 2)
    assert [basis.shape for basis in found.bases] == [(2, 0), (3, 0)]


def test_large_short_filters_are_judged_by_their_size():
    found = networks.ConvolutionalNetwork(3000, (2, 3000)).orthogonal_decomposition()
    assert found.verdict.fails
    assert (found.residual, found.size) == (1.0, 0)
    assert "3000 > 2" in found.verdict.detail


def test_units_of_the_features_do_not_matter():
    rng = np.random.default_rng(5)
    bases = [orthonormal(rng, k, 4) for k in (4, 5)]
    S = rng.standard_normal((4, 3))
    units = np.array([1e-5, 1.0, 1e5])
    found = search(planted(S * units, bases))
    assert found.verdict.holds
    assert_near(planted(found.S / units, found.bases), planted(S, bases), 5.0)


def test_refusals(monkeypatch):
    monkeypatch.setattr(_search, "MAX_SEARCH_ENTRIES", 7)
    with pytest.raises(InvalidInputError, match=r"has 8 entries; .* takes up to 7"):
        TensorNetwork(np.ones((2, 2, 2))).orthogonal_decomposition()
    with pytest.raises(InvalidInputError, match="tol is 2; expected a number between 0 and 1"):
        TensorNetwork(np.ones((2, 2, 2))).orthogonal_decomposition(tol=2.0)
    with pytest.raises(InvalidInputError, match="tol is 0"):
        TensorNetwork(np.ones((2, 2, 2))).orthogonal_decomposition(tol=0)
