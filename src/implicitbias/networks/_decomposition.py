"""Assumption 1: orthogonal decompositions of data tensors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from implicitbias._arrays import (
    TINY,
    BoolArray,
    FloatArray,
    NumericArray,
    Parameters,
    exact_product,
    finite_array,
    stable_norm,
)
from implicitbias._errors import InvalidInputError
from implicitbias._html import Badge
from implicitbias._results import Record
from implicitbias._verdicts import Status, Verdict
from implicitbias.features import Features, Spectra
from implicitbias.networks._assumption import checked_assumption, orthonormality_defect
from implicitbias.networks._zeros import vanishing_projections, without_rounding

ASSUMPTION = "Assumption 1, an orthogonally decomposable data tensor"

ALIKE = 1e-7  # relative; squares of differences below the root of float64's rounding are lost
_IMAGINARY_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class OrthogonalDecomposition(Record, ABC):
    """M(x) = sum_j [S x]_j [U_1]_j (x) ... (x) [U_L]_j, U_l^H U_l = I, S of full column rank.

    S is (m, d), U_l is (k_l, m). In the coordinates p_l = U_l^T v_l (a plain transpose) and
    rho_j = prod_l p_{l,j} the network is beta = S^T rho.

    Attributes
    ----------
    parameter_shapes
        The shapes of the layers v_l; matrices count as vectors, row-major.
    residual
        max_e ||M(e) - sum_j [S e]_j [U_1]_j (x) ... (x) [U_L]_j||_F / ||M(e)||_F over the d
        basis inputs e (those with ||M(e)||_F below 1e-12 of the largest are measured against the
        largest); 0 where the decomposition is exact by structure.
    verdict
        Whether Assumption 1 holds, with the residual, the orthonormality defect and the rank.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, Assumption 1.
    """

    parameter_shapes: tuple[tuple[int, ...], ...]
    residual: float
    verdict: Verdict

    @staticmethod
    def given(
        S: Any, bases: Iterable[Any], parameter_shapes: Iterable[tuple[int, ...]] | None = None
    ) -> OrthogonalDecomposition:
        """The decomposition with these S and U_l, for a family of networks that knows them.

        Parameters
        ----------
        S, bases
            As for ``OrthogonalNetwork``.
        parameter_shapes
            The shapes of the layers, flattened row-major to the rows of U_l; vectors by default.

        Raises
        ------
        InvalidInputError
            Wrong shapes, columns that are not orthonormal to 1e-10, or S of lower rank.
        """
        matrix, columns = checked_assumption(S, bases)
        shapes = tuple(parameter_shapes or ((len(basis),) for basis in columns))
        if [prod(shape) for shape in shapes] != [len(basis) for basis in columns]:
            raise InvalidInputError(
                f"the bases have {', '.join(str(len(basis)) for basis in columns)} rows; layers of "
                f"shapes {', '.join(map(str, shapes))} need one for each of their entries."
            )
        return given_decomposition(matrix, columns, shapes)

    @property
    def by_structure(self) -> bool:
        """Whether S and U_l are known outright, rather than found by a search."""
        return True

    @property
    def power(self) -> float | None:
        """D where the layers are u and v and rho = u^D - v^D; None where it is their product."""
        return None

    @property
    def is_identity(self) -> bool:
        """Whether S = I, so that beta is rho."""
        return False

    def _short(self) -> str:
        kind = "real" if self.is_real else "complex"
        sizes = f"m={self.size}, d={self.num_features}, depth={self.depth}, {kind}"
        return f"{sizes}; {self.verdict.status} ({self.verdict.value:.1e})"

    def _badge(self) -> Badge:
        return self.verdict._badge()

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self._short()}\n  {self.verdict}"

    @property
    @abstractmethod
    def S(self) -> NumericArray:
        """The (m, d) matrix S."""

    @property
    @abstractmethod
    def bases(self) -> tuple[NumericArray, ...]:
        """U_1, ..., U_L, of shapes (k_l, m), with orthonormal columns."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of coordinates m."""

    @property
    @abstractmethod
    def num_features(self) -> int:
        """Number of features d."""

    @property
    @abstractmethod
    def is_real(self) -> bool:
        """Whether S and all U_l are real."""

    @cached_property
    def lengths(self) -> FloatArray:
        """||S_j||, the norms of the rows of S, (m,)."""
        return read_only(np.asarray(np.linalg.norm(self.S, axis=1)))

    @abstractmethod
    def features(self, X: NumericArray) -> NumericArray:
        """X S^T, (n, m): the data in the decoupled coordinates. X is (n, d), or (d,)."""

    def transformed(self, X: Features) -> Features | Spectra | NumericArray:
        """X S^T of features: features again where it is real."""
        return self.features(X.toarray())

    @abstractmethod
    def coefficients(self, rho: NumericArray) -> NumericArray:
        """Compute beta = S^T rho, (d,); complex where S is, its imaginary part then rounding."""

    def coefficients_of_each(self, rows: NumericArray) -> NumericArray:
        """The same for each row of a (k, m) array, (k, d)."""
        return np.array([self.coefficients(row) for row in rows])

    @abstractmethod
    def _project(self, layer: int, vector: NumericArray) -> NumericArray:
        """U_l^T v."""

    @abstractmethod
    def _embed(self, layer: int, coordinates: NumericArray) -> NumericArray:
        """conj(U_l) p."""

    @property
    def uniqueness(self) -> Verdict:
        """Whether S and the U_l are determined up to the order and the phases of the coordinates.

        A row of S that is zero leaves its columns free. For L >= 3 nothing else does. For L = 2 two
        rows that agree up to a phase may be rotated into each other, for every input alike. The
        value is the smallest relative size of a row, or distance of two rows, min over phases of
        ||S_j - e^{i theta} S_k|| / sqrt(||S_j||^2 + ||S_k||^2): 1 where all are orthogonal.

        Source: orthogonality makes the terms the singular tuples of a matrix (L = 2), or the robust
        eigenvectors of a tensor; Kolda, SIAM J. Matrix Anal. Appl. 2001.
        """
        matrix = self.S
        sizes = np.linalg.norm(matrix, axis=1)
        value = float(sizes.min(initial=np.inf) / (sizes.max(initial=0.0) or 1.0))
        detail = "the smallest row of S over the largest"
        if self.depth == 2 and self.size > 1:
            overlaps = 2.0 * np.abs(matrix @ matrix.conj().T)
            totals = np.add.outer(np.square(sizes), np.square(sizes))
            pairs = np.triu_indices(self.size, 1)
            apart = np.maximum(1.0 - overlaps[pairs] / np.maximum(totals[pairs], TINY), 0.0)
            nearest = float(np.sqrt(apart.min()))
            if nearest < value:
                value, detail = nearest, "the distance of the two rows of S most alike, up to phase"
        status: Status = "holds" if value > ALIKE else "fails"
        return Verdict("S and U_l are unique up to order and phases", status, value, detail)

    @property
    def is_exact(self) -> bool:
        """Whether ``features`` and ``coordinates`` involve no arithmetic."""
        return False

    def transforms_exactly(self, X: Features) -> bool:
        """Whether X S^T is not rounded."""
        return self.is_exact

    def projects_exactly(self, parameters: Iterable[Any]) -> bool:
        """Whether the coordinates U_l^T v_l are not rounded."""
        return self.is_exact

    def vanish(self, layers: Iterable[NumericArray]) -> BoolArray:
        """Where U_l^T v_l = 0, (L, m), not by rounding."""
        return np.array([self._project(i, np.ravel(v)) == 0.0 for i, v in enumerate(layers)])

    @property
    def depth(self) -> int:
        """Number of layers L."""
        return len(self.parameter_shapes)

    def coordinates(self, parameters: Iterable[Any]) -> NumericArray:
        """p_l = U_l^T v_l as the rows of an (L, m) array.

        Whether |p_{l,j}| are equal or zero decides what a coordinate can reach, and the products
        round: sizes within that rounding of each other, or of 0, are made equal.
        """
        layers = self._flat(parameters)
        p = self._projected(layers)
        if self.projects_exactly(layers):
            return p
        return without_rounding(p, np.array([stable_norm(layer) for layer in layers]))

    def projections(self, parameters: Iterable[Any]) -> NumericArray:
        """U_l^T v_l as the rows of an (L, m) array, as the products leave them."""
        return self._projected(self._flat(parameters))

    def _projected(self, layers: list[NumericArray]) -> NumericArray:
        return np.stack([self._project(i, v) for i, v in enumerate(layers)])

    def parameters(self, coordinates: Any, remainder_of: Iterable[Any] | None = None) -> Parameters:
        """v_l = conj(U_l) p_l + (I - conj(U_l) U_l^T) v_l(0): real layers with coordinates p_l.

        Parameters
        ----------
        coordinates
            p, (L, m).
        remainder_of
            The layers v_l(0), whose part outside conj(U_l)'s range no gradient flow moves;
            None for no such part.

        Raises
        ------
        InvalidInputError
            Wrong shapes, or coordinates that belong to no real layers.
        """
        p = finite_array(
            coordinates, "coordinates", shape=(self.depth, self.size), allow_complex=True
        )
        start: Iterable[Any] = (
            [None] * self.depth if remainder_of is None else self._flat(remainder_of)
        )
        layers = []
        for index, (row, rest, shape) in enumerate(
            zip(p, start, self.parameter_shapes, strict=True)
        ):
            name, size = f"coordinates, layer {index + 1},", 0.0
            if rest is None:
                vector = self._embed(index, row)
            else:
                vector = rest + self._embed(index, row - self._project(index, rest))
                size = float(np.abs(rest).max(initial=0.0))
            layers.append(real_part(vector, name, size).reshape(shape))
        return tuple(layers)

    def _flat(self, parameters: Iterable[Any]) -> list[NumericArray]:
        arrays = [np.asarray(layer) for layer in parameters]
        shapes = tuple(array.shape for array in arrays)
        if shapes != self.parameter_shapes:
            raise InvalidInputError(
                f"parameters have shapes {', '.join(map(str, shapes)) or 'none'}; expected "
                f"{', '.join(map(str, self.parameter_shapes))}."
            )
        return [array.ravel() for array in arrays]


@dataclass(frozen=True, eq=False, repr=False)
class DenseDecomposition(OrthogonalDecomposition):
    """S and U_l as arrays."""

    matrix: NumericArray
    columns: tuple[NumericArray, ...]
    by_structure: bool = True

    def __post_init__(self) -> None:
        for array in (self.matrix, *self.columns):
            read_only(array)

    @property
    def S(self) -> NumericArray:
        """The (m, d) matrix S."""
        return self.matrix

    @property
    def bases(self) -> tuple[NumericArray, ...]:
        """U_1, ..., U_L."""
        return self.columns

    @property
    def size(self) -> int:
        """Number of coordinates m."""
        return int(self.matrix.shape[0])

    @property
    def num_features(self) -> int:
        """Number of features d."""
        return int(self.matrix.shape[1])

    @property
    def is_real(self) -> bool:
        """Whether S and all U_l are real."""
        return not any(np.iscomplexobj(array) for array in (self.matrix, *self.columns))

    def transforms_exactly(self, X: Features) -> bool:
        """Whether X S^T is not rounded, and S is the network's own."""
        return self.residual == 0.0 and exact_product(X.toarray(), self.matrix.T)

    def projects_exactly(self, parameters: Iterable[Any]) -> bool:
        """Whether U_l^T v_l are not rounded, and U_l are the network's own."""
        return self.residual == 0.0 and all(
            exact_product(np.ravel(layer), basis)
            for layer, basis in zip(parameters, self.columns, strict=True)
        )

    def vanish(self, layers: Iterable[NumericArray]) -> BoolArray:
        """By exact sums."""
        pairs = zip(self.columns, layers, strict=True)
        return np.array([vanishing_projections(basis, np.ravel(v)) for basis, v in pairs])

    def features(self, X: NumericArray) -> NumericArray:
        """X S^T."""
        return X @ self.matrix.T

    def coefficients(self, rho: NumericArray) -> NumericArray:
        """Compute beta = S^T rho."""
        return rho @ self.matrix

    def coefficients_of_each(self, rows: NumericArray) -> NumericArray:
        """All of them in one product."""
        return rows @ self.matrix

    def _project(self, layer: int, vector: NumericArray) -> NumericArray:
        return vector @ self.columns[layer]

    def _embed(self, layer: int, coordinates: NumericArray) -> NumericArray:
        return self.columns[layer].conj() @ coordinates


def read_only(array: NumericArray) -> NumericArray:
    """The array itself, closed to writing: a network hands the same decomposition to everybody."""
    array.setflags(write=False)
    return array


def real_part(vector: NumericArray, name: str, size: float = 0.0) -> FloatArray:
    """Re v, where Im v is rounding of v or of terms of a given size.

    Raises
    ------
    InvalidInputError
        Im v is more than rounding.
    """
    if not np.iscomplexobj(vector):
        return np.asarray(vector, dtype=np.float64)
    size = max(size, float(np.abs(vector).max(initial=0.0)))
    imaginary = float(np.abs(vector.imag).max(initial=0.0))
    if imaginary > _IMAGINARY_ROUNDING * size:
        raise InvalidInputError(
            f"{name} belong to no real layer: an imaginary part of {imaginary:.3g} beside entries "
            f"of {size:.3g}. Coordinates of real layers are U_l^T v_l with v_l real."
        )
    return np.ascontiguousarray(vector.real)


def given_decomposition(
    matrix: NumericArray,
    columns: tuple[NumericArray, ...],
    parameter_shapes: tuple[tuple[int, ...], ...],
) -> DenseDecomposition:
    """The decomposition with S and U_l that fulfil the assumption."""
    defect = max(map(orthonormality_defect, columns))
    detail = f"as given: orthonormality defect {defect:.1e}, S of rank {matrix.shape[1]}"
    verdict = Verdict(ASSUMPTION, "holds", 0.0, detail)
    return DenseDecomposition(parameter_shapes, 0.0, verdict, matrix, columns)
