"""``certificate.error`` against the true error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from benchmarks.robustness._outcome import Record

SMALL = 1e-6  # below it the estimate may not be more than FACTOR too small
FACTOR = 10.0
ROUNDING = 1e-15  # a float64 answer is no nearer
SHOWN = 20

Pair = tuple[int, float, float]  # seed, estimate, true error


def pairs(records: Iterable[Record]) -> list[Pair]:
    """Of all answers that were checked, in the order of the seeds."""
    return [
        (record.seed, estimate, error)
        for record in sorted(records, key=lambda record: record.seed)
        for estimate, error in zip(record.claimed, record.errors, strict=False)
        if estimate is not None and error is not None
    ]


def too_small(found: list[Pair]) -> list[Pair]:
    """Estimates that promise more than FACTOR times too much."""
    return [
        (seed, estimate, error)
        for seed, estimate, error in found
        if estimate < SMALL and error > max(FACTOR * estimate, ROUNDING)
    ]


def lines(found: list[Pair]) -> Iterator[str]:
    """The comparison in words."""
    if not found:
        yield "no answer had both an estimate of its error and a reference"
        return
    estimates = np.array([estimate for _, estimate, _ in found])
    errors = np.array([error for *_, error in found])
    yield (
        f"estimate against true error, {len(found)} answers: true median {np.median(errors):.1e}, "
        f"largest {errors.max():.1e}; estimate median {np.median(estimates):.1e}, largest "
        f"{estimates.max():.1e}"
    )
    short = too_small(found)
    yield f"{len(short)} estimates below {SMALL:g} are more than {FACTOR:g} times too small"
    for seed, estimate, error in short[:SHOWN]:
        yield f"    seed {seed}: estimate {estimate:.1e}, true {error:.1e}"


def save(found: list[Pair], name: str) -> None:
    """As comma-separated values: seed, estimate, true error."""
    rows = [f"{seed},{estimate:.3g},{error:.3g}" for seed, estimate, error in found]
    Path(name).write_text("\n".join(["seed,estimate,error", *rows]) + "\n")
