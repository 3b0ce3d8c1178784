"""Features of full-length convolutions, X times the DFT, without forming the product.

    Z_ij = Re( c_j [F x_i]_k(j) ),     F_jk = exp(-2 pi i j k / d),

for the real signals x_i, (d,), and any complex factors c: Z v = X Re(F c v) and
Z^T nu = Re(c F X^T nu), by FFT. X may be features of any kind; what needs whole rows of Z takes a
few rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from implicitbias._arrays import ComplexArray, FloatArray, IntArray
from implicitbias.features._base import Features, Index


class Fourier(Features):
    """Z = Re(X F^T diag(c)), restricted to some frequencies.

    Parameters
    ----------
    signals
        X, (n, d).
    factors
        c, (m,).
    frequencies
        k, (m,), from 0 to d - 1, each at most once; all if None.
    """

    def __init__(
        self, signals: Features, factors: ComplexArray, frequencies: IntArray | None = None
    ) -> None:
        self._signals, self._factors = signals, factors
        every = np.arange(signals.shape[1])
        self._frequencies = every if frequencies is None else frequencies
        self.shape = signals.shape[0], factors.size

    def _spectra(self, signals: FloatArray) -> FloatArray:
        """Re(c F x) for rows x, (k, d) -> (k, m)."""
        spectra = np.fft.fft(signals, axis=-1)[..., self._frequencies]
        return np.asarray((spectra * self._factors).real)

    def _driven(self, spectra: FloatArray) -> FloatArray:
        """Re(F c v) for rows v, (k, m) -> (k, d)."""
        padded = np.zeros((*spectra.shape[:-1], self._signals.shape[1]), dtype=np.complex128)
        padded[..., self._frequencies] = spectra * self._factors
        return np.asarray(np.fft.fft(padded, axis=-1).real)

    def _rows_of_z(self) -> Iterator[tuple[slice, FloatArray]]:
        """Rows of Z, some at a time."""
        for part in self._signals.row_blocks():
            yield part, self._spectra(self._signals.rows(part).toarray())

    def columns(self, index: Index) -> FloatArray:
        """Z[:, index]."""
        chosen = self.taken(index)
        blocks = [block for _, block in chosen._rows_of_z()]
        return np.vstack(blocks) if blocks else np.zeros(chosen.shape)

    def taken(self, index: Index) -> Fourier:
        """The same at some frequencies."""
        return Fourier(self._signals, self._factors[index], self._frequencies[index])

    def rows(self, index: Index) -> Fourier:
        """The same of some signals."""
        return Fourier(self._signals.rows(index), self._factors, self._frequencies)

    def scaled(self, rows: FloatArray | None, columns: FloatArray | None) -> Fourier:
        """diag(r) Z diag(c)."""
        signals = self._signals if rows is None else self._signals.scaled(rows, None)
        factors = self._factors if columns is None else self._factors * columns
        return Fourier(signals, factors, self._frequencies)

    def __matmul__(self, vector: FloatArray) -> FloatArray:
        return self._signals @ np.asarray(self._driven(vector.T).T)

    def transposed(self, vector: FloatArray) -> FloatArray:
        """Z^T nu."""
        return np.asarray(self._spectra(self._signals.transposed(vector).T).T)

    def absolute(self, vector: FloatArray) -> FloatArray:
        """|Z| |v|."""
        return np.concatenate([np.abs(z) @ np.abs(vector) for _, z in self._rows_of_z()])

    def absolute_transposed(self, vector: FloatArray) -> FloatArray:
        """|Z|^T |nu|."""
        size = np.abs(vector)
        return np.asarray(sum(np.abs(z).T @ size[part] for part, z in self._rows_of_z()))

    def gram(self, weights: FloatArray) -> FloatArray:
        """The upper triangle of Z diag(weights) Z^T = X Re(F c D Z^T)."""
        columns = [self._signals @ self._driven(z * weights).T for _, z in self._rows_of_z()]
        return np.asfortranarray(np.triu(np.hstack(columns)))

    def largest(self, axis: int) -> FloatArray:
        """max |Z_ij| along an axis."""
        parts = [np.abs(z).max(axis=axis, initial=0.0) for _, z in self._rows_of_z()]
        return np.concatenate(parts) if axis == 1 else np.asarray(np.max(parts, axis=0))

    def column_norms(self) -> FloatArray:
        """||z_j||."""
        squares = sum(np.square(z).sum(axis=0) for _, z in self._rows_of_z())
        return np.asarray(np.sqrt(squares))

    def _plain_norms(self) -> FloatArray:
        return np.concatenate([np.linalg.norm(z, axis=1) for _, z in self._rows_of_z()])


class Spectra:
    """X F^T times a number, complex, of features X: what has to share phases to become real."""

    def __init__(self, signals: Features, factor: float) -> None:
        self._signals, self._factor = signals, factor

    def _rows(self) -> Iterator[ComplexArray]:
        for part in self._signals.row_blocks():
            signals = self._signals.rows(part).toarray()
            yield self._factor * np.fft.fft(signals, axis=-1)

    def toarray(self) -> ComplexArray:
        """All of it."""
        return np.vstack(list(self._rows()))

    def common_phases(self, tolerance: float) -> tuple[ComplexArray | None, Fourier, float]:
        """e^{-i theta_j} with which columns become as real as possible, the result, the defect.

        None where all are real to the tolerance, relative to the largest entry of their rows.
        """
        squares = np.zeros(self._signals.shape[1], dtype=np.complex128)
        imaginary = np.zeros(self._signals.shape[1])
        for block in self._unit_rows():
            squares += (block**2).sum(axis=0)
            imaginary = np.maximum(imaginary, np.abs(block.imag).max(axis=0))
        factors = np.full(imaginary.size, self._factor, dtype=np.complex128)
        defect = float(imaginary.max(initial=0.0))
        if defect <= tolerance:
            return None, Fourier(self._signals, factors), defect
        phases = np.where(imaginary <= tolerance, 1.0, np.exp(-0.5j * np.angle(squares)))
        left = max(float(np.abs((block * phases).imag).max()) for block in self._unit_rows())
        return phases, Fourier(self._signals, factors * phases), left

    def _unit_rows(self) -> Iterator[ComplexArray]:
        """The rows over their largest entries, whatever the units of the points."""
        for block in self._rows():
            sizes = np.abs(block).max(axis=1, initial=0.0, keepdims=True)
            yield block / np.where(sizes > 0.0, sizes, 1.0)
