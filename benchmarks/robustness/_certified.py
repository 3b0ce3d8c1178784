"""``certificate.error`` against the true error."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from benchmarks.robustness._outcome import judge
from benchmarks.robustness._workers import spread

SMALL = 1e-6  # below it the estimate may not be more than FACTOR too small
FACTOR = 10.0
ROUNDING = 1e-15  # a float64 answer is no nearer


def main(arguments: argparse.Namespace) -> int:
    """Collect so many certified answers that have a reference, print and save them."""
    began = time.perf_counter()
    claimed: list[float] = []
    true: list[float] = []
    seeds: list[int] = []

    def more():
        seed = arguments.seed
        while len(true) < arguments.problems:
            yield seed
            seed += 1

    work = spread(judge, more(), (1.0, arguments.patience), arguments.jobs, arguments.patience)
    for seed, record in work:
        if record is None:
            continue
        for estimate, error in zip(record.claimed, record.errors, strict=False):
            if estimate is not None and error is not None:
                claimed.append(estimate)
                true.append(error)
                seeds.append(seed)
    estimates, errors = np.array(claimed), np.array(true)
    if not errors.size:
        print("no answer had both an estimate and a reference")
        return 1
    short = (errors > np.maximum(FACTOR * estimates, ROUNDING)) & (estimates < SMALL)
    print(
        f"{errors.size} answers: true error median {np.median(errors):.1e}, largest "
        f"{errors.max():.1e}; estimate median {np.median(estimates):.1e}, largest "
        f"{estimates.max():.1e}\n{int(short.sum())} estimates below {SMALL:g} are more than "
        f"{FACTOR:g} times too small; {time.perf_counter() - began:.0f} s"
    )
    for index in np.flatnonzero(short)[:40]:
        print(f"seed {seeds[index]}: estimate {claimed[index]:.1e}, true {true[index]:.1e}")
    if arguments.save:
        np.savez(arguments.save, estimate=estimates, error=errors, seed=np.array(seeds))
        print(f"saved {arguments.save}", file=sys.stderr)
    return int(short.any())
