"""The tied example of Wind, Antun and Hansen against 80 digits.

X = [[1, 1, 1], [3, 0, 1]], y = (3, 3): at scale 0 all points of a segment have the least l1 norm.
"""

from __future__ import annotations

import numpy as np
from benchmarks.robustness._truth import precise_faces

import implicitbias as ib
from reference.precise_potential import limit

X, Y = np.array([[1.0, 1, 1], [3, 0, 1]]), np.array([3.0, 3])
DEPTHS = range(2, 9)
SCALES = (*(10.0**-k for k in range(1, 13)), 0.0)
ENOUGH = 1e-9


def main() -> int:
    """Print the errors by depth and scale; 1 where one is above ENOUGH or refused."""
    print("L     " + "".join(f"{scale:>9.0e}" for scale in SCALES))
    failed = 0
    for depth in DEPTHS:
        errors = [_error(depth, scale) for scale in SCALES]
        failed += sum(not error <= ENOUGH for error in errors)
        print(f"{depth}     " + "".join(f"{error:9.0e}" for error in errors))
    total = len(DEPTHS) * len(SCALES)
    print(f"{total - failed} of {total} within {ENOUGH:g}; nan: refused")
    return int(failed > 0)


def _error(depth: int, scale: float) -> float:
    network = ib.DiagonalNetwork(3, depth)
    start = ib.Initialization.last_layer_zero(network, np.ones(3), scale=1.0)
    problem = ib.Regression(X, Y)
    layers = start.directions
    try:
        if scale == 0:
            truth = precise_faces.small_end(X, Y, layers)
            found = ib.limit_path(network, problem, start, [0.0]).coefficients[0]
        else:
            truth = limit(X, Y, layers, scale)
            here = ib.Initialization(layers, scale=scale)
            found = ib.predict_limit(network, problem, here).coefficients
    except ib.NoPredictionError:
        return float("nan")
    return float(np.abs(found - truth).max() / np.abs(truth).max())
