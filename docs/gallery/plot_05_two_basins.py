"""
Two basins
==========

With three layers the max-margin problem of Theorem 2 is not convex: for the points (1, 3, 0) and
(1, 0, 3) of one class it has several stationary directions, and the start decides. Moving one
number of the start, the direction jumps.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problem = ib.Classification([[1.0, 3.0, 0.0], [1.0, 0.0, 3.0]], [1, 1])
network = ib.DiagonalNetwork(num_features=3, depth=3)


def start(first):
    """Layers (first, 0.6, 0.66), the last of them ten times smaller."""
    layer = np.array([first, 0.6, 0.66])
    return ib.Initialization([layer, layer, 0.1 * layer], scale=1.0)


sizes = np.linspace(0.5, 1.5, 11)
directions = np.array(
    [ib.predict_limit(network, problem, start(size)).coefficients for size in sizes]
)

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
for j in range(3):
    left.plot(
        sizes,
        directions[:, j],
        color=plotting.COLOURS[j],
        marker=plotting.MARKERS[j],
        markersize=4,
        label=rf"$\beta_{j + 1}$",
    )
left.set_xlabel("first coordinate of the start")
left.set_ylabel("direction, smallest margin 1")
left.legend(frameon=False)

# %%
# Paths from either side of the jump: the first coordinate against the mean of the other two.

seen = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
chosen = [0.6, 0.8, 1.0, 1.2]
flows = [ib.gradient_flow(network, problem, start(size), until_margin=1e4) for size in chosen]
limits = [ib.predict_limit(network, problem, start(size)) for size in chosen]
names = [f"start {size:g}" for size in chosen]
plotting.trajectories(problem, flows, limits=limits, names=names, projection=seen, ax=right)
right.set_xlabel(r"$\beta_1$, drawn at asinh of the length")
right.set_ylabel(r"$(\beta_2 + \beta_3) / 2$")
plt.show()
