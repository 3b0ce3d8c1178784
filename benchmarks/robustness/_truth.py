"""The right answers, by arithmetic that shares nothing with the package."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.robustness._problems import Problem
from flint import arb, fmpq, fmpq_mat

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from reference import dense_networks, precise_faces, precise_fit, precise_one_point
from reference.precise_curves import digits, middle, rational
from reference.precise_potential import NoReferenceError, precise_limit, to_float

FOURIER_DIGITS = 500
ROUNDED = 10 ** (FOURIER_DIGITS - 50)
MOST_COORDINATES = 70
Array = np.ndarray
Matrix = list[list[fmpq]]


class Truth:
    """One array for each scale, None where no reference covers it; and by which route."""

    def __init__(
        self, values: list[Array | None], route: str, tied: bool = False, fits: bool = True
    ) -> None:
        self.values, self.route, self.tied, self.fits = values, route, tied, fits


def truth_of(problem: Problem) -> Truth:
    """The right answer, or an empty one.

    Raises
    ------
    NoReferenceError
        There is none, by exact arithmetic, or it could not be found.
    """
    if problem.family == "fully connected" and problem.task == "classification":
        rows = [[value * label for value in row] for row, label in _labelled(problem)]
        return Truth([np.array(precise_faces.l2_direction(rows))], "exact l2 direction")
    if problem.family in ("tensor", "fully connected"):
        return _one_point(problem)
    known = coordinates(problem)
    if known is None:
        return _one_point(problem)
    Z, layers, back = known
    if len(layers[0]) > MOST_COORDINATES:
        return Truth([], "too large")
    if problem.task == "classification":
        if len(layers) != 2:
            return Truth([], "stationary direction, not followed")
        rows = [
            [value * int(label) for value in row] for row, label in zip(Z, problem.y, strict=True)
        ]
        rho, tied = precise_faces.l1_direction(rows, layers)
        return Truth([_scaled(problem, back(rho))], "exact l1 direction", tied)
    found = [_at(Z, problem.y, layers, alpha, back) for alpha in problem.alphas()]
    fits = all(fit for _, fit in found)
    route = "Newton in ball arithmetic" + ("" if fits else ", on the least-squares fit")
    return Truth([value for value, _ in found], route, fits=fits)


def _at(Z: Matrix, y: Array, layers: Matrix, alpha: float, back) -> tuple[Array | None, bool]:
    """The limit, and whether it fits the data."""
    try:
        return _fitting(Z, y, layers, alpha, back), True
    except NoReferenceError as error:
        if not any(text in str(error) for text in ("sign", "stays at 0", "no point satisfies")):
            raise
    fitted, kept = precise_fit.signed_fit(Z, y, layers)
    taken = [[[row[j] for j in kept] for row in table] for table in (Z, layers)]

    def spread(rho):
        whole = [arb(0)] * len(layers[0])
        for j, value in zip(kept, rho, strict=True):
            whole[j] = value
        return back(whole)

    if not kept or np.isinf(alpha):
        return None if kept else spread([]), False
    return _fitting(taken[0], fitted, taken[1], alpha, spread), False


def _fitting(Z: Matrix, y, layers: Matrix, alpha: float, back) -> Array | None:
    if alpha == 0:
        return back(precise_faces.small_end(Z, y, layers))
    if np.isinf(alpha):
        try:
            return back(precise_faces.large_end(Z, y, layers))
        except NoReferenceError:
            return None
    return back(precise_limit(Z, y, layers, alpha))


def _labelled(problem: Problem):
    return zip(problem.X.tolist(), problem.y.tolist(), strict=True)


def _scaled(problem: Problem, beta: Array) -> Array:
    return beta / (problem.y * (problem.X @ beta)).min()


def coordinates(problem: Problem) -> tuple[Matrix, Matrix, Callable] | None:
    """Z, layers and the way back to beta in rationals, where the coordinates are real."""
    X = [[rational(value) for value in row] for row in problem.X]
    if problem.family in ("diagonal", "two-sided"):
        layers = [[rational(value) for value in layer] for layer in problem.layers]
        return X, layers, _rounded
    if problem.family == "orthogonal":
        return _orthogonal(problem, X)
    if problem.family != "convolutional":
        return None
    return _fourier(problem, X)


def _orthogonal(problem: Problem, X: Matrix) -> tuple[Matrix, Matrix, Callable]:
    S = fmpq_mat([[rational(value) for value in row] for row in problem.network.S])
    Z = (fmpq_mat(X) * S.transpose()).tolist()
    layers = [
        [
            sum(
                (rational(b) * rational(v) for b, v in zip(column, layer, strict=True)),
                fmpq(0),
            )
            for column in basis.T
        ]
        for basis, layer in zip(problem.network.bases, problem.layers, strict=True)
    ]
    return Z, layers, lambda rho: _combined(problem.network.S, rho)


def _rounded(rho: list[float] | list[arb]) -> Array:
    return np.array([to_float(v) if isinstance(v, arb) else float(v) for v in rho])


def _combined(S: Array, rho: list[float] | list[arb]) -> Array:
    if not all(arb(value).is_finite() for value in rho):
        return np.full(S.shape[1], np.nan)
    exact = [_as_rational(arb(value)) for value in rho]
    sums = (
        sum((rational(s) * value for s, value in zip(column, exact, strict=True)), fmpq(0))
        for column in S.T
    )
    return np.array([to_float(arb(total)) for total in sums])


def _fourier(problem: Problem, X: Matrix) -> tuple[Matrix, Matrix, Callable] | None:
    """Full filters, even data and even layers: cosines to FOURIER_DIGITS digits."""
    d, depth = problem.X.shape[1], len(problem.layers)
    mirror = -np.arange(d) % d
    full = all(len(layer) == d for layer in problem.layers)
    if not full or not all(
        np.array_equal(array, array[..., mirror]) for array in (problem.X, *problem.layers)
    ):
        return None
    with digits(FOURIER_DIGITS):
        cosines = [
            _as_rational((arb(2 * min(k, d - k)) / d).cos_pi() / arb(d).sqrt()) for k in range(d)
        ]
        gain = _as_rational(arb(d).sqrt() ** (depth - 1))

    def transform(values: list[fmpq]) -> list[fmpq]:
        size = sum((abs(value) for value in values), fmpq(0))
        found = [sum((values[k] * cosines[j * k % d] for k in range(d)), fmpq(0)) for j in range(d)]
        return [fmpq(0) if abs(value) * ROUNDED < size else value for value in found]

    Z = [[gain * value for value in transform(row)] for row in X]
    layers = [transform([rational(value) for value in layer]) for layer in problem.layers]

    def back(rho: list[float] | list[arb]) -> Array:
        spectrum = transform([_as_rational(arb(value)) for value in rho])
        return np.array([to_float(arb(gain * value)) for value in spectrum])

    return Z, layers, back


def _as_rational(value: arb) -> fmpq:
    mantissa, exponent = middle(value).man_exp()
    return fmpq(mantissa) * fmpq(2) ** int(exponent)


def _one_point(problem: Problem) -> Truth:
    """Two layers and one point: linear equations in the clock."""
    rank = fmpq_mat([[rational(value) for value in row] for row in problem.X]).rank()
    if len(problem.layers) != 2 or rank != 1:
        return Truth([None] * len(problem.alphas()), "no reference for this network")
    row = next(i for i, x in enumerate(problem.X) if x.any())
    dense, x, y = _dense(problem), problem.X[row], float(problem.y[row])
    layers = [np.ravel(layer) for layer in problem.layers]
    if problem.task == "classification":
        _require_one_side(problem)
        beta = precise_one_point.direction(dense, x, layers, y)
        return Truth([_scaled(problem, np.array(beta))], "one point, exponentials")
    values: list[Array | None] = [
        None
        if alpha == 0 or np.isinf(alpha)
        else np.array(precise_one_point.limit(dense, x, layers, y, alpha))
        for alpha in problem.alphas()
    ]
    for value in values:
        if value is None:
            continue
        with np.errstate(invalid="ignore", over="ignore"):  # digits beyond float64
            missing = abs(float(x @ value) - y)
        if not missing <= 1e-6 * abs(y):
            raise NoReferenceError("the reference's own digits do not reach the target")
    return Truth(values, "one point, exponentials")


def _require_one_side(problem: Problem) -> None:
    """Multiples of one point are separable where all y_i x_i lie on one side of 0."""
    column = int(np.argmax(problem.X.any(axis=0)))
    if (
        len({0.0, *np.sign(problem.y * problem.X[:, column])}) != 2
        or not problem.X.any(axis=1).all()
    ):
        raise NoReferenceError("multiples of one point on both sides of 0")


def _dense(problem: Problem) -> Array:
    """(k_1, k_2, d)."""
    if problem.family == "fully connected":
        return dense_networks.fully_connected(problem.network.widths)
    if problem.family == "convolutional":
        d = problem.network.num_features
        return dense_networks.convolutional(d, problem.network.filter_sizes)
    return problem.network.tensor
