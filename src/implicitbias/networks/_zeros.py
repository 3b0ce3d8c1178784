"""Which coordinates of a layer are 0, by exact sums: products in float64 leave 1e-17 of them.

Of a DFT, sum_a v_a omega^{ka} with omega = exp(-2 pi i / d) is p(omega^k) for p(x) = sum_a v_a x^a,
and omega^k is a primitive root of order N = d / gcd(k, d): that is 0 if and only if the cyclotomic
polynomial Phi_N divides p, or p modulo x^N - 1. The floats v_a are integers times a power of two.
"""

from __future__ import annotations

from math import gcd

import numpy as np

from implicitbias._arrays import EPS, BoolArray, FloatArray, NumericArray
from implicitbias.features import ExactSums, as_features

ROUNDING = 16 * EPS  # of coordinates, relative to the largest


def vanishing_projections(basis: NumericArray, layer: FloatArray) -> BoolArray:
    """Whether U^T v is 0 in each coordinate, (m,), for the given floats of U, (k, m), and v."""
    nothing = np.zeros(basis.shape[1])
    parts = [np.ascontiguousarray(part) for part in (basis.real, basis.imag)]
    sums = [ExactSums(as_features(part)).transposed_residual(layer, nothing) for part in parts]
    return np.asarray((sums[0] == 0.0) & (sums[1] == 0.0))


def vanishing_frequencies(values: FloatArray) -> BoolArray:
    """Whether the DFT of ``values``, (d,), is 0 at each frequency, (d,); nothing is rounded."""
    from flint import fmpz_poly

    size, integers = values.size, _integers(values)
    vanishes = {}
    for divisor in (k for k in range(1, size + 1) if size % k == 0):
        order = size // divisor
        folded = [sum(integers[a::order]) for a in range(order)]
        vanishes[divisor] = not (fmpz_poly(folded) % fmpz_poly.cyclotomic(order)).coeffs()
    return np.array([vanishes[gcd(k, size)] for k in range(size)])


def _integers(values: FloatArray) -> list[int]:
    """The values times a common power of two."""
    ratios = [value.as_integer_ratio() for value in values.tolist()]
    common = max(denominator for _, denominator in ratios)
    return [numerator * (common // denominator) for numerator, denominator in ratios]


def without_rounding(p: NumericArray, lengths: FloatArray) -> NumericArray:
    """The coordinates with sizes equal to the smallest, or zero, where rounding cannot tell.

    Of layers of ``lengths``, (L,), which may be far apart, and mostly outside of all coordinates.
    """
    sizes = np.abs(p)
    noise = np.maximum(ROUNDING * sizes.max(axis=1, initial=0.0), EPS * lengths)[:, None]
    p = np.where(sizes <= noise, 0.0, p)
    sizes = np.abs(p)
    smallest = sizes.min(axis=0)
    doubt = np.maximum(noise, noise[sizes.argmin(axis=0)].T)
    tied = (sizes - smallest <= doubt) & (smallest > 0.0)
    factor = np.where(tied, smallest / np.where(tied, sizes, 1.0), 1.0)
    equal: NumericArray = p * factor
    if not np.iscomplexobj(p):
        equal = np.where(tied, np.sign(p) * smallest, p)
    return equal
