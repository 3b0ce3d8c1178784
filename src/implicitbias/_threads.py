"""How many threads linear algebra may use."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController

SINGLE_THREAD = 1 << 20  # entries of X up to which several BLAS threads only wait for each other


@contextmanager
def threads_for(size: int) -> Iterator[None]:
    """One BLAS thread for data of up to 2^20 entries, all of them above.

    With a busy core, small matrices run 10 to 30 times slower on several threads. The number is the
    whole process's: the first to ask for one thread saves what there was, the last to be done
    restores it, in whatever threads and order they are.
    """
    if size > SINGLE_THREAD:
        yield
        return
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _SharedLimit:
    """One BLAS thread as long as anybody needs it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a fork or a signal may come back here in the same thread
        self.holders: dict[int, int] = {}  # how often each thread is inside
        self.saved: Any = None

    def enter(self) -> None:
        with self.lock:
            if self.saved is None:
                self.saved = _libraries().limit(limits=1, user_api="blas")
            here = threading.get_ident()
            self.holders[here] = self.holders.get(here, 0) + 1

    def leave(self) -> None:
        with self.lock:
            here = threading.get_ident()
            self.holders[here] -= 1
            if not self.holders[here]:
                del self.holders[here]
            self.restore_if_free()

    def restore_if_free(self) -> None:
        if not self.holders and self.saved is not None:
            self.saved.restore_original_limits()
            self.saved = None

    def after_fork_in_child(self) -> None:
        """Of all threads only the one that forked lives on: nobody else will leave."""
        here = threading.get_ident()
        self.holders = {thread: n for thread, n in self.holders.items() if thread == here}
        self.restore_if_free()
        self.lock.release()


_limit = _SharedLimit()
if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(
        before=_limit.lock.acquire,
        after_in_parent=_limit.lock.release,
        after_in_child=_limit.after_fork_in_child,
    )


@cache
def _libraries() -> ThreadpoolController:
    """The loaded libraries: looking for them costs a millisecond, more than a small limit."""
    import scipy.linalg  # noqa: F401  (its own BLAS must be among them)

    return ThreadpoolController()
