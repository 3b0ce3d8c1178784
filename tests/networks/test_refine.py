"""The steps of the joint diagonalisation, each against the law it rests on."""

import numpy as np
import pytest
from scipy.linalg import expm

from helpers.networks import assert_near, orthonormal, planted
from implicitbias.networks import _refine
from implicitbias.networks._assumption import orthonormality_defect


def unitary(rng, size, kind, angle):
    """Return a unitary matrix at about ``angle`` from the identity."""
    skew = rng.standard_normal((size, size))
    if kind is complex:
        skew = skew + 1j * rng.standard_normal((size, size))
    return expm(angle * (skew - skew.conj().T))


def off_by(core, bases):
    return _refine.relative_residual(core, bases, _refine.project(core, bases))


@pytest.mark.parametrize("kind", [float, complex])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_both_refinements_square_the_error(kind, depth):
    rng = np.random.default_rng(depth)
    S = rng.standard_normal((4, 3))
    if kind is complex:
        S = S + 1j * rng.standard_normal((4, 3))
    exact = [orthonormal(rng, 4, 4, kind) for _ in range(depth)]
    core = planted(S, exact)
    step = _refine._newton if depth == 2 else _refine._alternate
    for angle in (1e-2, 1e-3, 1e-4):
        near = tuple(basis @ unitary(rng, 4, kind, angle) for basis in exact)
        found = step(core, near)
        before, after = off_by(core, near), off_by(core, found)
        assert before > angle / 3
        assert after < 100 * before**2
        assert max(map(orthonormality_defect, found)) <= 1e-14


@pytest.mark.parametrize("seed", range(10))
def test_alternating_never_loses_on_any_tensor(seed):
    rng = np.random.default_rng(seed)
    core = rng.standard_normal((3, 4, 3, 6)) + 1j * rng.standard_normal((3, 4, 3, 6))
    bases = tuple(orthonormal(rng, size, 3, complex) for size in (3, 4, 3))
    sums = []
    for _ in range(10):
        sums.append(np.square(np.abs(_refine.project(core, bases))).sum())
        bases = _refine._alternate(core, bases)
    assert np.all(np.diff(sums) >= 0)


def test_contract_columns_is_the_contraction_with_conjugates():
    rng = np.random.default_rng(0)
    core = rng.standard_normal((2, 3, 4, 5))
    bases = [orthonormal(rng, size, 2, complex) for size in (2, 3, 4)]
    A, B, C = (basis.conj() for basis in bases)
    whole = np.einsum("abce,aj,bj,cj->ej", core, A, B, C)
    assert_near(_refine.contract_columns(core, bases), whole, np.linalg.norm(core))
    assert_near(_refine.project(core, bases), whole.T, np.linalg.norm(core))
    for skip, expected in enumerate(
        (
            np.einsum("abce,bj,cj->aej", core, B, C),
            np.einsum("abce,aj,cj->bej", core, A, C),
            np.einsum("abce,aj,bj->cej", core, A, B),
        )
    ):
        found = _refine.contract_columns(core, bases, skip=skip)
        assert_near(found, expected, np.linalg.norm(core))


def test_relative_residual_is_the_worst_input(monkeypatch):
    monkeypatch.setattr(_refine, "_BLOCK_ENTRIES", 1)
    core = np.zeros((2, 2, 3))
    core[0, 0, 0], core[1, 1, 1], core[0, 1, 2] = 4.0, 3.0, 1.0
    bases = (np.eye(2), np.eye(2))
    assert _refine.relative_residual(core, bases, np.zeros((2, 3))) == 1.0
    assert off_by(core, bases) == 0.25
    assert _refine.relative_residual(0 * core, bases, np.zeros((2, 3))) == 0.0


def test_polar_is_the_nearest_orthonormal_matrix():
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((4, 2))
    nearest = _refine.polar(matrix)
    assert_near(nearest.T @ nearest, np.eye(2), 1.0)
    distance = np.linalg.norm(matrix - nearest)
    for _ in range(20):
        assert np.linalg.norm(matrix - orthonormal(rng, 4, 2)) >= distance
