"""How the time of a limit grows with n, d, L and the scale, and how much of it the machine needs.

    python -m benchmarks.scaling            # some minutes
    python -m benchmarks.scaling --quick    # below one: small sizes, three turns
    python -m benchmarks.scaling --save docs/measured/scaling.csv

CPU seconds of one thread from the array to the certified limit: ``Regression(X, y)`` and
``predict_limit``. All sizes of a table take turns in one process, each beside what the machine does
at that size in the same turn: X X^T in double and in single precision (operations a second) and the
sum of X (bytes a second). Every Gram matrix, its Cholesky factors and every product with X that a
limit asks for, at these rates, is the floor; *share* is the part of the time that it would take.
Exponents are slopes of log time in the log of the size, by least squares, with standard errors.
Other tables: files in blocks, sparse arrays, rivals, and sweeps beside a plain loop.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from benchmarks._checkouts import seconds
from benchmarks._sections import Section, fit, gaussian, limit_of, ms
from benchmarks.limits import calls_of
from scipy.linalg.blas import dsyrk, ssyrk

import implicitbias as ib
from benchmarks import _beside

GRAMS = ("gram", "rough_gram")
PRODUCTS = ("__matmul__", "transposed", "__rmatmul__")
BESIDE = (_beside.blocks, _beside.sparse, _beside.rivals, _beside.swept)


def grids(quick):
    """What grows -> (its sizes, the cases (n, d, L, scale))."""
    last = -2 if quick else None
    n, d = (50, 100, 200, 400, 800, 1600)[:last], (1000, 4000, 16_000, 64_000, 256_000)[:last]
    depths = (2, 3, 4, 6, 8, 12, 16)[:last]
    scales = (1.0, 1e-1, 1e-2, 1e-4, 1e-6, 1e-8)[:last]
    found = {
        "n": (n, [(each, 4000, 2, 1e-2) for each in n]),
        "d": (d, [(100, each, 2, 1e-2) for each in d]),
        "L": (depths, [(100, 2000, each, 1e-2) for each in depths]),
    }
    for depth in (2, 3):
        cases = [(100, 2000, depth, each) for each in scales]
        found[f"1/scale, L = {depth}"] = ([1.0 / each for each in scales], cases)
    return found


def rates_of(X):
    """Operations a second of X X^T in double and single precision, bytes a second of reading X."""
    n, d = X.shape
    half = X.astype(np.float32)
    double = seconds(lambda: dsyrk(1.0, X.T, trans=1))[0]
    single = seconds(lambda: ssyrk(1.0, half.T, trans=1))[0]
    return n * (n + 1) * d / double, n * (n + 1) * d / single, X.nbytes / seconds(X.sum)[0]


def work_of(calls):
    """Operations in double and in single precision, and bytes read for products."""
    double = single = read = 0.0
    for name, (n, d) in calls:
        if name in PRODUCTS:
            read += 8.0 * n * d
        elif name == "gram":
            double += n * (n + 1) * d + n**3 / 3
        else:
            single += n * (n + 1) * d + n**3 / 3
    return double, single, read


def floor_of(work, rates):
    """Seconds of the work at these rates."""
    return sum(done / rate for done, rate in zip(work, rates, strict=True))


def growth(sizes, cases, turns):
    """One dictionary a case: its Gram matrices, and medians over turns of what takes time."""
    made = []
    for n, d, depth, scale in cases:
        X, y = gaussian(n, d)
        run, kind = limit_of(X, y, depth, scale), type(ib.Regression(X, y).features)
        worst = run().certificate.worst
        made.append((X, run, calls_of(run, kind, GRAMS + PRODUCTS), worst))
    turned = [[(seconds(run)[0], rates_of(X)) for X, run, *_ in made] for _ in range(turns)]
    for at, (size, (_, _, calls, worst)) in enumerate(zip(sizes, made, strict=True)):
        times = [turn[at][0] for turn in turned]
        rates = [turn[at][1] for turn in turned]
        floors = [floor_of(work_of(calls), each) for each in rates]
        yield {
            "size": size,
            "seconds": float(np.median(times)),
            "grams": sum(name in GRAMS for name, _ in calls),
            "products": sum(name in PRODUCTS for name, _ in calls),
            "rates": np.median(rates, axis=0).tolist(),
            "floor": float(np.median(floors)),
            "share": float(np.median(np.divide(floors, times))),
            "worst": worst,
        }


def growth_section(name, rows, case):
    """The table of one thing that grows."""
    n, d, depth, scale = case
    grows = name.partition(",")[0]
    what = grows.removeprefix("1/")
    known = {"n": f"n = {n}", "d": f"d = {d:,}", "L": f"L = {depth}", "scale": f"scale {scale:g}"}
    sizes = [row["size"] for row in rows]
    shown = [f"{1.0 / size:g}" if what == "scale" else f"{size:,}" for size in sizes]
    ours, least = (fit(sizes, [row[key] for row in rows]) for key in ("seconds", "floor"))
    lowest = min(range(len(rows)), key=lambda at: rows[at]["share"])
    fixed = ", ".join(text for key, text in known.items() if key != what)
    return Section(
        f"Growing with {name}",
        f"Gaussian data, Theorem 5's start; {fixed}.",
        (what, "ms", "Gram matrices", "products", "GFLOP/s", "in single", "GB/s", "floor, ms",
         "share", "certificate"),
        [
            (size, ms(row["seconds"]), str(row["grams"]), str(row["products"]),
             *(f"{rate / 1e9:.1f}" for rate in row["rates"]), ms(row["floor"]),
             f"{row['share']:.2f}", f"{row['worst']:.0e}")
            for size, row in zip(shown, rows, strict=True)
        ],
        [f"Exponent in {grows}: {ours}; of the floor: {least}."],
        [f"{1 - rows[lowest]['share']:.0%} of the time lies beyond the floor at "
         f"{what} = {shown[lowest]} ({fixed})"],
    )  # fmt: skip


def csv(grown):
    """What the figure is drawn from: what grows, its size, seconds and floor."""
    lines = ["what,size,seconds,floor"]
    for name, rows in grown.items():
        what = name.replace(",", "").replace(" = ", "=")
        lines += [f"{what},{r['size']:g},{r['seconds']:.4g},{r['floor']:.4g}" for r in rows]
    return "\n".join(lines) + "\n"


def measured(turns, quick):
    """The rows of every growth, by name."""
    limit_of(*gaussian(5, 20), 3, 1e-2)()  # imports
    return {
        name: list(growth(sizes, cases, turns)) for name, (sizes, cases) in grids(quick).items()
    }


def sections(grown, turns, quick):
    """Every table, one after the other."""
    for name, (_, cases) in grids(quick).items():
        yield growth_section(name, grown[name], cases[0])
    for beside in BESIDE:
        yield beside(turns, quick)


def busy(wall, spent):
    """How much other work there was, in one sentence."""
    return (
        f"All of this took {spent:.0f} CPU seconds in {wall:.0f} s; at the end a load average of "
        f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, this process included."
    )


def lost(found):
    """Where we lose, in one sentence."""
    listed = "; ".join(each for section in found for each in section.losses)
    return f"**Where we lose.** {listed[:1].upper()}{listed[1:]}."


def text_of(section):
    """A section for the terminal."""
    table = [section.head, *section.rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.rjust, row, widths)) for row in table]
    return "\n".join([section.title, section.text, "", *lines, "", *section.notes, ""])


def main():
    """Print the tables, and save what the figure is drawn from."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes, three turns")
    parser.add_argument("--save", type=Path, help="a CSV file for the figure")
    given = parser.parse_args()
    turns = min(given.turns, 3) if given.quick else given.turns
    wall, spent = time.perf_counter(), time.process_time()
    grown = measured(turns, given.quick)
    if given.save:
        given.save.write_text(csv(grown), encoding="utf-8")
    found = []
    for section in sections(grown, turns, given.quick):
        print(text_of(section), flush=True)
        found.append(section)
    print(lost(found))
    print(busy(time.perf_counter() - wall, time.process_time() - spent))


if __name__ == "__main__":
    main()
