"""The face of l1 max-margin points, and the one at which a two-layer flow ends.

Given a dual solution a, optimal points have the signs of Z^T a, charge only columns on the bound
|Z^T a|_j = 1 and keep charged margins at 1. One linear program finds a point of the face with the
largest support and the fewest margins of 1 (a strictly complementary one): columns that it leaves
at zero are zero on the whole face. Whether columns are tied is decided in rational numbers; where
they are not, though the solver's ten digits could not tell, their reduced costs, magnified, are the
next objective. A point off the support falls like margin^{-(1 - kappa)}, kappa = max |Z^T a|_j of
the a that the flow's multipliers tend to: of the optimal ones that which keeps it smallest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csc_array, eye_array, hstack, vstack

from implicitbias._arrays import FloatArray
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.features import Dense, Features, as_features
from implicitbias.limits._equilibrating import equilibrating
from implicitbias.limits._linear_program import linprog
from implicitbias.limits.margin._convex import MaxMargin
from implicitbias.limits.margin._entropy import Entropy, least_entropy
from implicitbias.limits.margin._exact import independent, reduced_costs, refined, smallest_margin
from implicitbias.limits.margin._faces import ACTIVE, CHARGED
from implicitbias.limits.margin._kkt import kkt_residuals

TIED = 1e-13  # reduced costs of rounded columns below this are zero
ROUNDS = 4
EQUAL = 1e-9  # relative: margins that are the smallest
Free = tuple[np.ndarray, np.ndarray]  # where a coordinate may be positive, and negative
TIE = "columns that seem tied are tied exactly"


@dataclass(frozen=True, eq=False)
class OptimalFace:
    """All l1 max-margin points: t >= 0 on ``columns``, B_= t = 1, B_> t >= 1.

    Attributes
    ----------
    columns, signs
        Coordinates that are nonzero somewhere on the face, and their signs, (s,).
    equal, above
        Points whose margin is 1 on the whole face, and all others.
    interior
        A point t > 0, (s,), whose margins exceed 1 wherever one of the face does.
    rows
        B = Z_J diag(signs), (n, s).
    kappa
        The largest |Z^T a|_j off the face, relative to the bound.
    tie
        Whether the reduced costs along the face are zero, with their size.
    """

    columns: np.ndarray
    signs: FloatArray
    equal: np.ndarray
    above: np.ndarray
    interior: FloatArray
    rows: FloatArray
    kappa: float
    tie: Verdict

    @property
    def dimension(self) -> int:
        """Of the face; 0 for a single point."""
        return int(self.columns.size - independent(self.rows[self.equal]).size)

    @property
    def leaves_traces(self) -> bool:
        """Whether other points turn rho along the face: what they did early on is never undone."""
        return bool(independent(self.rows).size > independent(self.rows[self.equal]).size)

    def end(self, omega: FloatArray) -> Entropy:
        """The point of least entropy for the logarithms omega of the weights, (s,).

        Equal columns share their sum in proportion to their weights, whatever it is.
        """
        _, first, same = np.unique(self.rows, axis=1, return_index=True, return_inverse=True)
        same = same.ravel()
        top = np.full(first.size, -np.inf)
        np.maximum.at(top, same, omega)
        with np.errstate(invalid="ignore", divide="ignore"):
            weights = np.where(omega == top[same], 1.0, np.exp(omega - top[same]))
            together = np.bincount(same, weights)
            interior = np.asarray(np.bincount(same, self.interior), dtype=np.float64)
            found = self._merged(first, interior, top + np.log(together))
        return replace(found, t=found.t[same] * weights / together[same])

    def _merged(self, first: np.ndarray, interior: FloatArray, omega: FloatArray) -> Entropy:
        """The same of the sums of equal columns, each given by its ``first`` one."""
        equal, above = self.rows[self.equal][:, first], self.rows[self.above][:, first]
        if independent(equal).size == first.size:  # no freedom but that among equal columns
            t, error = refined(equal, interior, np.ones(self.equal.size))
            return Entropy(t, np.zeros(self.above.size), error)
        return least_entropy(equal, above, omega, interior)

    def only(self) -> tuple[FloatArray, float]:
        """The single point of a face of dimension 0, and its estimated relative error."""
        goal = np.ones(self.equal.size)
        return refined(self.rows[self.equal], self.interior, goal)


def optimal_face(
    rows: FloatArray | Features, found: MaxMargin, *, exact: bool, tight: np.ndarray | None = None
) -> OptimalFace:
    """The face of l1 max-margin points of real rows with equal weights that has a given one.

    Parameters
    ----------
    rows
        Z, (n, m).
    found
        Of ``l1_max_margin(rows, signs=..)``.
    exact
        Whether the columns are the data themselves, so that ties are ties of rational numbers;
        otherwise they were rounded, and a reduced cost below 1e-13 is zero.
    tight
        Coordinates at the bound |Z^T a|_j = 1 (a mask) where they are known.

    Raises
    ------
    NoPredictionError
        The linear programs cannot tell which columns belong to the face.
    """
    rows = as_features(rows)
    rho, multipliers = np.asarray(found.rho, dtype=np.float64), found.multipliers
    driver = np.asarray(rows.T @ multipliers)
    side = np.where(rho != 0, np.sign(rho), np.sign(driver))
    fixed = np.zeros(driver.size) if found.signs is None else found.signs
    free = (fixed >= 0, fixed <= 0)
    pull = np.where(fixed == 0, np.abs(driver), fixed * driver)
    columns = np.flatnonzero((rho != 0) | (pull >= 1.0 - ACTIVE) if tight is None else tight)
    pulls = multipliers * rows.row_norms()
    charged = pulls > CHARGED * pulls.max()
    for _ in range(ROUNDS):
        matrix = rows.columns(columns) * side[columns]
        kept, equal, interior = _largest_support(matrix, charged, found.value)
        columns, matrix = columns[kept], matrix[:, kept]
        if columns.size == 0 or equal.size == 0:
            raise _unclear(ACTIVE)
        if tight is not None:
            tie = Verdict(TIE, "holds", 0.0, "by the simplex method in integers")
            break
        costs, defect = reduced_costs(matrix[equal], multipliers[equal])
        largest = float(np.abs(costs).max(initial=0.0))
        size = max(largest, defect)
        if size <= (0.0 if exact else TIED):
            tie = Verdict(TIE, "holds", size, "the largest reduced cost on the face")
            break
        chosen = _cheapest(matrix, equal, costs / size) if largest > TIED * defect else None
        if chosen is None or chosen.all():
            raise _unclear(size)
        columns = columns[chosen]
    else:
        raise _unclear(size)
    above = np.setdiff1d(np.arange(matrix.shape[0]), equal)
    kappa = _kappa(rows, (columns, matrix[equal], equal), multipliers, free)
    return OptimalFace(columns, side[columns], equal, above, interior, matrix, kappa, tie)


def _unclear(size: float) -> NoPredictionError:
    return NoPredictionError(
        f"columns tie for the l1 max-margin up to reduced costs of {size:.1e}, and the linear "
        "programs cannot tell which of them the limit uses. Rescale points or features of very "
        "different sizes, or merge columns that are nearly equal."
    )


def _largest_support(
    matrix: FloatArray, charged: np.ndarray, value: float
) -> tuple[np.ndarray, np.ndarray, FloatArray]:
    """Columns positive somewhere on the face, points with margin 1 on all of it, such a t.

    max sum_j u_j + sum_i w_i over t = u + v and slacks w + x in units 1 / theta <= 1, with u and w
    in [0, 1]: what can be positive reaches 1, in whatever units of the columns, the points and
    theta bring [B, 1] nearest to ones. t starts in units of sum t = value.
    """
    together = np.column_stack([matrix * value, np.ones(len(matrix))])
    heights, lengths = equilibrating(Dense(together))
    together = np.ldexp(together, heights[:, None] + lengths)
    matrix, goal = together[:, :-1], together[:, -1:]
    units = np.ldexp(value, lengths[:-1] - lengths[-1])
    s, charges, rest = matrix.shape[1], np.flatnonzero(charged), np.flatnonzero(~charged)
    eye = eye_array(rest.size)
    upper = [csc_array(matrix[charges])] * 2 + [csc_array(-goal[charges])]
    upper.append(csc_array((charges.size, 2 * rest.size)))
    lower = [csc_array(matrix[rest])] * 2 + [csc_array(-goal[rest])]
    lower += [-eye, -eye]
    equations = vstack([hstack(upper), hstack(lower)]) if rest.size else hstack(upper)
    counted = np.concatenate([np.ones(s), np.zeros(s + 1), np.ones(rest.size), np.zeros(rest.size)])
    bounds = np.column_stack([np.zeros(counted.size), np.where(counted > 0, 1.0, np.inf)])
    bounds[2 * s, 0] = 1.0
    found = linprog(
        -counted, A_eq=csc_array(equations), b_eq=np.zeros(matrix.shape[0]), bounds=bounds
    )
    if found.x is None:
        raise _unclear(ACTIVE)
    t = units * (found.x[:s] + found.x[s : 2 * s]) / found.x[2 * s]
    kept = found.x[:s] > 0.5
    if not kept.any():  # no point is zero: the program lost the face
        raise _unclear(ACTIVE)
    loose = found.x[2 * s + 1 : 2 * s + 1 + rest.size] > 0.5
    return kept, np.sort(np.concatenate([charges, rest[~loose]])), t[kept]


def _cheapest(matrix: FloatArray, equal: np.ndarray, costs: FloatArray) -> np.ndarray | None:
    """Columns of zero reduced cost for min costs @ t on the face (a mask)."""
    goal = np.ones(matrix.shape[0])
    rest = np.setdiff1d(np.arange(goal.size), equal)
    found = linprog(
        costs,
        A_ub=-matrix[rest],
        b_ub=-goal[rest],
        A_eq=matrix[equal],
        b_eq=goal[equal],
        method="highs-ds",
    )
    if found.x is None:
        return None
    left = (
        costs - matrix[equal].T @ found.eqlin.marginals + matrix[rest].T @ found.ineqlin.marginals
    )
    return np.asarray((found.x > 0) | (np.abs(left) < ACTIVE))


def _kappa(
    rows: Features, face: tuple[np.ndarray, FloatArray, np.ndarray], a: FloatArray, free: Free
) -> float:
    """min over optimal a of max_j |Z^T a|_j off the face, by a linear program where a is free."""
    columns, matrix, equal = face
    outside = np.setdiff1d(np.arange(rows.shape[1]), columns)
    up, down = outside[free[0][outside]], outside[free[1][outside]]
    if independent(matrix.T).size == equal.size:
        driver = np.asarray(rows.T @ a)
        return float(max(driver[up].max(initial=0.0), (-driver[down]).max(initial=0.0)))
    pulls = csc_array(rows.rows(equal).signed_columns(up, down)).T
    count = up.size + down.size
    found = linprog(
        np.append(np.zeros(equal.size), 1.0),
        A_ub=csc_array(hstack([pulls, csc_array(-np.ones((count, 1)))])),
        b_ub=np.zeros(count),
        A_eq=csc_array(hstack([csc_array(matrix.T), csc_array((columns.size, 1))])),
        b_eq=np.ones(columns.size),
        bounds=(0, None),
    )
    return 1.0 if found.x is None else float(min(found.x[-1], 1.0))


def with_least_kappa(rows: FloatArray | Features, found: MaxMargin) -> MaxMargin:
    """A point that is the only one of its norm, with kappa of the multipliers that keep it least.

    rows, found
        As for ``optimal_face``.
    """
    rows, rho = as_features(rows), np.asarray(found.rho, dtype=np.float64)
    fixed = np.zeros(rho.size) if found.signs is None else found.signs
    margins = rows @ rho
    equal = np.flatnonzero(margins <= margins.min() * (1.0 + EQUAL))
    support = np.flatnonzero(rho)
    face = support, rows.rows(equal).columns(support) * np.sign(rho[support]), equal
    return replace(found, kappa=_kappa(rows, face, found.multipliers, (fixed >= 0, fixed <= 0)))


def on_face(
    rows: FloatArray | Features, found: MaxMargin, face: OptimalFace, t: FloatArray, error: float
) -> MaxMargin:
    """``found`` at another point t of its optimal face, measured there."""
    rho = np.zeros(found.rho.size)
    rho[face.columns] = face.signs * t
    margin = smallest_margin(as_features(rows), rho)
    rho = rho / margin if margin > 0 else rho
    value = float(np.abs(rho).sum())
    return replace(
        found,
        rho=rho,
        value=value,
        margin=1.0 / value,
        kkt=kkt_residuals(rows, rho, found.multipliers, 1, signs=found.signs),
        support=np.flatnonzero(rho),
        kappa=face.kappa,
        curvature=np.inf,
        correction=error * rho,
    )
