"""Networks by explicit loops over the index formulas of their data tensors.

A data tensor is one array of shape (k_1, ..., k_L, d): its slice [..., e] is M(e). Slow, dense,
for tiny sizes. Matrix layers are flattened row-major.
"""

from itertools import pairwise, product

import numpy as np


def diagonal(num_features, depth):
    tensor = np.zeros((num_features,) * (depth + 1))
    for j in range(num_features):
        tensor[(j,) * (depth + 1)] = 1.0
    return tensor


def convolutional(num_features, filter_sizes):
    tensor = np.zeros((*filter_sizes, num_features))
    for index in product(*map(range, filter_sizes)):
        tensor[(*index, sum(index) % num_features)] = 1.0
    return tensor


def fully_connected(widths):
    """x_{a_1} [b_1 = a_2] ... [b_{L-1} = j_L], layer l < L indexed by a_l * d_{l+1} + b_l."""
    pairs = list(pairwise(widths))
    tensor = np.zeros((*(a * b for a, b in pairs), widths[-1], widths[0]))
    for path in product(*map(range, widths)):
        index = tuple(path[i] * b + path[i + 1] for i, (_, b) in enumerate(pairs))
        tensor[(*index, path[-1], path[0])] = 1.0
    return tensor


def group_convolutional(table, depth):
    """x at the product of all indices."""
    order = len(table)
    tensor = np.zeros((order,) * (depth + 1))
    for index in product(range(order), repeat=depth):
        result = index[0]
        for factor in index[1:]:
            result = int(table[result][factor])
        tensor[(*index, result)] = 1.0
    return tensor


def orthogonal(S, bases):
    shape = tuple(len(basis) for basis in bases)
    tensor = np.zeros((*shape, S.shape[1]), dtype=complex)
    for *index, e in product(*map(range, tensor.shape)):
        for j in range(len(S)):
            term = S[j, e]
            for i, basis in zip(index, bases, strict=True):
                term = term * basis[i, j]
            tensor[(*index, e)] += term
    return tensor


def contract(tensor, vectors):
    """Sum over all modes whose entry in ``vectors`` is not None."""
    kept = [mode for mode, vector in enumerate(vectors) if vector is None]
    result = np.zeros(tuple(tensor.shape[mode] for mode in kept), dtype=tensor.dtype)
    for index in map(tuple, np.argwhere(tensor)):
        term = tensor[index]
        for i, vector in zip(index, vectors, strict=True):
            if vector is not None:
                term = term * vector[i]
        result[tuple(index[mode] for mode in kept)] += term
    return result


def coefficients(tensor, layers):
    return contract(tensor, [*map(np.ravel, layers), None])


def gradients(tensor, layers, direction):
    flat = [*map(np.ravel, layers)]
    return [
        contract(tensor, [*flat[:index], None, *flat[index + 1 :], direction])
        for index in range(len(flat))
    ]


def forward(tensor, layers, x, phi):
    """H_1 = phi(M(x) o (v_1, I, ..)), H_l = phi(H_{l-1} o (v_l, I, ..)), f = H_{L-1} o v_L."""
    flat = [*map(np.ravel, layers)]
    hidden = contract(tensor, [None] * len(flat) + [x])
    for vector in flat[:-1]:
        hidden = phi(contract(hidden, [vector] + [None] * (hidden.ndim - 1)))
    return contract(hidden, [flat[-1]])[()]
