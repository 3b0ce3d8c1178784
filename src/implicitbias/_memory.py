"""How much memory is there, and what is refused because it is not enough."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from implicitbias._errors import InvalidInputError

ALWAYS = 1 << 28  # bytes that are never asked about
GIB = float(1 << 30)
GROUPS = Path("/sys/fs/cgroup")
OF_THIS_PROCESS = Path("/proc/self/cgroup")


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
    with suppress(OSError):
        left = min([left, *_left_in_groups()])
    return left


def _left_in_groups() -> Iterator[float]:
    """What every control group around this process leaves: limits of containers and of jobs.

    Cached files that nobody has asked for lately count as free, as in MemAvailable.
    """
    for line in OF_THIS_PROCESS.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = GROUPS / controllers
        names = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
            if controllers
            else ("memory.max", "memory.current", "inactive_file ")
        )
        inside = root / path.strip("/")
        for group in (inside, *inside.parents):
            if not group.is_relative_to(root):
                break
            with suppress(OSError, IndexError, ValueError):  # "max", and the group of all
                limit, used = (
                    int((group / name).read_text(encoding="ascii")) for name in names[:2]
                )
                kept = (group / "memory.stat").read_text(encoding="ascii").split("\n" + names[2])[1]
                yield float(limit - used + int(kept.split()[0]))


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
