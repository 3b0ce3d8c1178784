"""What the rounding of rows y_i x_i^T S^T does to a max-margin point, to first order.

The KKT equations of the identified support (``_polish``) are solved for changes of the rows that
are drawn several times: a single draw may miss the direction that matters.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import lstsq

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias.features import Dense, Features
from implicitbias.limits.margin._error import ACTIVE
from implicitbias.limits.margin._faces import CHARGED
from implicitbias.limits.margin._groups import Groups, real_groups
from implicitbias.limits.margin._kkt import norm_gradient
from implicitbias.limits.margin._l1 import GroupedProblem, Point
from implicitbias.limits.margin._polish import ActiveSet, equations

DRAWS = 8


def moved_by_rounding(
    A: Features,
    groups: Groups | None,
    rho: NumericArray,
    multipliers: FloatArray,
    exponent: float,
    rounding: tuple[FloatArray, FloatArray],
) -> NumericArray:
    """Changes of rho for drawn changes of A, shape (m, draws).

    Parameters
    ----------
    A, groups
        Rows, (n, m), and their groups; None where every coordinate is real.
    rho, multipliers, exponent
        A point of min (sum_j |rho_j|^p)^{1/p} s.t. Re(A rho) >= 1: (m,), (n,) and p.
    rounding
        r, (n,), and c, (m,): an entry A_ij is known to r_i c_j.
    """
    groups = real_groups(A.shape[1]) if groups is None else groups
    r, weights = groups.unknowns(rho), groups.group_weights(None)
    problem = GroupedProblem(groups.rows(A), groups.equations, groups.labels, weights, exponent)
    part, kept = problem.restricted(problem.norms(r) > 0)
    value = part.value(r[kept])
    unit = replace(part, rows=Dense(part.array * value), equations=part.equations * value)
    at = Point(r[kept] / value, multipliers / value, np.zeros(len(part.equations)))
    columns = (abs(groups.expansion).T @ rounding[1])[kept]
    steps = _steps(unit, at, np.outer(rounding[0] * value, columns))
    changes = np.zeros((r.size, DRAWS))
    changes[kept] = value * unit.norms(at.r)[unit.labels, None] * steps
    return groups.rho(changes)


def _steps(problem: GroupedProblem, at: Point, sizes: FloatArray) -> FloatArray:
    """Newton steps in relative unknowns for rows off by ``sizes`` times normals, (K, draws)."""
    charged = problem.charges(at.a) > CHARGED
    active = charged | (problem.room(at.r) < ACTIVE)
    every = np.ones(problem.weights.size, dtype=bool)
    guess = ActiveSet(every, ~every, active, charged)
    lengths = problem.norms(at.r)
    slope = norm_gradient(lengths, problem.exponent, problem.weights)
    gradient = slope[problem.labels] * at.r / lengths[problem.labels]
    rng, right = np.random.default_rng(0), []
    for _ in range(DRAWS):
        off = sizes * rng.standard_normal(sizes.shape)
        missing = np.concatenate([-off[active] @ at.r, np.zeros(len(problem.equations))])
        driver = gradient + off[charged].T @ at.a[charged]
        matrix, goal = equations(problem, at, guess, driver, missing)
        right.append(goal)
    found, *_ = lstsq(matrix, np.column_stack(right), lapack_driver="gelsy", check_finite=False)
    return np.asarray(found[: at.r.size])
