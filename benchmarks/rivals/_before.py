"""The package's own limits and flows of the tables, beside another checkout's, turn by turn."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import warnings
from collections.abc import Callable, Iterator

import numpy as np
from benchmarks._checkouts import Checkout, answer_lines, in_turn, seconds
from benchmarks.rivals._case import SCALES, Case

MODULE = "benchmarks.rivals._before"


def cases() -> dict[str, tuple[Case, Callable[[], np.ndarray]]]:
    """Name, which begins with the table's letter -> the case, and what is timed."""
    found = {}

    def limit(letter: str, case: Case) -> None:
        name = f"({letter}) one limit, n = {case.num_points}, d = {case.num_features}, "
        name += f"{case.source}, L = {case.depth}, scale {case.scale:g}"
        found[name] = case, lambda: case.limit().coefficients

    def flow(case: Case) -> None:
        name = f"(b) one dual flow, L = {case.depth}, scale {case.scale:g}"
        found[name] = case, lambda: case.dual_flow().final_coefficients

    for source in ("Gaussian", "diabetes"):
        for depth in (2, 3):
            for scale in SCALES:
                limit("a", Case(depth, scale, source))
    for depth, scale in (*((4, scale) for scale in SCALES), (2, 0.1), (5, 0.1)):
        flow(Case(depth, scale))
    for depth in (2, 3):
        limit("c", Case(depth, 1e-2, num_points=500, num_features=20_000))
    return found


def beside(sources: str, letter: str, turns: int) -> Iterator[str]:
    """One table: seconds here and there, and the median of their ratios."""
    now, before = Checkout(MODULE), Checkout(MODULE, sources)
    medians = []
    for name in (name for name in cases() if name.startswith(f"({letter})")):
        row = in_turn(now, before, name, turns)
        medians.append(row["ratio"])
        yield (
            f"{name}: {row['seconds']:.4f} s, before {row['before']:.4f} s, "
            f"{row['ratio']:.2f} times as long; {row['apart']:.0e} apart"
        )
    yield f"geometric mean of the ratios: {np.exp(np.mean(np.log(medians))):.2f}"


def main() -> None:
    """Serve: one turn of one case for each line."""
    warnings.simplefilter("ignore")
    known = cases()

    def answer(name: str) -> dict[str, object]:
        case, run = known[name]
        case.build()
        spent, beta = seconds(run)
        return {"seconds": spent, "coefficients": beta.tolist()}

    answer_lines(answer)


if __name__ == "__main__":
    main()
