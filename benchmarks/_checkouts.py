"""Two checkouts of the package, each in a process of its own, take turns on one case."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SHORTEST = 0.05  # CPU seconds of a turn: shorter cases are repeated


def seconds(run, turns=1):
    """Median CPU seconds, and the last result."""
    times = []
    for _ in range(turns):
        began, repeats = time.process_time(), 0
        while time.process_time() - began < SHORTEST:
            result, repeats = run(), repeats + 1
        times.append((time.process_time() - began) / repeats)
    return float(np.median(times)), result


def answer_lines(answer):
    """Answer a line at a time: ``answer`` takes what was asked and gives what JSON can hold."""
    for line in sys.stdin:
        print(json.dumps(answer(*line.rstrip("\n").split("\t"))), flush=True)


class Checkout:
    """``python -m module --serve`` with the package of one checkout."""

    def __init__(self, module, sources=ROOT / "src"):
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=dict(os.environ, PYTHONPATH=str(Path(sources).resolve())),
        )

    def turn(self, *asked):
        """Ask for one turn of one case."""
        self.process.stdin.write("\t".join(asked) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{asked[0]}: the process of a checkout ended; its error is above.")
        return json.loads(line)


def checkouts(module, before=None):
    """The processes of the checkout here, and of another or None."""
    return Checkout(module), Checkout(module, before) if before else None


def options(doc, turns, *, cases=True):
    """What a script is asked for that measures checkouts, and is what each of them serves."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--before", help="the src folder of another checkout")
    if cases:
        parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--turns", type=int, default=turns)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def in_turn(now, before, name, turns):
    """A row, and how far the coefficients are apart: the cases in turn by both checkouts.

    An answer holds "seconds" and "coefficients"; another checkout may have none (null). The first
    turn of each is not counted: it imports and fills caches.
    """
    pairs, apart = [], None
    now.turn(name)
    before = before if before and before.turn(name) else None
    for _ in range(turns):
        own, other = now.turn(name), before.turn(name) if before else None
        pairs.append((own["seconds"], other and other["seconds"]))
        if other:
            a, b = np.array(own["coefficients"]), np.array(other["coefficients"])
            apart = np.abs(a - b).max() / np.abs(b).max()
    return row_of(name, pairs) | {"apart": apart}


def row_of(name, pairs):
    """Medians of the seconds here and before, and of their ratio turn by turn; None without."""
    here, there = zip(*pairs, strict=True)
    known = there[0] is not None
    return {
        "case": name,
        "seconds": float(np.median(here)),
        "before": float(np.median(there)) if known else None,
        "ratio": float(np.median([b / a for a, b in pairs])) if known else None,
    }
