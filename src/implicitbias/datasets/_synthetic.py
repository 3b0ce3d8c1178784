"""The field's synthetic designs, as problems."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray, positive_float, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias.problems import Classification, Regression


def gaussian(num_points: int, num_features: int, seed: int) -> Regression:
    """X_ij and y_i independent standard normal numbers: rank min(n, d) almost surely.

    Raises
    ------
    InvalidInputError
        Not positive whole numbers, or more points than features: generic targets then have no
        interpolator.
    """
    rng, shape = _design(num_points, num_features, seed)
    return Regression(rng.standard_normal(shape), rng.standard_normal(shape[0]))


def sparse(
    num_points: int,
    num_features: int,
    num_nonzero: int,
    seed: int,
    *,
    noise: float = 0.0,
    correlation: float = 0.0,
) -> Regression:
    """y = X beta + noise * e, X_ij and e_i standard normal, beta = (1, .., 1, 0, .., 0) / sqrt(s).

    Parameters
    ----------
    num_points, num_features
        n <= d.
    num_nonzero
        s, 1 to d: the first s coefficients are 1 / sqrt(s).
    seed
        Of the random numbers.
    noise
        Standard deviation of the noise, >= 0.
    correlation
        c in [0, 1): features j and k have correlation c^|j - k|.

    Raises
    ------
    InvalidInputError
        A number out of its range.

    Notes
    -----
    Source: the design of Woodworth et al., "Kernel and rich regimes in overparametrized models",
    COLT 2020, section 6.
    """
    rng, shape = _design(num_points, num_features, seed)
    nonzero = positive_int(num_nonzero, "num_nonzero")
    if nonzero > shape[1]:
        raise InvalidInputError(
            f"num_nonzero is {nonzero}; expected at most num_features = {shape[1]}."
        )
    noise = positive_float(noise, "noise", allow_zero=True)
    correlation = positive_float(correlation, "correlation", allow_zero=True)
    if correlation >= 1:
        raise InvalidInputError(f"correlation is {correlation:g}; expected a number in [0, 1).")
    X = rng.standard_normal(shape)
    if correlation:
        X = _chained(X, correlation)
    beta = sparse_coefficients(shape[1], nonzero)
    return Regression(X, X @ beta + noise * rng.standard_normal(shape[0]))


def sparse_coefficients(num_features: int, num_nonzero: int) -> FloatArray:
    """beta = (1, .., 1, 0, .., 0) / sqrt(s), (d,): the truth behind ``sparse``."""
    beta = np.zeros(num_features)
    beta[:num_nonzero] = 1.0 / np.sqrt(num_nonzero)
    return beta


def even_signals(
    num_points: int, num_features: int, seed: int, *, num_frequencies: int | None = None
) -> Regression:
    """x_i[k] = (g_i[k] + g_i[-k mod d]) / 2 with g_ik standard normal: even signals, real spectra.

    Parameters
    ----------
    num_points, num_features
        n <= floor(d / 2) + 1, the dimension of even signals.
    seed
        Of the random numbers.
    num_frequencies
        y = X beta with beta[k] = sum_{f < num_frequencies} cos(2 pi f k / d); by default y is
        standard normal instead.

    Raises
    ------
    InvalidInputError
        A number out of its range.

    Notes
    -----
    Source: the assumption of Corollary 6 of Yun, Krishnan and Mobahi, ICLR 2021.
    """
    rng, (n, d) = _design(num_points, num_features, seed)
    dimension = d // 2 + 1
    if n > dimension:
        raise InvalidInputError(
            f"num_points is {n}; even signals of length {d} span only {dimension} dimensions."
        )
    signals = rng.standard_normal((n, d))
    X = (signals + signals[:, -np.arange(d)]) / 2
    if num_frequencies is None:
        return Regression(X, rng.standard_normal(n))
    number = positive_int(num_frequencies, "num_frequencies")
    if number > dimension:
        raise InvalidInputError(
            f"num_frequencies is {number}; signals of length {d} have {dimension} frequencies."
        )
    return Regression(X, X @ even_coefficients(d, number))


def even_coefficients(num_features: int, num_frequencies: int) -> FloatArray:
    """beta[k] = sum_{f < num_frequencies} cos(2 pi f k / d), (d,): the truth of even signals."""
    d = num_features
    waves = np.cos(2 * np.pi * np.outer(np.arange(num_frequencies), np.arange(d)) / d)
    return np.asarray(waves.sum(axis=0))


def separable(num_points: int, num_features: int, margin: float, seed: int) -> Classification:
    """y_i x_i = (margin + a_i) w + b_i with a_i >= 0, b_i^T w = 0: the largest l2 margin is margin.

    w is a random unit vector, y_i random signs, b_i standard normal across w. The first two points
    have a_i = 0 and b_1 = -b_2, so that w is a combination of them with positive weights and no
    other direction does better; the others have a_i = |g_i| with g_i standard normal.

    Parameters
    ----------
    num_points, num_features
        At least two each.
    margin
        max_w min_i y_i x_i^T w over unit vectors w, > 0.
    seed
        Of the random numbers.

    Raises
    ------
    InvalidInputError
        A number out of its range.
    """
    n = positive_int(num_points, "num_points", at_least=2)
    d = positive_int(num_features, "num_features", at_least=2)
    margin = positive_float(margin, "margin")
    rng = np.random.default_rng(positive_int(seed, "seed", at_least=0))
    w = _unit_vector(rng, d)
    points = rng.standard_normal((n, d))
    along = points @ w
    across = points - np.outer(along, w)
    across[1] = -across[0]
    beyond = np.abs(along)
    beyond[:2] = 0.0
    signed = np.outer(margin + beyond, w) + across
    y = np.where(rng.standard_normal(n) > 0, 1.0, -1.0)
    y[:2] = 1.0, -1.0
    return Classification(y[:, None] * signed, y)


def separable_direction(num_features: int, seed: int) -> FloatArray:
    """w, (d,), of unit length: the direction of the largest l2 margin of ``separable``."""
    return _unit_vector(np.random.default_rng(seed), num_features)


def _unit_vector(rng: np.random.Generator, size: int) -> FloatArray:
    w = rng.standard_normal(size)
    return w / np.linalg.norm(w)


def _chained(X: FloatArray, correlation: float) -> FloatArray:
    """x_j = c x_{j-1} + sqrt(1 - c^2) g_j, whose correlations are c^|j - k|."""
    fresh = np.sqrt(1.0 - correlation**2)
    for j in range(1, X.shape[1]):
        X[:, j] = correlation * X[:, j - 1] + fresh * X[:, j]
    return X


def _design(
    num_points: int, num_features: int, seed: int
) -> tuple[np.random.Generator, tuple[int, int]]:
    shape = positive_int(num_points, "num_points"), positive_int(num_features, "num_features")
    if shape[0] > shape[1]:
        raise InvalidInputError(
            f"num_points is {shape[0]} and num_features is {shape[1]}; expected num_points <= "
            "num_features, or the targets have no interpolator."
        )
    return np.random.default_rng(positive_int(seed, "seed", at_least=0)), shape
