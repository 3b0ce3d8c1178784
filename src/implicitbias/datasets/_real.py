"""Real data that scikit-learn ships, as problems."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias.problems import Classification, Regression

DIABETES_POINTS = 442
DIGITS_POINTS = 1797
WINE_POINTS = 178
GREY_LEVELS = 16.0
RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def diabetes(degree: int = 3, num_points: int = 100) -> Regression:
    """x_i: all monomials of degree 1 to ``degree`` in ten measurements; y_i: disease progression.

    The first ``num_points`` patients, the measurements as scikit-learn gives them (each centred
    and of unit norm over all 442 patients), the monomials neither centred nor scaled again, no
    constant feature. The defaults give 100 x 285 of rank 100; subtracting the columns' means would
    cost one rank.

    Parameters
    ----------
    degree
        Largest total degree of a monomial: 1, 2, 3, 4 give 10, 65, 285, 1000 features.
    num_points
        1 to 442.

    Raises
    ------
    InvalidInputError
        Not a positive whole number, or more points than there are.
    InfeasibleProblemError
        More points than features can interpolate.

    Notes
    -----
    Source: Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", 2004.
    """
    from sklearn.datasets import load_diabetes

    rows = slice(_points(num_points, DIABETES_POINTS))
    measurements, progression = load_diabetes(return_X_y=True)
    return Regression(_monomials(measurements[rows], degree), progression[rows])


def diabetes_names(degree: int = 3) -> tuple[str, ...]:
    """Return the names of the features of ``diabetes``, such as "bmi² s5"."""
    from sklearn.datasets import load_diabetes

    return _monomial_names(load_diabetes().feature_names, degree)


def digits_names(degree: int = 1) -> tuple[str, ...]:
    """Return the names of the features of ``digits_pair``, such as "pixel_2_5": row 2, column 5."""
    from sklearn.datasets import load_digits

    return _monomial_names(load_digits().feature_names, degree)


def wine_names(degree: int = 1) -> tuple[str, ...]:
    """Return the names of the features of ``wine``, such as "alcohol", and "1"."""
    from sklearn.datasets import load_wine

    return *_monomial_names(load_wine().feature_names, degree), "1"


def iris_names(degree: int = 1) -> tuple[str, ...]:
    """Return the names of the features of ``iris_setosa``, such as "petal width (cm)", and "1"."""
    from sklearn.datasets import load_iris

    return *_monomial_names(load_iris().feature_names, degree), "1"


def breast_cancer_names(degree: int = 1) -> tuple[str, ...]:
    """Return the names of the features of ``breast_cancer``, such as "mean radius", and "1"."""
    from sklearn.datasets import load_breast_cancer

    return *_monomial_names(load_breast_cancer().feature_names, degree), "1"


def _monomial_names(names: Sequence[str], degree: int) -> tuple[str, ...]:
    """Names of all monomials of degree 1 to ``degree``, powers raised."""
    from sklearn.preprocessing import PolynomialFeatures

    monomials = PolynomialFeatures(positive_int(degree, "degree"), include_bias=False)
    out = monomials.fit(np.zeros((1, len(names)))).get_feature_names_out(list(map(str, names)))
    return tuple(re.sub(r"\^(\d+)", lambda power: power[1].translate(RAISED), n) for n in out)


def digits(num_points: int = 1) -> Regression:
    """x_i: the 64 grey levels, 0 to 16, of an 8 x 8 image, row by row; y_i: the digit it shows.

    The first ``num_points`` of the 1797 images; the first 51 are independent. Three of the pixels
    are 0 in every image.

    Raises
    ------
    InvalidInputError
        Not a positive whole number, or more points than there are.
    InfeasibleProblemError
        More points than the pixels can interpolate.

    Notes
    -----
    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI, 1998.
    """
    images, labels = _digits(num_points)
    return Regression(images, labels)


def digits_even(num_points: int = 20) -> Regression:
    """x_i[k] = (a_i[k] + a_i[-k mod 64]) / 2, the even part of the image a_i; y_i: its digit.

    The images of ``digits`` as signals of length d = 64. Even signals span d/2 + 1 = 33 dimensions,
    these only 31, since the pixels 0 and 32 are always 0. The first 28 points are independent; 20
    have rank 20 and condition number 120.

    Raises
    ------
    InvalidInputError
        Not a positive whole number, or more points than there are.
    InfeasibleProblemError
        More points than the even signals can interpolate.
    """
    images, labels = _digits(num_points)
    return Regression((images + images[:, -np.arange(images.shape[1])]) / 2, labels)


def digits_pair(
    first: int, second: int, num_points: int | None = None, *, degree: int = 1
) -> Classification:
    """x_i: the 64 grey levels of an 8 x 8 image divided by 16; y_i = -1 (first digit) or +1.

    Parameters
    ----------
    first, second
        Two different digits, 0 to 9.
    num_points
        The first so many images of either digit, in the order of scikit-learn; by default all,
        about 360.
    degree
        Use all monomials of degree 1 to this in the grey levels.

    Raises
    ------
    InvalidInputError
        Not two different digits, or more points than there are.

    Notes
    -----
    Source: as ``digits``.
    """
    digits = tuple(
        positive_int(digit, name, at_least=0)
        for digit, name in ((first, "first"), (second, "second"))
    )
    if digits[0] == digits[1] or max(digits) > 9:
        raise InvalidInputError(
            f"first and second are {digits[0]} and {digits[1]}; expected two different digits, "
            "0 to 9."
        )
    images, labels = _digits(DIGITS_POINTS)
    kept = np.flatnonzero(np.isin(labels, digits))
    kept = kept if num_points is None else kept[: _points(num_points, kept.size)]
    y = np.where(labels[kept] == digits[1], 1.0, -1.0)
    return Classification(_monomials(images[kept] / GREY_LEVELS, degree), y)


def wine(cultivar: int = 0, num_points: int = WINE_POINTS, *, degree: int = 1) -> Classification:
    """x_i: 13 standardised measurements of a wine and a constant 1; y_i = +1 for one cultivar.

    Parameters
    ----------
    cultivar
        0, 1 or 2.
    num_points
        1 to 178, evenly spaced in scikit-learn's order, which is by cultivar; standardised (mean 0,
        variance 1) over all 178.
    degree
        Use all monomials of degree 1 to this in the standardised measurements.

    Raises
    ------
    InvalidInputError
        No such cultivar, or more points than there are.

    Notes
    -----
    Source: Aeberhard and Forina, "Wine", UCI, 1992.
    """
    from sklearn.datasets import load_wine

    cultivar = positive_int(cultivar, "cultivar", at_least=0)
    if cultivar > 2:
        raise InvalidInputError(f"cultivar is {cultivar}; expected 0, 1 or 2.")
    number = _points(num_points, WINE_POINTS)
    rows = np.arange(number) * WINE_POINTS // number
    measurements, labels = load_wine(return_X_y=True)
    y = np.where(labels[rows] == cultivar, 1.0, -1.0)
    return Classification(_standardised(measurements, degree)[rows], y)


def iris_setosa(*, degree: int = 1) -> Classification:
    """x_i: four standardised lengths of a flower and a constant 1; y_i = +1 for setosa.

    With a ``degree``, all monomials of the lengths up to it.

    150 x 5, the easy class of the three: the other two are not separable from the rest.

    Notes
    -----
    Source: Fisher, "The use of multiple measurements in taxonomic problems", 1936.
    """
    from sklearn.datasets import load_iris

    lengths, labels = load_iris(return_X_y=True)
    return Classification(_standardised(lengths, degree), np.where(labels == 0, 1.0, -1.0))


def breast_cancer(*, degree: int = 1) -> Classification:
    """x_i: 30 standardised measurements of a tumour and a constant 1; y_i = +1 if benign.

    With a ``degree``, all monomials of the measurements up to it.

    569 x 31, separable by a hair: the l2 margin is 0.0014 where the points' lengths average 5.

    Notes
    -----
    Source: Street, Wolberg and Mangasarian, "Nuclear feature extraction for breast tumor
    diagnosis", 1993.
    """
    from sklearn.datasets import load_breast_cancer

    measurements, benign = load_breast_cancer(return_X_y=True)
    return Classification(_standardised(measurements, degree), np.where(benign == 1, 1.0, -1.0))


def _digits(num_points: int) -> tuple[FloatArray, FloatArray]:
    rows = slice(_points(num_points, DIGITS_POINTS))
    images, labels = _all_digits()
    return images[rows].copy(), labels[rows].astype(np.float64)


@cache
def _all_digits() -> tuple[FloatArray, IntArray]:
    """All images, read once: most of the time goes into their text."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images, labels


def _standardised(measurements: FloatArray, degree: int) -> FloatArray:
    """Monomials of the columns brought to mean 0 and variance 1, and a column of ones."""
    columns = (measurements - measurements.mean(axis=0)) / measurements.std(axis=0)
    return np.column_stack([_monomials(columns, degree), np.ones(len(columns))])


def _monomials(columns: FloatArray, degree: int) -> FloatArray:
    """All monomials of degree 1 to ``degree``."""
    from sklearn.preprocessing import PolynomialFeatures

    degree = positive_int(degree, "degree")
    return np.asarray(PolynomialFeatures(degree, include_bias=False).fit_transform(columns))


def _points(num_points: int, available: int) -> int:
    number = positive_int(num_points, "num_points")
    if number > available:
        raise InvalidInputError(f"num_points is {number}; the data set has {available} points.")
    return number
