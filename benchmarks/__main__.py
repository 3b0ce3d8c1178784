"""A checkout beside the last release, with floors of the same run: the tables of the docs.

    python -m benchmarks            # an hour; writes docs/measured/, for the page
    python -m benchmarks --quick    # some minutes: fewer cases, fewer turns
    python -m benchmarks --before ../before/src --only limits,verify

The last release is the newest tag (version 0.1 has none: its commit), unpacked beside. CPU seconds
of one thread; both take turns in processes of their own, and a ratio is the median over turns.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from benchmarks._checkouts import ROOT, checkouts, seconds

from benchmarks import construction, flows, large_data, limits, many, scaling, verification

FOLDER = ROOT / "docs" / "measured"
FIRST = "cf09635"  # version 0.1
QUICK = {
    "scaling": "quick",
    "large_data": "sparse",
    "limits": "L=3",
    "many": "L=2, Theorem 5",
    "flows": "n=20, d=100, L=3",
    "construction": "100 x 1,000",
}
PART = 160_000_000  # bytes that the memory rate is measured on


@contextmanager
def last_release():
    """Its name and its src folder, unpacked for the time being."""
    tags = _git("tag", "--list", "v*", "--sort=-version:refname", "--merged").split()
    revision = tags[0] if tags else FIRST
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "release.tar"
        _git("archive", f"--output={archive}", revision, "src")
        with tarfile.open(archive) as packed:
            # the filter came with Python 3.11.4, and git made the archive
            packed.extractall(
                folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {})
            )
        yield (tags[0] if tags else f"0.1 ({FIRST})"), Path(folder) / "src"


def _git(*arguments):
    found = subprocess.run(
        ["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return found.stdout


def limit_table(before, turns, only, out):
    """Limits and paths."""
    rows = list(limits.measured(*checkouts(limits.MODULE, before), turns, only))
    yield from _section("Limits and paths", (
        "Certificates included. *Gram matrices* of either precision are counted in this version; "
        "*floors* is the time over that many weighted ones of float64 with their Cholesky factors, "
        "of the same size and run."
    ))  # fmt: skip
    yield from _table(
        ("case", "ms before", "ms", "ratio", "Gram matrices", "floors"),
        [(*_common(row), str(row["grams"]), f"{row['floors']:.1f}") for row in rows],
    )
    yield from _summary(rows)
    apart = max((row["apart"] for row in rows if row["apart"] is not None), default=None)
    if apart is not None:
        yield f"Coefficients of the two versions are at most {apart:.0e} apart, relative."
        yield ""


def many_table(before, turns, only, out):
    """Many small limits in one call."""
    rows = list(many.measured(*checkouts(many.MODULE, before), min(turns, 3), only))
    yield from _section("``predict_limits`` and ``limit_paths``", (
        f"{many.TARGETS * many.STARTS * many.SCALES:,} limits, n = {many.N}, d = {many.D}: "
        f"{many.SCALES} scales, {many.TARGETS} targets, {many.STARTS} starts (Theorem 5's with "
        "random weights, or random ones). ``predict_limits`` takes each limit for a member, "
        "``limit_paths`` each target and start; beside them the older version, one by one. "
        "Microseconds of CPU time a limit, certificates and the making of starts included."
    ))  # fmt: skip
    yield from _table(
        ("case", "in one call", "us", "one by one, before", "us before", "ratio"),
        [
            (row["case"], f"``{row['verb']}``", f"{1e6 * row['seconds']:.0f}",
             f"``{row['one']}``", f"{1e6 * row['before']:.0f}", f"{row['ratio']:.1f}")
            for row in rows
        ],
    )  # fmt: skip
    yield from _summary(rows)
    apart = max((row["apart"] for row in rows), default=0.0)
    yield f"Coefficients are at most {apart:.0e} apart."
    yield ""


def construction_table(before, turns, only, out):
    """Regression(X, y)."""
    rows = list(construction.measured(*checkouts(construction.MODULE, before), turns, only))
    yield from _section("What constructing a problem costs", (
        "``Regression(X, y)`` decides the rank of X and whether y can be reached. Beside it, one "
        "pass over the entries of X, and X X\\ :sup:`T` with its Cholesky factors."
    ))  # fmt: skip
    yield from _table(
        ("case", "ms before", "ms", "ratio", "a pass, ms", "Gram, ms"),
        [(*_common(row), f"{1e3 * row['read']:.3g}", f"{1e3 * row['gram']:.3g}") for row in rows],
    )
    yield from _summary(rows)


def flow_table(before, turns, only, out):
    """Dual flows of regressions."""
    rows = list(flows.measured(*checkouts(flows.MODULE, before), turns, only))
    yield from _section("Dual flows", (
        "To the end by ``gradient_flow``'s defaults, relative errors against the predicted limit."
    ))  # fmt: skip
    yield from _table(
        ("case", "ms before", "ms", "ratio", "error before", "error"),
        [
            (*_common(row), _shown(row["error before"], ".0e"), f"{row['error']:.0e}")
            for row in rows
        ],
    )
    yield from _summary(rows)


def verify_table(before, turns, only, out):
    """implicitbias verify."""
    rows = list(verification.measured(before, min(turns, 3)))
    yield from _section("``implicitbias verify``", "CPU seconds, user and system.")
    yield from _table(
        ("what", "s before", "s", "ratio"),
        [
            (row["case"], _shown(row["before"], ".1f"), f"{row['seconds']:.1f}",
             _shown(row["ratio"], ".2f"))
            for row in rows
        ],
    )  # fmt: skip
    yield from _losses(rows)


def cross_validation_table(before, turns, only, out):
    """The script's own words, by this version and by the other."""
    yield from _section("Cross-validation", "``python -m benchmarks.cross_validation``:")
    for name, sources in (("now", ROOT / "src"), ("before", before)):
        if sources is None:
            continue
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.cross_validation"],
            cwd=ROOT,
            env=dict(os.environ, PYTHONPATH=str(sources)),
            capture_output=True,
            text=True,
        )
        lines = done.stdout.splitlines() or ["does not run: " + done.stderr.strip()[-200:]]
        yield from ["", ".. code-block:: text", "", f"   {name}", *(f"   {one}" for one in lines)]
    yield ""


def scaling_table(before, turns, only, out):
    """Growth of limits, and what they are held against; also the numbers of the figure."""
    turns, quick = min(turns, 5), only == "quick"
    wall, spent = time.perf_counter(), time.process_time()
    grown, found = scaling.measured(turns, quick), []
    yield from _section("How limits grow", (
        "From the array to the certified limit: ``Regression`` and ``predict_limit``. *GFLOP/s*: "
        "X X\\ :sup:`T` of that size, in double and in single precision; *GB/s*: the sum of X. "
        "*Floor*: all Gram matrices that a limit asks for (those that prove its rows independent "
        "included) with their Cholesky factors, and one reading of X for each of its products, "
        "at these rates; *share*: the part of the time that this is. *Exponents*: slopes of log "
        "time in the log of the size, ± their standard errors."
    ))  # fmt: skip
    for section in scaling.sections(grown, turns, quick):
        found.append(section)
        yield from [f"**{section.title}.** {section.text}", ""]
        yield from _table(section.head, section.rows)
        yield from [each for note in section.notes for each in (note, "")]
    yield from [scaling.lost(found), ""]
    yield scaling.busy(time.perf_counter() - wall, time.process_time() - spent)
    (out / "scaling.csv").write_text(scaling.csv(grown), encoding="utf-8")


def large_data_table(before, turns, only, out):
    """Files in blocks, sparse data, many points."""
    yield from _section("Files and many points", (
        "``benchmarks.large_data``: two layers, scale 0.01, certificates included; CPU seconds, "
        "and the most memory that the process ever held, Python and its libraries included."
    ))  # fmt: skip
    yield from _table(
        ("data", "n x d", "rank, CPU s", "limit, CPU s", "GiB", "certificate"),
        [
            (title, m["error"]) + 4 * ("",)
            if "error" in m
            else (title, m["shape"], f"{m['rank']:.1f}", f"{m['limit']:.1f}",
                  f"{m['gigabytes']:.2f}", f"{m['worst']:.1e}")
            for title, m in large_data.measured(only=only)
        ],
    )  # fmt: skip


TABLES = {
    "scaling": scaling_table,
    "large_data": large_data_table,
    "limits": limit_table,
    "many": many_table,
    "construction": construction_table,
    "flows": flow_table,
    "verify": verify_table,
    "cross_validation": cross_validation_table,
}
ALONE = {"scaling", "large_data"}  # not beside another checkout


def _shown(value, form):
    return "" if value is None else format(value, form)


def _common(row):
    before = None if row["before"] is None else 1e3 * row["before"]
    return (
        row["case"],
        _shown(before, ".3g"),
        f"{1e3 * row['seconds']:.3g}",
        _shown(row["ratio"], ".2f"),
    )


def _section(title, text):
    yield from [title, text, ""]


def _table(head, rows):
    yield from [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        for place, cell in enumerate(row):
            yield f"   {'* -' if place == 0 else '  -'} {cell}".rstrip()
    yield ""


def _summary(rows):
    """The geometric mean, and what is slower than before."""
    ratios = [row["ratio"] for row in rows if row["ratio"] is not None]
    if ratios:
        yield f"Geometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.2f}."
        yield ""
    yield from _losses(rows)


def _losses(rows):
    slower = [row for row in rows if row["ratio"] is not None and row["ratio"] < 1.0]
    if slower:
        listed = "; ".join(f"{row['case']} ({row['ratio']:.2f})" for row in slower)
        yield f"**Slower than before:** {listed}."
        yield ""


def head(name):
    """Where and when this was measured, beside what, how busy it was, and the memory's rate."""
    array = np.ones(PART // 8)
    rate = PART / seconds(array.sum, 5)[0] / 1e9
    own = _git("describe", "--always", "--dirty").strip()
    beside = f" beside version {name}" if name else ""
    ratio = " *Ratio* is how many times as long the older version takes." if name else ""
    return [
        f".. written by python -m benchmarks, {datetime.now(UTC):%Y-%m-%d}",
        "",
        f"Commit {own}{beside}, {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}; one thread, reading memory at {rate:.1f} GB/s, load average "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.{ratio}",
        "",
    ]


def main():
    """Measure, and write the page's tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="the src folder to compare with")
    parser.add_argument("--only", default=",".join(TABLES), help="tables, separated by commas")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="few cases, three turns")
    parser.add_argument("--out", type=Path, default=FOLDER, help="where the tables go")
    given = parser.parse_args()
    wanted = given.only.split(",")
    unknown = sorted(set(wanted) - TABLES.keys())
    if unknown:
        parser.error(f"no such table: {', '.join(unknown)}; there are {', '.join(TABLES)}")
    if set(wanted) <= ALONE:
        write(given, wanted, None, None)
    elif given.before is None:
        with last_release() as (name, sources):
            write(given, wanted, name, sources)
    else:
        write(given, wanted, str(given.before), given.before.resolve())


def write(given, wanted, name, sources):
    """One file a table, when it is whole."""
    turns = min(given.turns, 3) if given.quick else given.turns
    given.out.mkdir(exist_ok=True)
    for each in wanted:
        print(f"{each} ...", file=sys.stderr, flush=True)
        only = QUICK.get(each, "") if given.quick else ""
        circumstances = head(None if each in ALONE else name)
        title, *lines = TABLES[each](sources, turns, only, given.out)
        text = "\n".join([title, "~" * len(title), "", *circumstances, *lines]) + "\n"
        print(text, flush=True)
        (given.out / f"{each}.inc").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
