"""``implicitbias verify`` beside another checkout: CPU seconds of the command and of its checks.

    python -m benchmarks.verification --before ../before/src

User and system time of whole processes, imports included, and, in processes that stay, of the
checks that both checkouts have.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks._checkouts import ROOT, answer_lines, checkouts, options, row_of

MODULE = "benchmarks.verification"


def command(sources, files):
    """CPU seconds of the whole command, with figures and page if ``files``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-m", "implicitbias", "verify", "--json"]
            + (["--out", str(Path(folder) / "results")] if files else []),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=dict(os.environ, PYTHONPATH=str(Path(sources).resolve())),
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def serve():
    """Answer one turn: CPU seconds of every check."""
    from threadpoolctl import threadpool_limits

    from implicitbias.verification import CHECKS

    def answer(_):
        spent = {}
        with threadpool_limits(limits=1, user_api="blas"):
            for check in CHECKS:
                began = time.process_time()
                check.measure()
                spent[check.title] = time.process_time() - began
        return spent

    answer_lines(answer)


def measured(sources, turns):
    """One dictionary a row: medians here and before (None without ``sources``), of their ratios."""
    for files, what in ((False, "the command"), (True, "the command, with figures and page")):
        yield row_of(what, [
            (command(ROOT / "src", files), command(sources, files) if sources else None)
            for _ in range(turns)
        ])  # fmt: skip
    now, before = checkouts(MODULE, sources)
    pairs, counts = [], (0, 0)
    for _ in range(turns):
        own = now.turn("all")
        other = before.turn("all") if before else own
        both = own.keys() & other.keys()
        counts = len(own), len(both)
        pairs.append((sum(own[title] for title in both), sum(other[title] for title in both)))
    pairs = pairs if before else [(own, None) for own, _ in pairs]
    yield row_of(f"the {counts[1]} checks that both have, of {counts[0]}", pairs)


def main():
    """Print the rows."""
    given = options(__doc__, turns=3, cases=False)
    if given.serve:
        return serve()
    for row in measured(given.before, given.turns):
        text = f"{row['case']}: {row['seconds']:.1f} CPU s"
        if row["before"]:
            text += f", before {row['before']:.1f}, {row['ratio']:.2f} times as long"
        print(text, flush=True)
    return None


if __name__ == "__main__":
    main()
