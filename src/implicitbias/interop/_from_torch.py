"""Networks of ours from modules of PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias.interop._families import Arrays, Candidate, candidates
from implicitbias.interop._layers import check_layers, read_stack
from implicitbias.interop._parameters import trained_parameters
from implicitbias.interop._probe import LINEAR, Probe
from implicitbias.interop._torch import owner_text, require_torch
from implicitbias.networks import Network, TensorNetwork

AGREES = 1e-12  # relative to the sum of |terms|
MAX_ENTRIES = 100_000  # of a data tensor that is found entry by entry
INPUTS = 8


def from_torch(module: Any, *, num_features: int | None = None) -> tuple[Network, Parameters]:
    """The network f(x; Theta) = M(x) o (v_1, ..., v_L) that a module is, and its parameters.

    The shapes of the parameters name candidates: products of matrices (W_l is the transposed weight
    of ``nn.Linear``); circular correlations and convolutions of filters, and d weights (for
    ``nn.Conv1d`` of one channel and stride 1 whose circular padding keeps the length, then
    ``nn.Linear(d, 1)``, these are rotated by the paddings on the left); vectors of d multiplied
    elementwise; u^D - v^D for D = 2, ..., 8; and, where M has at most 100,000 entries, a
    ``TensorNetwork`` found entry by entry. A candidate is taken only if it is the same function of
    x and of the parameters: both are evaluated at the module's parameters and at three random ones.

    Parameters
    ----------
    module
        An ``nn.Module`` with one output. It is called on X of shape (n, d), or (n, 1, d) where it
        does not take (n, d) (a ``Conv1d`` without ``Unflatten`` before it), and returns (n,) or
        (n, 1). A deep copy is called, on the CPU, in float64 and in training mode; the module, its
        gradients and torch's generator stay as they are. Forward hooks run, too.
    num_features
        d, where neither the layers nor the parameters' shapes show it.

    Returns
    -------
    network, parameters
        The parameters as float64 arrays of ``network.parameter_shapes``: the module's numbers,
        without rounding, in another order. Adam and weight decay depend on this order as little as
        gradient descent does.

    Raises
    ------
    InvalidInputError
        PyTorch is missing; not a module; an activation, normalisation, dropout, parametrisation,
        bias (unless zero and frozen), several channels or outputs, one layer alone; parameters
        that are tied, frozen, lazy, on the meta device, complex or not finite; a module that is not
        linear in x and in each parameter; |f(x) - x^T beta| above 1e-12 times the sum of |terms|;
        no network found. The layer or parameter at fault is named where one is.
    """
    torch = require_torch("from_torch")
    if not isinstance(module, torch.nn.Module):
        raise InvalidInputError(
            f"module is {_given(module)}; expected an nn.Module. Weights alone go to "
            "Initialization.from_weights(network, weights)."
        )
    check_layers(torch, module)
    stack = read_stack(torch, module)
    values = trained_parameters(torch, module)
    if len(values) < 2:
        (name,) = values
        raise InvalidInputError(
            f"{owner_text(module, name)} has the one parameter, {name!r}, so the depth is 1; "
            "expected at least two layers."
        )
    probe = Probe(torch, module, values)
    wanted = None if num_features is None else positive_int(num_features, "num_features")
    probe.open([stack[0]] if stack else _sizes(module, values.values()), wanted)
    found = _found(probe, stack[1] if stack else None)
    parameters = found.read(probe.values)
    _check_agreement(probe, found.network, parameters)
    return found.network, parameters


def _given(value: Any) -> str:
    kind = "the class" if isinstance(value, type) else "of type"
    return f"{kind} {(value if isinstance(value, type) else type(value)).__name__}"


def _sizes(module: Any, arrays: Iterable[FloatArray]) -> list[int]:
    """Lengths and sizes of all parameters and buffers: d is nearly always among them."""
    shapes = [array.shape for array in arrays] + [tuple(one.shape) for one in module.buffers()]
    return sorted({size for s in shapes for size in (*s, prod(s)) if size > 0}, reverse=True)


def _inputs(d: int) -> FloatArray:
    """Rows of random numbers, among them some with few entries that are not 0."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((INPUTS, d))
    X[0] = np.abs(X[0])
    X[1, rng.integers(d)] *= 3.0
    X[2, : d // 2] = 0.0
    return X


def _found(probe: Probe, stacked: Candidate | None) -> Candidate:
    """The first candidate that is the module, at random parameters too."""
    X = _inputs(probe.num_features)
    points = list(_points(probe.values))
    expected = []
    for point in points:
        probe.check_linear(X, point)
        expected.append(probe(X, point))
    shapes = [value.shape for value in probe.values]
    tried = [] if stacked is None else [stacked]
    near = ""
    for candidate in (*tried, *candidates(shapes, probe.num_features, probe)):
        factors = [_factor(candidate, X, *pair) for pair in zip(points, expected, strict=True)]
        if all(abs(factor - 1.0) <= LINEAR for factor in factors):
            return candidate
        if np.ptp(factors) <= LINEAR * abs(factors[0]):  # NaN where it is no multiple
            near = near or f" It is {factors[0]:.6g} times {candidate.network!r}."
    return _tensor(probe, X, points, near)


def _points(values: Arrays) -> Iterator[list[FloatArray]]:
    """Random parameters: positive, with a sign for each layer, and with a sign for each entry."""
    rng = np.random.default_rng(1)
    for signs, growth in (("none", 1.0), ("layer", 1.0), ("entry", 0.5)):
        layers = []
        for value in values:
            fan = 1 if value.ndim < 2 else max(value.shape)  # so that deep products stay finite
            layer = fan**-growth * rng.uniform(0.5, 1.5, value.shape)
            if signs != "none":
                layer = layer * rng.choice((-1.0, 1.0), () if signs == "layer" else value.shape)
            layers.append(layer)
        yield layers


def _factor(candidate: Candidate, X: FloatArray, point: Arrays, expected: FloatArray) -> float:
    """c with f = c x^T beta at these parameters; NaN if there is none."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = X @ candidate.network.coefficients(candidate.read(point))
        size = np.abs(expected).max()
        place = int(np.abs(found).argmax())
        factor = expected[place] / found[place]
        same = size > 0 and np.abs(factor * found - expected).max() <= LINEAR * size
    return float(factor) if np.isfinite(size) and same else float("nan")


def _tensor(probe: Probe, X: FloatArray, points: Sequence[Arrays], near: str) -> Candidate:
    """A with f(x) = A o (v_1, ..., v_L, x), the layers flattened row-major."""
    for index in range(len(probe.values)):
        _check_layer(probe, X, points, index)
    d, sizes = probe.num_features, [value.size for value in probe.values]
    if prod(sizes) * d > MAX_ENTRIES:
        shapes = ", ".join(str(value.shape) for value in probe.values)
        raise InvalidInputError(
            f"{probe.kind} is linear in x and in each of its parameters, of shapes {shapes}, but "
            f"no diagonal, fully connected or convolutional network, and its data tensor has "
            f"{prod(sizes) * d:.3g} entries, found one by one up to {MAX_ENTRIES:.3g}.{near} Build "
            "it from nn.Linear or nn.Conv1d without factors, which may go into a layer's weights."
        )
    tensor = np.empty((*sizes, d))
    for entries in product(*map(range, sizes)):
        units = [np.zeros(value.shape) for value in probe.values]
        for unit, entry in zip(units, entries, strict=True):
            unit.reshape(-1)[entry] = 1.0
        tensor[entries] = probe(np.eye(d), units)
    found = Candidate(TensorNetwork(tensor), lambda arrays: tuple(a.ravel() for a in arrays))
    if not all(abs(_factor(found, X, one, probe(X, one)) - 1.0) <= LINEAR for one in points):
        raise InvalidInputError(
            f"{probe.kind} is not linear in each of its parameters: the data tensor found from "
            "unit vectors does not give its output at others."
        )
    return found


def _check_layer(probe: Probe, X: FloatArray, points: Sequence[Arrays], index: int) -> None:
    """Refuse a module that is not linear in one parameter: f(-2 v) = -2 f(v), f(u + v) = ..."""

    def at(value: FloatArray) -> FloatArray:
        return probe(X, [*points[0][:index], value, *points[0][index + 1 :]])

    first, second = points[0][index], points[2][index]
    one, two = at(first), at(second)
    size = float(np.abs(one).max() + np.abs(two).max())
    worst = float(
        max(
            np.abs(at(-2.0 * first) + 2.0 * one).max(), np.abs(at(first + second) - one - two).max()
        )
    )
    name = probe.names[index]
    if np.array_equal(one, two):
        raise InvalidInputError(
            f"the output of {probe.kind} does not depend on its parameter {name!r}; expected a "
            "product in which each parameter occurs once."
        )
    if not worst <= LINEAR * size:
        raise InvalidInputError(
            f"{probe.kind} is not linear in its parameter {name!r}: f(u + v) differs from "
            f"f(u) + f(v), or f(-2 v) from -2 f(v), by {worst:.3g} where f is up to {size:.3g}. "
            "Expected a product in which each parameter occurs once, without other terms."
        )


def _check_agreement(probe: Probe, network: Network, parameters: Parameters) -> None:
    """Refuse |f(x) - x^T beta| above 1e-12 of the sum of |terms|, at the module's parameters."""
    X = _inputs(probe.num_features)
    beta = network.coefficients(parameters)
    with np.errstate(over="ignore", invalid="ignore"):
        terms = np.abs(X) @ np.abs(_terms(network, parameters))
        error = np.abs(X @ beta - probe(X))
    if not np.isfinite(terms).all():
        raise InvalidInputError(
            f"{probe.kind} has parameters whose product is beyond float64, so its output cannot be "
            "held against x^T beta; scale them down."
        )
    if not (error <= AGREES * terms).all():
        raise InvalidInputError(
            f"{probe.kind} and {network!r} differ by up to {error.max():.3g} at the module's own "
            f"parameters, where the terms sum to {terms.max():.3g}; expected {AGREES:g} of that. "
            "Expected arithmetic that stays within float64."
        )


def _terms(network: Network, parameters: Parameters) -> FloatArray:
    """beta's sums of |terms|."""
    tensor = getattr(network, "tensor", None)
    positive = network if tensor is None else TensorNetwork(np.abs(tensor))
    return positive.coefficients(map(np.abs, parameters))
