"""Which small starts leave the saddle at 0, held against scalar flows in closed form."""

from itertools import pairwise

import numpy as np
import pytest

from implicitbias.limits import escape


def chain(signs, sizes):
    return [np.array([signs[0] * sizes[0]])] + [
        np.full((1,) * (1 + (index + 1 < len(sizes))), sign * size)
        for index, (sign, size) in enumerate(zip(signs[1:], sizes[1:], strict=True), 1)
    ]


def balanced_against(widths, seed=0):
    """Rank-one layers of one norm whose product points away from k."""
    rng = np.random.default_rng(seed)
    units = [rng.standard_normal(width) for width in widths]
    units = [unit / np.linalg.norm(unit) for unit in units]
    middle = [np.outer(*pair) for pair in pairwise(units)]
    return [-units[0], *middle, units[-1]]


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_balanced_layers_against_k_decay_to_the_saddle(depth):
    found = escape(balanced_against([3, 2, 4, 3][: depth - 1]))
    leaves = found.escapes and found.clearness > 1e-12
    assert not leaves


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_the_same_with_k_leave_at_once(depth):
    first, *later = balanced_against([3, 2, 4, 3][: depth - 1])
    last = later.pop()
    found = escape([first, *later, -last])
    # at the critical value itself the direction stays, with N > 0
    assert found.escapes


@pytest.mark.parametrize(
    ("sizes", "leaves"),
    [
        ((0.3, 0.5, 1.0), True),  # the smallest alone turns
        ((0.5, 0.3, 1.0), True),
        ((0.3, 0.3, 1.0), False),  # two smallest tie: s_1 and s_2 tend to 0 together
        ((0.3, 0.3 * (1 + 1e-3), 1.0), True),
        ((0.7, 0.4, 0.4, 0.9), False),
        ((0.7, 0.41, 0.4, 0.9), True),
    ],
)
def test_scalar_chains_turn_by_their_smallest_layer(sizes, leaves):
    """s_l^2 - s_m^2 is conserved: from N < 0 all tend to 0 but for what exceeds the smallest."""
    signs = [-1.0] + [1.0] * (len(sizes) - 1)
    found = escape(chain(signs, sizes))
    assert found.escapes is leaves


@pytest.mark.parametrize("seed", range(6))
def test_random_layers_leave(seed):
    rng = np.random.default_rng(seed)
    found = escape([rng.standard_normal(s) for s in [(30,), (30, 20), (20, 10), (10,)]])
    assert found.escapes
    assert found.clearness > 1e-6


def test_nothing_moves_where_two_layers_are_zero():
    found = escape([np.zeros(2), np.eye(2), np.zeros(2)])
    assert not found.escapes
    assert found.clearness == 0.0


@pytest.mark.parametrize("tilt", [1e-3, 1e-9])
def test_two_layers_say_how_large_the_growing_part_is(tilt):
    found = escape([np.array([1.0, 0.0]), np.array([-1.0, tilt])])
    assert found.escapes
    assert found.clearness == pytest.approx(tilt / 2**0.5, rel=1e-6)
