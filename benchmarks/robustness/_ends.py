"""The limit at scale 0 on real data and on designs that tie: all solved, and of least l1 norm.

200 problems of 100 rows of the diabetes data with its cubic features (raw and standardised, with an
intercept and without), and 200 designs of signs, indicators, stairs and Hadamard rows, each against
HiGHS's least l1 norm; the tie-break of every fourth design against 50 digits.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from benchmarks.robustness import _truth  # puts tests/ on the path
from scipy.linalg import hadamard
from scipy.optimize import linprog
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

import implicitbias as ib
from implicitbias.estimators import FlowLimitRegressor
from reference import small_scale_end

ENOUGH = 1e-9
EACH = 50
DESIGNS = ("signs", "binary", "staircase", "Hadamard")


def main() -> int:
    """Print a line a kind; 1 where a problem is refused or further off than ENOUGH."""
    assert _truth
    failed = 0
    for raw in (True, False):
        for intercept in (True, False):
            errors = [_slice(seed, raw, intercept) for seed in range(EACH)]
            name = ("raw" if raw else "standardised") + (", intercept" if intercept else "")
            failed += _line(f"diabetes, cubic, {name}", errors)
    for kind in DESIGNS:
        errors = [_design(kind, seed) for seed in range(EACH)]
        failed += _line(kind, [norm for norm, _ in errors])
        ties = [tie for _, tie in errors if tie is not None]
        failed += _line(f"{kind}, tie-break", ties)
    return int(failed > 0)


def _line(name: str, errors: list[float | None]) -> int:
    known = [error for error in errors if error is not None]
    bad = sum(not error <= ENOUGH for error in known)
    without = len(errors) - len(known)
    print(
        f"{name:38} {len(known)} solved, worst {max(known, default=0.0):.1e}"
        + (f"; {without} without a solution" if without else "")
    )
    return bad


def _least(X: np.ndarray, y: np.ndarray, intercept: bool) -> float:
    """min ||beta||_1 s.t. X beta (+ b) = y by HiGHS, columns at unit size."""
    sizes = np.abs(X).max(axis=0)
    sizes[sizes == 0.0] = 1.0
    columns, cost = [X / sizes, -X / sizes], [1 / sizes, 1 / sizes]
    if intercept:
        ones = np.ones((len(y), 1))
        columns, cost = [*columns, ones, -ones], [*cost, np.zeros(2)]
    tight = dict.fromkeys(("primal_feasibility_tolerance", "dual_feasibility_tolerance"), 1e-10)
    answer = linprog(np.concatenate(cost), A_eq=np.hstack(columns), b_eq=y, options=tight)
    return float(answer.fun)


def _slice(seed: int, raw: bool, intercept: bool) -> float | None:
    """The relative error of the norm; None where the rows have no solution, NaN if refused."""
    data = load_diabetes(scaled=not raw)
    rows = np.random.default_rng(seed).permutation(len(data.target))[:100]
    X = PolynomialFeatures(3, include_bias=False).fit_transform(data.data[rows])
    y = data.target[rows]
    try:
        if intercept:
            model = FlowLimitRegressor(init_scale=0.0, fit_intercept=True).fit(X, y)
            if not model.interpolates_:
                return None
            beta = model.coef_
        else:
            network = ib.DiagonalNetwork(num_features=X.shape[1], depth=2)
            start = ib.Initialization.last_layer_zero(network, np.ones(X.shape[1]), scale=1.0)
            beta = ib.limit_path(network, ib.Regression(X, y), start, [0.0]).coefficients[0]
    except ib.InfeasibleProblemError:
        return None
    except ib.NoPredictionError:
        return float("nan")
    least = _least(X, y, intercept)
    return abs(float(np.abs(beta).sum()) - least) / least


def _matrix(kind: str, rng: np.random.Generator) -> np.ndarray:
    while True:
        if kind == "signs":
            X = rng.choice([-1.0, 1.0], (5, 12))
        elif kind == "binary":
            X = rng.integers(0, 2, (5, 12)).astype(float)
        elif kind == "staircase":
            X = np.tril(np.ones((12, 12)))[np.sort(rng.choice(12, 5, replace=False))]
        else:
            X = hadamard(16)[rng.choice(16, 5, replace=False)][:, :12].astype(float)
        if np.linalg.matrix_rank(X) == 5:
            return X


def _design(kind: str, seed: int) -> tuple[float, float | None]:
    rng = np.random.default_rng([seed, DESIGNS.index(kind)])
    X, depth = _matrix(kind, rng), int(rng.integers(2, 6))
    beta = rng.integers(-2, 3, 12) * (rng.random(12) < 0.4)
    y = X @ (beta if beta.any() else np.ones(12))
    network = ib.DiagonalNetwork(num_features=12, depth=depth)
    start = ib.Initialization.last_layer_zero(network, np.ones(12), scale=1.0)
    try:
        found = ib.limit_path(network, ib.Regression(X, y), start, [0.0]).coefficients[0]
    except ib.NoPredictionError:
        return float("nan"), None
    if not np.isfinite(found).all():
        return float("nan"), None
    size = float(np.abs(found).max()) or 1.0
    norm = abs(float(np.abs(found).sum()) - _least(X, y, False)) / size
    if seed % 4:
        return norm, None
    exact, _ = small_scale_end.end(X, y, [Fraction(1)] * 12, depth, np.ones(12))
    return norm, float(np.abs(found - exact).max()) / size
