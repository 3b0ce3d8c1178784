"""Networks given by an orthogonal decomposition of their data tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import prod
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray, Parameters
from implicitbias._errors import InvalidInputError
from implicitbias.networks._activation import Elementwise, linear
from implicitbias.networks._assumption import TOLERANCE, checked_assumption
from implicitbias.networks._base import (
    MAX_TENSOR_ENTRIES,
    Network,
)
from implicitbias.networks._decomposition import OrthogonalDecomposition, given_decomposition
from implicitbias.networks._layers import squared_norms
from implicitbias.networks._multilinear import (
    contract_all_but_second,
    contract_second,
    outer_columns,
    outer_second,
)
from implicitbias.networks._stacked import by_gradients
from implicitbias.networks._starts import in_coordinates


class OrthogonalNetwork(Network):
    """M(x) = sum_j [S x]_j [U_1]_j (x) ... (x) [U_L]_j: Assumption 1 given outright.

    With p_l = U_l^T v_l (a plain transpose): beta = S^T (p_1 * ... * p_L), and the gradient of
    c^T beta with respect to v_l is U_l (S c * prod_{k != l} p_k).
    Conserved: ||v_l||^2 - ||v_{l+1}||^2 and |p_l|^2 - |p_{l+1}|^2 elementwise.
    With an activation, H_l is the general definition's: phi acts on all entries of H_l,
    (k_{l+1}, ..., k_L), zeros included.

    Parameters
    ----------
    S
        (m, d), real or complex, of full column rank, d <= m <= min k_l.
    bases
        U_1, ..., U_L, L >= 2, of shapes (k_l, m), real or complex, with orthonormal columns.

    Raises
    ------
    InvalidInputError
        Wrong shapes, columns that are not orthonormal to 1e-10, S of lower rank, or a data tensor
        that is not real (complex terms must come in conjugate pairs: beta is real).

    Source: Yun, Krishnan and Mobahi, ICLR 2021, Assumption 1.
    """

    family = "orthogonal"
    S: NumericArray
    bases: tuple[NumericArray, ...]

    def __init__(self, S: Any, bases: Iterable[Any]) -> None:
        matrix, columns = checked_assumption(S, bases)
        self.__dict__.update(
            S=matrix,
            bases=columns,
            num_features=matrix.shape[1],
            parameter_shapes=tuple((basis.shape[0],) for basis in columns),
        )
        self._check_reality()

    def __repr__(self) -> str:
        kinds = (np.iscomplexobj(array) for array in (self.S, *self.bases))
        return (
            f"OrthogonalNetwork(S of shape {self.S.shape}, bases with "
            f"{self.layer_sizes} rows, {'complex' if any(kinds) else 'real'})"
        )

    def _decompose(self, tol: float) -> OrthogonalDecomposition:
        """S and U_l as given; the residual is 0 by construction and ``tol`` is not used."""
        return given_decomposition(self.S, self.bases, self.parameter_shapes)

    def first_layers(self, direction: Any) -> list[FloatArray]:
        """U_l eta, ``direction`` eta of shape (m,)."""
        return in_coordinates(self.orthogonal_decomposition(), direction)

    def _coefficients(self, layers: Parameters) -> FloatArray:
        return _real_product(np.prod(self._coordinates(layers), axis=0), self.S)

    def _layer_gradients(self, layers: Parameters, direction: FloatArray) -> Parameters:
        others = _products_of_others(self._coordinates(layers), self.S @ direction)
        return tuple(
            _real_product(basis, product) for basis, product in zip(self.bases, others, strict=True)
        )

    def stacked_coefficients(self, layers: Parameters) -> FloatArray:
        """S^T rho of every row."""
        return _real_product(np.prod(self._coordinates(layers), axis=0), self.S)

    def stacked_gradients(self, layers: Parameters, directions: FloatArray) -> Parameters:
        """As for one, rows for each."""
        others = _products_of_others(self._coordinates(layers), directions @ self.S.T)
        return tuple(
            _real_product(product, basis.T)
            for basis, product in zip(self.bases, others, strict=True)
        )

    def stacked_point_gradients(self, layers: Parameters, X: FloatArray) -> FloatArray:
        """By the gradients of all points."""
        return by_gradients(self, layers, X)

    def _second_derivative_blocks(
        self, layers: Parameters, direction: FloatArray
    ) -> Iterator[tuple[int, int, FloatArray]]:
        p = self._coordinates(layers)
        drive = self.S @ direction
        for first in range(self.depth):
            for second in range(first + 1, self.depth):
                rest = drive * np.prod(np.delete(p, (first, second), axis=0), axis=0)
                left = self.bases[first] * rest
                yield first, second, _real_product(left, self.bases[second].T)

    def _jacobian_blocks(self, layers: Parameters) -> Iterator[FloatArray]:
        p = self._coordinates(layers)
        others = _products_of_others(p, np.ones(p.shape[1]))
        for basis, product in zip(self.bases, others, strict=True):
            yield _real_product(self.S.T * product, basis.T)

    def _coordinates(self, layers: Parameters) -> NumericArray:
        """U_l^T v_l as rows."""
        return np.array([v @ basis for v, basis in zip(layers, self.bases, strict=True)])

    def _data_tensor(self, x: FloatArray) -> FloatArray:
        left = outer_columns(self.bases[:-1]) * (self.S @ x)
        return _real_product(left, self.bases[-1].T).reshape(self.layer_sizes)

    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray:
        if index:
            return contract_second(hidden, layer)
        drive = (hidden @ self.S.T) * (layer @ self.bases[0])
        flat = _real_product(drive, self._outer_rest().T)
        return flat.reshape(len(hidden), *self.layer_sizes[1:])

    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray:
        if index:
            return contract_all_but_second(hidden, pulled)
        drive = (hidden @ self.S.T) * (pulled.reshape(len(hidden), -1) @ self._outer_rest())
        return _real_product(drive, self.bases[0].T)

    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray:
        return outer_second(layer, pulled)

    def _outer_rest(self) -> NumericArray:
        """[U_2]_j (x) ... (x) [U_L]_j as columns."""
        entries = prod(self.layer_sizes[1:])
        if entries * len(self.S) > MAX_TENSOR_ENTRIES:
            raise InvalidInputError(
                f"The hidden tensor H_1 of {self!r} is formed from {entries} x {len(self.S)} "
                f"numbers; the limit is {MAX_TENSOR_ENTRIES:.3g}. Without an activation, predict "
                "needs no tensor."
            )
        return outer_columns(self.bases[1:])

    def _last_hidden(self, layers: Parameters, X: FloatArray, phi: Elementwise) -> FloatArray:
        if phi is not linear:
            return super()._last_hidden(layers, X, phi)
        product = np.prod(self._coordinates(layers)[:-1], axis=0)
        return _real_product((X @ self.S.T) * product, self.bases[-1].T)

    def _entries_per_row(self) -> int:
        return prod(self.layer_sizes[1:])

    def _conserved_terms(self, layers: Parameters) -> tuple[FloatArray, FloatArray, FloatArray]:
        first, second, scale = super()._conserved_terms(layers)
        powers = np.abs(self._coordinates(layers)) ** 2
        norms = squared_norms(layers)
        return (
            np.concatenate([first, powers[:-1].ravel()]),
            np.concatenate([second, powers[1:].ravel()]),
            np.concatenate([scale, np.repeat(norms[:-1] + norms[1:], powers.shape[1])]),
        )

    def _check_reality(self) -> None:
        """Im M(x) o (v_1, I, v_3, ...) = 0 at random real arguments, where it is generic."""
        if not any(np.iscomplexobj(array) for array in (self.S, *self.bases)):
            return
        rng = np.random.default_rng(0)
        for _ in range(4):
            layers = tuple(rng.standard_normal(size) for size in self.layer_sizes)
            drive = self.S @ rng.standard_normal(self.num_features)
            drive = drive * np.prod(self._coordinates(layers)[1:], axis=0)
            gradient = self.bases[0] @ drive
            size = float(np.linalg.norm(drive))
            imaginary = float(np.linalg.norm(gradient.imag))
            if imaginary > TOLERANCE * size:
                raise InvalidInputError(
                    "S and bases give a data tensor that is not real (an imaginary part of "
                    f"{imaginary / size:.2g} relative to it); beta must be real. Complex terms "
                    "come in conjugate pairs: rows S_j and conj(S_j) with columns [U_l]_j and "
                    "conj([U_l]_j)."
                )


def _products_of_others(p: NumericArray, drive: NumericArray) -> list[NumericArray]:
    """Drive * prod_{k != l} p_k for each l."""
    products = [drive]
    for row in p[:-1]:
        products.append(products[-1] * row)
    suffix = p[-1]
    for index in range(len(p) - 2, -1, -1):
        products[index] = products[index] * suffix
        suffix = suffix * p[index]
    return products


def _real_product(left: NumericArray, right: NumericArray) -> FloatArray:
    """Re(left @ right); the imaginary part is rounding, since the data tensor is real."""
    if np.iscomplexobj(left) and np.iscomplexobj(right):
        return np.asarray(left.real @ right.real - left.imag @ right.imag)
    return np.asarray(left.real @ right.real)
