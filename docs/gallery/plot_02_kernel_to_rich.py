"""
From kernel to rich on diabetes
===============================

Sixty patients, 285 cubic features, diagonal networks: which interpolator training finds depends
on the scale of the start alone. On the right of each panel is the minimum l2 norm, on the left
the minimum l1 norm. The curves are predicted; two simulated flows (rings) end on them.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problem = ib.datasets.diabetes(num_points=60)
d = problem.num_features
names = ib.datasets.diabetes_names()
scales = [0.0, *np.geomspace(1e-6, 1e4, 41), np.inf]

figure, axes = plt.subplots(
    1, 2, figsize=(10.5, 4.2), sharey=True, layout="constrained"
)
shown = 6
for depth, ax in zip((2, 3), axes, strict=True):
    network = ib.DiagonalNetwork(num_features=d, depth=depth)
    start = ib.Initialization.last_layer_zero(network, np.ones(d), scale=30.0)
    path = ib.limit_path(network, problem, start, scales)
    flow = ib.gradient_flow(network, problem, start)
    ends = [(30.0, flow.final_coefficients)]
    if shown == 6:  # the same coefficients in the same colours in both panels
        shown = [
            trace.index for trace in plotting.scale_path_traces(path).shown
        ]
    plotting.scale_path(
        path, flows=ends, names=names, ax=ax, shown=shown, legend=depth == 3
    )
    ax.set_title(f"L = {depth}")
    ax.label_outer()
    print(path)
plt.show()
