"""How many threads linear algebra may use."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits

SINGLE_THREAD = 1 << 20  # entries of X up to which several BLAS threads only wait for each other


def threads_for(size: int) -> AbstractContextManager[object]:
    """One BLAS thread for data of up to 2^20 entries, all of them above.

    With a busy core, small matrices run 10 to 30 times slower on several threads.
    """
    limits: AbstractContextManager[object] = threadpool_limits(
        limits=1 if size <= SINGLE_THREAD else None, user_api="blas"
    )
    return limits
