"""What every kind of features promises, against NumPy on the array that it stands for.

A new kind is a line in ``helpers.features.KINDS``.
"""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

from helpers.draws import normal
from helpers.features import EXACT, KINDS
from implicitbias import InvalidInputError
from implicitbias.features import Dense, Features, Sparse, as_features, features_of

SHAPES = [(5, 12), (7, 7), (9, 4), (1, 6)]


@pytest.fixture(params=[(kind, shape) for kind in KINDS for shape in SHAPES], ids=str)
def case(request):
    kind, shape = request.param
    features, array = KINDS[kind](*shape)
    assert isinstance(features, Features)
    assert features.shape == array.shape == shape
    return features, array


@pytest.fixture(params=[1 << 20, 7])
def block(request, monkeypatch):
    """One block of columns, and many of one or two."""
    for name in ("BLOCK", "COPIED"):
        monkeypatch.setattr(f"implicitbias.features._base.{name}", request.param)
    for name in ("BLOCK", "GRAM_BLOCK"):
        monkeypatch.setattr(f"implicitbias.features._dense.{name}", request.param)
    if request.param < 8:
        monkeypatch.setattr("implicitbias.features._parts.COPIES", 1 << 40)
        monkeypatch.setattr("implicitbias.features._parts.LEAST", 2)


def close(found, expected, size=None):
    size = np.abs(expected).max(initial=0.0) if size is None else size
    assert np.shape(found) == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * (size + 1e-300))


def upper(matrix):
    return np.triu(matrix)


def test_products(case, block):
    Z, A = case
    n, m = A.shape
    v, V, nu, N = normal(1, m, (m, 3), n, (n, 3))
    close(Z @ v, A @ v)
    close(Z @ V, A @ V)
    close(Z.T @ nu, A.T @ nu)
    close(Z.T @ N, A.T @ N)
    close(nu @ Z, nu @ A)
    close(N.T @ Z, N.T @ A)


def test_products_of_magnitudes(case, block):
    Z, A = case
    v, nu, N = normal(1, A.shape[1], A.shape[0], (A.shape[0], 2))
    close(Z.absolute(v), np.abs(A) @ np.abs(v))
    close(Z.absolute_transposed(nu), np.abs(A).T @ np.abs(nu))
    close(Z.absolute_transposed(N), np.abs(A).T @ np.abs(N))


def test_gram_matrices(case, block):
    Z, A = case
    weights = np.random.default_rng(2).random(A.shape[1])
    weights[0] = 0.0
    gram = Z.gram(weights)
    assert gram.flags.f_contiguous
    close(gram, upper((A * weights) @ A.T))
    rough = Z.rough_gram(weights)
    rough = gram if rough is None else rough  # not every kind has one, nor do small ones
    np.testing.assert_allclose(rough, gram, rtol=1e-4, atol=1e-5 * np.abs(gram).max())
    rows, columns = Z.lengths
    assert (rows >= np.linalg.norm(A, axis=1)).all()
    assert (columns >= np.linalg.norm(A, axis=0)).all()
    close(Z.inner(Z), A @ A.T)
    other = Dense(A[:2] * weights)
    close(Z.inner(other), A @ other.toarray().T)


def test_products_with_both(case, block):
    Z, A = case
    weights, nu, N = normal(3, A.shape[1], len(A), (len(A), 2))
    close(Z.normal(weights, nu), A @ (weights * (A.T @ nu)))
    close(Z.normal(weights, N), A @ (weights[:, None] * (A.T @ N)))


def test_rough_gram_matrices_add_up(case, monkeypatch):
    Z, A = case
    monkeypatch.setattr("implicitbias.features._dense.PAYS_SINGLE", 0)
    found = Z.rough_gram(np.full(A.shape[1], 0.5))
    if found is None:  # not every kind has one
        return
    total = Z.rough_gram(np.full(A.shape[1], 0.25), found)
    np.testing.assert_allclose(total, 0.75 * upper(A @ A.T), rtol=1e-5, atol=1e-5 * A.size)
    assert total.dtype == np.float32


def test_samples_tell_changes(case):
    Z, A = case
    first = Z.sample(16)
    np.testing.assert_array_equal(first, Z.sample(16))
    other = Z.scaled(np.full(len(A), 2.0), None).sample(16)
    assert np.array_equal(first, other) == (not A.any())


def test_sizes(case, block):
    Z, A = case
    close(Z.largest(0), np.abs(A).max(axis=0))
    close(Z.largest(1), np.abs(A).max(axis=1))
    close(Z.column_norms(), np.linalg.norm(A, axis=0))
    close(Z.row_norms(), np.linalg.norm(A, axis=1))
    close(Z.means(), A.mean(axis=0))
    for found, expected in zip(Z.extremes(), (A.min(axis=0), A.max(axis=0)), strict=True):
        close(found, expected)
    assert Z.size == A.size
    assert len(Z) == len(A)


@pytest.mark.parametrize("exponent", [-700, 600])
def test_norms_whose_squares_do_not_fit(case, exponent):
    Z, A = case
    far = Z.scaled(np.full(len(A), np.ldexp(1.0, exponent)), None)
    close(np.ldexp(far.row_norms(), -exponent), np.linalg.norm(A, axis=1))


def test_choices(case):
    Z, A = case
    n, m = A.shape
    mask = np.arange(m) % 2 == 0
    for index in (np.array([m - 1, 0]), mask, slice(1, 3), np.zeros(0, dtype=np.intp)):
        close(Z.columns(index), A[:, index], 1.0)
        close(Z.taken(index).toarray(), A[:, index], 1.0)
    for index in (np.array([n - 1, 0]), slice(0, 1), np.arange(n) > 0):
        close(Z.rows(index).toarray(), A[index], 1.0)
    close(Z.toarray(), A)
    close(Z.dense().toarray(), A)
    close(Z.rows([0]).taken(mask).columns([0]), A[[0]][:, mask][:, [0]], 1.0)


def test_scaling(case):
    Z, A = case
    r, c = normal(3, len(A), A.shape[1])
    close(Z.scaled(r, c).toarray(), A * r[:, None] * c)
    close(Z.scaled(None, c).toarray(), A * c)
    close(Z.scaled(r, None).toarray(), A * r[:, None])
    e, f = np.arange(len(A)) - 2, np.arange(A.shape[1]) % 5
    close(Z.shifted(e).toarray(), np.ldexp(A, e[:, None]))
    close(Z.shifted(e, f).toarray(), np.ldexp(A, e[:, None] + f))


def test_entries(case, block):
    Z, A = case
    found = np.zeros_like(A)
    for i, j, values in Z.entries():
        assert values.all()
        found[i, j] += values
    close(found, A)


def test_other_matrices_made_of_it(case):
    Z, A = case
    n, m = A.shape
    (column,) = normal(4, n)
    close(Z.beside(column).toarray(), np.column_stack([A, column]))
    reference = Z.shortest_row()
    close(Z.differences(0).toarray(), A[1:] - A[0], np.abs(A).max())
    assert 0 <= reference < n
    wide = Z.beside(np.full(n, 2.0))  # a column without a zero
    moved = np.column_stack([A, np.full(n, -1.0)])
    close(wide.less(np.array([m]), np.array([3.0])).toarray(), moved, np.abs(A).max())
    other = A.copy()
    kept = other[:, :2] != 0.0
    other[:, :2] = np.where(kept, 7.0, 0.0)
    close(Z.replaced(np.arange(2), other[:, :2]).toarray(), other)
    up, down = np.arange(0, m, 2), np.arange(1, m, 3)
    signed = Z.signed_columns(up, down)
    signed = signed.toarray() if scipy.sparse.issparse(signed) else signed
    close(signed, np.hstack([A[:, up], -A[:, down]]))


def test_equal_columns(case, block):
    Z, A = case
    m = A.shape[1]
    pairs = np.array([(j, k) for j in range(m) for k in range(m)])
    found = Z.equal_columns(*pairs.T, np.ones(len(pairs)))
    same = (A[:, pairs[:, 0]] == A[:, pairs[:, 1]]).all(axis=0)
    np.testing.assert_array_equal(found, same)


@pytest.mark.parametrize("kind", KINDS)
def test_combined_rows(kind):
    Z, A = KINDS[kind](4, 15)
    Z, A = Z.rows(np.abs(A).sum(axis=1) > 0), A[np.abs(A).sum(axis=1) > 0]
    logs = np.random.default_rng(5).uniform(-60.0, 0.0, 15)
    basis = Z.heaviest_basis(logs)
    assert np.linalg.matrix_rank(A[:, basis]) == len(A)
    found = Z.combined(basis, logs)
    G = found.features.toarray()
    np.testing.assert_array_equal(G[:, basis], np.eye(len(A)))
    exact = np.linalg.solve(A[:, basis], A)
    light = (logs[None, :] > logs[basis][:, None]) & (np.abs(exact) < 1e-10)
    close(np.where(light, 0.0, G), np.where(light, 0.0, exact), np.abs(exact).max() * 1e2)
    heights = 0.5 * logs
    with np.errstate(divide="ignore"):
        expected = np.max(np.log(np.abs(G)) + heights - heights[basis][:, None])
    assert found.features.dominance(heights, basis) == pytest.approx(expected)
    turned = found.features.conjugated(logs, basis).toarray()
    close(turned, G * np.exp(logs - logs[basis][:, None]))
    twice = as_features(np.vstack([A, A[:1]]))
    assert twice.heaviest_basis(logs) is None


@pytest.mark.parametrize("kind", KINDS)
def test_products_beyond_float64(kind):
    """On the very entries where these are the array's own, else to float64's rounding of them."""
    Z, A = KINDS[kind](3, 40)
    x, b = normal(6, 40, 3)
    b = A @ x + 1e-20 * b
    exact = [
        Fraction(t) - sum(Fraction(a) * Fraction(v) for a, v in zip(row, x.tolist(), strict=True))
        for row, t in zip(A.tolist(), b.tolist(), strict=True)
    ]
    size = np.abs(A) @ np.abs(x)
    tolerance = 1e-22 if kind in EXACT else 1e-15
    missed = np.abs(Z.precise.residual(x, b) - np.array(exact, dtype=float))
    assert (missed <= tolerance * size).all()
    c, y = A.T @ b, b
    exact = [
        Fraction(t) - sum(Fraction(a) * Fraction(v) for a, v in zip(row, y.tolist(), strict=True))
        for row, t in zip(A.T.tolist(), c.tolist(), strict=True)
    ]
    size = np.abs(A).T @ np.abs(y) + np.abs(A).max() * np.abs(y).sum()
    missed = np.abs(Z.precise.transposed_residual(y, c) - np.array(exact, dtype=float))
    assert (missed <= tolerance * size).all()


def test_what_users_give():
    array = np.arange(6.0).reshape(2, 3)
    assert features_of(array).given is array
    assert features_of(Dense(array)).given is array
    assert np.shares_memory(np.asarray(features_of(array)), array)
    table = scipy.sparse.csr_array(array)
    assert isinstance(features_of(table), Sparse)
    assert as_features(features_of(table)).given.nnz == table.nnz
    Z = KINDS["Fourier"](2, 3)[0]
    assert features_of(Z) is Z
    assert Z.given is Z
    assert [kind.named for kind in (Z, as_features(table))] == ["given by its products", "sparse"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_finite_is_refused(kind):
    with np.errstate(invalid="ignore"):
        broken = KINDS[kind](3, 4)[0].scaled(np.full(3, np.nan), None)
        with pytest.raises(InvalidInputError, match=r"X contains nan at index \(0, "):
            features_of(broken)
