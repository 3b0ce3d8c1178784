"""Independent columns of the largest weights: the choice always ends."""

import numpy as np
import pytest
import scipy.sparse

from implicitbias.features import Sparse, as_features

FLAT = np.array([[1.0, -1.0, 0.5], [1.0, -1.0 - 1e-9, 2.0]])


@pytest.mark.parametrize("features", [as_features(FLAT), Sparse(scipy.sparse.csr_array(FLAT))])
def test_columns_without_weight_are_no_basis(features):
    weightless = np.array([0.0, -np.inf, -np.inf])
    assert features.heaviest_basis(weightless) is None
    assert set(features.heaviest_basis(np.array([0.0, -np.inf, -1.0]))) == {0, 2}
