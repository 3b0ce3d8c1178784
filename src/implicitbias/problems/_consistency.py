"""Whether X z = y can be solved, and by how much not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import EPS, FloatArray, NumericArray
from implicitbias.problems._rows import RowBasis, UnitRows, rounding_of, upper_triangle

CONSISTENCY_TOLERANCE = 1e-10  # |y_i - c^T y_B| relative to |y_i| + |c|^T |y_B|


@dataclass(frozen=True)
class Contradiction:
    """The row of X z = y that misses most of what the independent rows B force on it.

    Attributes
    ----------
    size
        (|y_i - c^T y_B| - rounding) / (|y_i| + |c|^T |y_B|), where x_i = c^T X_B; 0/0 is 0.
    row
        i.
    forced
        c^T y_B.
    """

    size: float
    row: int
    forced: float


def share(part: FloatArray, whole: FloatArray) -> float:
    """||part|| / ||whole||, 0 where the whole is; squares neither over- nor underflow."""
    size = float(np.abs(whole).max(initial=0.0))
    if size == 0.0:
        return 0.0
    return float(np.linalg.norm(part / size) / np.linalg.norm(whole / size))


def worst_contradiction(rows: UnitRows, basis: RowBasis, y: FloatArray) -> Contradiction:
    """Compare every y_i with what the independent rows force.

    Rounding of x_i - c^T X_B moves c^T y_B by that times the norm of the minimum-norm solution.
    Weights from integer arithmetic have none.
    """
    targets, common = rows.relative(y)
    solution_norm = 0.0
    if not basis.exact:
        solution_norm = float(np.linalg.norm(basis.solve_transposed(targets[basis.rows])))
    worst = Contradiction(0.0, 0, float(y[0]))
    others = np.ones(rows.num_rows, dtype=bool)
    others[basis.rows] = False
    for block in rows.blocks():
        index = np.flatnonzero(others[block]) + block.start
        if index.size == 0:
            continue
        weights = basis.combinations(rows, index)
        forced = weights @ targets[basis.rows]
        rounding = rounding_of(weights, rows.shape) * solution_norm
        rounding[rows.norms[index] == 0] = 0.0
        missing = np.maximum(np.abs(targets[index] - forced) - rounding, 0.0)
        size = np.abs(targets[index]) + np.abs(weights) @ np.abs(targets[basis.rows])
        ratios = missing / np.where(missing > 0, size, 1.0)
        most = int(ratios.argmax())
        if ratios[most] > worst.size:
            row = int(index[most])
            with np.errstate(over="ignore"):  # forced beyond float64: inf
                value = np.ldexp(forced[most] * rows.norms[row], int(rows.exponents[row]) + common)
            worst = Contradiction(float(ratios[most]), row, float(value))
    return worst


def least_squares_residual(
    rows: UnitRows, basis: RowBasis, y: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return y - X X^+ y, the part of y that no coefficients reach, and what it may be off by.

    X z = D C t with D = diag(||x_i||), C the rows' coefficients on the basis and t = X_B z free:
    least squares over t, by QR of D C one block at a time, projected twice. What the second time
    changes is the rounding of the first, and about that of the second.
    """
    exponents = _column_exponents(rows, basis)
    residual, change = y, y
    for _ in range(2):
        factor = np.zeros((0, basis.rows.size + 1))
        for block, columns in _range_blocks(rows, basis, exponents):
            rows_with_target = np.column_stack([columns, residual[block]])
            factor = upper_triangle(np.vstack([factor, rows_with_target]))
        step = np.linalg.lstsq(factor[:, :-1], factor[:, -1], rcond=None)[0]
        change = np.concatenate(
            [columns @ step for _, columns in _range_blocks(rows, basis, exponents)]
        )
        residual = residual - change
    return residual, np.abs(change) + EPS * np.abs(residual)


def _column_exponents(rows: UnitRows, basis: RowBasis) -> NumericArray:
    """Exponent of the longest row that each basis row takes part in."""
    largest = np.asarray(rows.exponents[basis.rows])
    for block in rows.blocks():
        takes_part = np.abs(basis.combinations(rows, block)) > 1e-8
        lengths = np.where(takes_part, rows.exponents[block, None], largest)
        largest = np.maximum(largest, lengths.max(axis=0))
    return largest


def _range_blocks(
    rows: UnitRows, basis: RowBasis, exponents: NumericArray
) -> Iterator[tuple[slice, FloatArray]]:
    """Blocks of D C with columns scaled by 2^{-exponents}, a basis of the range of X."""
    for block in rows.blocks():
        weights = basis.combinations(rows, block) * rows.norms[block, None]
        shifts = np.minimum(rows.exponents[block, None] - exponents, 0)
        yield block, np.ldexp(weights, shifts)
