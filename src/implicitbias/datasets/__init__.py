"""Real data that scikit-learn ships, and the field's synthetic designs, as problems.

Every function returns the same problem for the same arguments, on every machine and offline.
"""

from __future__ import annotations

from collections.abc import Callable

from implicitbias._arrays import positive_int
from implicitbias._names import read_name
from implicitbias.datasets._real import (
    breast_cancer,
    diabetes,
    diabetes_names,
    digits,
    digits_even,
    digits_pair,
    iris_setosa,
    wine,
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
    "diabetes",
    "diabetes_names",
    "digits",
    "digits_even",
    "digits_pair",
    "even_coefficients",
    "even_signals",
    "gaussian",
    "iris_setosa",
    "load",
    "separable",
    "separable_direction",
    "sparse",
    "sparse_coefficients",
    "wine",
]

BY_NAME: dict[str, Callable[[int], Regression | Classification]] = {
    "diabetes": lambda degree: diabetes(degree),
    "digits": lambda degree: digits_pair(3, 8, degree=degree),
    "wine": lambda degree: wine(degree=degree),
    "breast_cancer": lambda degree: breast_cancer(degree=degree),
    "iris": lambda degree: iris_setosa(degree=degree),
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
    if degree is None:
        degree = 3 if name == "diabetes" else 1
    return BY_NAME[name](positive_int(degree, "degree"))
