"""Singular vectors of a tensor: where the layers of a separable classifier point (Theorem 1).

A tuple of unit vectors u_1, .., u_L with a number s > 0 is *singular* for the tensor A when

    s u_l = conj( A o (u_1, .., I at l, .., u_L) )   for every l,

with A o (..) without any conjugation, as everywhere in this package. The conjugate stands where
gradient flow puts it: dv_l/dt = conj(A o (v_1, .., I at l, .., v_L)) is the ascent of
Re A o (v_1, .., v_L), and singular tuples are that number's critical points on the product of
unit spheres, with s its value there. For real tensors the conjugate changes nothing; for a matrix
A = U diag(s) V^H the tuples are (conj(U_j), V_j).

Two tuples are one when their products u_1 x .. x u_L are equal: signs (complex: phases) that
multiply to 1 may be moved between the vectors. Tuples with s = 0 are left out: they come in
continua and say nothing about A.

Source: Lim, "Singular values and eigenvalues of tensors", CAMSAP 2005; Theorem 1 of Yun, Krishnan
and Mobahi, ICLR 2021.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from implicitbias._arrays import NumericArray, finite_array, positive_float, positive_int, worst_of
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._names import renamed
from implicitbias._results import as_html, contents, one_line, plain
from implicitbias.limits.singular import _search as search

if TYPE_CHECKING:
    from implicitbias.networks import Network

Vectors = tuple[NumericArray, ...]
FLAT = 100.0  # roundings below which an eigenvalue may be zero


class SingularVectors(NamedTuple):
    """s > 0, unit vectors u_l, and max_l ||s u_l - conj(A o (u_1, .., I, .., u_L))|| / ||A||."""

    value: float
    vectors: Vectors
    residual: float

    def __str__(self) -> str:
        names = [f"  u_{index} = {vector}" for index, vector in enumerate(self.vectors, start=1)]
        return "\n".join([f"s = {self.value:.10g}, residual {self.residual:.1e}", *names])

    def __repr__(self) -> str:
        shape = " x ".join(str(vector.size) for vector in self.vectors)
        text = f"s = {self.value:.6g} of a {shape} tensor, residual {self.residual:.1e}"
        return one_line("SingularVectors", text)

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_dict(self) -> dict[str, Any]:
        """What it holds as what ``json.dumps`` takes."""
        return {name: plain(value) for name, value in contents(self).items()}

    # Of tuples, == would ask whether arrays are true: two are equal only if they are one.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return id(self)


class CriticalType(NamedTuple):
    """What kind of critical point of Re A o (u_1, .., u_L) a tuple is, on the product of spheres.

    ``ascent`` counts the directions of ascent (none, and none flat: a maximum), ``flat`` the flat
    ones other than the L - 1 phases that every complex tuple has.
    """

    ascent: int
    flat: int


@renamed(tol="residual")
def tensor_singular_vectors(
    tensor: Any,
    *,
    num_starts: int | None = None,
    seed: int = 0,
    residual: float = 1e-10,
    max_values: int | None = None,
    include_saddles: bool = True,
) -> list[SingularVectors]:
    """All (s, u_1, .., u_L) found with s u_l = conj(A o (u_1, .., I at l, .., u_L)), s > 0.

    Order 2 is the SVD: every singular value above rounding, tied ones with some basis of their
    space. Higher orders are searched from random starts, by alternating power iteration (the
    stable tuples) and by Levenberg-Marquardt on the equations (saddles too). Nothing proves the
    list complete; the search goes on until every tuple in it has been met five times, or the
    starts are used up. Tuples closer than sqrt(residual) are one, and of tuples that are not
    isolated one is reported for each value. A real tensor gets real vectors; pass
    ``tensor.astype(complex)`` for the others.

    Parameters
    ----------
    tensor
        A, shape (k_1, .., k_L) with L >= 2, real or complex, at most 1e7 entries (for a complex
        tensor of order L >= 3, 2^L times its entries, after dropping directions it does not use).
    num_starts
        Largest number of random starts; by default 4096, in proportion fewer where the work for
        one, (sum k_l)^3 + L^2 prod k_l, exceeds 8192, and at least 128.
    seed
        Of the random starts; equal seeds give equal answers.
    residual
        The largest of a tuple found by search; values up to residual ||A|| count as zero there.
    max_values
        Return only so many tuples, those of the largest values.
    include_saddles
        False: only local maxima of Re A o (u_1, .., u_L), much faster. With A held fixed, a flow
        ends there from almost every start; a classifier's A = M(-u) moves with its margins, and
        saddles are then reached as a rule (diagonal networks of depth 3: any support of two).

    Returns
    -------
    list of SingularVectors, largest value first; the largest entry of each of u_2, .., u_L is
    positive. Empty for A = 0. How exact a tuple is: ``tensor_singular_error``.

    Raises
    ------
    InvalidInputError
        Order below 2, not numeric, not finite, or too large.
    NoPredictionError
        None was found to ``residual``.
    """
    tensor = _checked(tensor)
    if num_starts is not None:
        num_starts = positive_int(num_starts, "num_starts")
    seed = positive_int(seed, "seed", at_least=0)
    residual = positive_float(residual, "residual")
    if max_values is not None:
        max_values = positive_int(max_values, "max_values")
    unit, scale = _normalised(tensor)
    if scale == 0.0:
        return []
    if tensor.ndim == 2:
        candidates = _matrix_tuples(unit, residual, include_saddles)
    else:
        candidates = search.critical_tuples(unit, num_starts, seed, residual, include_saddles)
    if not candidates:
        raise NoPredictionError(
            f"no singular vectors were found to residual = {residual:.1e}, though every tensor but "
            "0 has some: they nearly form curves. Pass a larger residual, or more num_starts."
        )
    tuples = [_tuple(unit, vectors, scale) for vectors in candidates]
    tuples.sort(key=lambda each: -each.value)
    return tuples[:max_values]


def tensor_singular_residual(tensor: Any, vectors: Iterable[Any]) -> float:
    """max_l ||conj(A o (u_1, .., I at l, .., u_L)) - s u_l|| / ||A||, u_l = v_l / ||v_l||.

    s = conj(A o (u_1, .., u_L)), so that signs and phases of the vectors do not matter. Zero for
    singular vectors (value zero included) and for A = 0.

    Parameters
    ----------
    tensor
        A, shape (k_1, .., k_L), real or complex; ||A|| is its Frobenius norm.
    vectors
        v_1, .., v_L, none of them zero; matrices (layers of a fully connected network) are
        flattened row-major.

    Raises
    ------
    InvalidInputError
        Malformed tensor, wrong sizes, a zero vector.
    """
    tensor = _checked(tensor)
    unit, _ = _normalised(tensor)
    return _value_and_residual(unit, _unit_vectors(tensor.shape, vectors))[1]


def tensor_singular_error(tensor: Any, vectors: Iterable[Any]) -> float:
    """|g| / (s min |lambda|): how far a tuple is from the exact one that it stands for, in radians.

    The length of Newton's correction -(P H P - s I)^{-1} g at most, g all layers' defects and
    their rounding, lambda the eigenvalues of P H P / s - I on the spheres' tangent space. Infinite
    where the value is 0, and where some lambda is rounding: singular tuples then form curves.

    Parameters
    ----------
    tensor, vectors
        As for ``tensor_singular_residual``; value, type and error are those of a tuple that is
        nearly singular.

    Raises
    ------
    InvalidInputError
        As ``tensor_singular_residual``.
    """
    tensor = _checked(tensor)
    unit, _ = _normalised(tensor)
    units = _unit_vectors(tensor.shape, vectors)
    value, residual = _value_and_residual(unit, units)
    size, eps = float(abs(value)), float(np.finfo(np.float64).eps)
    if size <= eps:
        return math.inf
    units = (units[0] * (value / size), *units[1:])
    least = search.least_curvature(unit, units)
    if least <= FLAT * eps * (1.0 + 1.0 / size):
        return math.inf
    defects = math.sqrt(tensor.ndim) * (residual + eps)
    return worst_of(eps, defects / (size * least))


def critical_type(tensor: Any, vectors: Iterable[Any], tol: float = 1e-5) -> CriticalType:
    """Directions of ascent, and flat ones, of Re A o (u_1, .., u_L) at a singular tuple.

    Counted from the eigenvalues of P H P - s I, H the second derivative and P the projection on
    the tangent space of the spheres: above tol s, ascent; within tol s of zero, flat. The spheres
    are real where tensor and vectors are.

    Raises
    ------
    InvalidInputError
        As ``tensor_singular_residual``; also where the vectors' value is zero.
    """
    tensor = _checked(tensor)
    tol = positive_float(tol, "tol")
    unit, _ = _normalised(tensor)
    units = _unit_vectors(tensor.shape, vectors)
    value, _ = _value_and_residual(unit, units)
    if abs(value) <= np.finfo(float).eps:
        raise InvalidInputError(
            "vectors have the value A o (u_1, .., u_L) = 0, to rounding; the type is defined for "
            "singular vectors with a positive value."
        )
    units = (units[0] * (value / abs(value)), *units[1:])
    return CriticalType(*search.critical_type(unit, units, tol))


def singular_vectors_near(tensor: NumericArray, vectors: Sequence[NumericArray]) -> SingularVectors:
    """The tuple in which Newton's method from ``vectors`` ends; A is a real array, not 0."""
    size = float(np.linalg.norm(tensor))
    found = search.refine(tensor / size, [vector[None] for vector in vectors])
    values, residuals = search.evaluate(tensor / size, found)
    return SingularVectors(
        size * float(values[0]), tuple(part[0] for part in found), float(residuals[0])
    )


def singular_residual_of_network(
    network: Network, direction: Any, parameters: Sequence[Any]
) -> float:
    """max_l ||g_l - s u_l|| / |s|, g_l = M(c) o (u_1, .., I at l, .., u_L): Theorem 1's residual.

    u_l = v_l / ||v_l|| (Frobenius for matrices) and s = <g_l, u_l>, the same for every l. The
    data tensor is never formed, and the result does not depend on the norms of c and of the
    layers. Infinite where s = 0 and some g_l does not vanish; 0/0 is 0.

    Parameters
    ----------
    network
        Any network; its ``layer_gradients`` are used, its data tensor is not.
    direction
        c, (d,): Theorem 1's -u, the direction of -X^T r.
    parameters
        The layers v_1, .., v_L, none of them zero.

    Raises
    ------
    InvalidInputError
        Wrong shapes, numbers that are not finite, c = 0 or a zero layer.
    """
    normal = _unit(finite_array(direction, "direction", shape=(network.num_features,)), "direction")
    layers = network.check_parameters(parameters)
    units = [_unit(layer, f"parameters, layer {i},") for i, layer in enumerate(layers, start=1)]
    slopes = network.layer_gradients(units, normal)
    values = [float(np.vdot(u, g)) for u, g in zip(units, slopes, strict=True)]
    value = math.fsum(values) / len(values)
    defect = max(float(np.linalg.norm(g - value * u)) for u, g in zip(units, slopes, strict=True))
    if value == 0.0:
        return math.inf if defect > 0.0 else 0.0
    return defect / abs(value)


def _checked(tensor: Any) -> NumericArray:
    try:
        order = np.ndim(tensor)
    except ValueError:
        raise InvalidInputError("tensor is not a rectangular array of numbers.") from None
    if order < 2:
        raise InvalidInputError(
            f"tensor has order {order}; expected at least 2 (a matrix), one axis a layer."
        )
    array = finite_array(tensor, "tensor", shape=(None,) * order, allow_complex=True)
    if array.size > search.MAX_ENTRIES:
        raise InvalidInputError(
            f"tensor has shape {array.shape}, {array.size} entries; expected at most "
            f"{search.MAX_ENTRIES}. singular_residual_of_network forms no tensor at all."
        )
    return array


def _unit(array: NumericArray, name: str) -> NumericArray:
    """``array`` divided by its Frobenius norm, whatever its scale."""
    unit, scale = _normalised(array)
    if scale == 0.0:
        raise InvalidInputError(f"{name} is zero; expected an array with a direction.")
    return unit


def _normalised(array: NumericArray) -> tuple[NumericArray, float]:
    """Return A / ||A|| and ||A||, whatever the scale of A; zero stays zero."""
    parts = np.ascontiguousarray(array).view(np.float64)
    largest = float(np.abs(parts).max())
    if largest == 0.0:
        return array, 0.0
    moderate = (parts / largest).view(array.dtype).reshape(array.shape)
    norm = float(np.linalg.norm(moderate))
    return moderate / norm, norm * largest


def _unit_vectors(shape: tuple[int, ...], vectors: Iterable[Any]) -> Vectors:
    try:
        given = [np.asarray(vector) for vector in vectors]
    except (TypeError, ValueError):
        raise InvalidInputError(
            f"vectors must be a sequence of {len(shape)} arrays, one for each axis of the tensor."
        ) from None
    if tuple(vector.size for vector in given) != shape:
        raise InvalidInputError(
            f"vectors have sizes {tuple(vector.size for vector in given)}; expected {shape}, the "
            "tensor's shape."
        )
    names = [f"vectors[{index}]" for index in range(len(given))]
    return tuple(
        _unit(finite_array(vector.ravel(), name, shape=(None,), allow_complex=True), name)
        for vector, name in zip(given, names, strict=True)
    )


def _value_and_residual(unit: NumericArray, vectors: Sequence[NumericArray]) -> tuple[Any, float]:
    """conj(A o (u_1, .., u_L)) and the largest defect, for ||A|| = 1."""
    slopes = []
    for mode in range(unit.ndim):
        slope = unit
        for other in reversed(range(unit.ndim)):
            if other != mode:
                slope = np.tensordot(slope, vectors[other], (other, 0))
        slopes.append(slope.conj())
    value = np.vdot(vectors[0], slopes[0])
    defects = [float(np.linalg.norm(g - value * u)) for g, u in zip(slopes, vectors, strict=True)]
    return value, worst_of(*defects)


def _tuple(unit: NumericArray, vectors: Vectors, scale: float) -> SingularVectors:
    """Return the tuple in its standard form, value and residual measured on the tensor itself."""
    first, *others = vectors
    parts = []
    for part in others:
        pivot = part[np.argmax(np.abs(part))]
        phase = pivot / abs(pivot)
        first = first * phase
        parts.append(part / phase)
    value, residual = _value_and_residual(unit, [first, *parts])
    return SingularVectors(float(value.real) * scale, (first, *parts), residual)


def _matrix_tuples(unit: NumericArray, tol: float, include_saddles: bool) -> list[Vectors]:
    left, values, right = np.linalg.svd(unit, full_matrices=False)
    keep = values > 10 * max(unit.shape) * np.finfo(float).eps * values[0]
    if not include_saddles:  # only the top value is stable
        keep &= values >= values[0] * (1.0 - math.sqrt(tol))
    return [(left[:, j].conj(), right[j].conj()) for j in np.flatnonzero(keep)]
