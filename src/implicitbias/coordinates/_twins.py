"""Coordinates that move alike for ever: equal columns, up to sign, from equal starts."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from implicitbias._arrays import FloatArray, IntArray
from implicitbias.features import Features, as_features

FEW = 3  # rows that tell most columns apart
_KNOWN: WeakKeyDictionary[Features, IntArray] = WeakKeyDictionary()  # data meet many starts


def exact_twins(
    features: Features | FloatArray, start: FloatArray, *, mirrored: bool = False
) -> tuple[IntArray, FloatArray]:
    """Labels, equal where z_j = +-z_k and the layers' sizes agree, bit by bit; and that sign.

    Columns alike in a few rows are hashed whole; those of one hash are compared entry by entry.

    Parameters
    ----------
    features
        Z, (n, m).
    start
        p_l(0), (L, m).
    mirrored
        Whether the layers are u and v with rho = u^D - v^D, which trade places with the sign.
    """
    features = as_features(features)
    columns = features.shape[1]
    labels, signs = np.arange(columns), np.ones(columns)
    alike = _repeated(features)
    if not alike.size:
        return labels, signs
    found, signs[alike] = _labelled(features.taken(alike), start[:, alike], mirrored)
    labels[alike] = columns + found
    return np.unique(labels, return_inverse=True)[1].astype(np.intp), signs


def _repeated(features: Features) -> IntArray:
    """The columns whose magnitudes in the first few rows are those of another."""
    if features.is_sparse:  # columns without an entry there
        return np.arange(features.shape[1])
    if features not in _KNOWN:
        first = np.abs(features.rows(slice(FEW)).toarray())
        _, labels, counts = np.unique(_sums(first), return_inverse=True, return_counts=True)
        _KNOWN[features] = np.flatnonzero(counts[labels] > 1)
    return _KNOWN[features]


def _labelled(features: Features, start: FloatArray, mirrored: bool) -> tuple[IntArray, FloatArray]:
    signs, sizes = _leading_signs(features), np.abs(start)
    side = signs * np.prod(np.sign(start), axis=0)
    layers = np.vstack([np.sort(sizes, axis=0), side])
    if mirrored:
        layers = np.where(signs > 0.0, sizes, sizes[::-1])
    labels = np.unique(_column_sums(features, signs) + _sums(layers), return_inverse=True)[1]
    first = np.full(labels.size, labels.size)
    np.minimum.at(first, labels, np.arange(labels.size))
    others = np.flatnonzero(first[labels] != np.arange(labels.size))
    if others.size:
        like = first[labels[others]]
        same = (layers[:, like] == layers[:, others]).all(axis=0)
        same &= features.equal_columns(like, others, signs[like] * signs[others])
        labels[others[~same]] += labels.size + others[~same]
    return labels, signs


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


def _leading_signs(features: Features) -> FloatArray:
    """The sign of the first entry of each column that is not 0; 1 without any."""
    signs = np.zeros(features.shape[1])
    for _, j, values in features.entries():  # by rows
        columns, first = np.unique(j, return_index=True)
        unset = signs[columns] == 0.0
        signs[columns[unset]] = np.sign(values[first[unset]])
    return np.where(signs == 0.0, 1.0, signs)


def _column_sums(features: Features, signs: FloatArray) -> Any:
    """What hashing whole columns times their signs gives, but for what zeros add to all alike."""
    rows = _odd(features.shape[0])
    total = np.zeros(features.shape[1], dtype=np.uint64)
    for i, j, values in features.entries():
        np.add.at(total, j, _mixed(values * signs[j]) * rows[i])
    return total
