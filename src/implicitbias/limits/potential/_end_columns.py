"""The small-scale program on few columns at a time: what of Z is never in memory whole.

A vertex of the program on some columns has a dual point nu, and is optimal on all of them if no
other one has d = c - A^T nu < 0: one product. Otherwise those where d is least come in, and, once
the value has fallen, those that are far from tight go. The first columns are n independent ones of
small cost, with both signs, so that the program has a solution, and the largest of the least
weighted l2 norm.

Source: delayed column generation (Gilmore and Gomory, Oper. Res. 9, 1961).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lstsq

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.dual import weighted_gram
from implicitbias.limits._linear_program import linprog
from implicitbias.limits.potential._end_program import OPTIONS, EndProgram

ROUNDS = 100
BROKEN = 1e-10  # d relative to c, as HiGHS knows it
FIRST, FEWEST, MORE = 2, 100, 1  # times n columns at first, at least so many, and per round
FAR = 0.3  # d relative to c from where on a column is dropped


def solve_by_columns(program: EndProgram) -> tuple[FloatArray, FloatArray]:
    """A vertex x, (2 m,), and its dual point nu, (n,), as HiGHS claims them of all columns.

    No sign is locked: with both signs, n independent columns have a solution between them.

    Raises
    ------
    ValueError
        The rows are dependent, HiGHS fails, or there were too many rounds.
    InvalidInputError
        The columns do not fit the memory that blocks are given.
    """
    n, m = program.features.shape
    chosen, value = _first_columns(program), np.inf
    for _ in range(ROUNDS):
        x, nu = _vertex(program, chosen)
        reached = float(program.cost[chosen] @ x)
        relative = 1.0 - program.slopes(nu) / program.cost
        inside, relative[chosen] = relative[chosen], 0.0
        broken = np.flatnonzero(relative < -BROKEN)
        if broken.size == 0:
            found = np.zeros(2 * m)
            found[chosen] = x
            return found, nu
        if reached < value * (1.0 - BROKEN):  # else dropping could go round in circles
            chosen, value = chosen[(x > 0.0) | (inside < FAR)], reached
        worst = np.argsort(relative[broken], kind="stable")[: max(MORE * n, FEWEST)]
        chosen = np.concatenate([chosen, broken[worst]])
    raise ValueError(f"the linear program was not solved in {ROUNDS} rounds of columns")


def _first_columns(program: EndProgram) -> IntArray:
    """Signed columns between which there is a solution."""
    features, m = program.features, program.size
    cost = np.minimum(program.cost[:m], program.cost[m:])
    basis = features.heaviest_basis(-2.0 * np.log(cost))
    if basis is None:
        raise ValueError("the rows of X S^T are numerically dependent")
    weights = 1.0 / np.square(cost)
    nu = lstsq(weighted_gram(features, weights), program.target)[0]
    sizes = weights * np.abs(features.T @ nu) * cost
    largest = np.argsort(-sizes, kind="stable")[: max(FIRST * len(program.target), FEWEST)]
    places = np.union1d(basis, largest)
    return np.concatenate([places, places + m])


def _vertex(program: EndProgram, chosen: IntArray) -> tuple[FloatArray, FloatArray]:
    """HiGHS's vertex and dual point on some signed columns."""
    answer = linprog(
        program.cost[chosen],
        A_eq=program.columns(chosen),
        b_eq=program.target,
        method="highs-ds",
        options=OPTIONS,
    )
    if answer.status != 0:
        raise ValueError(answer.message)
    return np.asarray(answer.x), np.asarray(answer.eqlin.marginals)
