"""Which interpolators locked signs leave, in whatever units the data come."""

import numpy as np
import pytest

from implicitbias.coordinates import Curves
from implicitbias.features import Dense
from implicitbias.limits import reachable

LOCKED = Curves.from_start(np.ones((2, 3)), 0.0)


@pytest.mark.parametrize("units", [np.ones(3), np.array([1e-8, 1.0, 1e8])])
@pytest.mark.parametrize("lengths", [np.ones(2), np.array([1e-9, 1e9])])
def test_signs_are_decided_alike_in_all_units(units, lengths):
    features = np.array([[1.0, -1.0, 1.0], [0.0, 1.0, 1.0]]) * units * lengths[:, None]
    with_solution = reachable(Dense(features), np.array([1.0, 1.0]) * lengths, LOCKED)
    assert with_solution.holds
    assert not with_solution.forced.any()
    assert not reachable(Dense(features), np.array([1.0, -1.0]) * lengths, LOCKED).holds


def test_coordinates_that_every_solution_has_at_zero():
    """The second row adds what is not negative up to 0."""
    features = np.array([[1.0, 1.0, 1.0], [0.0, 1e-6, 1e6]])
    found = reachable(Dense(features), np.array([1.0, 0.0]), LOCKED)
    assert found.holds
    np.testing.assert_array_equal(found.forced, [False, True, True])
