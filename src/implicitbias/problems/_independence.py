"""Full row rank, proved by a Gram matrix: most data need no QR factorisation.

A (n, d) holds the equilibrated rows, entries below 1 in size, and A_S some of its columns, with row
lengths l. Let H be the Gram matrix of A_S at unit row lengths, as computed, and t a shift. If the
Cholesky factorisation of H - t I succeeds, the smallest eigenvalue of the true Gram matrix is at
least t less the rounding of both, which is below n (n + |S|) eps whatever the order of sums. More
columns only add to A A^T, and unit rows divide by lengths below sqrt(d), so the unit rows U have

    sigma_min(U)^2 >= (t - n (n + |S|) eps) min_i l_i^2 / d.

A unit row is 1 / sqrt(n) (1 + |c|_1) sigma_min(U) or more away from any combination c of others,
which is how an eigenvalue rules out every dependence that ``rounding_of`` would explain. Anything
else is left to QR, since squares lose half the digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf

from implicitbias._arrays import EPS, FloatArray, IntArray
from implicitbias._memory import available_bytes, refuse_beyond_memory
from implicitbias._symmetric import factor_upper
from implicitbias.features import Features, is_large
from implicitbias.problems import _scaling
from implicitbias.problems._lanczos import exceeds
from implicitbias.problems._rows import CLEAR_GRAM, rank_tolerance, rounding_of

GRAMS = 4  # n x n arrays that exist at a time
FEW = 2  # times n columns mostly tell
MANY = 4  # times n: with no more columns than this, all of them are taken at once
PIECES = 4  # few columns are taken from so many places at least
NONE = np.zeros(0)  # weights of no other row
SMALL = 1 << 14  # entries of an X whose columns are taken at once


def clearly_independent(X: Features, rows: IntArray, columns: IntArray | None) -> bool:
    """Whether a Gram matrix proves that X scaled by 2^{-rows} and 2^{-columns} has rank n.

    False proves nothing. A few columns are tried first; then all, unless the combination of rows
    that nearly vanished there nearly vanishes everywhere.
    """
    n, d = X.shape
    if n > d:
        return False
    if is_large(X):
        factored = not X.is_sparse and 8.0 * n * n < available_bytes()
        if factored and _is_clear_in_place(X, rows, columns):
            return True
        if not factored and exceeds(X, rows, columns, 2.0 * _least_eigenvalue((n, d), d)):
            return True
        refuse_beyond_memory(
            GRAMS * 8.0 * n * n,
            f"deciding which of {n} rows of X depend on others, none of which is clearly so,",
            "Drop rows that nearly repeat others, or take fewer points.",
        )
        if factored:
            return False
    if X.is_array and n * d > SMALL and d > MANY * n:
        gram = _Gram(X, rows, columns, _few_columns(n, d))
        if gram.is_clear():
            return True
        if gram.vanishes_everywhere():
            return False
    step = max(1, _scaling.BLOCK_ENTRIES // n)
    every = [slice(start, start + step) for start in range(0, d, step)]
    return _Gram(X, rows, columns, every).is_clear()


def _is_clear_in_place(X: Features, rows: IntArray, columns: IntArray | None) -> bool:
    """The same by all columns and one n x n array: of X that is not sparse, faster than Lanczos."""
    n, d = X.shape
    rows, columns = -rows, None if columns is None else -columns
    gram = np.zeros((n, n), order="F")
    if X.is_array:
        for part in X.blocks():
            block = X.taken(part).shifted(rows, None if columns is None else columns[part])
            gram = block.add_gram(np.ones(block.shape[1]), gram)
    else:
        gram = X.shifted(rows, columns).add_gram(np.ones(d), gram)
    lengths = np.sqrt(np.diag(gram))
    shift = _least_eigenvalue((n, d), d, float(lengths.min()))
    if not shift < 1.0:
        return False
    gram /= lengths
    gram /= lengths[:, None]
    np.fill_diagonal(gram, 1.0 - shift)
    return factor_upper(gram)


def _least_eigenvalue(shape: tuple[int, int], width: int, shortest: float | None = None) -> float:
    """What proves rows independent: four roundings of a sum of ``width`` terms, and a distance.

    Twice the distance that counts as independent, for rows no shorter than ``shortest`` in the
    columns that are taken; of unit rows if None.
    """
    n, d = shape
    distance = 2 * max(math.sqrt(n) * float(rounding_of(NONE, shape)), rank_tolerance(shape))
    rounding = 4 * n * (n + width) * EPS
    if shortest is None:
        return CLEAR_GRAM + rounding + distance**2
    if shortest < math.sqrt(d) * distance:
        return math.inf
    return CLEAR_GRAM + rounding + d * (distance / shortest) ** 2


def _few_columns(n: int, d: int) -> list[slice]:
    """Disjoint slices of about ``FEW`` n columns, all over the place."""
    width = max(1, min(FEW * n // PIECES, _scaling.BLOCK_ENTRIES // n))
    count = max(PIECES, -(-FEW * n // width))
    starts = np.linspace(0, d - width, count).astype(np.intp)
    return [slice(int(start), int(start) + width) for start in starts]


class _Gram:
    """H of some columns, and what it proves."""

    def __init__(
        self, X: Features, rows: IntArray, columns: IntArray | None, parts: Iterable[slice]
    ) -> None:
        self._X, self._rows = X, -rows
        self._columns = None if columns is None else -columns
        self._width = self._failed = 0
        gram = self._sum(parts) if X.is_array else self._whole()
        self.lengths = np.sqrt(np.diag(gram))
        self._shift = math.inf
        if self.lengths.all():
            gram /= self.lengths
            gram /= self.lengths[:, None]
            self._shift = self._least()
        self._gram = gram

    def _sum(self, parts: Iterable[slice]) -> FloatArray:
        """A_S A_S^T, one block of columns at a time."""
        total = np.zeros((len(self._X),) * 2)
        for part in parts:
            total += self._product(part)
        return total

    def _product(self, part: slice) -> FloatArray:
        columns = None if self._columns is None else self._columns[part]
        block = self._X.taken(part).shifted(self._rows, columns).toarray()
        self._width += block.shape[1]
        return block @ block.T

    def _whole(self) -> FloatArray:
        """A A^T of what is never an array."""
        self._width = self._X.shape[1]
        upper = self._X.shifted(self._rows, self._columns).gram(np.ones(self._width))
        return upper + np.triu(upper, 1).T

    def _least(self) -> float:
        """t: the rounding, four times over, and twice the distances that count as independent."""
        return _least_eigenvalue(self._X.shape, self._width, float(self.lengths.min()))

    def is_clear(self) -> bool:
        """Whether the Cholesky factorisation of H - t I succeeds."""
        if not self._shift < 1.0:
            return False
        shifted = self._gram.copy(order="F")
        shifted.ravel("A")[:: len(shifted) + 1] = 1.0 - self._shift
        self._failed = int(dpotrf(shifted, lower=1, clean=0, overwrite_a=1)[1])
        return self._failed == 0

    def vanishes_everywhere(self) -> bool:
        """Whether the combination of rows at which the factorisation failed is as short in A.

        Then it would fail for all columns, too.
        """
        if not self._shift < 1.0:
            return False
        last = self._failed - 1
        before = self._gram[:last, :last] - self._shift * np.eye(last)
        weights = np.zeros(len(self._X))
        weights[last] = 1.0
        if last:
            _, weights[:last], failed = dposv(before, -self._gram[:last, last], lower=1)
            if failed:
                return False
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            total = np.ldexp(weights / self.lengths, self._rows) @ self._X
            total = total if self._columns is None else np.ldexp(total, self._columns)
            return bool(total @ total <= self._shift * (weights @ weights))
