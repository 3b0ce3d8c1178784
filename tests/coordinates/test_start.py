"""Offsets, kinds and units measured on the directions without cancellation."""

import mpmath as mp
import numpy as np
import pytest

from implicitbias.coordinates import Curves
from implicitbias.coordinates._start import start_from


def start(*layers, log_scale=0.0):
    return start_from(np.array(layers, dtype=float)[:, None], log_scale)


@pytest.mark.parametrize(
    ("layers", "locked", "dead"),
    [
        ((1, 0), False, False),
        ((1, -1), True, False),
        ((0, 0), False, True),
        ((3, 0, 0), False, True),
        ((0, 3, 2), False, False),
        ((2, -1, 1), True, False),
        ((1, 1 + 1e-15, 2), False, False),
        ((-0.0, 0.0, 1), False, True),
    ],
)
def test_kinds(layers, locked, dead):
    found = start(*layers)
    assert (bool(found.shape.locked[0]), bool(found.dead[0])) == (locked, dead)


def test_nearly_equal_layers_keep_their_offset():
    layers = (1.0, 1.0 + 2**-40, 5.0)
    found = start(*layers)
    with mp.workdps(40):
        offset = mp.mpf(layers[1]) ** 2 - 1
        assert abs(2 * found.log_size[0] - mp.log(offset)) < 1e-14
        assert abs(found.t0[0] / mp.asinh(1 / mp.sqrt(offset)) - 1) < 4e-16


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e160, 1.7e308])
def test_directions_near_the_ends_of_float64(size):
    plain, extreme = start(1, 0.5, 0.25), start(size, 0.5 * size, 0.25 * size)
    np.testing.assert_allclose(extreme.t0, plain.t0, rtol=1e-15)
    np.testing.assert_allclose(extreme.shape.log_g, plain.shape.log_g, rtol=1e-14)
    np.testing.assert_allclose(extreme.log_size, plain.log_size + np.log(size), rtol=1e-15)


def test_offsets_equal_to_rounding_count_as_equal():
    ones = np.ones((4, 3))
    ones[-1] = 0.2
    assert Curves.from_start(ones, 0.0).equal
    ones[0, 1] += 2e-16
    assert Curves.from_start(ones, 0.0).equal
    ones[0, 1] += 1e-14
    assert not Curves.from_start(ones, 0.0).equal


def test_units():
    layers, log_scale = (0.5, -3.0, 2.0, 1.0), 0.7
    curves = Curves.from_start(np.array(layers)[:, None], log_scale)
    others = np.sqrt([3.0**2 - 0.25, 2.0**2 - 0.25])
    np.testing.assert_allclose(2 * curves.log_unit, np.log(others).sum() + 2 * log_scale)
    np.testing.assert_allclose(np.exp(curves.log_u_slope(np.zeros(1))), 1.0)
    assert curves.t0[0] < 0
