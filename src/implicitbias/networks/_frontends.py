"""Data tensors from einsum specifications and from functions.

Both give A of shape (k_1, ..., k_L, d) with f(x; Theta) = A o (v_1, ..., v_L, x), v_l the layers
flattened row-major.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, product
from math import prod
from string import ascii_letters
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, finite_array, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias.networks._base import MAX_TENSOR_ENTRIES

MAX_CALLS = 1_000_000
TRIALS = 3
LINEAR = 1e-8  # relative defect that is rounding

INPUT = "x"
EXAMPLE = "for example from_einsum('xa,ab,b->', (5, 3), (3, 2), (2,))"

Shape = tuple[int, ...]


def tensor_from_einsum(specification: Any, operands: Sequence[Any]) -> FloatArray:
    """A for sum over all indices of the product of the operands and the input x.

    Parameters
    ----------
    specification, operands
        As for ``TensorNetwork.from_einsum``.

    Raises
    ------
    InvalidInputError
        A specification that is no such sum, operands that do not fit it, or more than
        ``MAX_TENSOR_ENTRIES`` entries.
    """
    terms = _terms(specification, len(operands))
    shapes, fixed = zip(*map(_operand, operands, count(1)), strict=True)
    sizes = _index_sizes(specification, terms, shapes)
    sought = [shape for shape, array in zip(shapes, fixed, strict=True) if array is None]
    if len(sought) < 2:
        raise InvalidInputError(
            f"{specification!r} has {len(sought)} layers among its operands (tuples of whole "
            f"numbers are shapes of layers); expected at least 2, {EXAMPLE}."
        )
    _check_entries(prod(map(prod, sought)) * sizes[INPUT], MAX_TENSOR_ENTRIES, "entries")
    given = [(term, array) for term, array in zip(terms, fixed, strict=True) if array is not None]
    layers = [term for term, array in zip(terms, fixed, strict=True) if array is None]
    left_open = "".join((*layers, INPUT))  # each tied to an index of A by an identity
    spare = [letter for letter in ascii_letters if letter not in sizes][: len(left_open)]
    if len(spare) < len(left_open):
        raise InvalidInputError(f"{specification!r} has more indices than einsum has letters for.")
    ties = [(old + new, np.eye(sizes[old])) for old, new in zip(left_open, spare, strict=True)]
    inputs, arrays = zip(*given, *ties, strict=True)
    tensor: FloatArray = np.einsum(
        f"{','.join(inputs)}->{''.join(spare)}", *arrays, optimize="greedy"
    )
    return tensor.reshape(*map(prod, sought), sizes[INPUT])


def tensor_from_callable(
    function: Any, num_features: Any, parameter_shapes: Iterable[Any]
) -> FloatArray:
    """A with f(x; W_1, ..., W_L) for a function that is linear in each argument.

    Parameters
    ----------
    function, num_features, parameter_shapes
        As for ``TensorNetwork.from_callable``.

    Raises
    ------
    InvalidInputError
        Not a function of these arguments to one real number, not linear in one of them (with the
        size of the violation), or more than ``MAX_CALLS`` entries.
    """
    if not callable(function):
        raise InvalidInputError(f"function is {function!r}; expected f(x, W_1, ..., W_L).")
    d = positive_int(num_features, "num_features")
    shapes = [_callable_shape(shape, index) for index, shape in enumerate(parameter_shapes, 1)]
    if len(shapes) < 2:
        raise InvalidInputError(
            f"parameter_shapes has {len(shapes)} entries; expected one shape a layer, at least 2."
        )
    sizes = [prod(shape) for shape in shapes]
    _check_entries(prod(sizes) * d, MAX_CALLS, "calls of the function")
    everything = [(d,), *shapes]
    _check_linear(function, everything)
    tensor = np.empty((*sizes, d))
    for index in product(*map(range, tensor.shape)):
        *entries, feature = index
        units = [
            _unit(shape, entry)
            for shape, entry in zip(everything, (feature, *entries), strict=True)
        ]
        tensor[index] = _value(function, units)
    return tensor


def _terms(specification: Any, given: int) -> list[str]:
    if not isinstance(specification, str):
        raise InvalidInputError(
            f"the specification is {specification!r}; expected a string, {EXAMPLE}."
        )
    left, _, right = specification.replace(" ", "").partition("->")
    terms = left.split(",")
    if right or not all(term.isalpha() and term.isascii() for term in terms):
        raise InvalidInputError(
            f"the specification is {specification!r}; expected letters for the indices of each "
            f"operand, commas between them and nothing behind '->': f is one number, {EXAMPLE}."
        )
    if len(terms) != given:
        raise InvalidInputError(
            f"{specification!r} names {len(terms)} operands and {given} were given."
        )
    if INPUT not in left:
        raise InvalidInputError(
            f"{specification!r} does not use the index '{INPUT}', which stands for the features of "
            f"the input: f must depend on it, {EXAMPLE}."
        )
    return terms


def _operand(operand: Any, number: int) -> tuple[Shape, FloatArray | None]:
    """The shape of a layer to train (a tuple of whole numbers), or a fixed tensor with its own."""
    whole = isinstance(operand, tuple) and all(
        isinstance(size, (int, np.integer)) and not isinstance(size, bool) for size in operand
    )
    if whole:
        return tuple(int(size) for size in operand), None
    try:
        modes = np.ndim(operand)
    except ValueError:  # ragged: let the check say so
        modes = 1
    array = finite_array(operand, f"operand {number}", shape=(None,) * modes)
    return array.shape, array


def _index_sizes(specification: str, terms: list[str], shapes: Sequence[Shape]) -> dict[str, int]:
    """The size of each index, from the operands."""
    sizes: dict[str, int] = {}
    for number, (term, shape) in enumerate(zip(terms, shapes, strict=True), start=1):
        if len(term) != len(shape) or min(shape, default=0) < 1:
            raise InvalidInputError(
                f"operand {number} has shape {shape}; {specification!r} gives it the indices "
                f"{term!r}, so {len(term)} sizes >= 1 are expected."
            )
        for letter, size in zip(term, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise InvalidInputError(
                    f"index {letter!r} of {specification!r} has size {sizes[letter]} in an earlier "
                    f"operand and {size} in operand {number}."
                )
    return sizes


def _check_entries(entries: int, most: int, what: str) -> None:
    if entries > most:
        raise InvalidInputError(
            f"the data tensor takes {entries:.3g} {what}; the limit is {most:.3g}. The families "
            "DiagonalNetwork, ConvolutionalNetwork and FullyConnectedNetwork need no tensor."
        )


def _callable_shape(shape: Any, index: int) -> Shape:
    if isinstance(shape, (int, np.integer)):
        shape = (shape,)
    try:
        sizes = tuple(shape)
    except TypeError:
        sizes = ()
    if not sizes:
        raise InvalidInputError(
            f"parameter_shapes, entry {index}, is {shape!r}; expected a shape such as (3, 4)."
        )
    return tuple(positive_int(size, f"parameter_shapes, entry {index},") for size in sizes)


def _unit(shape: Shape, entry: int) -> FloatArray:
    unit = np.zeros(prod(shape))
    unit[entry] = 1.0
    return unit.reshape(shape)


def _value(function: Callable[..., Any], arguments: Sequence[FloatArray]) -> float:
    try:
        value = np.asarray(function(*(argument.copy() for argument in arguments)))
    except (TypeError, ValueError, IndexError) as error:
        shapes = ", ".join(str(argument.shape) for argument in arguments)
        raise InvalidInputError(
            f"function could not be called with arrays of shapes {shapes} (x, then the layers): "
            f"{error}."
        ) from error
    if value.size != 1 or value.dtype.kind not in "buif" or not np.isfinite(value).all():
        raise InvalidInputError(
            f"function returned {value.dtype} of shape {value.shape}; expected one finite real "
            "number f(x; W_1, ..., W_L)."
        )
    return float(value.reshape(()))


def _check_linear(function: Callable[..., Any], shapes: Sequence[Shape]) -> None:
    """Refuse a function that is not linear in one of its arguments, at random points."""
    rng = np.random.default_rng(0)
    names = [f"x, of shape {shapes[0]}"] + [
        f"layer {index}, of shape {shape}" for index, shape in enumerate(shapes[1:], start=1)
    ]
    for position, name in enumerate(names):
        worst = max(_defects(function, shapes, position, rng))
        if not worst <= LINEAR:
            raise InvalidInputError(
                f"function is not linear in {name}: f(a u + b v) differs from a f(u) + b f(v) by "
                f"{worst:.2g} of their size. A tensor network is linear in x and in each layer; a "
                "constant term or an activation is not."
            )


def _defects(
    function: Callable[..., Any],
    shapes: Sequence[Shape],
    position: int,
    rng: np.random.Generator,
) -> Iterator[float]:
    """|f(a u + b v) - a f(u) - b f(v)| relative, with the other arguments fixed."""
    for _ in range(TRIALS):
        arguments = [rng.standard_normal(shape) for shape in shapes]
        other = rng.standard_normal(shapes[position])
        a, b = rng.standard_normal(2)
        u = arguments[position]

        def at(value: FloatArray, arguments: list[FloatArray] = arguments) -> float:
            moved = [*arguments[:position], value, *arguments[position + 1 :]]
            return _value(function, moved)

        parts = a * at(u), b * at(other)
        whole = at(a * u + b * other)
        size = abs(whole) + abs(parts[0]) + abs(parts[1])
        yield abs(whole - sum(parts)) / size if size > 0 else 0.0
