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
    whole process's, and some libraries let only the thread that changed it change it back: so one
    thread at a time holds the limit, from its first call to the end of that, and the others rely on
    it.
    """
    holds = size <= SINGLE_THREAD and _limit.take()
    try:
        yield
    finally:
        if holds:
            _limit.release()


class _Limit:
    """One BLAS thread, as long as the thread that asked first needs it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # a fork may come from a signal in the same thread
        self.holder: int | None = None
        self.saved: Any = None

    def take(self) -> bool:
        """Limit the libraries, unless somebody does already."""
        with self.lock:
            if self.holder is not None:
                return False
            self.saved = _libraries().limit(limits=1, user_api="blas")
            self.saved.__enter__()
            self.holder = threading.get_ident()
            return True

    def release(self) -> None:
        """Restore what ``take`` found."""
        with self.lock:
            self.saved.__exit__(None, None, None)
            self.holder = None

    def after_fork_in_child(self) -> None:
        """Of all threads only the one that forked lives on: no other will release."""
        if self.holder not in (None, threading.get_ident()):
            self.saved.__enter__()
            self.release()
        self.lock.release()


_limit = _Limit()
if hasattr(os, "register_at_fork"):  # Windows has no fork
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
