"""Separable problems, real and synthetic, as constraint rows y_i x_i^T."""

import numpy as np
from sklearn import datasets


def separable(rng, n, d):
    """Random rows with a positive margin in some direction."""
    A = rng.normal(size=(n, d))
    return A * np.sign(A @ rng.normal(size=d))[:, None]


def _standardised_with_bias(X):
    return np.column_stack([(X - X.mean(axis=0)) / X.std(axis=0), np.ones(len(X))])


def digits(first, second):
    """Two digits of scikit-learn's digits, pixels divided by 16."""
    X, y = datasets.load_digits(return_X_y=True)
    kept = np.isin(y, (first, second))
    return X[kept] / 16 * np.where(y[kept] == first, 1.0, -1.0)[:, None]


def digit_against_rest(digit):
    X, y = datasets.load_digits(return_X_y=True)
    return X / 16 * np.where(y == digit, 1.0, -1.0)[:, None]


def wine(label):
    X, y = datasets.load_wine(return_X_y=True)
    return _standardised_with_bias(X) * np.where(y == label, 1.0, -1.0)[:, None]


def iris(label):
    X, y = datasets.load_iris(return_X_y=True)
    return np.column_stack([X, np.ones(len(X))]) * np.where(y == label, 1.0, -1.0)[:, None]


def breast_cancer():
    """The hard one: a margin of 0.0014."""
    X, y = datasets.load_breast_cancer(return_X_y=True)
    return _standardised_with_bias(X) * (2.0 * y - 1)[:, None]


REAL = {
    "digits 3/8": lambda: digits(3, 8),
    "digits 1/7": lambda: digits(1, 7),
    "digits 8/9": lambda: digits(8, 9),
    "wine 0": lambda: wine(0),
    "wine 1": lambda: wine(1),
    "wine 2": lambda: wine(2),
    "iris setosa": lambda: iris(0),
    "breast cancer": breast_cancer,
}


def fourier(d, depth=2):
    """S of the full-length circular convolution: d^{(L-1)/2} times the unitary DFT."""
    return d ** ((depth - 1) / 2) * np.fft.fft(np.eye(d)) / np.sqrt(d)
