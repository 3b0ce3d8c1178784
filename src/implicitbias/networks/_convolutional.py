"""Circular convolutional networks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from implicitbias._arrays import FloatArray, Parameters, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias._names import MAX_DEPTH
from implicitbias.networks._base import Network
from implicitbias.networks._decomposition import OrthogonalDecomposition
from implicitbias.networks._layers import squared_norms
from implicitbias.networks._point_svd import PointSVD, circulant_svd, dense_svd
from implicitbias.networks._stacked import by_gradients
from implicitbias.networks._structured import fourier_decomposition

_ROUGH_FFT = 6.0  # measured: an FFT of length 1009 (prime) against one of length 1000


class ConvolutionalNetwork(Network):
    """f(x) = (x * w_1 * ... * w_{L-1})^T w_L, [a * b]_i = sum_j a_{(i+j) mod d} b_j, 0-based.

    [M(x)]_{j_1..j_L} = x_{(j_1 + ... + j_L) mod d}. beta is the circular convolution of all
    filters, beta_i = sum over j_1 + ... + j_L = i (mod d) of prod_l [w_l]_{j_l}.
    Full-length filters: F beta = d^{(L-1)/2} prod_l F w_l, and Assumption 1 holds with
    S = d^{(L-1)/2} F, U_l = conj(F).
    Conserved: ||w_l||^2 - ||w_{l+1}||^2, and between filters of full length
    |F w_l|^2 - |F w_k|^2 elementwise.

    With an activation, H_l = phi(H_{l-1} * w_l) elementwise, H_0 = x, which is the general
    definition for every phi: no entry of its tensors H_l is zero by structure.

    Parameters
    ----------
    num_features
        d >= 1.
    filter_sizes
        (k_1, ..., k_L), 1 <= k_l <= d, k_L = d, at least two.

    Raises
    ------
    InvalidInputError
        Fewer than two sizes, one outside 1, ..., d, or a last one that is not d.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 3.1.
    """

    family = "convolutional"
    filter_sizes: tuple[int, ...]
    _by_fft: bool
    _stacks_by_fft: bool

    def __init__(self, num_features: int, filter_sizes: Iterable[int]) -> None:
        d = positive_int(num_features, "num_features")
        sizes = _checked_sizes(d, filter_sizes)
        self.__dict__.update(
            num_features=d,
            filter_sizes=sizes,
            parameter_shapes=tuple((size,) for size in sizes),
            _by_fft=_fft_is_faster(d, sizes),
            _stacks_by_fft=min(sizes) == d and _fft_is_faster(d, sizes, shared=True),
        )

    def __repr__(self) -> str:
        return (
            f"ConvolutionalNetwork(num_features={self.num_features}, "
            f"filter_sizes={self.filter_sizes})"
        )

    def _decompose(self, tol: float) -> OrthogonalDecomposition:
        """Full length: by structure, the DFT. Shorter filters: a numerical search (it fails).

        S of full column rank needs d <= m <= min k_l, so no short filter satisfies it; the
        search shows by how much the rest of the assumption is violated.
        """
        if self.is_fourier:
            return fourier_decomposition(self.num_features, self.depth)
        return super()._decompose(tol)

    @property
    def is_fourier(self) -> bool:
        """Whether all filters have full length."""
        return min(self.filter_sizes) == self.num_features

    def point_svd(self, x: FloatArray) -> PointSVD:
        """s = |F x| up to sqrt(d), twice where w is not 0 or pi; of M(x) for shorter filters."""
        return circulant_svd(x) if self.is_fourier else dense_svd(self.data_tensor(x))

    def balanced(self, layers: Sequence[FloatArray]) -> list[FloatArray]:
        """Layers of equal norm, and full filters alike: |F w_l| is conserved between them."""
        if not self.is_fourier:
            full = layers[-1]
            layers = [full if layer.size == full.size else layer for layer in layers]
        return super().balanced(layers)

    def _coefficients(self, layers: Parameters) -> FloatArray:
        if self._by_fft:
            return self._coefficients_by_fft(layers)
        beta = layers[-1]
        for layer in layers[-2::-1]:
            beta = _convolve(beta, layer)
        return beta

    def _layer_gradients(self, layers: Parameters, direction: FloatArray) -> Parameters:
        if self._by_fft:
            return self._gradients_by_fft(layers, direction)
        prefixes = [direction]  # c * w_1 * ... * w_{l-1}
        for layer in layers[:-1]:
            prefixes.append(_correlate(prefixes[-1], layer))
        gradients = [prefixes[-1]]
        suffix = layers[-1]  # the circular convolution of w_{l+1}, ..., w_L
        for index in range(self.depth - 2, -1, -1):
            gradients.append(_correlate(prefixes[index], suffix, self.filter_sizes[index]))
            if index:
                suffix = _convolve(suffix, layers[index])
        return tuple(gradients[::-1])

    def _coefficients_by_fft(self, layers: Parameters) -> FloatArray:
        spectrum = self._spectra(layers).prod(axis=0)
        return np.fft.irfft(spectrum, n=self.num_features)

    def _gradients_by_fft(self, layers: Parameters, direction: FloatArray) -> Parameters:
        spectra = self._spectra(layers).conj()
        products = np.empty_like(spectra)
        prefix = np.fft.rfft(direction)
        for index, spectrum in enumerate(spectra):
            products[index] = prefix
            prefix = prefix * spectrum
        suffix = spectra[-1]
        for index in range(self.depth - 2, -1, -1):
            products[index] *= suffix
            suffix = suffix * spectra[index]
        gradients = np.fft.irfft(products, n=self.num_features, axis=-1)
        return tuple(
            row[..., :size] for row, size in zip(gradients, self.filter_sizes, strict=True)
        )

    def stacked_coefficients(self, layers: Parameters) -> FloatArray:
        """By FFT, where that is faster."""
        if self._takes_fft(layers):
            return self._coefficients_by_fft(layers)
        return super().stacked_coefficients(layers)

    def stacked_gradients(self, layers: Parameters, directions: FloatArray) -> Parameters:
        """By FFT, where that is faster."""
        if self._takes_fft(layers):
            return self._gradients_by_fft(layers, directions)
        return super().stacked_gradients(layers, directions)

    def stacked_point_gradients(self, layers: Parameters, X: FloatArray) -> FloatArray:
        """By the gradients of all points, where those are by FFT."""
        if self._takes_fft(layers):
            return by_gradients(self, layers, X)
        return super().stacked_point_gradients(layers, X)

    def _takes_fft(self, layers: Parameters) -> bool:
        """Whether a stack does; not for short filters, whose small entries it would blur."""
        return self._by_fft or (self._stacks_by_fft and len(layers[0]) > 1)

    def _second_derivative_blocks(
        self, layers: Parameters, direction: FloatArray
    ) -> Iterator[tuple[int, int, FloatArray]]:
        suffixes = self._suffixes(layers)
        left = direction
        for first in range(self.depth):
            between = left
            for second in range(first + 1, self.depth):
                rest = _correlate(between, suffixes[second])
                rows = np.arange(self.filter_sizes[first])[:, None]
                columns = np.arange(self.filter_sizes[second])
                yield first, second, rest[(rows + columns) % self.num_features]
                between = _correlate(between, layers[second])
            left = _correlate(left, layers[first])

    def _jacobian_blocks(self, layers: Parameters) -> Iterator[FloatArray]:
        rows = np.arange(self.num_features)[:, None]
        prefix = _unit(self.num_features)
        for layer, suffix in zip(layers, self._suffixes(layers), strict=True):
            others = _convolve(prefix, suffix)
            yield others[(rows - np.arange(len(layer))) % self.num_features]
            prefix = _convolve(prefix, layer)

    def _suffixes(self, layers: Parameters) -> list[FloatArray]:
        """Return the circular convolution of w_{l+1}, ..., w_L for each l; a unit for the last."""
        suffixes = [_unit(self.num_features)]
        for layer in layers[:0:-1]:
            suffixes.append(_convolve(suffixes[-1], layer))
        return suffixes[::-1]

    def _spectra(self, layers: Parameters) -> npt.NDArray[np.complex128]:
        padded = np.zeros((self.depth, *layers[0].shape[:-1], self.num_features))
        for row, layer in zip(padded, layers, strict=True):
            row[..., : layer.shape[-1]] = layer
        return np.fft.rfft(padded, axis=-1)

    def _data_tensor(self, x: FloatArray) -> FloatArray:
        total = sum(np.ogrid[tuple(slice(size) for size in self.filter_sizes)])
        tensor: FloatArray = x[total % self.num_features]
        return tensor

    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray:
        return _correlate_rows(hidden, layer)

    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray:
        product = np.fft.rfft(hidden, axis=1) * np.fft.rfft(pulled, axis=1).conj()
        return np.fft.irfft(product, n=self.num_features, axis=1)[:, : self.filter_sizes[index]]

    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray:
        product = np.fft.rfft(pulled, axis=1) * np.fft.rfft(layer, n=self.num_features)
        return np.fft.irfft(product, n=self.num_features, axis=1)

    def _entries_per_row(self) -> int:
        return self.num_features

    def _conserved_terms(self, layers: Parameters) -> tuple[FloatArray, FloatArray, FloatArray]:
        first, second, scale = super()._conserved_terms(layers)
        full = tuple(layer for layer in layers if len(layer) == self.num_features)
        if len(full) < 2:
            return first, second, scale
        powers = np.abs(np.fft.rfft(full, axis=1, norm="ortho")) ** 2
        norms = squared_norms(full)
        return (
            np.concatenate([first, powers[:-1].ravel()]),
            np.concatenate([second, powers[1:].ravel()]),
            np.concatenate([scale, np.repeat(norms[:-1] + norms[1:], powers.shape[1])]),
        )


def _checked_sizes(d: int, filter_sizes: Iterable[int]) -> tuple[int, ...]:
    try:
        sizes = tuple(filter_sizes)
    except TypeError:
        sizes = ()
    if len(sizes) < 2:
        raise InvalidInputError(
            f"filter_sizes is {filter_sizes!r}; expected (k_1, ..., k_L), one size a layer, at "
            f"least two, the last one num_features = {d}: for example (3, {d})."
        )
    positive_int(len(sizes), "the number of filters", at_most=MAX_DEPTH)
    sizes = tuple(positive_int(k, f"filter_sizes, entry {i},") for i, k in enumerate(sizes, 1))
    if max(sizes) > d or sizes[-1] != d:
        raise InvalidInputError(
            f"filter_sizes is {sizes}; expected sizes of at most num_features = {d}, the last one "
            f"exactly {d}."
        )
    return sizes


def _fft_is_faster(d: int, sizes: tuple[int, ...], *, shared: bool = False) -> bool:
    """Whether one gradient is faster by FFT, or by ``shared`` calls of it for a stack.

    Measured for d = 16, ..., 4096 and L = 2, 3, 4 with NumPy 2.4: direct correlation costs
    0.4 ns * d * (k_1 + ... + k_{L-1}), the transforms 35 us + 30 ns * d together, of which a stack
    shares the 35; direct calls take 20 us each time.
    """
    calls = -5e4 if shared else 6e4
    return sum(sizes[:-1]) > (calls / d + 60.0) * _fft_penalty(d)


def _fft_penalty(d: int) -> float:
    """How much slower the FFT is than for a length without large prime factors."""
    factor = 2
    while factor * factor <= d:
        if d % factor:
            factor += 1
        else:
            d //= factor
    return _ROUGH_FFT if d > 50 else 1.0


def _unit(size: int) -> FloatArray:
    unit = np.zeros(size)
    unit[0] = 1.0
    return unit


def _correlate(a: FloatArray, b: FloatArray, count: int | None = None) -> FloatArray:
    """Compute sum_j a_{(i+j) mod d} b_j for i < count (d unless given); len(b) <= len(a)."""
    count = len(a) if count is None else count
    wrapped = np.concatenate((a, a))[: count + len(b) - 1]
    return np.correlate(wrapped, b, "valid")


def _convolve(a: FloatArray, b: FloatArray) -> FloatArray:
    """Compute sum_j a_{(i-j) mod d} b_j for i < d; len(b) <= len(a)."""
    wrapped = np.concatenate((a[len(a) - len(b) + 1 :], a))
    return np.convolve(wrapped, b, "valid")


def _correlate_rows(X: FloatArray, weights: FloatArray) -> FloatArray:
    """Compute x * b for each row x of X, b the weights; by FFT from 17 weights on (measured)."""
    d, size = X.shape[1], len(weights)
    if size > 16 * _fft_penalty(d):
        spectrum = np.fft.rfft(weights, n=d).conj()
        return np.fft.irfft(np.fft.rfft(X, axis=1) * spectrum, n=d, axis=1)
    wrapped = np.concatenate((X, X[:, : size - 1]), axis=1)
    result: FloatArray = np.lib.stride_tricks.sliding_window_view(wrapped, size, axis=1) @ weights
    return result
