"""Fully connected layers that share a chain of singular vectors, as far as the data see them.

Data see V = X^+ X W_1 alone of the first layer. With unit vectors u_2, .., u_L, aligned layers are

    V = v u_2^T,  W_l = s_l u_l u_{l+1}^T,  w_L = s_L u_L;

training then moves v and s_2, .., s_L, and nothing else. (What else W_2, .., W_{L-1} map,
orthogonal to the chain, would stay, too; but small deviations grow through it without bound.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

from implicitbias._arrays import EPS, FloatArray, Parameters, stable_norm
from implicitbias.features import Features
from implicitbias.problems import UnitRows

CORRECTIONS = 30  # of X^+ w: each wins the digits that one solve keeps
ROUNDED = 4.0 * EPS  # a norm, or a product with a unit vector
NOTHING = 1e-13  # of a layer: what is not told from 0


@dataclass(frozen=True, eq=False)
class RowSpace:
    """The span of independent rows of X: with U = R^T Q^T, coordinates Q^T w.

    U are the rows over powers of two near their norms: over the norms themselves, rounding would
    turn the span of nearly dependent rows.
    """

    rows: Features

    @cached_property
    def _rows(self) -> UnitRows:
        return UnitRows(self.rows)

    @cached_property
    def units(self) -> Features:
        """U, (n, d)."""
        return self.rows.shifted(-self._rows.exponents)

    @cached_property
    def triangle(self) -> FloatArray:
        """R, (n, n)."""
        triangle = np.linalg.qr(self._rows.block(slice(None)).T, mode="r")
        return np.asarray(triangle * self._rows.norms)

    @property
    def rank(self) -> int:
        """Number of rows."""
        return len(self.rows)

    def _solved(self, given: FloatArray, trans: str) -> FloatArray:
        """R^{-1} or R^{-T} of something; NaN where rows depend in the units of the columns."""
        if not np.diag(self.triangle).all():
            return np.full_like(given, np.nan)
        return np.asarray(solve_triangular(self.triangle, given, trans=trans, check_finite=False))

    def coordinates(self, seen: FloatArray) -> FloatArray:
        """R^{-T} z = Q^T w, (n,) or (n, k), for z = U w."""
        if not seen.any():
            return np.zeros_like(seen)
        return self._solved(seen, "T")

    def lifted(self, seen: FloatArray) -> FloatArray:
        """U^+ z, (d,): in the span to rounding, however large the weights of its rows are."""
        weights = self._solved(self.coordinates(seen), "N")
        return -self.units.precise.transposed_residual(weights, np.zeros(self.rows.shape[1]))

    def split(self, vector: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        """X^+ X w, the rest of w, and how far they are off, in |.|_2."""
        if not self.rank or not vector.any():
            return np.zeros_like(vector), vector, 0.0
        if self.rank == vector.size:
            return vector, np.zeros_like(vector), 0.0
        inside, change = np.zeros_like(vector), np.inf
        for _ in range(CORRECTIONS):
            missing = self.units.precise.residual(inside - vector, np.zeros(self.rank))
            step, before = self.lifted(missing), change
            change = stable_norm(step)
            inside = inside + step
            if change <= ROUNDED * stable_norm(vector) or not change < before:
                break
        return inside, vector - inside, change


@dataclass(frozen=True, eq=False)
class AlignedChain:
    """The chain that comes nearest to layers at scale 1.

    Attributes
    ----------
    units
        u_2, .., u_L; nothing where no chain was found.
    sizes
        s_2, .., s_L >= 0, (L - 1,).
    seen, unseen
        v = X^+ X W_1 u_2 and (I - X^+ X) W_1 u_2, (d,).
    coordinates
        Those of v in the row space.
    doubt
        How far ``seen`` and ``unseen`` may be off by rounding, in |.|_2.
    defect
        The largest of what the defining equations miss, relative to |W_l|.
    outside
        |W_1 (I - u_2 u_2^T)|, as a Frobenius norm.
    log_unit
        log of what the layers were divided by: their largest entry.
    """

    units: tuple[FloatArray, ...]
    sizes: FloatArray
    seen: FloatArray
    unseen: FloatArray
    coordinates: FloatArray
    doubt: float
    defect: float
    outside: float
    log_unit: float = 0.0

    @property
    def found(self) -> bool:
        """Whether there is a chain at all."""
        return bool(self.units)

    @property
    def start_sizes(self) -> FloatArray:
        """|v|, s_2, .., s_L, (L,)."""
        return np.array([float(np.linalg.norm(self.seen)), *self.sizes])


NO_CHAIN = AlignedChain(
    (), np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0), 0.0, float("inf"), 0.0
)
UNSEEN = replace(NO_CHAIN, doubt=float("inf"))  # float64 does not tell what the rows of X see


def aligned_chain(space: RowSpace, layers: Parameters) -> AlignedChain:
    """The chain of W_1 (d, d_2), .., w_L (d_L,), given at scale 1.

    From the last layer backwards; where a layer is 0 along it, forwards from V to there.
    """
    largest = max(float(np.abs(layer).max()) for layer in layers)
    if largest == 0.0:
        return NO_CHAIN
    first, *later = (np.asarray(layer) / largest for layer in layers)
    later[-1] = later[-1][:, None]
    projected = space.units @ first if space.rank else np.zeros((0, first.shape[1]))
    coordinates = space.coordinates(projected) if space.rank else projected
    if not np.isfinite(coordinates).all():
        return UNSEEN
    units = _chained(coordinates, float(np.linalg.norm(first)), later)
    if units is None:
        return NO_CHAIN
    sizes, defects = [], []
    for matrix, left, right in zip(later, units, [*units[1:], np.ones(1)], strict=True):
        size = float(left @ matrix @ right)
        missed = float(np.linalg.norm(matrix - size * np.outer(left, right)))
        sizes.append(size)
        defects.append(missed / (float(np.linalg.norm(matrix)) or 1.0))
    whole = float(np.linalg.norm(first)) or 1.0
    vector = first @ units[0]
    outside = float(np.linalg.norm(first - np.outer(vector, units[0])))
    apart = coordinates - np.outer(coordinates @ units[0], units[0])
    seen, unseen, doubt = space.split(vector)
    if not doubt <= stable_norm(vector):
        return UNSEEN
    return AlignedChain(
        tuple(units),
        np.array(sizes),
        seen,
        unseen,
        coordinates @ units[0],
        doubt + ROUNDED * float(np.linalg.norm(first)),
        # of two bounds: where rows are nearly dependent, the first is rounding
        max(min(float(np.linalg.norm(apart)), outside) / whole, *defects),
        outside,
        float(np.log(largest)),
    )


def _chained(
    coordinates: FloatArray, first: float, later: list[FloatArray]
) -> list[FloatArray] | None:
    """u_2, .., u_L; None where two layers are 0 along every chain."""
    depth = len(later)
    units: list[FloatArray | None] = [None] * depth
    following = np.ones(1)
    for index in range(depth - 1, -1, -1):
        image = later[index] @ following
        size = float(np.linalg.norm(image))
        if not size > NOTHING * float(np.linalg.norm(later[index])):
            break
        following = image / size
        units[index] = following
    if units[0] is None:
        if not float(np.linalg.norm(coordinates)) > NOTHING * first:
            return None
        along = np.linalg.svd(coordinates, full_matrices=False)[2][0]
        for index in range(depth):
            if units[index] is not None:
                break
            units[index] = along
            if index + 1 < depth and units[index + 1] is None:
                image = later[index].T @ along
                size = float(np.linalg.norm(image))
                if not size > NOTHING * float(np.linalg.norm(later[index])):
                    return None
                along = image / size
    return [unit for unit in units if unit is not None]
