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


sizes = np.linspace(0.6, 1.2, 7)
limits = [ib.predict_limit(network, problem, start(size)) for size in sizes]
directions = np.array([limit.coefficients for limit in limits])

_, ax = plt.subplots(figsize=(6.5, 4.0), layout="constrained")
for j in range(3):
    ax.plot(
        sizes,
        directions[:, j],
        color=plotting.COLOURS[j],
        marker=plotting.MARKERS[j],
        markersize=4,
        label=rf"$\beta_{j + 1}$",
    )
ax.set_xlabel("first coordinate of the start")
ax.set_ylabel("direction, smallest margin 1")
ax.legend(frameon=False)
plt.show()

# %%
# Paths from either side of the jump: the first coordinate against the mean of the other two.

_, ax = plt.subplots(figsize=(8.0, 4.8), layout="constrained")
seen = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
chosen = sizes[::2]
flows = [
    ib.gradient_flow(network, problem, start(size), until_margin=1e4)
    for size in chosen
]
names = [f"start {size:.1f}" for size in chosen]
plotting.trajectories(
    problem, flows, limits=limits[::2], names=names, projection=seen, ax=ax
)
ax.set_xlabel(r"$\beta_1$, drawn at asinh of the length")
ax.set_ylabel(r"$(\beta_2 + \beta_3) / 2$")
plt.show()
