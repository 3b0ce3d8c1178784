"""Sweeps: what kills cost, and what keeping results costs.

    python -m benchmarks.sweeps kills [--tasks 5000] [--kills 10] [--workers 2] [--seed 0]
    python -m benchmarks.sweeps speed [--tasks 2000] [--workers 1 2]

``kills`` ends a sweep by SIGKILL at random moments, goes on with it, and holds its table against
that of a sweep nobody disturbed: bytes against bytes. ``speed`` counts tasks a second against a
plain loop over the same predictions, which keeps nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from threadpoolctl import threadpool_limits

import implicitbias as ib

SCALES = 25
RUN = """
import sys, json, implicitbias as ib
plan, out, workers = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
ib.sweep(plan, out, workers=workers)
"""


def plan_of(tasks: int) -> dict[str, object]:
    """Predictions on 4 x 8: two depths, 25 scales, and as many draws as it takes."""
    return {
        "verb": "predict",
        "data": {
            "name": "sparse",
            "num_points": 4,
            "num_features": 8,
            "num_nonzero": 2,
            "seed": {"range": tasks // (2 * SCALES)},
        },
        "network": {"name": "diagonal", "depth": [2, 3]},
        "start": {"scale": {"geomspace": [1e-4, 1.0, SCALES]}},
    }


def recorded(folder: Path) -> list[int]:
    """The tasks in the files of results."""
    files = sorted((folder / "results").glob("[0-9]*.jsonl"))
    return [json.loads(line)["task"] for file in files for line in file.read_bytes().splitlines()]


def first_file(process: subprocess.Popen[bytes], folder: Path) -> float:
    """Wait until a process has written a file of results; give the time."""
    before = set((folder / "results").glob("[0-9]*.jsonl"))
    while process.poll() is None and set((folder / "results").glob("[0-9]*.jsonl")) == before:
        time.sleep(0.01)
    return time.perf_counter()


def kills(tasks: int, times: int, workers: int, seed: int) -> None:
    """Kill, go on, compare."""
    plan, rng = plan_of(tasks), random.Random(seed)
    with TemporaryDirectory() as scratch:
        calm, killed = Path(scratch) / "calm", Path(scratch) / "killed"
        command = [sys.executable, "-c", RUN, json.dumps(plan)]
        process = subprocess.Popen([*command, str(calm), str(workers)])
        began = first_file(process, calm)
        process.wait()
        took = time.perf_counter() - began
        print(f"undisturbed: {tasks} tasks in {took:.1f} s with {workers} workers")
        for each in range(times):
            before = len(recorded(killed))
            process = subprocess.Popen([*command, str(killed), str(workers)])
            first_file(process, killed)
            left = took * (1.0 - before / tasks)
            moment = rng.uniform(0.0, 1.6 * left / (times - each + 1))
            with suppress(subprocess.TimeoutExpired):
                process.wait(moment)
            process.kill()
            process.wait()
            found = recorded(killed)
            print(
                f"kill {each + 1}, {moment:.2f} s after its first file: {before} -> {len(found)} "
                f"tasks (signal {-process.returncode})"
            )
        subprocess.run([*command, str(killed), str(workers)], check=True)
        found = recorded(killed)
        twice = [task for task, count in Counter(found).items() if count > 1]
        print(f"finished: {len(found)} records of {tasks} tasks, {len(twice)} run twice")
        for name in ("results.csv", "results.parquet"):
            same = (calm / name).read_bytes() == (killed / name).read_bytes()
            print(f"{name}: {'identical' if same else 'DIFFERENT'}")


def loop(plan: dict[str, object]) -> float:
    """CPU seconds of the same predictions in a plain loop."""
    data, scales = plan["data"], np.geomspace(1e-4, 1.0, SCALES)
    assert isinstance(data, dict)
    began = time.process_time()
    with threadpool_limits(limits=1, user_api="blas"):
        for seed in range(data["seed"]["range"]):
            problem = ib.datasets.sparse(4, 8, 2, seed)
            for depth in (2, 3):
                network = ib.DiagonalNetwork(8, depth)
                for scale in scales:
                    start = ib.Initialization.last_layer_zero(network, np.ones(8), scale=scale)
                    ib.predict_limit(network, problem, start)
    return time.process_time() - began


def swept(plan: dict[str, object], workers: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Seconds of the tasks alone, and of the table and figures after them."""
    marks: list[float] = []

    def mark(state: ib.SweepState) -> None:
        if state.done in (0, state.total):
            marks.append(clock())

    with TemporaryDirectory() as scratch:
        ib.sweep(plan, scratch, workers=workers, callback=mark)
    first, last = marks
    return last - first, clock() - last


def turn(tasks: int) -> tuple[float, float, float]:
    """CPU seconds of the loop, of the sweep's tasks, and of its table and figures."""
    plan = plan_of(tasks)
    return (loop(plan), *swept(plan, 1, time.process_time))


def speed(tasks: int, workers: list[int]) -> None:
    """Tasks a CPU second in this process, and a second of wall time with workers."""
    plan = plan_of(tasks)
    turn(200)
    ratios = []
    for _ in range(5):
        plain, ours, after = turn(tasks)
        ratios.append(ours / plain)
        print(
            f"plain loop {tasks / plain:.0f}, sweep {tasks / ours:.0f} tasks a CPU second: "
            f"ratio {ours / plain:.3f}; table and figures {after:.2f} s once"
        )
    print(f"median ratio {sorted(ratios)[2]:.3f}")
    for number in workers:
        took, _ = swept(plan, number, time.perf_counter)
        print(f"{number} workers: {tasks / took:.0f} tasks a second of wall time")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("kills", "speed"))
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--workers", type=int, nargs="+", default=[2])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if given.what == "kills":
        kills(given.tasks, given.kills, given.workers[0], given.seed)
    else:
        speed(given.tasks, given.workers)


if __name__ == "__main__":
    main()
