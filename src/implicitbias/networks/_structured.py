"""Decompositions known by structure, whose S and bases are built only when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import log10, prod, sqrt

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias._verdicts import Verdict
from implicitbias.features import Features, Spectra
from implicitbias.networks._decomposition import (
    ASSUMPTION,
    DenseDecomposition,
    OrthogonalDecomposition,
    read_only,
)
from implicitbias.networks._zeros import vanishing_frequencies


@dataclass(frozen=True, eq=False, repr=False)
class _Square(OrthogonalDecomposition):
    """A decomposition with k_l = m = d in every layer."""

    @property
    def size(self) -> int:
        """Number of coordinates m = d."""
        return self.parameter_shapes[0][0]

    @property
    def num_features(self) -> int:
        """Number of features d."""
        return self.parameter_shapes[0][0]


class IdentityDecomposition(_Square):
    """S = I and U_l = I: diagonal networks."""

    def __init__(self, num_features: int, depth: int) -> None:
        verdict = Verdict(ASSUMPTION, "holds", 0.0, "by structure: S = I, U_l = I")
        super().__init__(((num_features,),) * depth, 0.0, verdict)

    @cached_property
    def S(self) -> NumericArray:
        """The identity."""
        return read_only(np.eye(self.size))

    @property
    def bases(self) -> tuple[NumericArray, ...]:
        """L times the identity."""
        return (self.S,) * self.depth

    @property
    def is_real(self) -> bool:
        """True."""
        return True

    @property
    def is_exact(self) -> bool:
        """True."""
        return True

    @property
    def is_identity(self) -> bool:
        """True."""
        return True

    def features(self, X: NumericArray) -> NumericArray:
        """X itself, by reference."""
        return X

    def transformed(self, X: Features) -> Features:
        """X itself."""
        return X

    def coefficients(self, rho: NumericArray) -> NumericArray:
        """rho itself, by reference."""
        return rho

    def _project(self, layer: int, vector: NumericArray) -> NumericArray:
        return vector

    def _embed(self, layer: int, coordinates: NumericArray) -> NumericArray:
        return coordinates


MOST_DIGITS = 150  # of d^{(L-1)/2}: its square is within float64
FORMED = 1 << 25  # entries of X S^T up to which it is formed: four times as fast, half a GiB


class FourierDecomposition(_Square):
    """S = d^{(L-1)/2} F and U_l = conj(F), F the unitary DFT: full-length convolutions.

    F_{jk} = exp(-2 pi i j k / d) / sqrt(d), j, k = 0, ..., d - 1; applied by FFT.
    """

    def __init__(self, num_features: int, depth: int) -> None:
        verdict = Verdict(
            ASSUMPTION, "holds", 0.0, "by structure: S = d^((L-1)/2) F, U_l = conj(F), F the DFT"
        )
        super().__init__(((num_features,),) * depth, 0.0, verdict)

    @property
    def is_real(self) -> bool:
        """False."""
        return False

    @cached_property
    def lengths(self) -> FloatArray:
        """d^{(L-1)/2} in every row."""
        return read_only(np.full(self.size, self._power(self.depth - 1)))

    @cached_property
    def S(self) -> NumericArray:
        """d^{(L-1)/2} F."""
        return read_only(self.features(np.eye(self.size)).T)

    @cached_property
    def bases(self) -> tuple[NumericArray, ...]:
        """L times conj(F)."""
        return (read_only(np.fft.ifft(np.eye(self.size), axis=1, norm="ortho")),) * self.depth

    def features(self, X: NumericArray) -> NumericArray:
        """d^{(L-1)/2} times the unitary DFT of the rows of X."""
        transform: NumericArray = np.fft.fft(X, axis=-1)
        return self._factor * transform

    def transformed(self, X: Features) -> Features | Spectra | NumericArray:
        """The same, not formed where it is large."""
        return self.features(X.toarray()) if X.size <= FORMED else Spectra(X, self._factor)

    @property
    def _factor(self) -> float:
        return self._power(self.depth - 2)

    def _power(self, exponent: int) -> float:
        digits = (self.depth - 1) / 2 * log10(self.size)
        if digits > MOST_DIGITS:
            raise InvalidInputError(
                f"{self.depth} filters of full length {self.size} have S = d^((L-1)/2) F = "
                f"10^{digits:.0f} F, whose squares float64 does not hold (up to 10^{MOST_DIGITS}). "
                "Choose fewer layers."
            )
        return sqrt(self.size) ** exponent

    def coefficients(self, rho: NumericArray) -> NumericArray:
        """Compute beta = d^{(L-1)/2} F rho (F is symmetric)."""
        return self.features(rho)

    def vanish(self, layers: Iterable[NumericArray]) -> BoolArray:
        """By integers."""
        return np.array([vanishing_frequencies(np.ravel(v)) for v in layers])

    def _project(self, layer: int, vector: NumericArray) -> NumericArray:
        return np.fft.ifft(vector, norm="ortho")

    def _embed(self, layer: int, coordinates: NumericArray) -> NumericArray:
        return np.fft.fft(coordinates, norm="ortho")


def fourier_decomposition(num_features: int, depth: int) -> OrthogonalDecomposition:
    """Decompose a full-length convolution; for d <= 2 the DFT is real, and so is the result."""
    fourier = FourierDecomposition(num_features, depth)
    if num_features > 2:
        return fourier
    bases = tuple(basis.real for basis in fourier.bases)
    return DenseDecomposition(
        fourier.parameter_shapes, fourier.residual, fourier.verdict, fourier.S.real, bases
    )


@dataclass(frozen=True, eq=False, repr=False)
class SelectionDecomposition(OrthogonalDecomposition):
    """S and U_l select entries: [S]_{j, feature_j} = 1 and [U_l]_{entry_lj, j} = 1, rest 0."""

    feature: NumericArray
    entries: tuple[NumericArray, ...]
    inputs: int

    def __post_init__(self) -> None:
        for array in (self.feature, *self.entries):
            read_only(array)

    @property
    def size(self) -> int:
        """Number of coordinates m."""
        return len(self.feature)

    @property
    def num_features(self) -> int:
        """Number of features d."""
        return self.inputs

    @property
    def is_real(self) -> bool:
        """True."""
        return True

    @property
    def is_exact(self) -> bool:
        """True."""
        return True

    @cached_property
    def S(self) -> NumericArray:
        """The (m, d) matrix S."""
        return read_only(_selection(self.feature, self.num_features).T)

    @cached_property
    def bases(self) -> tuple[NumericArray, ...]:
        """U_1, ..., U_L."""
        return tuple(
            read_only(_selection(entry, prod(shape)))
            for entry, shape in zip(self.entries, self.parameter_shapes, strict=True)
        )

    def features(self, X: NumericArray) -> NumericArray:
        """X S^T."""
        return X[..., self.feature]

    def coefficients(self, rho: NumericArray) -> NumericArray:
        """Compute beta = S^T rho."""
        beta = np.zeros(self.num_features, dtype=rho.dtype)
        np.add.at(beta, self.feature, rho)
        return beta

    def _project(self, layer: int, vector: NumericArray) -> NumericArray:
        return vector[self.entries[layer]]

    def _embed(self, layer: int, coordinates: NumericArray) -> NumericArray:
        vector = np.zeros(prod(self.parameter_shapes[layer]), dtype=coordinates.dtype)
        vector[self.entries[layer]] = coordinates
        return vector


def disjoint_paths(
    widths: tuple[int, ...], parameter_shapes: tuple[tuple[int, ...], ...]
) -> SelectionDecomposition:
    """Decompose a fully connected data tensor along paths that share no unit.

    M(x) is the sum of x_{a} e_{(a, b_1)} (x) e_{(b_1, b_2)} (x) ... (x) e_{b_{L-1}} over all
    paths (a, b_1, ..., b_{L-1}), (d_2 ... d_L) of them for each input a. Path j keeps to unit j of
    every layer and starts from input j mod d, j < m = min(d_2, ..., d_L).
    """
    num_features, *hidden = widths
    size = min(hidden)
    units = np.arange(size)
    feature = units % num_features
    entries = [feature * hidden[0] + units]
    entries += [units * width + units for width in hidden[1:]]
    kept = int(np.bincount(feature, minlength=num_features).min())
    residual = sqrt(max(0.0, 1.0 - kept / prod(hidden)))
    holds = residual == 0.0
    detail = (
        "by structure: one input and no path that shares a unit with another"
        if holds
        else "relative residual along disjoint paths; a fully connected data tensor is "
        "orthogonally decomposable only for d = 1 and L = 2, or all widths 1"
    )
    verdict = Verdict(ASSUMPTION, "holds" if holds else "fails", residual, detail)
    return SelectionDecomposition(
        parameter_shapes, residual, verdict, feature, (*entries, units), num_features
    )


def _selection(rows: NumericArray, height: int) -> NumericArray:
    matrix = np.zeros((height, len(rows)))
    matrix[rows, np.arange(len(rows))] = 1.0
    return matrix
