"""Structured problems: each must end certified and right, or in a typed refusal.

    python -m benchmarks.robustness --problems 20000 --seed 0 --jobs 2 [--json FILE] [--save CSV]
    python -m benchmarks.robustness --only SEED      # one problem, whole
    python -m benchmarks.robustness errors --problems 2000 --save CSV
    python -m benchmarks.robustness wind
    python -m benchmarks.robustness ends

The first draws integers, ties, duplicates, near-duplicates, offsets, units and designs of signs,
indicators, stairs and Hadamard matrices; both losses; all networks; scales 1e-300 to 1e300 and both
ends; starts with equal, dead or fitting layers. A share of the answers is held against exact
rationals and ball arithmetic from tests/reference. The second compares ``certificate.error`` with
the true error. The third is the example of Wind, Antun and Hansen against 80 digits, the fourth the
limit at scale 0 on real data and on designs that tie.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import sys
import time
from itertools import count
from pathlib import Path

from benchmarks.robustness import _certified, _ends, _wind
from benchmarks.robustness._outcome import Record, judge
from benchmarks.robustness._problems import draw
from benchmarks.robustness._report import faulty, lines
from benchmarks.robustness._workers import spread


def hunt(arguments: argparse.Namespace) -> int:
    """Run the problems and count; ``errors``: until so many answers were checked."""
    began = time.perf_counter()
    records: list[Record] = []
    answers = 0

    def seeds():
        for number in count():
            if (answers if arguments.mode == "errors" else number) >= arguments.problems:
                return
            yield arguments.seed + number

    work = spread(
        judge, seeds(), (arguments.share, arguments.patience), arguments.jobs, arguments.patience
    )
    try:
        for seed, result in work:
            record = result or Record(seed, draw(seed).kinds, "killed", script=draw(seed).script())
            records.append(record)
            answers += len(_certified.pairs([record]))
            if faulty(record):
                print(
                    f"{faulty(record)}: seed {seed}: {record.script}", file=sys.stderr, flush=True
                )
            if len(records) % 500 == 0:
                passed = time.perf_counter() - began
                print(f"{len(records)} problems, {passed:.0f} s", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print("stopped: what follows is about the problems that were done", file=sys.stderr)
    return _finish(arguments, sorted(records, key=lambda record: record.seed), began)


def _finish(arguments: argparse.Namespace, records: list[Record], began: float) -> int:
    found = _certified.pairs(records)
    if arguments.mode == "hunt":
        for line in lines(records):
            print(line)
    for line in _certified.lines(found):
        print(line)
    print(f"{len(records)} problems in {time.perf_counter() - began:.0f} s")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps([record.as_dict() for record in records]))
    if arguments.save:
        _certified.save(found, arguments.save)
    return int(any(faulty(record) for record in records) or bool(_certified.too_small(found)))


def show(seed: int, patience: float) -> int:
    """One problem, whole."""
    record = judge(seed, 1.0, patience)
    for name, value in record.as_dict().items():
        print(f"{name}: {value}")
    print(draw(seed).script())
    return int(bool(faulty(record)))


def main() -> int:
    """Parse and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "mode", nargs="?", default="hunt", choices=["hunt", "errors", "wind", "ends"]
    )
    parser.add_argument("--problems", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of the problems to check")
    parser.add_argument("--patience", type=float, default=10.0, help="seconds of processor time")
    parser.add_argument("--only", type=int, default=None, metavar="SEED")
    parser.add_argument("--json", default=None, metavar="FILE", help="all records")
    parser.add_argument("--save", default=None, metavar="CSV", help="estimates, true errors")
    arguments = parser.parse_args()
    if arguments.only is not None:
        return show(arguments.only, arguments.patience)
    if arguments.mode == "wind":
        return _wind.main()
    if arguments.mode == "ends":
        return _ends.main()
    arguments.problems = arguments.problems or (20_000 if arguments.mode == "hunt" else 2000)
    return hunt(arguments)


if __name__ == "__main__":
    sys.exit(main())
