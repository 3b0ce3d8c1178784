"""Singular tuples of tensors by slow and certain routes.

Convention: s u_l = conj(A o (u_1, .., I at l, .., u_L)), A o (..) without conjugation.
"""

from itertools import combinations, product

import numpy as np
from scipy.optimize import brentq


def slope(tensor, vectors, mode):
    """conj(A o (u_1, .., I at mode, .., u_L)) by one einsum over all indices."""
    letters = "abcdefgh"[: tensor.ndim]
    others = [m for m in range(tensor.ndim) if m != mode]
    operands = ",".join([letters, *(letters[m] for m in others)])
    picked = [vectors[m] for m in others]
    return np.einsum(f"{operands}->{letters[mode]}", tensor, *picked).conj()


def residual(tensor, vectors, value):
    defects = [slope(tensor, vectors, m) - value * u for m, u in enumerate(vectors)]
    return max(np.linalg.norm(defect) for defect in defects) / np.linalg.norm(tensor)


def rank_one(vectors):
    """u_1 x .. x u_L, which tells tuples apart."""
    result = np.ones(())
    for vector in vectors:
        result = np.multiply.outer(result, vector)
    return result


def diagonal(entries, order):
    tensor = np.zeros((len(entries),) * order, dtype=np.asarray(entries).dtype)
    for j, entry in enumerate(entries):
        tensor[(j,) * order] = entry
    return tensor


def diagonal_tuples(entries, order):
    """All real tuples (s, vectors), s > 0, of sum_j s_j e_j x .. x e_j, s_j > 0, order >= 3.

    On any support J, |u_{l,j}| = (s / s_j)^{1/(L-2)} for every l, and the signs of the layers
    multiply to 1 at each j: 2^{(L-1)(|J|-1)} tuples, after moving signs between the vectors.
    """
    size = len(entries)
    for count in range(1, size + 1):
        for support in combinations(range(size), count):
            part = np.array([entries[j] for j in support], dtype=float)
            value = np.sum(part ** (-2 / (order - 2))) ** (-(order - 2) / 2)
            sizes = (value / part) ** (1 / (order - 2))
            for free in product((1.0, -1.0), repeat=(order - 1) * (count - 1)):
                signs = np.ones((order, count))
                signs[:-1, 1:] = np.reshape(free, (order - 1, count - 1))
                signs[-1] = signs[:-1].prod(axis=0)
                vectors = np.zeros((order, size))
                vectors[:, support] = signs * sizes
                yield value, list(vectors)


def scanned_tuples(tensor, points=1500):
    """All real tuples of a generic (2, k, m) tensor, by a scan of the first vector's angle.

    At u_1 = (cos t, sin t), (u_2, u_3) must be a singular pair of the matrix A o (u_1, I, I); left
    is one equation in t for each pair, A o (du_1/dt, u_2, u_3) = 0.
    """
    pairs = min(tensor.shape[1:])

    def solve(angle):
        first = np.array([np.cos(angle), np.sin(angle)])
        turned = np.array([-first[1], first[0]])
        left, values, right = np.linalg.svd(np.tensordot(first, tensor, (0, 0)))
        left, right = left[:, :pairs], right[:pairs]
        return first, left, values, right, np.einsum("abc,a,bj,jc->j", tensor, turned, left, right)

    angles = np.linspace(0.1, 0.1 + np.pi, points)
    signs = np.sign([solve(angle)[-1] for angle in angles])
    for start, pair in np.argwhere(signs[:-1] * signs[1:] < 0):
        bracket = angles[start], angles[start + 1]
        angle = brentq(lambda t, j=pair: solve(t)[-1][j], *bracket, xtol=1e-14)
        first, left, values, right, left_over = solve(angle)
        if abs(left_over[pair]) < 1e-9:  # else a jump, where the singular value passes zero
            yield values[pair], [first, left[:, pair], right[pair]]


def ascend(tensor, vectors, step=0.2, steps=20_000):
    """Gradient ascent of Re A o (u_1, .., u_L) on the product of spheres, with fixed steps."""
    vectors = [vector / np.linalg.norm(vector) for vector in vectors]
    scale = np.linalg.norm(tensor)
    for _ in range(steps):
        slopes = [slope(tensor, vectors, m) for m in range(tensor.ndim)]
        value = np.vdot(vectors[0], slopes[0]).real
        if residual(tensor, vectors, value) < 1e-13:
            break
        moved = [u + step * g / scale for u, g in zip(vectors, slopes, strict=True)]
        vectors = [u / np.linalg.norm(u) for u in moved]
    return value, vectors
