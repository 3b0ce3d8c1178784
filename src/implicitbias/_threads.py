"""How many threads linear algebra may use."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController

SINGLE_THREAD = 1 << 20  # entries of X up to which several BLAS threads only wait for each other


def threads_for(size: int) -> AbstractContextManager[object]:
    """One BLAS thread for data of up to 2^20 entries, all of them above.

    With a busy core, small matrices run 10 to 30 times slower on several threads.
    """
    limits: AbstractContextManager[object] = _libraries().limit(
        limits=1 if size <= SINGLE_THREAD else None, user_api="blas"
    )
    return limits


@cache
def _libraries() -> ThreadpoolController:
    """The loaded libraries: looking for them costs a millisecond, more than a small limit."""
    import scipy.linalg  # noqa: F401  (its own BLAS must be among them)

    return ThreadpoolController()
