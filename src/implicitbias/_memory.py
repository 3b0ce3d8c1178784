"""How much memory is there, and what is refused because it is not enough."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from implicitbias._errors import InvalidInputError

ALWAYS = 1 << 28  # bytes that are never asked about
GIB = float(1 << 30)


def available_bytes() -> float:
    """What the system and the limits of this process leave, in bytes; infinite where unknown."""
    left = float("inf")
    with suppress(OSError, IndexError, ValueError):  # of Linux only
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        left = 1024.0 * int(text.split("MemAvailable:")[1].split()[0])
    with suppress(ImportError, OSError, IndexError, ValueError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
            left = min(left, float(limit - pages * resource.getpagesize()))
    return left


def refuse_beyond_memory(needed: float, what: str, instead: str) -> None:
    """Refuse work whose arrays would not fit.

    Raises
    ------
    InvalidInputError
        With both numbers.
    """
    if needed <= ALWAYS:
        return
    left = available_bytes()
    if needed > left:
        raise InvalidInputError(
            f"{what} takes about {needed / GIB:.1f} GiB and {max(left, 0.0) / GIB:.1f} GiB are "
            f"left. {instead}"
        )
