"""Two checkouts of the package, each in a process of its own, take turns on one case."""

from __future__ import annotations

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


def in_turn(now, before, name, turns):
    """Seconds here and there, their ratio turn by turn, and how far the coefficients are apart.

    An answer holds "seconds" and "coefficients"; without another checkout, or where that one has no
    answer (null), the rest is empty. The first turn of each is not counted: it imports and fills
    caches.
    """
    here, there, apart = [], [], None
    now.turn(name)
    before = before if before and before.turn(name) else None
    for _ in range(turns):
        own = now.turn(name)
        here.append(own["seconds"])
        if before:
            other = before.turn(name)
            there.append(other["seconds"])
            a, b = np.array(own["coefficients"]), np.array(other["coefficients"])
            apart = np.abs(a - b).max() / np.abs(b).max()
    return here, there, [b / a for a, b in zip(here, there, strict=False)], apart
