"""
Why directions close slowly
===========================

A two-layer classifier closes in on its l1 direction like a power of the margin that can be tiny:
one minus the largest correlation that a coefficient outside the support has with the dual
solution. The margin itself grows like the logarithm of time. The dotted lines have the slopes
that are predicted in the end; for the two slow ones a margin of 1e60 is not yet the end.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problems = {
    "digits 1 and 7": ib.datasets.digits_pair(1, 7, num_points=12),
    "wine": ib.datasets.wine(0, num_points=12),
    "iris setosa": ib.datasets.iris_setosa(),
}
runs = []
for name, problem in problems.items():
    network = ib.DiagonalNetwork(num_features=problem.num_features, depth=2)
    init = ib.Initialization.random(network, scale=0.5, seed=1, gap=0.5)
    limit = ib.predict_limit(network, problem, init)
    flow = ib.gradient_flow(
        network, problem, init, until_log_margin=60 * np.log(10)
    )
    label = f"{name}: rate {limit.rate:.3g}"
    runs.append(
        plotting.MarginRun(
            label,
            flow.directions,
            flow.log_margins,
            limit.coefficients,
            rate=limit.rate,
            norm_power=1.0,
        )
    )
    print(name, "-", ib.compare(flow, limit).closings[0])

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4), layout="constrained"
)
plotting.margin_path(runs, ax=left, legend=False)
plotting.margin_path(runs, quantity="normalised margin", ax=right, until=15)
plt.show()
