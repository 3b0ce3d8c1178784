"""The compact SVD M(x) = U_1 diag(s) U_2^T of a two-layer network at one point, by its structure.

Theorems 3 and 6 need the singular values, coordinates U_l^T v_l and layers with given coordinates;
only a network without structure forms M(x) for that.

- fully connected, M(x) = x (x) I: s = |x| for every hidden unit, U_1 c = (x / |x|) c^T, U_2 = I;
- decomposable with real S, U_l: s = |S x|_j, with the sign in U_2;
- full-length convolution, M(x)_{ab} = x_{a+b}: s = |sum_c x_c e^{-i w c}|, twice for each frequency
  0 < w < pi, on cosines and sines: U_1 turned by the phase of that sum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray, Parameters
from implicitbias.networks._decomposition import OrthogonalDecomposition

RANK_TOLERANCE = 1e-12  # singular values below this times the largest count as zero
ROUNDED = 1e-13  # computed singular values this close may be equal
PointMaps = tuple[Callable[[FloatArray], FloatArray], Callable[[FloatArray], FloatArray]]


@dataclass(frozen=True, eq=False)
class PointSVD:
    """M(x) = U_1 diag(s) U_2^T.

    Attributes
    ----------
    values
        s > 0, descending, (m,).
    tied
        Values that agree to this part of the largest are equal; 0 where they are known exactly.
    project, lift
        v -> U_l^T v and c -> U_l c, for l = 1 and 2, on flat layers.
    exact
        Whether the projections of given layers are not rounded.
    """

    values: FloatArray
    tied: float
    project: PointMaps
    lift: PointMaps
    exact: Callable[[Parameters], bool] = lambda _: False


def dense_svd(matrix: FloatArray) -> PointSVD:
    """That of M(x) itself, (k_1, k_2)."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    rank = int(np.sum(values > RANK_TOLERANCE * values[0]))
    left, right = np.ascontiguousarray(left[:, :rank]), np.ascontiguousarray(right[:rank].T)
    project = (lambda v: left.T @ v, lambda v: right.T @ v)
    return PointSVD(values[:rank], ROUNDED, project, (lambda c: left @ c, lambda c: right @ c))


def connected_svd(x: FloatArray, width: int) -> PointSVD:
    """That of M(x) = x (x) I with so many hidden units."""
    top = float(np.abs(x).max())
    length = float(np.linalg.norm(x / top))
    unit = x / top / length
    shape = x.size, width
    project = (lambda v: unit @ v.reshape(shape), lambda v: v)
    lift = (lambda c: np.outer(unit, c).ravel(), lambda c: c)
    return PointSVD(np.full(width, top * length), 0.0, project, lift)


def decomposed_svd(decomposition: OrthogonalDecomposition, x: FloatArray) -> PointSVD:
    """s = |S x|_j, for real S and U_l."""
    signed = np.asarray(decomposition.features(x[None, :])[0], dtype=np.float64)
    order = np.argsort(-np.abs(signed), kind="stable")
    exact = decomposition.is_exact  # S x: not rounded either
    negligible = 0.0 if exact else RANK_TOLERANCE * float(np.abs(signed).max())
    order = order[np.abs(signed[order]) > negligible]
    signs = np.sign(signed[order])
    zeros = [np.zeros(shape) for shape in decomposition.parameter_shapes]

    def project(layer: int) -> Callable[[FloatArray], FloatArray]:
        def of(v: FloatArray) -> FloatArray:
            given = list(zeros)
            given[layer] = v.reshape(zeros[layer].shape)
            found = np.asarray(decomposition.coordinates(given)[layer], dtype=np.float64)[order]
            return np.asarray(found * signs if layer else found)

        return of

    def lift(layer: int) -> Callable[[FloatArray], FloatArray]:
        def of(c: FloatArray) -> FloatArray:
            whole = np.zeros((2, signed.size))
            whole[layer, order] = c * signs if layer else c
            return np.ravel(decomposition.parameters(whole)[layer])

        return of

    tied = 0.0 if exact else ROUNDED
    values = np.abs(signed[order])
    maps = (project(0), project(1)), (lift(0), lift(1))
    return PointSVD(values, tied, *maps, exact=decomposition.projects_exactly)


def circulant_svd(x: FloatArray) -> PointSVD:
    """That of M(x)_{ab} = x_{a+b mod d}."""
    d = x.size
    spectrum = np.fft.rfft(x)
    size = np.abs(spectrum)
    turn = np.where(size > 0, spectrum / np.where(size > 0, size, 1.0), 1.0)
    single = np.zeros(size.size, dtype=bool)
    single[0], single[-1] = True, d % 2 == 0 or size.size == 1
    unit = np.where(single, 1.0, np.sqrt(2.0)) / np.sqrt(d)
    values = np.concatenate([size, size[~single]])
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > RANK_TOLERANCE * values.max()]

    def split(z: NumericArray) -> FloatArray:
        z = z * unit
        return np.asarray(np.concatenate([z.real, -z.imag[~single]])[order])

    def joined(c: FloatArray) -> NumericArray:
        whole = np.zeros(values.size)
        whole[order] = c
        z = whole[: size.size].astype(np.complex128)
        z[~single] -= 1j * whole[size.size :]
        return np.asarray(z / unit)

    project = (
        lambda v: split(turn * np.fft.rfft(v).conj()),
        lambda v: split(np.fft.rfft(v)),
    )
    lift = (
        lambda c: np.fft.irfft((joined(c) / turn).conj(), d),
        lambda c: np.fft.irfft(joined(c), d),
    )
    return PointSVD(values[order], ROUNDED, project, lift)
