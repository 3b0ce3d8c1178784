"""Real data that scikit-learn ships, and the field's synthetic designs, as problems.

Every function returns the same problem for the same arguments, on every machine and offline.
"""

from __future__ import annotations

from collections.abc import Callable

from implicitbias._arrays import positive_int
from implicitbias._names import read_name
from implicitbias.datasets._real import (
    breast_cancer,
    breast_cancer_names,
    diabetes,
    diabetes_names,
    digits,
    digits_even,
    digits_names,
    digits_pair,
    iris_names,
    iris_setosa,
    wine,
    wine_names,
)
from implicitbias.datasets._synthetic import (
    even_coefficients,
    even_signals,
    gaussian,
    separable,
    separable_direction,
    sparse,
    sparse_coefficients,
)
from implicitbias.problems import Classification, Regression

__all__ = [
    "breast_cancer",
    "breast_cancer_names",
    "diabetes",
    "diabetes_names",
    "digits",
    "digits_even",
    "digits_names",
    "digits_pair",
    "even_coefficients",
    "even_signals",
    "gaussian",
    "iris_names",
    "iris_setosa",
    "load",
    "names",
    "separable",
    "separable_direction",
    "sparse",
    "sparse_coefficients",
    "wine",
    "wine_names",
]

BY_NAME: dict[str, Callable[[int], Regression | Classification]] = {
    "diabetes": lambda degree: diabetes(degree),
    "digits": lambda degree: digits_pair(3, 8, degree=degree),
    "wine": lambda degree: wine(degree=degree),
    "breast_cancer": lambda degree: breast_cancer(degree=degree),
    "iris": lambda degree: iris_setosa(degree=degree),
}

NAMES: dict[str, Callable[[int], tuple[str, ...]]] = {
    "diabetes": diabetes_names,
    "digits": digits_names,
    "wine": wine_names,
    "breast_cancer": breast_cancer_names,
    "iris": iris_names,
}


def load(name: str, *, degree: int | None = None) -> Regression | Classification:
    """Return the data set called ``name`` with all monomials of degree 1 to ``degree``.

    Parameters
    ----------
    name
        "diabetes" (regression, 100 patients, degree 3 by default), or of degree 1 by default the
        two classes of "digits" (3 against 8), "wine" (cultivar 0 against the rest),
        "breast_cancer" or "iris" (setosa against the rest).
    degree
        Largest total degree of a monomial.

    Raises
    ------
    InvalidInputError
        No such name, or not a positive whole number.
    InfeasibleProblemError
        Diabetes of degree 1 or 2, with fewer features than patients: see ``diabetes``.
    """
    name = read_name(name, BY_NAME, "name")
    return BY_NAME[name](_degree(name, degree))


def names(name: str, *, degree: int | None = None) -> tuple[str, ...]:
    """Return the names of the features of ``load(name, degree=degree)``, one a column.

    Raises
    ------
    InvalidInputError
        As ``load``.
    """
    name = read_name(name, BY_NAME, "name")
    return NAMES[name](_degree(name, degree))


def _degree(name: str, degree: int | None) -> int:
    if degree is None:
        degree = 3 if name == "diabetes" else 1
    return positive_int(degree, "degree")
