"""The time and the accuracy of regressions' dual flows, beside another checkout.

    git worktree add ../before v0.1.0
    python -m benchmarks.flows --before ../before/src        # a few minutes
    python -m benchmarks.flows --only "n=20"                 # this checkout alone

CPU seconds of one thread. Two processes, one a checkout, take turns on one case: the ratio is the
median over turns. Errors, relative to the largest coefficient: at the end against the predicted
limit; along, the largest at the saved points against the flow of the parameters (n = 20) or the
dual at a thousandth of its tolerance (n = 100), at the same times; "at times", of the flow that is
asked for these times.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from benchmarks._checkouts import answer_lines, checkouts, options, row_of, seconds

import implicitbias as ib

MODULE = "benchmarks.flows"
POINTS = 100  # saved ones that are judged
FEW = 20  # data points up to which the parameters bear witness


def cases():
    """Name -> (n, d, L, scale)."""
    found = []
    for depth in (2, 3, 4):
        found += [(20, 100, depth, scale) for scale in (1e-1, 1e-2, 1e-3)]
    found += [(20, 100, depth, 1e-2) for depth in (5, 6)]
    found += [(100, 1000, 2, 1e-1), (100, 1000, 2, 1e-2), (100, 1000, 2, 1e-3)]
    found += [
        (100, 1000, 3, 1e-1),
        (100, 1000, 3, 1e-2),
        (100, 1000, 4, 1e-1),
        (100, 1000, 4, 1e-2),
    ]
    return {f"n={n}, d={d}, L={depth}, scale {scale:g}": (n, d, depth, scale)
            for n, d, depth, scale in found}  # fmt: skip


def setting_of(n, d, depth, scale):
    """Network, problem and Theorem 5's start."""
    rng = np.random.default_rng(0)
    problem = ib.Regression(rng.standard_normal((n, d)), rng.standard_normal(n))
    network = ib.DiagonalNetwork(d, depth)
    return network, problem, ib.Initialization.last_layer_zero(network, np.ones(d), scale)


def serve():
    """Answer one turn a line: seconds, route, outcome, saved times and coefficients."""
    known, last = cases(), {}

    def answer(name):
        if name not in last:
            last.clear()
            last[name] = setting_of(*known[name])
        spent, flow = seconds(lambda: ib.gradient_flow(*last[name]))
        inner = slice(1, -1, max(1, (len(flow.times) - 2) // POINTS))
        return {
            "seconds": spent,
            "route": flow.route,
            "outcome": flow.outcome.name,
            "end": flow.final_coefficients.tolist(),
            "times": flow.times[inner].tolist(),
            "coefficients": flow.coefficients[inner].tolist(),
        }

    answer_lines(answer)


def followed(setting, times, **options):
    """beta at these times, (T, d)."""
    flow = ib.gradient_flow(*setting, times=times, until_residual=1e-15, **options)
    short = len(times) - (len(flow.times) - 1)  # an end before the last of them stands for the rest
    return np.vstack(
        [flow.coefficients[1:], np.repeat(flow.coefficients[-1:], max(short, 0), axis=0)]
    )


def apart(found, expected):
    """Largest difference over the largest entry."""
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


def errors_of(answer, setting, limit):
    """At the end, along, and along by the flow that is asked for these times."""
    times = np.array(answer["times"])
    few = setting[1].num_points <= FEW
    precise = {"route": "parameters", "rtol": 1e-9} if few else {"route": "dual", "rtol": 1e-13}
    exact = followed(setting, times, **precise)
    asked = followed(setting, times, route="dual")
    return apart(answer["end"], limit), apart(answer["coefficients"], exact), apart(asked, exact)


def measured(now, before, turns, only=""):
    """One dictionary a case: medians of both and of their ratios, errors at the end."""
    for name in (name for name in cases() if only in name):
        limit = ib.predict_limit(*setting_of(*cases()[name])).coefficients
        pairs = []
        for _ in range(turns):
            own = now.turn(name)
            pairs.append((own, before.turn(name) if before else None))
        last, other = pairs[-1]
        yield row_of(name, [(a["seconds"], b and b["seconds"]) for a, b in pairs]) | {
            "error": apart(last["end"], limit),
            "error before": apart(other["end"], limit) if other else None,
        }


def main():
    """Measure the cases one after the other."""
    given = options(__doc__, turns=5)
    if given.serve:
        return serve()
    now, before = checkouts(MODULE, given.before)
    for name in (name for name in cases() if given.only in name):
        setting = setting_of(*cases()[name])
        limit = ib.predict_limit(*setting).coefficients
        here, there = [], []
        for _ in range(given.turns):
            own = now.turn(name)
            here.append(own["seconds"])
            if before:
                other = before.turn(name)
                there.append(other["seconds"])
        print(f"{name}: {described(own, here, setting, limit, asked=True)}", flush=True)
        if before:
            ratio = np.median(np.array(there) / np.array(here))
            text = described(other, there, setting, limit, asked=False)
            print(f"    before: {text}; {ratio:.1f} times as long", flush=True)
    return None


def described(answer, times, setting, limit, *, asked):
    """One line."""
    end, along, at_times = errors_of(answer, setting, limit)
    text = f"{np.median(times):.3f} s, {answer['route']}, {answer['outcome'].lower()}, errors: "
    text += f"end {end:.1e}, along {along:.1e}"
    return text + (f", at times {at_times:.1e}" if asked else "")


if __name__ == "__main__":
    main()
