"""Multilinear multiplication against the sum of its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.networks import assert_near, laws, size_of
from implicitbias._errors import InvalidInputError
from implicitbias.networks import multilinear_multiply
from implicitbias.networks._multilinear import outer_columns


def array(rng, shape, kind):
    real = rng.standard_normal(shape)
    return real + 1j * rng.standard_normal(shape) if kind is complex else real


@laws
@given(st.data())
def test_each_entry_is_the_sum_of_the_definition(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    modes = data.draw(st.integers(1, 5))
    kinds = st.sampled_from((float, complex))
    sizes = rng.integers(1, 4, modes)
    tensor = array(rng, sizes, data.draw(kinds))
    entries, full, letters = [], [], []
    for size in sizes:
        what = data.draw(st.sampled_from(("matrix", "vector", "none")))
        width = {"matrix": int(rng.integers(1, 4)), "vector": 1, "none": size}[what]
        matrix = np.eye(size) if what == "none" else array(rng, (size, width), data.draw(kinds))
        full.append(matrix)
        entries.append({"matrix": matrix, "vector": matrix[:, 0], "none": None}[what])
        letters.append(what)
    expected = np.zeros([matrix.shape[1] for matrix in full], dtype=complex)
    for out in np.ndindex(*expected.shape):
        for index in np.ndindex(*sizes):
            factors = [m[j, i] for m, j, i in zip(full, index, out, strict=True)]
            expected[out] += tensor[index] * np.prod(factors)
    gone = tuple(mode for mode, what in enumerate(letters) if what == "vector")
    assert_near(
        multilinear_multiply(tensor, entries), expected.squeeze(gone), size_of(tensor, *full)
    )


def test_nothing_is_conjugated():
    assert multilinear_multiply(np.array([1j, 2.0]), [np.array([1j, 0.0])]) == -1.0


def test_real_stays_real():
    assert multilinear_multiply(np.eye(2), [np.ones((2, 3)), None]).dtype == np.float64


def test_outer_columns_are_row_major():
    left, right = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 8.0]])
    expected = [np.outer(left[:, j], right[:, j]).ravel() for j in range(2)]
    assert np.array_equal(outer_columns([left, right]), np.array(expected).T)


@pytest.mark.parametrize(
    ("tensor", "matrices", "text"),
    [
        (np.eye(2), [np.eye(2)], "1 entries for a tensor with 2 modes"),
        (np.eye(2), 3, "sequence with one entry a mode"),
        (np.eye(2), [None, np.ones((3, 2))], r"entry 2, has shape \(3, 2\); .* \(2, any\)"),
        (np.eye(2), [np.ones(3), None], r"entry 1, has shape \(3,\); .* \(2,\)"),
        (np.eye(2), [None, np.full(2, np.nan)], "entry 2, contains nan"),
        (np.array([[np.inf]]), [None, None], "tensor contains inf"),
        (np.array(3.0), [], "at least one mode"),
    ],
)
def test_bad_input(tensor, matrices, text):
    with pytest.raises(InvalidInputError, match=text):
        multilinear_multiply(tensor, matrices)
