"""Coordinates that move alike for ever: equal columns, up to sign, from equal starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, is_sparse


def exact_twins(features: FloatArray, start: FloatArray) -> tuple[IntArray, FloatArray]:
    """Labels, equal where z_j = +-z_k and the layers' sizes agree, bit by bit; and that sign.

    Columns are compared by a sum of their bits, each row's times an odd number, modulo 2^64.

    Parameters
    ----------
    features
        Z, (n, m), dense or CSR.
    start
        p_l(0), (L, m).
    """
    signs = _leading_signs(features)
    side = signs * np.prod(np.sign(start), axis=0)
    sizes = np.sort(np.abs(start), axis=0)
    keys = _column_sums(features, signs) + _sums(np.vstack([sizes, side]))
    labels = np.unique(keys, return_inverse=True)[1]
    return np.asarray(labels, dtype=np.intp), signs


def _odd(count: int) -> Any:
    return np.random.default_rng(0).integers(0, 2**63, count, dtype=np.uint64) * 2 + 1


def _sums(rows: FloatArray) -> Any:
    bits = np.ascontiguousarray(rows + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
    return (bits * _odd(len(rows))[:, None]).sum(axis=0)


def _leading_signs(features: Any) -> FloatArray:
    """The sign of the first entry of each column that is not 0; 1 without any."""
    if is_sparse(features):
        columns = features.tocsc()
        columns.sort_indices()
        signs = np.ones(features.shape[1])
        filled = np.diff(columns.indptr) > 0
        signs[filled] = np.sign(columns.data[columns.indptr[:-1][filled]])
    else:
        first = np.argmax(features != 0.0, axis=0)
        signs = np.sign(features[first, np.arange(features.shape[1])])
    return np.where(signs == 0.0, 1.0, signs)


def _column_sums(features: Any, signs: FloatArray) -> Any:
    if not is_sparse(features):
        return _sums(features * signs)
    bits = (features.data * signs[features.indices] + 0.0).view(np.uint64)
    rows = np.repeat(_odd(features.shape[0]), np.diff(features.indptr))
    total = np.zeros(features.shape[1], dtype=np.uint64)
    np.add.at(total, features.indices, bits * rows)
    return total
