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

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from benchmarks._checkouts import answer_lines, checkouts, options, row_of, seconds

import implicitbias as ib

MODULE = "benchmarks.many"
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
    """Answer one turn: CPU seconds a limit and the coefficients of the sample."""
    made = {}

    def answer(name, verb):
        if name not in made:
            made.clear()
            made[name] = runs_of(cases()[name])
        spent, (coefficients, count) = seconds(made[name][verb])
        return {"seconds": spent / count, "coefficients": np.ravel(coefficients).tolist()}

    answer_lines(answer)


def measured(now, before, turns, only=""):
    """One dictionary a case and verb: medians of both and of their ratios; *apart* is absolute.

    One by one by the other checkout, or by this one without another.
    """
    before = before or now
    for name in (name for name in cases() if only in name):
        for verb, one in (("predict_limits", "predict_limit"), ("limit_paths", "limit_path")):
            now.turn(name, verb)
            before.turn(name, one)
            pairs = []
            for _ in range(turns):
                own, other = now.turn(name, verb), before.turn(name, one)
                pairs.append((own["seconds"], other["seconds"]))
            a, b = (np.array(each["coefficients"]) for each in (own, other))
            apart = float(np.abs(a - b).max())
            yield row_of(name, pairs) | {"verb": verb, "one": one, "apart": apart}


def main():
    """Measure the cases one after the other."""
    given = options(__doc__, turns=3)
    if given.serve:
        return serve()
    for row in measured(*checkouts(MODULE, given.before), given.turns, given.only):
        text = f"{row['case']}: {row['verb']} {1e6 * row['seconds']:.0f} us a limit, "
        text += f"{row['one']} {1e6 * row['before']:.0f}, {row['ratio']:.1f} times as long"
        print(f"{text}; {row['apart']:.0e} apart", flush=True)
    return None


if __name__ == "__main__":
    main()
