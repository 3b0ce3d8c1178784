"""Coordinates that move alike for ever: equal columns, up to sign, from equal starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import BoolArray, FloatArray, IntArray, is_sparse

FEW = 3  # rows that tell most columns apart
BLOCK = 1 << 20  # entries compared at a time


def exact_twins(features: FloatArray, start: FloatArray) -> tuple[IntArray, FloatArray]:
    """Labels, equal where z_j = +-z_k and the layers' sizes agree, bit by bit; and that sign.

    Columns alike in a few rows are hashed whole; those of one hash are compared entry by entry.

    Parameters
    ----------
    features
        Z, (n, m), dense or CSR.
    start
        p_l(0), (L, m).
    """
    columns = features.shape[1]
    labels, signs = np.arange(columns), np.ones(columns)
    alike = _repeated(features)
    if alike.size:
        found, signs[alike] = _labelled(features[:, alike], start[:, alike])
        labels[alike] = columns + found
    return np.unique(labels, return_inverse=True)[1].astype(np.intp), signs


def _repeated(features: Any) -> IntArray:
    """The columns whose magnitudes in the first few rows are those of another."""
    if is_sparse(features):
        return np.arange(features.shape[1])
    _, labels, counts = np.unique(
        _sums(np.abs(features[:FEW])), return_inverse=True, return_counts=True
    )
    return np.flatnonzero(counts[labels] > 1)


def _labelled(features: Any, start: FloatArray) -> tuple[IntArray, FloatArray]:
    signs = _leading_signs(features)
    side = signs * np.prod(np.sign(start), axis=0)
    layers = np.vstack([np.sort(np.abs(start), axis=0), side])
    labels = np.unique(_column_sums(features, signs) + _sums(layers), return_inverse=True)[1]
    first = np.full(labels.size, labels.size)
    np.minimum.at(first, labels, np.arange(labels.size))
    others = np.flatnonzero(first[labels] != np.arange(labels.size))
    if others.size:
        like = first[labels[others]]
        same = (layers[:, like] == layers[:, others]).all(axis=0)
        same &= (_equal_sparse if is_sparse(features) else _equal)(features, signs, like, others)
        labels[others[~same]] += labels.size + others[~same]
    return labels, signs


def _equal(features: FloatArray, signs: FloatArray, first: IntArray, second: IntArray) -> BoolArray:
    """Whether sign_j z_j is the same for pairs of columns, (k,), some at a time."""
    step = max(1, BLOCK // max(1, len(features)))
    parts = [slice(start, start + step) for start in range(0, first.size, step)]
    return np.concatenate(
        [
            np.all(
                features[:, first[part]] * (signs[first] * signs[second])[part]
                == features[:, second[part]],
                axis=0,
            )
            for part in parts
        ]
    )


def _equal_sparse(features: Any, signs: FloatArray, first: IntArray, second: IntArray) -> BoolArray:
    """The same of CSR features: as many entries, in the same places, of the same values."""
    columns = features.tocsc()
    columns.sort_indices()
    count, pairs = np.diff(columns.indptr), np.arange(first.size)
    same = np.asarray(count[first] == count[second])
    first, second, pairs = first[same], second[same], pairs[same]
    sizes = count[first]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    one, other = (np.repeat(columns.indptr[each], sizes) + within for each in (first, second))
    sign = np.repeat(signs[first] * signs[second], sizes)
    apart = columns.indices[one] != columns.indices[other]
    apart |= columns.data[one] * sign != columns.data[other]
    same[np.repeat(pairs, sizes)[apart]] = False
    return same


def _odd(count: int) -> Any:
    return np.random.default_rng(0).integers(0, 2**63, count, dtype=np.uint64) * 2 + 1


def _mixed(values: FloatArray) -> Any:
    """The bits of floats, spread over 64 bits (the finaliser of SplitMix64)."""
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)  # -0.0 + 0.0 is 0.0
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _sums(rows: FloatArray) -> Any:
    return (_mixed(rows) * _odd(len(rows))[:, None]).sum(axis=0)


def _leading_signs(features: Any) -> FloatArray:
    """The sign of the first entry of each column that is not 0; 1 without any."""
    if is_sparse(features):
        columns = features.tocsc()
        columns.sort_indices()
        signs = np.ones(features.shape[1])
        filled = np.diff(columns.indptr) > 0
        signs[filled] = np.sign(columns.data[columns.indptr[:-1][filled]])
    elif not features.size:
        return np.ones(features.shape[1])
    else:
        first = np.argmax(features != 0.0, axis=0)
        signs = np.sign(features[first, np.arange(features.shape[1])])
    return np.where(signs == 0.0, 1.0, signs)


def _column_sums(features: Any, signs: FloatArray) -> Any:
    if not is_sparse(features):
        return _sums(features * signs)
    rows = np.repeat(_odd(features.shape[0]), np.diff(features.indptr))
    total = np.zeros(features.shape[1], dtype=np.uint64)
    np.add.at(total, features.indices, _mixed(features.data * signs[features.indices]) * rows)
    return total
