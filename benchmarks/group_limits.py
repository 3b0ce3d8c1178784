"""Limit directions over groups against flows: random problems, two and three layers.

    python -m benchmarks.group_limits                 # 52 problems a depth, two minutes
    python -m benchmarks.group_limits --problems 8

One line a group and depth, as a table for the documentation: how many problems were predicted, the
largest certificate, the angle between prediction and flow at margin 1e8 (median and largest), the
angle at the far end, where the flow goes on as ``benchmarks.groups`` says (its weights are those at
margin 1e5, so that it ends about 1e-5 away), and the largest relative difference between the rate
and the exponents that have settled.
"""

from __future__ import annotations

import argparse
import time
from itertools import chain, product

import numpy as np
from benchmarks.groups import HANDOVER, Direction

from implicitbias import (
    Classification,
    GroupConvolutionalNetwork,
    Initialization,
    NoPredictionError,
    compare,
    gradient_flow,
    predict_limit,
)
from implicitbias._closing import angle_between

GENERATORS = {
    "S_3": [(1, 0, 2), (1, 2, 0)],
    "D_4": [(1, 2, 3, 0), (0, 3, 2, 1)],
    "Q_8": [(1, 2, 3, 0, 5, 6, 7, 4), (4, 7, 6, 5, 2, 1, 0, 3)],
    "A_4": [(1, 2, 0, 3), (1, 0, 3, 2)],
}
COLUMNS = (
    *("group", "L", "predicted", "worst certificate", "angle at margin 1e8, median"),
    *("largest", "at the far end, median", "largest", "settled", "rate off by"),
)


def table_of(name):
    """The multiplication table."""
    elements = [tuple(range(len(GENERATORS[name][0])))]
    for known in elements:
        for generator in GENERATORS[name]:
            found = tuple(known[i] for i in generator)
            if found not in elements:
                elements.append(found)
    return [[elements.index(tuple(a[i] for i in b)) for b in elements] for a in elements]


def problem(network, seed):
    """Two to g / 2 + 1 Gaussian points, a random start."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, network.num_features // 2 + 2))
    X, y = rng.standard_normal((n, network.num_features)), rng.choice([-1.0, 1.0], n)
    y[0], y[-1] = 1.0, -1.0
    gap = 0.1 if network.depth == 2 else None
    scale = float(10.0 ** rng.uniform(-1.0, 0.3))
    return Classification(X, y), Initialization.random(network, scale, seed=seed, gap=gap)


def far_end(network, data, init):
    """beta of the direction where it has come to rest."""
    flow = gradient_flow(network, data, init, route="parameters", until_margin=HANDOVER)
    theta = network.flatten(flow.final_parameters)
    direction = Direction(network, data)
    _, _, end = direction.follow(theta / np.linalg.norm(theta), np.log(HANDOVER))
    return network.coefficients(network.unflatten(end))


def line(name, depth, count):
    """One row of the table."""
    network = GroupConvolutionalNetwork(table_of(name), depth)
    certificates, angles, ends, rates, refused = [], [], [], [], []
    for seed in range(count):
        data, init = problem(network, seed)
        try:
            limit = predict_limit(network, data, init)
        except NoPredictionError as error:
            refused.append(str(error))
            continue
        certificates.append(limit.certificate.worst)
        flow = gradient_flow(network, data, init, route="parameters", until_margin=1e8)
        (closing,) = compare(flow, limit).closings
        angles.append(closing.angle)
        ends.append(angle_between(far_end(network, data, init), limit.coefficients))
        if closing.settled:
            rates.append(abs(closing.exponent / limit.rate - 1.0))
    for text in refused:
        print("refused:", text)
    numbers = (
        *(f"{max(certificates):.0e}", f"{np.median(angles):.1e}", f"{max(angles):.1e}"),
        *(f"{np.median(ends):.1e}", f"{max(ends):.1e}"),
        *(f"{len(rates)}", f"{np.median(rates):.1%}, at most {max(rates):.0%}" if rates else ""),
    )
    return (f":math:`{name}`", str(depth), f"{count - len(refused)} of {count}", *numbers)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=52, help="for each depth")
    parser.add_argument("--depths", type=int, nargs="+", default=[2, 3], help="layers")
    parser.add_argument("--groups", nargs="+", default=[*GENERATORS], choices=[*GENERATORS])
    given = parser.parse_args()
    began = time.process_time()
    print(".. written by python -m benchmarks.group_limits\n")
    print(".. list-table::\n   :header-rows: 1\n")
    chosen = product(given.depths, given.groups)
    rows = (line(name, depth, given.problems // len(GENERATORS)) for depth, name in chosen)
    for cells in chain([COLUMNS], rows):
        lines = (f"   {'* -' if not i else '  -'} {cell}" for i, cell in enumerate(cells))
        print("\n".join(lines), flush=True)
    print(f"\n{time.process_time() - began:.0f} CPU seconds.")


if __name__ == "__main__":
    main()
