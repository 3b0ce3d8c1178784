"""
Forgotten in classification, remembered in regression
=====================================================

Two starts, one network, one data set of twelve wines. As a classifier both starts end in one
direction. Asked to fit the labels as numbers, they end at two different interpolators.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

classes = ib.datasets.wine(0, num_points=12)
numbers = ib.Regression(classes.X, classes.y)
d = classes.num_features
network = ib.DiagonalNetwork(num_features=d, depth=2)
rng = np.random.default_rng(7)
starts = {
    "start A": ib.Initialization([np.ones(d), np.full(d, 0.1)], scale=1.0),
    "start B": ib.Initialization(
        [rng.uniform(0.5, 2, d), rng.uniform(-0.4, 0.4, d)], scale=1.0
    ),
}

figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4.2), layout="constrained"
)
position = np.arange(d)
for ax, problem, title in (
    (left, classes, "classification: the direction"),
    (right, numbers, "regression: the interpolator"),
):
    ends = []
    for rank, (name, init) in enumerate(starts.items()):
        limit = ib.predict_limit(network, problem, init)
        flow = ib.gradient_flow(
            network, problem, init, until_log_margin=280 * np.log(10)
        )
        end = (
            flow.final_coefficients
            if flow.final_direction is None
            else flow.final_direction
        )
        ends.append(end / np.linalg.norm(end))
        shift = 0.36 * (rank - 0.5)
        predicted = limit.coefficients
        colour = plotting.COLOURS[rank]
        ax.bar(
            position + shift,
            predicted,
            width=0.34,
            color=colour,
            alpha=0.6,
            label=name,
        )
        ax.plot(
            position + shift,
            end,
            "o",
            color="black",
            markerfacecolor="none",
            markersize=5,
        )
    print(
        f"{title}: the two flows' ends are {np.linalg.norm(ends[0] - ends[1]):.1e} apart"
    )
    ax.axhline(0, color="black", linewidth=0.5)
    ax.set_title(title, fontsize="medium")
    ax.set_xlabel("feature")
    ax.set_ylabel(r"$\beta_j$: predicted (bars), simulated (rings)")
left.legend(frameon=False)
plt.show()
