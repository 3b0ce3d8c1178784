"""Which Newton systems are factored and which are solved by iteration, and what both take."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from implicitbias._memory import available_bytes
from implicitbias.features._base import Features

MOST_ALWAYS = 4000  # rows up to which a Gram matrix is factored in any case
GRAMS, COMBINED = 3, 16  # n x n arrays that exist at a time: for factors, for combined rows
VECTORS = 60  # of as many numbers as there are features
_ITERATED: WeakKeyDictionary[Features, bool] = WeakKeyDictionary()  # as decided at first


def is_large(features: Features) -> bool:
    """Whether n x n arrays are made only where nothing else helps."""
    return features.shape[0] > MOST_ALWAYS


def is_iterated(features: Features) -> bool:
    """Whether Z D Z^T is applied instead of factored: large and sparse, or too large to hold.

    Decided once: what a limit has made of the memory by then is its own.
    """
    if not is_large(features):
        return False
    if features not in _ITERATED:
        _ITERATED[features] = features.is_sparse or not _fits(features)
    return _ITERATED[features]


def _fits(features: Features) -> bool:
    """Whether there is memory for factors."""
    return GRAMS * 8.0 * features.shape[0] ** 2 <= available_bytes()


def may_combine(features: Features) -> bool:
    """Whether rows of so many points can be combined in memory."""
    return not is_large(features) or COMBINED * 8.0 * features.shape[0] ** 2 <= available_bytes()


def factor_instead(features: Features) -> None:
    """Factor from now on, if that fits: an iteration did not converge."""
    _ITERATED[features] = not _fits(features)


def limit_bytes(features: Features) -> float:
    """About what a limit takes beside the data, in bytes."""
    n, m = features.shape
    grams = 0 if is_iterated(features) else GRAMS * n
    return 8.0 * (grams * n + VECTORS * (n + m))
