"""A file that one process at a time has locked; the system takes the lock back when it ends."""

from __future__ import annotations

import os
import sys
from typing import IO, Any

FAR = 1 << 30  # which byte Windows locks: it lets nobody else read what is locked

if sys.platform == "win32":

    def try_lock(file: IO[Any]) -> bool:
        """Lock an open file until it is closed; False where another one has it."""
        import msvcrt

        os.lseek(file.fileno(), FAR, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True

else:

    def try_lock(file: IO[Any]) -> bool:
        """Lock an open file until it is closed; False where another one has it.

        Raises
        ------
        OSError
            The file system knows no locks.
        """
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
