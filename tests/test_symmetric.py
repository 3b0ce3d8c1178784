"""Triangles in tiles: those of BLAS and LAPACK, at every number of rows around a tile's."""

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias import _symmetric
from implicitbias._symmetric import add_product, factor_upper


@pytest.fixture(params=["tiles", "at once"], autouse=True)
def _tiles(request, monkeypatch):
    if request.param == "tiles":
        for name, value in (("LARGEST", 0), ("TILE", 4), ("STRIP", 3)):
            monkeypatch.setattr(_symmetric, name, value)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 12, 23])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_products_are_added_to_the_upper_triangle(n, kind):
    half, before = normal(n, (n, 6), (n, n))
    half, before = half.astype(kind), np.triu(before).astype(kind)
    total = np.array(before, order="F")
    found = add_product(half, total)
    assert np.shares_memory(found, total)
    assert found.dtype == kind
    tolerance = 100 * np.finfo(kind).eps
    np.testing.assert_allclose(found, before + np.triu(half @ half.T), atol=tolerance)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 9, 12, 23])
def test_factors(n):
    (half,) = normal(n, (n, n + 3))
    gram = half @ half.T
    upper = np.asfortranarray(np.triu(gram))
    assert factor_upper(upper)
    np.testing.assert_allclose(np.triu(upper), np.linalg.cholesky(gram).T, rtol=0, atol=1e-11)


@pytest.mark.parametrize("place", range(11))
def test_matrices_that_are_not_positive_definite(place):
    diagonal = np.ones(11)
    diagonal[place] = -1e-3
    assert not factor_upper(np.asfortranarray(np.diag(diagonal)))
    (half,) = normal(0, (11, 10))  # of rank 10
    gram = half @ half.T - 1e-9 * np.eye(11)
    assert not factor_upper(np.asfortranarray(np.triu(gram)))
