"""Units of rows and columns: near 1, and the same however the matrix is read."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from helpers.draws import normal
from implicitbias.features import Blocks, Dense, Sparse
from implicitbias.limits._equilibrating import equilibrating


def matrix(n, m, seed):
    """Sizes far apart, a third of the entries 0, and one row and one column without any."""
    rng = np.random.default_rng(seed)
    Z = normal(seed, (n, m))[0] * (rng.random((n, m)) < 0.67)
    Z *= 10.0 ** rng.integers(-30, 30, m) * 10.0 ** rng.integers(-9, 9, (n, 1))
    Z[n // 2] = Z[:, m // 2] = 0.0
    return Z


@pytest.mark.parametrize(("n", "m"), [(1, 7), (5, 40), (30, 900)])
def test_blocks_are_read_to_the_same_units(n, m):
    Z = matrix(n, m, n)
    rows, columns = equilibrating(Dense(Z))
    parts = [Z[:, : m // 3], Z[:, m // 3 :]]
    for other in (Sparse(csr_array(Z)), Blocks(parts, memory=1 << 16), Blocks(Z)):
        for found, expected in zip(equilibrating(other), (rows, columns), strict=True):
            np.testing.assert_array_equal(found, expected)
    near = np.ldexp(np.abs(Z), rows[:, None] + columns)
    used = near.any(axis=0)
    assert (near[:, used].max(axis=0) >= 0.5).all()
    assert near.max() < 1.0
    assert not rows[n // 2]
    assert not columns[m // 2]
