"""Limits and flows against other people's solvers, side by side in one process, on one thread.

Three tables: (a) one limit, (b) one dual flow, each against every rival that reaches a relative
error of 1e-6, (c) the limit against the linear algebra that its Newton steps cannot do without.
Seconds are of CPU time, ours the median of five. A rival is stopped after PATIENCE times our time
in (a), after LONGEST seconds in (b): "> x" then is a lower bound.

    python -m benchmarks.rivals [--patience 250] [--longest 150] [--only a,b,c]
    python -m benchmarks.rivals --before ../before/src

The second leaves the rivals out: the package's own limits and flows of these tables, beside those
of another checkout in the same run.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from unittest.mock import patch

import numpy as np
from benchmarks.rivals import _integrators as integrators
from benchmarks.rivals import _solvers as solvers
from benchmarks.rivals._before import beside
from benchmarks.rivals._case import ACCURACY, SCALES, Case
from benchmarks.rivals._race import Lap, race, timed
from scipy.linalg import cho_factor

import implicitbias as ib
from implicitbias.dual._newton import weighted_gram
from implicitbias.features import Dense, Features, as_features

BY_DEPTH: dict[int, tuple[Callable[[Case], Iterator[np.ndarray]], ...]] = {
    2: (solvers.clarabel, solvers.scs),
    3: (solvers.trust_constr,),
}
ALWAYS = (
    integrators.dop853,
    integrators.lsoda,
    integrators.tsit5,
    integrators.kvaerno5,
    solvers.highs,
)


def limits(patience: float) -> Iterator[str]:
    """Table (a)."""
    for source in ("Gaussian", "diabetes"):
        yield f"(a) one limit, n = 100, d = 1000, {source}"
        ratios = []
        for depth, rivals in BY_DEPTH.items():
            for scale in SCALES:
                case = Case(depth, scale, source)
                own = float(np.median([timed(case.limit) for _ in range(5)]))
                reference = case.limit().coefficients
                laps = [
                    race(rival, case, reference, ACCURACY, patience * own)
                    for rival in (*rivals, *ALWAYS)
                ]
                ratios.append(_best(laps) / own)
                yield from _lines(f"L = {depth}, scale {scale:g}", own, laps)
        yield f"geometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.0f}"


def flows(longest: float) -> Iterator[str]:
    """Table (b): all at the coarsest power of ten of their tolerances that reaches ACCURACY."""
    yield "(b) one dual flow, n = 100, d = 1000"
    ratios = []
    for scale in SCALES:
        case = Case(4, scale)
        reference = case.limit().coefficients
        own, steps = _dual_flow(case, reference)
        laps = [race(rival, case, reference, ACCURACY, longest) for rival in ALWAYS[:-1]]
        ratios.append(_best(laps) / own)
        yield from _lines(f"L = 4, scale {scale:g} ({steps} steps)", own, laps)
    yield f"geometric mean of the ratios: {np.exp(np.mean(np.log(ratios))):.0f}"
    costs = []
    for depth in (2, 5):
        case = Case(depth, 0.1)
        reference = case.limit().coefficients
        own, steps = _dual_flow(case, reference)
        costs.append(own / steps)
        yield f"L = {depth}, scale 0.1: {1e3 * own / steps:.2f} ms a step"
    yield f"ratio {costs[1] / costs[0]:.2f}"


def _dual_flow(case: Case, reference: np.ndarray) -> tuple[float, int]:
    flows: list[ib.Flow] = []
    own = timed(lambda: flows.append(case.dual_flow()))
    error = case.error(flows[0].final_coefficients, reference)
    if error > ACCURACY:
        raise SystemExit(f"the dual flow ended {error:.1e} from the limit: {flows[0].message}")
    return own, flows[0].num_steps


def linear_algebra() -> Iterator[str]:
    """Table (c)."""
    yield "(c) one limit over its Newton systems x (weighted Gram + Cholesky), n = 500, d = 20000"
    for depth in (2, 3):
        case = Case(depth, 1e-2, num_points=500, num_features=20_000)
        weights = np.abs(np.random.default_rng(1).standard_normal(case.num_features))
        features = as_features(case.X)

        def once(features: Features = features, weights: np.ndarray = weights) -> None:
            cho_factor(weighted_gram(features, weights))

        part = np.median([timed(once) for _ in range(5)])
        case.build()
        own = timed(case.limit)
        with patch.object(Dense, "gram", autospec=True, side_effect=Dense.gram) as gram:
            case.limit()
        count = gram.call_count
        ratio = own / (count * part)
        yield (f"L = {depth}: {own:.1f} s, {count} systems, {part:.3f} s each, ratio {ratio:.2f}")


def _best(laps: list[Lap]) -> float:
    """Seconds of the fastest rival that arrived, or how long all others were waited for."""
    return min(lap.seconds for lap in laps if lap.arrived or lap.stopped)


def _lines(title: str, own: float, laps: list[Lap]) -> Iterator[str]:
    yield f"{title}: implicitbias {own:.4f} s"
    for lap in laps:
        sign = ">" if lap.stopped else " "
        word = "" if lap.arrived else f"   (error {lap.error:.1e})"
        ratio = f"{sign}{lap.seconds / own:8.1f} x"
        yield f"    {lap.name:14s} {sign}{lap.seconds:9.2f} s  {ratio}{word}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patience", type=float, default=250.0)
    parser.add_argument("--longest", type=float, default=150.0)
    parser.add_argument("--only", default="a,b,c")
    parser.add_argument("--before", help="the src folder of another checkout: no rivals")
    parser.add_argument("--turns", type=int, default=7, help="of each checkout, with --before")
    arguments = parser.parse_args()
    tables = {
        "a": lambda: limits(arguments.patience),
        "b": lambda: flows(arguments.longest),
        "c": linear_algebra,
    }
    warnings.simplefilter("ignore")
    started = time.perf_counter()
    if arguments.before:
        tables = {
            key: lambda key=key: beside(arguments.before, key, arguments.turns) for key in tables
        }
    for name in arguments.only.split(","):
        for line in tables[name]():
            print(line, flush=True)
    print(f"{time.perf_counter() - started:.0f} s in all")


if __name__ == "__main__":
    main()
