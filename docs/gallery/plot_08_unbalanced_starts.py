"""
Unbalanced starts
=================

Theorem 5 starts with equal layers and a last one at zero. The dual flow predicts the limit from
any real start: what counts is how far the squares of the layers are apart, coordinate by
coordinate. Where two layers start at the same size, a coordinate keeps its sign for ever.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problem = ib.datasets.gaussian(6, 15, seed=0)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(11, 4.2), layout="constrained"
)
for rank, depth in enumerate((2, 3, 4)):
    network = ib.DiagonalNetwork(num_features=15, depth=depth)
    for seed in range(4):
        init = ib.Initialization.random(network, scale=0.7, seed=seed)
        limit = ib.predict_limit(network, problem, init)
        flow = ib.gradient_flow(network, problem, init, route="parameters")
        left.plot(
            limit.coefficients,
            flow.final_coefficients,
            linestyle="none",
            marker=plotting.MARKERS[rank],
            color=plotting.COLOURS[rank],
            markersize=4,
            label=f"L = {depth}, four random starts" if seed == 0 else None,
        )
    print(f"L = {depth}: {ib.compare(flow, limit)}")
span = np.array(left.get_xlim())
left.plot(span, span, color="black", linewidth=0.6, zorder=0)
left.set_xlabel(r"predicted $\beta_j$")
left.set_ylabel(r"end of the flow")
left.legend(frameon=False, fontsize="small")

# What a start does to one coordinate of two layers.

plotting.coordinate_curves(
    {
        "(1, 0): crosses": [1.0, 0.0],
        "(1, 0.9): crosses late": [1.0, 0.9],
        "(1, 1): locked positive": [1.0, 1.0],
        "(1, -1): locked negative": [1.0, -1.0],
        "(0, 0): dead": [0.0, 0.0],
    },
    ax=right,
    reach=3,
    span=2.5,
)
plt.show()
