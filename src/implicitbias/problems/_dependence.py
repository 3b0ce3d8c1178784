"""Which rows depend on which: by float64, by integers where X is of such, by the last digits.

A row that float64 cannot tell from c^T X_B may be a combination that was rounded, and how often
sums and means were rounded on their way into a table, the table does not say: such a row depends on
the others, and the distance is kept. A copy of one row or column is rounded once:
delta = x_i - c x_b is then below eps (|x_i| + |c| |x_b|), a third of that as a rule. Two that are
near each other and further apart than that are data, and no copies. Columns of measurements in
other units, centred or standardised are copies rounded more than once (degrees beside Kelvin), and
more points than columns are as a rule such a table: there, near columns stay copies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from implicitbias._arrays import EPS, BoolArray, FloatArray, IntArray
from implicitbias.features import Features, as_features, product_error
from implicitbias.problems._exact import combinations, exact_rank, independent_rows
from implicitbias.problems._rows import (
    MAX_EXACT_ENTRIES,
    RowBasis,
    UnitRows,
    row_basis,
)

CLEAR = 1e-7  # distances above this leave half the digits to the weights of combinations
NOISE = 0.5  # eps (1 + |c|_1): float64 finds no more between rows of which one is a copy
LOOKS = 16  # rows at most whose last digits are looked at
CORRECTIONS = 2  # of c, whose first digits are those of the factors of X_B
ONE = 1e-6  # of the largest weight: the other ones together, where a row is near one other
MAX_MODULAR_ENTRIES = 1 << 20  # of a matrix whose rank is proved: a second at most
UNDERFLOWS = 2.0**-900  # products below this may have an error that float64 does not hold
MOST_ENTRIES = 1 << 22  # of X: a row that depends on others is looked at in some .1 s


def exact_row_basis(rows: UnitRows, *, clear: bool = False) -> RowBasis:
    """Pick independent rows as ``row_basis``; where float64 is in doubt, X small, by integers."""
    basis = row_basis(rows, clear=clear)
    plain = bool((np.abs(np.diag(basis.triangular)) > CLEAR).all())
    if plain and basis.rows.size == min(rows.shape):
        return basis
    integers = rows.integers()
    if integers is None:
        return basis
    chosen = independent_rows(integers, basis.rows)
    if chosen.size == basis.rows.size and (plain or chosen.size == rows.num_rows):
        return basis
    unit = np.concatenate([rows.block(block) for block in rows.blocks()])
    weights = combinations(integers, chosen) * rows.norms[chosen]
    weights = weights / np.where(rows.norms > 0, rows.norms, 1.0)[:, None]
    return RowBasis(chosen, *np.linalg.qr(unit[chosen].T), weights, exact=True)


@dataclass(frozen=True, eq=False)
class _Rest:
    """delta = x_i - c^T X_B at unit lengths of x_i and of the rows X_B."""

    row: int
    delta: FloatArray
    weights: FloatArray
    of_one: bool  # c has one entry

    @property
    def ratio(self) -> float:
        """|delta| / (eps (1 + |c|_1))."""
        size = EPS * (1.0 + float(np.abs(self.weights).sum()))
        return float(np.linalg.norm(self.delta)) / size


def told_apart(X: Features, rows: UnitRows, basis: RowBasis) -> RowBasis:
    """The basis, and rows that are no copies of those although float64 cannot tell.

    That are rows near one other, or, of a square X, as many rows as there are columns near one
    other. The rows get ``weights``, since the factors of such near ones tell little.
    """
    rank, (n, d) = basis.rows.size, X.shape
    if basis.weights is not None or rank in (0, n) or n > d or X.size > MOST_ENTRIES:
        return basis
    rests = _rests(rows, basis)
    columns = 0
    if n == d and any(rest.ratio > 1.0 for rest in rests):
        across = UnitRows(np.ascontiguousarray(X.toarray().T), equilibrated=True)
        clear = row_basis(across)
        near, _ = _no_copies(_rests(across, clear), 0)
        columns = clear.rows.size + len(near) - rank
    added, rests = _no_copies(rests, columns)
    return _extended(rows, basis, added, rests) if added else basis


def _no_copies(rests: list[_Rest], others: int) -> tuple[list[_Rest], list[_Rest]]:
    """The rows further off than rounding of copies, of those near several only so many; the rest.

    One after another, the furthest first, each less its projection on those before.
    """
    added: list[_Rest] = []
    while True:
        found = [rest for rest in rests if rest.ratio > 1.0 and (rest.of_one or others > 0)]
        if not found:
            return added, rests
        most = max(found, key=lambda rest: rest.ratio)
        others -= not most.of_one
        rests = [_less(rest, most) for rest in rests if rest is not most]
        added.append(most)


def _extended(rows: UnitRows, basis: RowBasis, added: list[_Rest], rests: list[_Rest]) -> RowBasis:
    """The basis with more rows, and the weights of all rows on it."""
    chosen = np.append(basis.rows, [rest.row for rest in added])
    weights = np.zeros((rows.num_rows, chosen.size))
    for block in rows.blocks():
        weights[block, : basis.rows.size] = basis.combinations(rows, block)
    for rest in rests:
        weights[rest.row, : rest.weights.size] = rest.weights
    weights[chosen] = np.eye(chosen.size)
    return RowBasis(chosen, *np.linalg.qr(rows.block(chosen).T), weights)


def _rests(rows: UnitRows, basis: RowBasis) -> list[_Rest]:
    """What is left of the rows that seem furthest off, those that are so by noise alone apart."""
    ratios = np.zeros(rows.num_rows)
    for block in rows.blocks():
        unit, weights = rows.block(block), basis.combinations(rows, block)
        off = np.linalg.norm(unit - (unit @ basis.orthonormal) @ basis.orthonormal.T, axis=1)
        ratios[block] = off / (EPS * (1.0 + np.abs(weights).sum(axis=1)))
    ratios[basis.rows] = 0.0
    order = np.argsort(-ratios, kind="stable")[:LOOKS]
    return [_rest(rows, basis, int(row)) for row in order if ratios[row] > NOISE]


def _rest(rows: UnitRows, basis: RowBasis, row: int) -> _Rest:
    """x_i - c^T X_B by products without rounding errors."""
    X, lengths, length = rows.scaled(basis.rows), rows.norms[basis.rows], rows.norms[row]
    x = rows.scaled(np.array([row])).toarray()[0]
    weights = basis.combinations(rows, np.array([row]))[0] * (length / lengths)
    delta = X.precise.transposed_residual(weights, x)
    for _ in range(CORRECTIONS):
        step = basis.solve(basis.solve_transposed((X @ delta) / lengths)) / lengths
        weights, delta = weights + step, delta - X.T @ step
    sizes = np.sort(np.abs(weights * lengths))
    of_one = bool(sizes[:-1].sum() <= ONE * sizes[-1])
    return _Rest(row, delta / length, weights * (lengths / length), of_one)


def _less(rest: _Rest, added: _Rest) -> _Rest:
    """The same beside a basis that has one row more: delta less its projection."""
    share = float(rest.delta @ added.delta) / float(added.delta @ added.delta)
    weights = np.zeros(max(rest.weights.size, added.weights.size) + 1)
    weights[: rest.weights.size] = rest.weights
    weights[: added.weights.size] -= share * added.weights
    weights[-1] = share
    return replace(rest, delta=rest.delta - share * added.delta, weights=weights)


def distance_of_others(X: Features, chosen: IntArray) -> float:
    """The largest distance of a row to the span of the chosen ones, relative to its length.

    0 where all rows are exact combinations of those: multiples of one, or, as modular arithmetic
    proves if they are not too many, of several.
    """
    rank, (n, d) = chosen.size, X.shape
    if rank in (0, n, d):
        return 0.0
    rows = UnitRows(X, equilibrated=True)
    pairs, exact = _near_multiples(rows, chosen)
    others = np.setdiff1d(np.flatnonzero(rows.norms > 0.0), [*chosen, *pairs[exact, 0]])
    if not others.size or _exactly_spanned(X.rows(np.concatenate([chosen, others])), rank):
        return 0.0
    unit = np.concatenate([rows.block(block) for block in rows.blocks()])
    basis = np.linalg.qr(unit[chosen].T)[0]
    found = float(np.linalg.norm(unit - unit @ basis @ basis.T, axis=1).max())
    return max(found, EPS)  # which rounding may have made 0: that is no proof


def rounded_copy(X: Features, chosen: IntArray) -> str:
    """Which row but the ``chosen``, or column of a square X, is a rounded multiple; '' if none.

    Or one of whole numbers that depends on others as far as float64 can tell, and does not.
    Whether that is a copy, the data do not say: otherwise it is one more equation.
    """
    rank = chosen.size
    if rank in (0, len(X)) or X.size > MOST_ENTRIES:
        return ""
    if X.size <= MAX_EXACT_ENTRIES and _are_whole(X.toarray()) and not _exactly_spanned(X, rank):
        return "a row of X, all of whole numbers, is a combination of others"
    found = _near_copy(X, chosen)
    if found:
        return "row {} of X is a multiple of row {}".format(*found)
    if X.shape[0] != X.shape[1]:
        return ""
    across = as_features(np.ascontiguousarray(X.toarray().T))
    independent = exact_row_basis(UnitRows(across, equilibrated=True)).rows
    if independent.size > rank:
        return "a row of X, though no column, is a combination of others"
    found = _near_copy(across, independent)
    return "column {} of X is a multiple of column {}".format(*found) if found else ""


def _are_whole(values: FloatArray) -> bool:
    """Whether no rounding can have made them."""
    return bool(np.all(values == np.round(values)))


def _near_copy(X: Features, chosen: IntArray) -> list[int]:
    """A row but the ``chosen``, and one of these that it is a multiple of, though not exactly."""
    pairs, exact = _near_multiples(UnitRows(X, equilibrated=True), chosen)
    return pairs[~exact][0].tolist() if not exact.all() else []


def _near_multiples(rows: UnitRows, chosen: IntArray) -> tuple[IntArray, BoolArray]:
    """Rows but the ``chosen``, each with the one of these it is near a multiple of; which are so.

    (k, 2) and (k,): whether x_j b_k = b_j x_k for all j exactly, k where b is largest.
    """
    basis = RowBasis(chosen, *np.linalg.qr(rows.block(chosen).T))
    others = np.setdiff1d(np.flatnonzero(rows.norms > 0.0), chosen)
    weights = np.abs(basis.combinations(rows, others))
    nearest, sizes = weights.argmax(axis=1), np.sort(weights, axis=1)
    single = sizes[:, :-1].sum(axis=1) <= ONE * sizes[:, -1]
    pairs = np.column_stack([others[single], chosen[nearest[single]]])
    step = max(1, MOST_ENTRIES // rows.shape[1])
    parts = [pairs[start : start + step] for start in range(0, len(pairs), step)]
    exact = [_proportional(*(rows.scaled(part[:, i]).toarray() for i in (0, 1))) for part in parts]
    return pairs, np.concatenate([np.zeros(0, dtype=bool), *exact])


def _proportional(x: FloatArray, b: FloatArray) -> BoolArray:
    """Whether x_j b_k = b_j x_k for all j, exactly, row by row (m, d); entries are below 1.

    False where a product is so small that its error underflows.
    """
    k = np.abs(b).argmax(axis=1)[:, None]
    first, second = np.take_along_axis(x, k, axis=1), np.take_along_axis(b, k, axis=1)
    left, right = x * second, b * first
    same = (left == right) & (product_error(x, second, left) == product_error(b, first, right))
    told = (np.abs(left) > UNDERFLOWS) | ((x == 0.0) & (b == 0.0))
    return np.asarray((same & told).all(axis=1))


def _exactly_spanned(X: Features, rank: int) -> bool:
    """Whether X proves to have rank ``rank``; False where it is too large to tell."""
    return X.size <= MAX_MODULAR_ENTRIES and exact_rank(X.toarray()) == rank
