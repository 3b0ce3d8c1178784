"""
Pesme and Flammarion 2023: from saddle to saddle
================================================

Claim: from a vanishing start, in the time :math:`t / \\log(1 / \\alpha)`, the flow of a
two-layer diagonal network jumps from saddle to saddle: a coordinate joins when :math:`\\int
[X^T (y - X \\beta)]_j \\, dt` reaches :math:`\\pm 1`, and :math:`\\beta` moves on to the least
squares on the active coordinates with those signs, until it ends at the least l1 norm.
Coordinates leave as well: the first one here.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

X, y = (
    np.array([[1.0, 0.5, 0.7, 0.0], [0.5, 1.0, 0.1, 0.7]]),
    np.array([1.0, 0.0]),
)
network, problem = (
    ib.DiagonalNetwork(num_features=4, depth=2),
    ib.Regression(X, y),
)
ones = ib.Initialization.last_layer_zero(network, np.ones(4), scale=1.0)
path = ib.saddle_path(network, problem, ones)
print(
    "jumps at",
    np.round(path.times, 6),
    "to",
    *(np.round(each, 6) for each in path.coefficients),
)
names = [f"coefficient {j}" for j in range(1, 5)]
figure, axes = plt.subplots(
    1, 2, figsize=(10.5, 4.2), sharey=True, layout="constrained"
)
for ax, log_scale in zip(axes, (-30.0, -1000.0), strict=True):
    start = ib.Initialization(ones.directions, log_scale=log_scale)
    times = np.linspace(0.0, 7.0, 4001)[1:] * -log_scale
    flow = ib.gradient_flow(
        network, problem, start, route="dual", times=times
    )
    first = log_scale == -30.0
    plotting.saddle_path(
        path,
        flow=flow,
        log_scale=log_scale,
        ax=ax,
        shown=range(4),
        names=names,
        legend=not first,
    )
    crossed = [
        flow.times[np.argmax(np.abs(flow.coefficients[:, j]) > abs(half))]
        / -log_scale
        for j, half in zip(
            (0, 2, 3),
            path.coefficients[[0, 1, 2], [0, 2, 3]] / 2,
            strict=True,
        )
    ]
    print(
        f"log(1 / scale) = {-log_scale:g}: halfway at", np.round(crossed, 3)
    )
    ax.set_title(rf"$\log(1 / \alpha) = {-log_scale:g}$", fontsize="medium")
plt.show()
