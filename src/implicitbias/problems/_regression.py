"""Regression: data to interpolate under the squared loss."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from implicitbias._arrays import ArrayLike, FloatArray, NumericArray, SparseLike, finite_array
from implicitbias._errors import InfeasibleProblemError
from implicitbias._memory import GIB
from implicitbias._numbers import numeric_array
from implicitbias.features import Features, Lost, features_of, is_iterated, limit_bytes
from implicitbias.problems._consistency import (
    CONSISTENCY_TOLERANCE,
    Contradiction,
    least_squares_residual,
    share,
    worst_contradiction,
)
from implicitbias.problems._dependence import (
    distance_of_others,
    exact_row_basis,
    rounded_copy,
    told_apart,
)
from implicitbias.problems._independence import clearly_independent
from implicitbias.problems._inputs import (
    check_predictions,
    one_per_row,
)
from implicitbias.problems._rows import (
    RowBasis,
    UnitRows,
    condition_number,
)
from implicitbias.problems._scaling import equilibration


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Regression:
    """L(f) = 1/2 sum_i (f_i - y_i)^2 with targets that some coefficients reach: X z = y.

    The rank is decided on equilibrated rows and columns, so rows of wildly different length and
    features in wildly different units count alike: a row is dependent when its distance to a
    combination c of others is below (8 + sqrt(max(n, d))) eps (1 + |c|_1) of its own length, or
    below eps (1 + |c|) where n <= d and it (n = d: or a column) is near a single other one; small
    X of short integers (in powers of two) is taken at its word, by integer arithmetic. Dependent
    rows, duplicates and zero rows with target zero included, are allowed as long as the targets
    agree; n > d then is as well. Predictions take X at its word: a row that is near a multiple of
    another, and so counts as dependent, but is none, they refuse, since it may be data; with rows
    that are near combinations of several, and not proved to be so, the limit is that of ``rows``
    and its ``error`` infinite. ``Regression.measured`` says that such rows are copies.
    Mostly a Gram matrix of few columns proves that all rows are independent; otherwise X is
    factored in blocks. It is never copied whole, a sparse one never made dense but for a block.

    Parameters
    ----------
    X
        (n, d), kept by reference if it is a float64 array; or a SciPy sparse array, kept as CSR,
        which predictions for diagonal and for fully connected networks accept; or columns in
        ``features.Blocks``, a Dask array, or an array on a device, which stay where they are.
    y
        (n,).

    Attributes
    ----------
    features
        X behind the type that all further work sees.
    rank
        Rank of X.
    rows
        (rank,) ascending indices of independent rows: X[rows] z = y[rows] has the same solutions.
    inconsistency
        max_i |y_i - c^T y[rows]| / (|y_i| + |c|^T |y[rows]|), x_i = c^T X[rows], of what rounding
        of X does not explain.
    lost
        What rounding took from X and y when ``equations`` formed them; None for data as given.
    is_measured
        Whether X is said to be a table, as by ``Regression.measured``.

    Raises
    ------
    InvalidInputError
        Not numeric, complex, masked, wrong shape or length, empty, not finite, or numbers that
        float64 does not hold (whole ones beyond 2^53, long doubles beyond its range).
    InfeasibleProblemError
        No z solves X z = y to 1e-10; ``evidence`` is the least-squares residual y - X X^+ y.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 5 (there rank X = n).
    """

    X: FloatArray
    y: FloatArray
    features: Features
    rank: int
    rows: NumericArray
    inconsistency: float
    lost: Lost | None
    is_measured: bool

    def __init__(self, X: ArrayLike | SparseLike | Features, y: ArrayLike) -> None:
        X = features_of(X)
        self._set(X, _targets(y, X.shape[0]), measured=False)

    @classmethod
    def measured(cls, X: ArrayLike | SparseLike | Features, y: ArrayLike) -> Regression:
        """The same of a table, whose entries were rounded on the way: near rows are copies.

        Centred, standardised and converted tables, and products of rank below n, have rows that
        depend on others up to a rounding, which as numbers they do not. Whoever knows X to be such
        a table says so here: what counts as dependent then is, near columns of a square X, or of
        sums beyond the rounding of a standardised one, included, and limits are certified as those
        of ``rows``. Estimators, the command line and sweeps over files read tables so.

        Parameters
        ----------
        X, y
            As for a Regression.

        Raises
        ------
        InvalidInputError, InfeasibleProblemError
            As for a Regression.
        """
        problem = cls.__new__(cls)
        X = features_of(X)
        problem._set(X, _targets(y, X.shape[0]), measured=True)
        return problem

    def _set(self, X: Features, y: FloatArray, *, measured: bool) -> None:
        rows, inconsistency = _consistent_rows(X, y, measured=measured)
        self.__dict__.update(
            X=X.given,
            features=X,
            y=y,
            rank=rows.size,
            rows=rows,
            inconsistency=inconsistency,
            lost=None,
            is_measured=measured,
        )

    def having(self, lost: Lost) -> Regression:
        """The same, of which rounding took something before it came here."""
        other = copy(self)
        other.__dict__["lost"] = lost
        return other

    def with_targets(self, y: ArrayLike) -> Regression:
        """The same X with other targets, (n,).

        Where all rows are independent, every y has a solution and nothing is decided anew.

        Raises
        ------
        InvalidInputError, InfeasibleProblemError
            As for a new Regression.
        """
        if self.rank < self.num_points:
            other = copy(self)
            other.__dict__.pop("dropped_distance", None)
            other._set(self.features, _targets(y, self.num_points), measured=self.is_measured)
            return other
        other = copy(self)
        other.__dict__.update(y=_targets(y, self.num_points), lost=None)
        return other

    @property
    def num_points(self) -> int:
        """Number of points n."""
        return len(self.y)

    @property
    def num_features(self) -> int:
        """Number of features d."""
        return int(self.X.shape[1])

    @cached_property
    def dropped_distance(self) -> float:
        """Distance of a row outside ``rows`` to their span, relative to its length, at most.

        0 where they are exact combinations, as far as that is known.
        """
        return distance_of_others(self.features, self.rows)

    @cached_property
    def rounded_copy(self) -> str:
        """Which row, or column of a square X, is a copy of another but for a rounding; '' if none.

        Such a row is left out, though it may be data; of a ``measured`` table it is a copy.
        """
        if self.is_measured or self.dropped_distance == 0.0:
            return ""
        return rounded_copy(self.features, self.rows)

    def __repr__(self) -> str:
        return (
            f"Regression(num_points={self.num_points}, num_features={self.num_features}, "
            f"rank={self.rank})"
        )

    def describe(self) -> str:
        """Sizes, rank and conditioning, as a person reads them."""
        d, n = self.num_features, self.num_points
        condition = "-"  # takes a factorisation
        if not is_iterated(self.features):
            condition = condition_number(self.features.rows(self.rows))
        kind = "interpolators form a space" if self.rank < d else "the interpolator is unique"
        memory = limit_bytes(self.features)
        how = "conjugate gradients" if is_iterated(self.features) else "Cholesky factors"
        spread = f"{self.y.min():.4g} to {self.y.max():.4g}, norm {np.linalg.norm(self.y):.4g}"
        return "\n".join(
            [
                f"Regression of {n} points on {d} features",
                f"  rank {self.rank}: {kind}"
                + (f" of dimension {d - self.rank}" if self.rank < d else ""),
                f"  condition number of the independent rows {condition}",
                f"  targets {spread}",
                f"  largest contradiction between rows {self.inconsistency:.1e}",
                *(
                    [f"  a limit takes about {memory / GIB:.1f} GiB ({how})"]
                    if memory > GIB
                    else []
                ),
            ]
        )

    def loss(self, predictions: ArrayLike) -> float:
        """1/2 sum_i (f_i - y_i)^2 for predictions f, (n,); inf where it overflows."""
        with np.errstate(over="ignore"):
            return float(np.square(self.residual(predictions)).sum()) / 2

    def residual(self, predictions: ArrayLike) -> FloatArray:
        """r_i = dL/df_i = f_i - y_i, (n,)."""
        return check_predictions(predictions, self.num_points) - self.y


def _targets(y: ArrayLike, number: int) -> FloatArray:
    targets = numeric_array(y, "y", f"numbers of shape ({number},)")
    return finite_array(one_per_row(targets, "y", number), "y", shape=(number,))


def _consistent_rows(X: Features, y: FloatArray, *, measured: bool) -> tuple[NumericArray, float]:
    """Independent rows, ascending, and by how much the others contradict them."""
    scaling = equilibration(X)
    if clearly_independent(X, *scaling):
        return np.arange(len(X)), 0.0
    rows = UnitRows(X, scaling=scaling)
    basis = exact_row_basis(rows, clear=measured)
    if not (measured and X.shape[0] == X.shape[1]):
        basis = told_apart(X, rows, basis)
    contradiction = worst_contradiction(rows, basis, y)
    if contradiction.size > CONSISTENCY_TOLERANCE:
        raise _inconsistent(rows, basis, y, contradiction)
    return np.sort(basis.rows), contradiction.size


def _inconsistent(
    rows: UnitRows, basis: RowBasis, y: FloatArray, contradiction: Contradiction
) -> InfeasibleProblemError:
    residual, rounding = least_squares_residual(rows, basis, y)
    row = contradiction.row
    cause = (
        f"row {row} of X is zero"
        if rows.norms[row] == 0
        else f"row {row} of X is a combination of others"
    )
    return InfeasibleProblemError(
        f"X z = y has no solution: X has rank {basis.rows.size} and {rows.num_rows} rows; {cause}, "
        f"which forces y[{row}] = {contradiction.forced:.6g}, but y[{row}] = {y[row]:.6g}. The "
        f"least-squares residual is {share(residual, y):.3g} of |y| (in .evidence). A linear "
        "network cannot reach zero loss here: add features, drop or average the rows that "
        "contradict, or fit the part that can be reached, y - error.evidence.",
        residual,
        rounding,
    )
