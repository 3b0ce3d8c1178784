"""Named problems: the numbers they promise, against scikit-learn's raw data."""

from itertools import combinations_with_replacement

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from implicitbias import datasets
from implicitbias._errors import InfeasibleProblemError, InvalidInputError
from reference import max_margin


def test_diabetes_has_all_monomials_of_the_first_patients():
    raw = load_diabetes()
    problem = datasets.diabetes()
    assert problem.X.shape == (100, 285)
    assert problem.rank == 100
    np.testing.assert_array_equal(problem.y, raw.target[:100])
    monomials = [
        np.prod(raw.data[:100][:, choice], axis=1)
        for degree in (1, 2, 3)
        for choice in map(list, combinations_with_replacement(range(10), degree))
    ]
    np.testing.assert_allclose(problem.X, np.array(monomials).T, rtol=1e-13, atol=0)


@pytest.mark.parametrize(("degree", "features"), [(1, 10), (2, 65), (4, 1000)])
def test_diabetes_degrees(degree, features):
    assert datasets.diabetes(degree, 5).X.shape == (5, features)
    assert len(datasets.diabetes_names(degree)) == features


def test_diabetes_names_belong_to_their_columns():
    names, problem = datasets.diabetes_names(), datasets.diabetes()
    column = {name: problem.X[:, j] for j, name in enumerate(names)}
    np.testing.assert_allclose(column["bmi² s5"], column["bmi"] ** 2 * column["s5"], rtol=1e-13)


def test_even_digits_are_the_real_part_of_the_spectrum():
    problem = datasets.digits_even()
    spectrum = np.fft.fft(problem.X)
    assert np.abs(spectrum.imag).max() < 1e-12 * np.abs(spectrum).max()
    np.testing.assert_allclose(
        spectrum.real, np.fft.fft(load_digits().data[:20]).real, rtol=0, atol=1e-11
    )
    np.testing.assert_array_equal(problem.y, load_digits().target[:20])


@pytest.mark.parametrize("build", [lambda: datasets.digits_even(28), lambda: datasets.digits(51)])
def test_ranks_that_the_docstrings_state(build):
    problem = build()
    assert problem.rank == problem.num_points


def test_condition_number_that_the_docstring_states():
    values = np.linalg.svd(datasets.digits_even().X, compute_uv=False)[:20]
    assert round(values[0] / values[-1]) == 120


@pytest.mark.parametrize("build", [lambda: datasets.digits_even(29), lambda: datasets.digits(52)])
def test_one_point_more_cannot_be_interpolated(build):
    with pytest.raises(InfeasibleProblemError, match="is a combination of others"):
        build()


def test_synthetic_designs_repeat_and_differ_by_seed():
    first, again, other = (datasets.gaussian(4, 7, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.X, again.X)
    np.testing.assert_array_equal(first.y, again.y)
    assert np.abs(first.X - other.X).min() > 0


def test_sparse_design_has_the_coefficients_it_states():
    exact = datasets.sparse(30, 40, 4, seed=3)
    noisy = datasets.sparse(30, 40, 4, seed=3, noise=0.5)
    np.testing.assert_allclose(exact.y, exact.X[:, :4].sum(axis=1) / 2, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(exact.X, noisy.X)
    assert 0.3 < np.std(noisy.y - exact.y) < 0.8


def test_correlated_designs_have_chained_correlations():
    X = datasets.sparse(400, 400, 1, seed=0, correlation=0.8).X
    lagged = [np.mean(X[:, : 400 - lag] * X[:, lag:]) for lag in (0, 1, 2)]
    np.testing.assert_allclose(lagged, [1, 0.8, 0.64], atol=0.02)


def test_even_signals_are_even_and_may_be_made_of_few_frequencies():
    problem = datasets.even_signals(5, 16, 0, num_frequencies=2)
    np.testing.assert_array_equal(problem.X, problem.X[:, -np.arange(16)])
    wave = 1 + np.cos(2 * np.pi * np.arange(16) / 16)
    np.testing.assert_allclose(problem.y, problem.X @ wave, rtol=1e-13, atol=1e-13)
    assert datasets.even_signals(9, 16, 0).rank == 9


@pytest.mark.parametrize("shape", [(15, 8), (6, 30)])
@pytest.mark.parametrize("margin", [0.3, 10.0])
def test_separable_sets_have_the_margin_they_state(shape, margin):
    problem = datasets.separable(*shape, margin, seed=0)
    norm, _ = max_margin.l2(problem.y[:, None] * problem.X)
    np.testing.assert_allclose(1 / norm, margin, rtol=1e-6)


def test_load_by_name():
    np.testing.assert_array_equal(datasets.load("diabetes").X, datasets.diabetes().X)
    assert datasets.load("iris", degree=2).X.shape == (150, 4 + 10 + 1)
    assert datasets.load("wine", degree=2).X.shape == (178, 13 + 91 + 1)
    for name in datasets.BY_NAME:
        assert f"of {datasets.load(name).num_points} points" in datasets.load(name).describe()


def test_descriptions():
    text = datasets.diabetes().describe()
    assert "Regression of 100 points on 285 features" in text
    assert "rank 100: interpolators form a space of dimension 185" in text
    assert "condition number of the independent rows 7.87e+03" in text
    text = datasets.iris_setosa().describe()
    assert "100 of class -1.0 as -1, 50 of class 1.0 as +1" in text
    assert "holds: the classes are linearly separable" in text


def test_digit_pairs_are_the_images_of_two_digits():
    raw = load_digits()
    problem = datasets.digits_pair(8, 3)
    kept = np.isin(raw.target, (3, 8))
    np.testing.assert_array_equal(problem.X, raw.data[kept] / 16)
    np.testing.assert_array_equal(problem.y, np.where(raw.target[kept] == 3, 1, -1))
    np.testing.assert_array_equal(datasets.digits_pair(8, 3, 20).X, problem.X[:20])


def test_wine_is_spread_over_the_cultivars_and_standardised():
    raw = load_wine()
    whole, part = datasets.wine(1), datasets.wine(1, 60)
    np.testing.assert_allclose(whole.X[:, :13].mean(axis=0), 0, atol=1e-13)
    np.testing.assert_allclose(whole.X[:, :13].std(axis=0), 1, rtol=1e-13)
    np.testing.assert_array_equal(whole.X[:, 13], 1)
    np.testing.assert_array_equal(whole.y, np.where(raw.target == 1, 1, -1))
    rows = [int(np.flatnonzero((x == whole.X).all(axis=1))[0]) for x in part.X]
    assert sorted(set(rows)) == rows
    assert np.diff(rows).max() <= 3


@pytest.mark.parametrize(
    "build",
    [
        datasets.iris_setosa,
        datasets.breast_cancer,
        *(lambda c=c: datasets.wine(c) for c in range(3)),
        lambda: datasets.digits_pair(3, 8),
        lambda: datasets.digits_pair(1, 7),
    ],
)
def test_classes_are_separable(build):
    assert build().separability().verdict.holds


def test_breast_cancer_has_the_shape_and_labels_it_states():
    problem = datasets.breast_cancer()
    assert problem.X.shape == (569, 31)
    np.testing.assert_array_equal(problem.y, 2 * load_breast_cancer().target - 1)


REFUSED = {
    "one digit": (lambda: datasets.digits_pair(3, 3), "first and second are 3 and 3; expected two"),
    "no digit": (lambda: datasets.digits_pair(3, 10), "expected two different digits"),
    "few images": (lambda: datasets.digits_pair(3, 8, 400), "num_points is 400; the data set has"),
    "cultivar": (lambda: datasets.wine(3), "cultivar is 3; expected 0, 1 or 2"),
    "wines": (lambda: datasets.wine(0, 179), "num_points is 179; the data set has 178"),
    "diabetes points": (lambda: datasets.diabetes(3, 443), "num_points is 443; the data set has"),
    "diabetes degree": (lambda: datasets.diabetes(0), "degree is 0; expected a whole number"),
    "digits points": (lambda: datasets.digits(0), "num_points is 0; expected a whole number"),
    "wide": (lambda: datasets.gaussian(5, 4, 0), "expected num_points <= num_features"),
    "name": (lambda: datasets.load("mnist"), "name is 'mnist'; expected one of diabetes, digits"),
    "correlation": (lambda: datasets.sparse(2, 4, 1, 0, correlation=1), "expected a number in"),
    "even": (lambda: datasets.even_signals(6, 8, 0), "span only 5 dimensions"),
    "frequencies": (
        lambda: datasets.even_signals(2, 8, 0, num_frequencies=6),
        "signals of length 8 have 5 frequencies",
    ),
    "margin": (lambda: datasets.separable(4, 4, 0.0, 0), "margin is 0; expected a finite"),
    "seed": (lambda: datasets.gaussian(2, 4, -1), "seed is -1; expected a whole number >= 0"),
    "nonzero": (lambda: datasets.sparse(2, 4, 5, 0), "num_nonzero is 5; expected at most"),
    "noise": (lambda: datasets.sparse(2, 4, 1, 0, noise=-1), "noise is -1; expected a finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_are_named(case):
    build, text = REFUSED[case]
    with pytest.raises(InvalidInputError, match=text):
        build()
