"""Combined rows of sparse data, kept sparse.

As in ``_rows``, with B chosen from the heaviest columns a chunk at a time, so that no more than
``CHUNK`` n columns are ever dense. B^{-1} inherits the sparsity of B as far as its columns are
connected, and B^{-1} Z is formed as a sparse product; where that fills up it is given up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import lu_factor, qr
from scipy.sparse import coo_array, csr_array

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.dual._rows import INDEPENDENT, LEVEL, NOISE, Rows

CHUNK = 4  # times n columns compete at a time
YIELDED = 3.0  # log: a column may be chosen before one that is heavier by up to this
MOST_ENTRIES = 1 << 23  # of B^{-1} Z: above, combined rows are refused


def heaviest_sparse_rows(features: Any, log_weights: FloatArray) -> Rows | None:
    """B^{-1} Z for the heaviest independent columns B of a CSR array Z.

    None where Z has dependent rows, or where B^{-1} Z would hold more than ``MOST_ENTRIES``.
    """
    columns = features.tocsc()
    norms = np.sqrt(np.asarray(columns.multiply(columns).sum(axis=0)).ravel())
    with np.errstate(divide="ignore"):
        heights = 0.5 * log_weights + np.log(norms)
    basis = _heaviest_basis(columns, norms, heights)
    if basis is None:
        return None
    square = columns[:, basis].toarray()
    inverse = np.linalg.inv(square)
    inverse[np.abs(inverse) < np.finfo(np.float64).eps * np.abs(inverse).max(axis=0)] = 0.0
    left = csr_array(inverse)
    if _product_size(left, features) > MOST_ENTRIES:
        return None
    combined = _cleaned(left @ features, basis, log_weights)
    return Rows(combined, basis, lu_factor(square), np.abs(inverse))


def _product_size(left: Any, right: Any) -> int:
    """A bound on the entries of left @ right."""
    return int(np.diff(right.indptr)[left.indices].sum())


def _cleaned(combined: Any, basis: IntArray, log_weights: FloatArray) -> Any:
    """The identity on B, and no entries that are only rounding."""
    entries = combined.tocoo()
    i, j = entries.coords
    size = np.abs(entries.data)
    largest = np.zeros(combined.shape[1])
    np.maximum.at(largest, j, size)
    light = log_weights[j] > log_weights[basis][i]
    in_basis = np.zeros(combined.shape[1], dtype=bool)
    in_basis[basis] = True
    kept = ~in_basis[j] & ~(light & (size < NOISE * largest[j]))
    n = basis.size
    return coo_array(
        (
            np.concatenate([entries.data[kept], np.ones(n)]),
            (np.concatenate([i[kept], np.arange(n)]), np.concatenate([j[kept], basis])),
        ),
        shape=combined.shape,
    ).tocsr()


def _heaviest_basis(columns: Any, norms: FloatArray, heights: FloatArray) -> IntArray | None:
    rows = columns.shape[0]
    chosen: list[int] = []
    span = np.zeros((rows, 0))
    left = np.flatnonzero(norms > 0)
    left = left[np.argsort(-heights[left], kind="stable")]
    while len(chosen) < rows:
        if left.size == 0:
            return None
        near = left[: CHUNK * rows]
        near = near[heights[near] > heights[near[0]] - LEVEL]
        next_height = heights[left[near.size]] if near.size < left.size else -np.inf
        unit = columns[:, near].toarray() / norms[near]
        unit -= span @ (span.T @ unit)
        unit -= span @ (span.T @ unit)
        away = np.linalg.norm(unit, axis=0) > INDEPENDENT
        dependent = near[~away]
        near, unit = near[away], unit[:, away]
        if near.size:
            weight = np.exp(heights[near] - heights[near[0]])
            _, triangle, order = qr(unit * weight, mode="economic", pivoting=True)
            reach = np.abs(np.diag(triangle))
            order = order[: reach.size]
            light = reach < np.exp(next_height - heights[near[0]] - YIELDED)
            enough = ~light & (reach >= INDEPENDENT * weight[order])
            enough[0] = True
            count = int(np.argmin(enough)) if not enough.all() else enough.size
            picked = near[order[: min(count, rows - len(chosen))]]
            chosen.extend(int(j) for j in picked)
            span = np.linalg.qr(columns[:, chosen].toarray() / norms[chosen])[0]
            dependent = np.concatenate([dependent, picked])
        left = left[~np.isin(left, dependent)]
    return np.array(chosen)
