"""Which network of ours a module could be, judged by the shapes of its parameters alone.

Each candidate says how the module's parameters become layers, by permutations only; whether it is
the right one is decided elsewhere, by evaluating both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
)

MOST_CHAINS = 64  # orders of matrices that are tried
MOST_MATRICES = 256  # in an order to be found; stacks of nn.Linear have theirs

Shape = tuple[int, ...]
Arrays = Sequence[FloatArray]
Read = Callable[[Arrays], Parameters]
# What the module returns for one input and given parameters.
Evaluate = Callable[[FloatArray, Arrays], FloatArray]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network, and how a module's parameters become its layers."""

    network: Network
    read: Read


def connected(widths: Sequence[int]) -> Candidate:
    """W_l from (out, in) matrices in order, the last with one row."""

    def read(arrays: Arrays) -> Parameters:
        return (*(np.ascontiguousarray(array.T) for array in arrays[:-1]), arrays[-1].ravel())

    return Candidate(FullyConnectedNetwork(widths), read)


def candidates(shapes: Sequence[Shape], d: int, evaluate: Evaluate) -> Iterator[Candidate]:
    """Networks with parameters of these shapes: diagonal, fully connected, convolutional."""
    filters = any(len(shape) == 3 for shape in shapes)  # of nn.Conv1d: for d = 1 all are the same
    if not filters:
        yield from _diagonal(shapes, d)
        yield from islice(_chains(shapes, d), MOST_CHAINS)
    yield from _convolutional(shapes, d, evaluate)


def _is_vector(shape: Shape) -> bool:
    return prod(shape) == max(shape, default=1)


def _diagonal(shapes: Sequence[Shape], d: int) -> Iterator[Candidate]:
    if all(_is_vector(shape) and prod(shape) == d for shape in shapes):
        yield Candidate(
            DiagonalNetwork(d, len(shapes)), lambda arrays: tuple(array.ravel() for array in arrays)
        )


def _chains(shapes: Sequence[Shape], d: int) -> Iterator[Candidate]:
    """Orders and orientations in which matrices lead from d inputs to one output."""
    if len(shapes) > MOST_MATRICES:
        return
    for order, transposed, widths in _extended(shapes, (), (), (d,)):

        def read(
            arrays: Arrays,
            order: tuple[int, ...] = order,
            transposed: tuple[bool, ...] = transposed,
        ) -> Parameters:
            matrices = [
                np.ascontiguousarray(arrays[index].T if turned else arrays[index])
                for index, turned in zip(order, transposed, strict=True)
            ]
            return (*matrices, arrays[_rest(arrays, order)].ravel())

        yield Candidate(FullyConnectedNetwork(widths), read)


def _rest(arrays: Sequence[object], order: tuple[int, ...]) -> int:
    """The one index that is not in the order."""
    (index,) = set(range(len(arrays))) - set(order)
    return index


def _extended(
    shapes: Sequence[Shape], order: tuple[int, ...], turned: tuple[bool, ...], widths: Shape
) -> Iterator[tuple[tuple[int, ...], tuple[bool, ...], Shape]]:
    """Depth first; the order of registration and torch's own (out, in) come first."""
    width = widths[-1]
    if len(order) == len(shapes) - 1:
        last = shapes[_rest(shapes, order)]
        if _is_vector(last) and prod(last) == width:
            yield order, turned, widths
        return
    for index, shape in enumerate(shapes):
        if index in order or len(shape) != 2:
            continue
        if shape[1] == width:
            yield from _extended(shapes, (*order, index), (*turned, True), (*widths, shape[0]))
        if shape[0] == width:
            yield from _extended(shapes, (*order, index), (*turned, False), (*widths, shape[1]))


def _convolutional(shapes: Sequence[Shape], d: int, evaluate: Evaluate) -> Iterator[Candidate]:
    """Filters as given, or all reversed (convolution instead of correlation), then d weights."""
    sizes = [prod(shape) for shape in shapes]
    full = [index for index, size in enumerate(sizes) if size == d]
    if not full or max(sizes) > d or not all(map(_is_vector, shapes)):
        return
    matrices = [index for index in full if len(shapes[index]) == 2]
    last = (matrices or full)[-1]
    first = [index for index in range(len(shapes)) if index != last]
    for step in (1, -1):
        rotation = _rotation(shapes, first, last, step, evaluate)
        if rotation is None:
            continue

        def read(arrays: Arrays, step: int = step, rotation: int = rotation) -> Parameters:
            filters = (np.ascontiguousarray(arrays[index].ravel()[::step]) for index in first)
            return (*filters, np.roll(arrays[last].ravel(), -rotation))

        yield Candidate(ConvolutionalNetwork(d, (*(sizes[index] for index in first), d)), read)


def _rotation(
    shapes: Sequence[Shape], first: list[int], last: int, step: int, evaluate: Evaluate
) -> int | None:
    """P such that unit filters and v_i = i + 1 give f(e_0) = v_P; None if there is none."""
    d = prod(shapes[last])
    arrays = [np.zeros(shape) for shape in shapes]
    for index in first:
        arrays[index].reshape(-1)[::step][0] = 1.0
    arrays[last] = np.arange(1.0, d + 1).reshape(shapes[last])
    unit = np.zeros((2, d))
    unit[:, 0] = 1.0
    value = float(evaluate(unit, arrays)[0])
    place = round(value) - 1 if np.isfinite(value) else -1
    return place if 0 <= place < d and abs(value - 1 - place) < 1e-6 else None
