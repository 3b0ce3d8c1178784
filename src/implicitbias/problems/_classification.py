"""Classification: two classes under the exponential loss."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from implicitbias._arrays import ArrayLike, FloatArray, NumericArray, SparseLike
from implicitbias._errors import InfeasibleProblemError
from implicitbias.features import Features, features_of
from implicitbias.problems._dependence import exact_row_basis, told_apart
from implicitbias.problems._independence import clearly_independent
from implicitbias.problems._inputs import check_predictions
from implicitbias.problems._labels import signs_and_classes
from implicitbias.problems._rows import UnitRows
from implicitbias.problems._scaling import equilibration
from implicitbias.problems._separability import Separability, decide


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Classification:
    """L(f) = sum_i exp(-y_i f_i), y_i in {-1, +1}: a sum, not a mean.

    Labels within {-1, +1} keep their sign, even if all points share one; any other two labels
    map to -1 and +1 in sorted order. Separability is decided when first asked for.

    Parameters
    ----------
    X
        (n, d), kept by reference if it is a float64 array; or a SciPy sparse array, kept as CSR,
        which predictions for two-layer diagonal and for fully connected networks accept.
    y
        (n,) labels: numbers, booleans or strings, of two different values.

    Attributes
    ----------
    features
        X behind the type that all further work sees.
    y
        (n,) in {-1.0, +1.0}.
    classes
        The labels that stand for -1 and +1, in this order.

    Raises
    ------
    InvalidInputError
        X as for Regression; y of the wrong length, with missing entries, with one label outside
        {-1, +1} or with more than two.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 4.
    """

    X: FloatArray
    y: FloatArray
    features: Features
    classes: NumericArray

    def __init__(self, X: ArrayLike | SparseLike | Features, y: ArrayLike) -> None:
        features = features_of(X)
        if features.shape[0] > features.shape[1]:
            features.refuse_whole("classification of more points than features")
        if features.is_whole:  # for the verbs that take arrays only
            features = features.gathered()
        signs, classes = signs_and_classes(y, features.shape[0])
        self.__dict__.update(X=features.given, features=features, y=signs, classes=classes)

    @property
    def num_points(self) -> int:
        """Number of points n."""
        return len(self.y)

    @property
    def num_features(self) -> int:
        """Number of features d."""
        return int(self.X.shape[1])

    @property
    def rank(self) -> int:
        """Rank of X, decided as for Regression."""
        return len(self.rows)

    @cached_property
    def rows(self) -> NumericArray:
        """Ascending indices of independent rows of X, (rank,)."""
        scaling = equilibration(self.features)
        if clearly_independent(self.features, *scaling):
            return np.arange(self.num_points)
        rows = UnitRows(self.features, scaling=scaling)
        return np.sort(told_apart(self.features, rows, exact_row_basis(rows)).rows)

    def __repr__(self) -> str:
        positive = int(np.sum(self.y > 0))
        negative_class, positive_class = self.classes.tolist()
        return (
            f"Classification(num_points={self.num_points}, num_features={self.num_features}, "
            f"{self.num_points - positive} of class {negative_class!r} as -1, "
            f"{positive} of class {positive_class!r} as +1)"
        )

    def describe(self) -> str:
        """Sizes, classes, rank and separability, as a person reads them."""
        positive = int(np.sum(self.y > 0))
        negative_class, positive_class = self.classes.tolist()
        return "\n".join(
            [
                f"Classification of {self.num_points} points with {self.num_features} features",
                f"  {self.num_points - positive} of class {negative_class!r} as -1, {positive} of "
                f"class {positive_class!r} as +1",
                f"  rank {self.rank}",
                f"  {self.separability().verdict}",
                f"  a unit separator with margin {self.separability().margin:.4g} was found"
                if self.separability().separator is not None
                else "  no separator was found",
            ]
        )

    def loss(self, predictions: ArrayLike) -> float:
        """sum_i exp(-y_i f_i) for predictions f, (n,); 0 or inf where it under- or overflows."""
        with np.errstate(over="ignore", under="ignore"):
            return float(np.exp(-self._margins(predictions)).sum())

    def log_loss(self, predictions: ArrayLike) -> float:
        """Log of the loss, log sum_i exp(-y_i f_i): finite for all finite predictions."""
        exponents = -self._margins(predictions)
        largest = exponents.max()
        with np.errstate(under="ignore"):
            return float(largest + np.log(np.exp(exponents - largest).sum()))

    def residual(self, predictions: ArrayLike) -> FloatArray:
        """r_i = dL/df_i = -y_i exp(-y_i f_i), (n,)."""
        with np.errstate(over="ignore", under="ignore"):
            return -self.y * np.exp(-self._margins(predictions))

    def _margins(self, predictions: ArrayLike) -> FloatArray:
        return self.y * check_predictions(predictions, self.num_points)

    def separability(self) -> Separability:
        """Whether some z has y_i x_i^T z > 0 for all i, with evidence; computed once."""
        return self._separability

    @cached_property
    def _separability(self) -> Separability:
        return decide(self.features, self.y)

    def require_separable(self) -> Separability:
        """Return ``separability()``, refusing classes that are proved not to be separable.

        Raises
        ------
        InfeasibleProblemError
            No z separates; ``evidence`` is a >= 0, sum a = 1, with sum_i a_i y_i x_i = 0.
        """
        found = self.separability()
        if not found.verdict.fails or found.farkas is None:
            return found
        support = np.flatnonzero(found.farkas)
        left = found.verdict.value
        size = f"to {left:.1e}" if left > 0 else "exactly"
        raise InfeasibleProblemError(
            f"the classes are not linearly separable: weights a >= 0 on {support.size} of the "
            f"{self.num_points} points give sum_i a_i y_i x_i = 0 ({size}; .evidence holds a), so "
            "no z has y_i x_i^T z > 0 for all of them. The exponential loss then keeps a positive "
            "infimum and no margin is maximised. Add features (a column of ones for an intercept, "
            "on the command line --intercept; products), or drop points that contradict (the "
            f"heaviest is X[{int(np.argmax(found.farkas))}], counted from 0).",
            found.farkas,
        )
