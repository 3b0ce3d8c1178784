"""What is missing of u(t) = u(t_0) + a Z^T nu, in units of the slack that is left.

For L >= 3 the clock ends: u(t) = e - delta, e the end of its range on t's side and delta the slack,
known from t to all digits however small. With nu such that the equation holds on the basis B of
combined rows (Z = B G) nothing else than the slacks and the *reduced costs* is left of it:

    [u(t_0) + a Z^T nu - u(t)]_k / a_k = -(v_k - sum_i G_ik v_i) + w_k - sum_i G_ik w_i,

v = (e - u(t_0)) / a and w = delta / a; of coordinates that are not half the way to their end,
v = 0 and w = (u(t_0) - u(t)) / a: near t_0 a slack has no digits of what moved. Where columns tie,
the reduced cost is 0 or tiny while its terms are not: rounding would replace it by something that
exceeds the slack. Data and starts are binary fractions, so that it is a sum of a few lengths v with
rational factors, which exact arithmetic decides.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from implicitbias._arrays import EPS, TINY, BoolArray, FloatArray, IntArray
from implicitbias.coordinates import ScalarCurves
from implicitbias.dual import Rows
from implicitbias.features import Features
from implicitbias.limits.potential._problem import PotentialProblem, log_dual_weights

DIGITS = 1e-12  # of a step in t: what a reduced cost may be uncertain by
COARSE = 1e-4  # the same for coordinates too small to count
HALF = 0.5  # of the way to the end of a clock
WHOLE = 0.5  # of a slack: one that is uncertain by more may be none, and rho is not bounded
CHEAP = 50_000  # squared rows times columns that exact arithmetic may always decide
MOST_ROWS = 250  # exact solves grow like the fourth power of the rows
LARGEST_EXPONENT = 600.0
TWIN = 1e-10  # columns of rounded features this near to each other are images of one column

_Factors = tuple[Any, Any, FloatArray]
_LAST_FACTORS: WeakKeyDictionary[Features, tuple[tuple[bytes, bytes], _Factors]] = (
    WeakKeyDictionary()
)


@dataclass(frozen=True, eq=False)
class SlackMismatch:
    """The mismatch in units of t, and how much of it float64 cannot know, (m,) each.

    That is infinite where it may be all of the slack: the coordinate may then be of any size.
    ``t`` is what the dual point asks for where it leaves less than half of the clock, else NaN.
    """

    mismatch: FloatArray
    unknown: FloatArray
    t: FloatArray


def slack_mismatch(
    problem: PotentialProblem,
    curves: ScalarCurves,
    t: FloatArray,
    rows: Rows,
    basis: IntArray,
) -> SlackMismatch:
    """[u(t_0) + a Z^T nu - u(t)] / u'(t) for the nu that the basis of the rows gives.

    Slacks enter over u' (the reach), and rows as G_ik (u'/a)_i / (u'/a)_k: neither over- nor
    underflows.
    """
    sides, log_slope = _sides(curves, t), curves.log_u_slope(t)
    log_unit = log_slope - log_dual_weights(curves)
    moved, from_end = _clocks(curves, sides, t)
    slack = np.exp(np.where(from_end, curves.log_slack(t) - log_slope, 0.0))
    near = np.exp(np.where(from_end, 0.0, -log_slope))
    reach = np.where(from_end, sides * slack, -moved * near)
    asked = rows.features.conjugated(-log_unit, basis).T @ reach[basis]
    lengths = np.where(from_end, _lengths(curves, sides), 0.0) * np.exp(-log_dual_weights(curves))
    costs = lengths - rows.features.T @ lengths[basis]
    sizes = np.abs(lengths) + rows.features.absolute_transposed(lengths[basis])
    doubt = 64 * EPS * sizes
    if problem.rounding is not None:
        e, f = problem.rounding
        nu = rows.dual_as_given((moved * np.exp(-log_dual_weights(curves)))[basis])
        swing = f * float(e @ np.abs(nu))
        doubt = doubt + swing + rows.features.absolute_transposed(swing[basis])
    unknown = _over(doubt, log_unit)
    asked[basis], costs[basis], unknown[basis] = reach[basis], 0.0, 0.0
    logs = curves.log_rho_slope(t) - float(curves.log_abs_rho(t).max())
    weights = np.exp(np.clip(logs, -LARGEST_EXPONENT, LARGEST_EXPONENT))
    steep = np.where(from_end, 1.0, np.maximum(weights, 1.0))  # rho' >> |rho| around rho = 0
    doubtful = np.flatnonzero(unknown * steep > DIGITS)
    if basis.size**2 * doubtful.size > CHEAP:  # then only where rho, or the way to it, feels it
        felt = unknown * weights > DIGITS
        felt |= unknown > COARSE
        unknown[~felt] = 0.0
        doubtful = np.flatnonzero(felt & (unknown * steep > DIGITS))
    if doubtful.size:
        exact = _decided(problem, rows, basis, doubtful, sides, lengths, doubt)
        costs[doubtful], unknown[doubtful] = exact.costs, _over(exact.unknown, log_unit[doubtful])
        log_ratio = log_unit[basis][:, None] - log_unit[doubtful]
        shares = exact.factors * np.exp(np.minimum(log_ratio, LARGEST_EXPONENT))
        asked[doubtful] = shares.T @ reach[basis]
    asked = asked + _over(costs, log_unit)
    left = sides * (asked + np.where(from_end, 0.0, _lengths(curves, sides) * near))
    with np.errstate(invalid="ignore"):
        logs = np.log(np.maximum(left, TINY))  # underflow: further than a step can tell
        logs = np.where(left >= 0.0, logs, np.nan)
    wanted = curves.t_from_log_slack(sides, logs + log_slope)
    unknown[from_end & (unknown > WHOLE * np.abs(reach))] = np.inf  # no slack may be left
    return SlackMismatch(reach - asked, np.where(unknown * steep > DIGITS, unknown, 0.0), wanted)


def _over(values: FloatArray, log_unit: FloatArray) -> FloatArray:
    """values / exp(log_unit), no larger than exp(LARGEST_EXPONENT)."""
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(values)) - log_unit
    return np.asarray(np.sign(values) * np.exp(np.minimum(logs, LARGEST_EXPONENT)))


def basis_dual(curves: ScalarCurves, t: FloatArray, basis: IntArray) -> FloatArray:
    """B^T nu, (n,): what makes the equation hold on the basis."""
    moved = _clocks(curves, _sides(curves, t), t)[0]
    return np.asarray(moved * np.exp(-log_dual_weights(curves)))[basis]


def _clocks(curves: ScalarCurves, sides: FloatArray, t: FloatArray) -> tuple[FloatArray, BoolArray]:
    """u(t) - u(t_0), and where that is half of the way to the end or more, read off the slack."""
    moved, lengths = curves.u_increment(curves.t0, t - curves.t0), _lengths(curves, sides)
    from_end = ~(np.abs(moved) < HALF * np.abs(lengths))
    with np.errstate(invalid="ignore"):
        return np.where(from_end, lengths - sides * curves.slack(t), moved), from_end


def _sides(curves: ScalarCurves, t: FloatArray) -> FloatArray:
    """+1 or -1: towards which end of its range a coordinate has moved."""
    return np.where(curves.locked, curves.orientation, np.where(t < 0.0, -1.0, 1.0))


def _lengths(curves: ScalarCurves, sides: FloatArray) -> FloatArray:
    """E - u(t_0): the signed length of the clock to that end."""
    below, above = curves.clock_lengths()
    return np.where(sides > 0.0, above, -below)


@dataclass(frozen=True, eq=False)
class _Decided:
    costs: FloatArray
    unknown: FloatArray
    factors: FloatArray


def _decided(
    problem: PotentialProblem,
    rows: Rows,
    basis: IntArray,
    columns: IntArray,
    sides: FloatArray,
    lengths: FloatArray,
    doubt: FloatArray,
) -> _Decided:
    """The reduced costs of ``columns``: exactly, or 0 where they are images of one column."""
    if problem.start is not None and basis.size <= MOST_ROWS:
        return _exact_costs(
            problem.features, problem.curves, problem.start, basis, columns, sides, lengths
        )
    factors = rows.features.columns(columns)
    sizes = np.abs(lengths[columns]) + np.abs(factors).T @ np.abs(lengths[basis])
    costs = lengths[columns] - factors.T @ lengths[basis]
    one, own = np.abs(factors).argmax(axis=0), np.arange(columns.size)
    single = np.zeros_like(factors)
    single[one, own] = np.sign(factors[one, own])
    twins = (np.abs(factors - single).max(axis=0) < TWIN) & (np.abs(costs) < TWIN * sizes)
    return _Decided(
        np.where(twins, 0.0, costs),
        np.where(twins, 0.0, doubt[columns]),
        np.where(twins, single, factors),
    )


def _exact_costs(
    features: Features,
    curves: ScalarCurves,
    start: FloatArray,
    basis: IntArray,
    columns: IntArray,
    sides: FloatArray,
    lengths: FloatArray,
) -> _Decided:
    """v_k - sum_i G_ik v_i with rational G; lengths of like starts are rational multiples.

    Two starts that are multiples p and lambda p of each other have lengths that are related by
    lambda^{-(L - 2)}: what is left of every kind is exact, and only the sum over kinds is rounded.
    """
    from flint import fmpq

    numerators, denominator, numbers = _exact_factors(features, basis, columns)
    kinds = _numbered_kinds(curves, start, sides, (*basis, *columns))
    sized = {j: size for j, (_, size) in zip((*basis, *columns), kinds, strict=True)}
    costs, unknown = np.zeros(columns.size), np.zeros(columns.size)
    for index, column in enumerate(columns):
        own = kinds[basis.size + index]
        parts = {own[0]: own[1] * int(sides[column])} if lengths[column] != 0.0 else {}
        first = dict.fromkeys(parts, column)
        sums: dict[tuple[int, Any], Any] = {}  # whole numbers: their common divisors cost most
        for row, j in enumerate(basis):
            numerator = numerators[row, index]
            if numerator != 0 and lengths[j] != 0.0:
                sums[kinds[row]] = sums.get(kinds[row], 0) - numerator * int(sides[j])
                first.setdefault(kinds[row][0], j)
        for (kind, size), total in sums.items():
            parts[kind] = parts.get(kind, fmpq(0)) + fmpq(total, denominator) * size
        terms = [
            _number(part / (size * int(sides[j]))) * lengths[j]
            for kind, part in parts.items()
            for j, size in [(first[kind], sized[first[kind]])]
        ]
        costs[index] = sum(terms)
        unknown[index] = 8 * EPS * sum(map(abs, terms))
        if sum(term != 0.0 for term in terms) <= 1:
            unknown[index] = 0.0  # relative to itself it is known to rounding
    return _Decided(costs, unknown, numbers)


def _numbered_kinds(
    curves: ScalarCurves, start: FloatArray, sides: FloatArray, columns: Iterable[int]
) -> list[tuple[int, Any]]:
    """The kinds of columns, equal ones by one number, and the factors; like starts share them."""
    numbers: dict[Hashable, int] = {}
    known: dict[tuple[bytes, float], tuple[int, Any]] = {}
    kinds = []
    for j in columns:
        like = start[:, j].tobytes(), float(sides[j])
        if like not in known:
            kind, factor = _kind(curves, start[:, j], sides[j])
            known[like] = numbers.setdefault(kind, len(numbers)), factor
        kinds.append(known[like])
    return kinds


def _exact_factors(features: Features, basis: IntArray, columns: IntArray) -> _Factors:
    """Numerators and denominator of the rational G with B G = Z[:, columns], and G in floats.

    The last of some data is remembered: one solution asks for it several times, and so do its
    neighbours along a path.
    """
    from flint import fmpq_mat

    asked = basis.tobytes(), columns.tobytes()
    last = _LAST_FACTORS.get(features)
    if last is not None and last[0] == asked:
        return last[1]
    both = features.columns(np.concatenate([basis, columns]))
    exact = [[_rational(value) for value in row] for row in both.tolist()]
    n = basis.size
    factors = fmpq_mat([row[:n] for row in exact]).solve(fmpq_mat([row[n:] for row in exact]))
    numbers = [[_number(factors[i, k]) for k in range(columns.size)] for i in range(n)]
    _LAST_FACTORS[features] = asked, (*factors.numer_denom(), np.array(numbers))
    return _LAST_FACTORS[features][1]


def _rational(value: float) -> Any:
    from flint import fmpq

    return fmpq(*float(value).as_integer_ratio())


def _number(value: Any) -> float:
    """The float nearest to a rational."""
    numerator, denominator = int(value.p), int(value.q)
    try:
        return numerator / denominator
    except OverflowError:
        return float(np.inf) if numerator > 0 else -float(np.inf)


def _kind(curves: ScalarCurves, layers: FloatArray, side: float) -> tuple[Hashable, Any]:
    """What a start's length depends on, and an exact factor of it."""
    from flint import fmpq

    kind, factor = curves.kind(layers, side)
    return kind, fmpq(factor.numerator, factor.denominator)
