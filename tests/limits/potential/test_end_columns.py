"""The small-scale program by columns that come in turn: the vertex of all of them."""

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias.features import Dense
from implicitbias.limits.potential import _end_columns
from implicitbias.limits.potential._end_columns import solve_by_columns
from implicitbias.limits.potential._end_program import end_program, solve_program

N, M = 10, 600


@pytest.fixture(params=["as they are", "one at a time"])
def _rounds(request, monkeypatch):
    if request.param == "one at a time":
        for name, value in (("FIRST", 0), ("FEWEST", 1), ("MORE", 0)):
            monkeypatch.setattr(_end_columns, name, value)


def program_of(kind, seed=0):
    Z, y, weights = normal(seed, (N, M), N, M)
    if kind == "ties":
        Z = np.round(Z)
        y = Z[:, :3].sum(axis=1)
    weights = np.exp(weights)
    return end_program(Dense(Z), y, (weights, weights)), Z, y


@pytest.mark.usefixtures("_rounds")
@pytest.mark.parametrize("kind", ["normal", "ties"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_optimal_on_all_columns(kind, seed):
    program, Z, y = program_of(kind, seed)
    x, nu = solve_by_columns(program)
    whole, _ = solve_program(program)
    assert x.min() >= 0.0
    rho = sum(program.rho(np.arange(M) + shift, x[shift : shift + M]) for shift in (0, M))
    np.testing.assert_allclose(Z @ rho, y, atol=1e-9)
    assert program.cost @ x == pytest.approx(program.cost @ whole, rel=1e-9)
    assert (program.slopes(nu) <= program.cost * (1.0 + 2e-10)).all()


def test_too_few_rounds_and_rows_that_depend(monkeypatch):
    program = program_of("normal")[0]
    monkeypatch.setattr(_end_columns, "ROUNDS", 1)
    monkeypatch.setattr(_end_columns, "FIRST", 0)
    monkeypatch.setattr(_end_columns, "FEWEST", 1)
    with pytest.raises(ValueError, match="not solved in 1 rounds of columns"):
        solve_by_columns(program)
    Z = normal(0, (N, M))[0]
    Z[1] = Z[0]
    dependent = end_program(Dense(Z), np.ones(N), (np.ones(M), np.ones(M)))
    with pytest.raises(ValueError, match="numerically dependent"):
        solve_by_columns(dependent)
