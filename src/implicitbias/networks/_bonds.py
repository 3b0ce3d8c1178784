"""What two layers of an einsum conserve together, because they share indices.

f does not change when an index b that only two layers have is turned, W_1 -> W_1 g and
W_2 -> g^{-1} W_2; with d/dt by the gradient of f in both, the symmetric part of

    sum W_1[.., b] W_1[.., b'] - sum W_2[b, ..] W_2[b', ..]

stays (over all other indices). An index that others have as well may only be rescaled, value by
value: b = b' then.

Source: Arora, Cohen and Hazan, ICML 2018, for products of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import Any, NamedTuple

import numpy as np

from implicitbias._arrays import FloatArray, Parameters

Axes = tuple[int, ...]


class Side(NamedTuple):
    """A layer's shape, and its axes: scaled indices, turned ones, the others."""

    shape: Axes
    order: Axes
    sizes: tuple[int, int, int]

    def gram(self, layer: FloatArray) -> FloatArray:
        """The sums for every value of the scaled indices, flattened."""
        turned = layer.reshape(self.shape).transpose(self.order).reshape(self.sizes)
        return np.asarray((turned @ turned.swapaxes(1, 2)).ravel())


class Bond(NamedTuple):
    """Two layers that share indices."""

    first: int
    second: int
    sides: tuple[Side, Side]

    def of_first(self, layers: Parameters) -> FloatArray:
        """The first layer's part."""
        return self.sides[0].gram(layers[self.first])

    def of_second(self, layers: Parameters) -> FloatArray:
        """The second layer's."""
        return self.sides[1].gram(layers[self.second])


def bonds_of_einsum(specification: str, operands: Sequence[Any]) -> tuple[Bond, ...]:
    """Every pair of layers that share an index, of a specification that ``from_einsum`` takes."""
    terms = specification.replace(" ", "").partition("->")[0].split(",")
    trained = [pair for pair in zip(terms, operands, strict=True) if _is_shape(pair[1])]
    numbered = [(place, *pair) for place, pair in enumerate(trained)]
    letters = "".join(terms) + "x"  # the input has its own
    bonds = []
    for (one, left, first), (other, right, second) in combinations(numbered, 2):
        shared = [letter for letter in left if letter in right]
        if not shared or any(len(set(term)) < len(term) for term in (left, right)):
            continue
        turned = [letter for letter in shared if letters.count(letter) == 2]
        scaled = [letter for letter in shared if letter not in turned]
        sides = _side(left, first, scaled, turned), _side(right, second, scaled, turned)
        bonds.append(Bond(one, other, sides))
    return tuple(bonds)


def _is_shape(operand: Any) -> bool:
    return isinstance(operand, tuple) and all(
        isinstance(size, (int, np.integer)) for size in operand
    )


def _side(term: str, shape: Axes, scaled: Sequence[str], turned: Sequence[str]) -> Side:
    first, second = [term.index(one) for one in scaled], [term.index(one) for one in turned]
    rest = [axis for axis in range(len(term)) if axis not in (*first, *second)]
    sizes = tuple(prod(shape[axis] for axis in axes) for axes in (first, second, rest))
    return Side(tuple(shape), (*first, *second, *rest), (sizes[0], sizes[1], sizes[2]))
