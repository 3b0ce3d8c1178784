"""Whether values are of the types that results state for their fields."""

from types import GenericAlias, SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest

from implicitbias._arrays import FloatArray
from implicitbias._types import fits

Scalar = TypeVar("Scalar", bound=np.generic)


def test_arrays_are_of_their_scalars():
    assert fits(np.zeros(2), FloatArray)
    assert not fits(np.zeros(2, dtype=complex), FloatArray)
    assert not fits([0.0, 0.0], FloatArray)


@pytest.mark.parametrize(("array", "expected"), [(np.zeros(2), True), (np.zeros(2, int), False)])
def test_an_alias_by_a_type_statement_is_what_it_stands_for(array, expected):
    """What ``NDArray`` is from NumPy 2.5 on: Python 3.11 has no such statement."""
    alias: Any = SimpleNamespace(__value__=np.ndarray[Any, np.dtype[Scalar]])
    assert fits(array, GenericAlias(alias, (np.float64,))) is expected
