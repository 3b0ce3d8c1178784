"""1,920 small limits in one call, beside one by one by another checkout.

    git worktree add ../before cf09635                       # version 0.1
    python -m benchmarks.many --before ../before/src         # a few minutes
    python -m benchmarks.many --only "L=2"

CPU seconds of one thread, certificates and the making of starts included; the problems are made
before. n = 40, d = 200; 8 scales from 1 down, 16 targets, 15 starts. ``predict_limits`` takes all
1,920 members, ``limit_paths`` 240 members over 8 scales. Two processes take turns; the other one
computes a part of them by ``predict_limit``, and by ``limit_path``, one by one. Ratios are medians
over turns; *apart* is the largest difference of coefficients.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from benchmarks._checkouts import Checkout, answer_lines, seconds

import implicitbias as ib

N, D, TARGETS, STARTS, SCALES = 40, 200, 16, 15, 8
SAMPLE = 3  # targets and starts that are computed one by one


def cases():
    """Name -> (L, start, smallest scale)."""
    return {
        f"L={depth}, {start}, scales 1 to {lowest:g}": (depth, start, lowest)
        for depth in (2, 3)
        for start in ("Theorem 5", "random")
        for lowest in (1e-3, 1e-6)
    }


def data_of(depth, start, lowest):
    """The network, problems, directions and scales."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D))
    problems = [
        ib.Regression(X, X[:, :4] @ rng.standard_normal(4) + 0.1 * rng.standard_normal(N))
        for _ in range(TARGETS)
    ]
    network = ib.DiagonalNetwork(D, depth)
    directions = []
    for _ in range(STARTS):
        layers = [rng.standard_normal(D) for _ in range(depth)]
        if start == "Theorem 5":
            eta = rng.uniform(0.5, 2.0, D)
            layers = ib.Initialization.last_layer_zero(network, eta, 1.0).directions
        directions.append(layers)
    return network, problems, directions, np.geomspace(1.0, lowest, SCALES)


def runs_of(case):
    """Name -> a function that computes (coefficients of the sample, limits computed)."""
    network, problems, directions, scales = data_of(*case)
    part = range(SAMPLE)

    def limits():
        members = [(p, v, a) for p in problems for v in directions for a in scales]
        inits = [ib.Initialization(v, scale=a) for _, v, a in members]
        found = ib.predict_limits(network, [p for p, _, _ in members], inits).coefficients
        return found.reshape(TARGETS, STARTS, SCALES, D)[:SAMPLE, :SAMPLE], len(members)

    def paths():
        members = [(p, ib.Initialization(v, scale=1.0)) for p in problems for v in directions]
        found = ib.limit_paths(network, *zip(*members, strict=True), scales).coefficients
        whole = found.reshape(TARGETS, STARTS, SCALES, D)
        return whole[:SAMPLE, :SAMPLE], len(members) * SCALES

    def one_by_one():
        found = [
            ib.predict_limit(network, problems[i], ib.Initialization(directions[j], scale=a))
            for i in part
            for j in part
            for a in scales
        ]
        return np.array([limit.coefficients for limit in found]), len(found)

    def path_by_path():
        found = [
            ib.limit_path(network, problems[i], directions[j], scales).coefficients
            for i in part
            for j in part
        ]
        return np.array(found), len(found) * SCALES

    known = {"predict_limit": one_by_one, "limit_path": path_by_path}
    if hasattr(ib, "predict_limits"):
        known |= {"predict_limits": limits, "limit_paths": paths}
    return known


def serve():
    """Answer one turn: microseconds a limit and the coefficients of the sample."""
    made = {}

    def answer(name, verb):
        if name not in made:
            made.clear()
            made[name] = runs_of(cases()[name])
        spent, (coefficients, count) = seconds(made[name][verb])
        return {"each": 1e6 * spent / count, "coefficients": np.ravel(coefficients).tolist()}

    answer_lines(answer)


def main():
    """Measure the cases one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", help="the src folder of another checkout")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve()
    now = Checkout("benchmarks.many")
    before = Checkout("benchmarks.many", arguments.before) if arguments.before else now
    for name in (name for name in cases() if arguments.only in name):
        for many, one in (("predict_limits", "predict_limit"), ("limit_paths", "limit_path")):
            ratios, here, there = [], [], []
            now.turn(name, many)
            before.turn(name, one)
            for _ in range(arguments.turns):
                own, other = now.turn(name, many), before.turn(name, one)
                here.append(own["each"])
                there.append(other["each"])
                ratios.append(other["each"] / own["each"])
            a, b = (np.array(each["coefficients"]) for each in (own, other))
            print(
                f"{name}: {many} {np.median(here):.0f} us a limit, {one} {np.median(there):.0f}, "
                f"{np.median(ratios):.1f} times as long; {np.abs(a - b).max():.0e} apart",
                flush=True,
            )
    return None


if __name__ == "__main__":
    main()
