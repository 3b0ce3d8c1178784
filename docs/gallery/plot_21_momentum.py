"""
Momentum: the mass decides
==========================

The heavy ball keeps no exact identity, but Papazov, Pesme and Flammarion (2024) found what
decides its path: :math:`\\gamma / (1 - \\mu)^2`. Expanding the iteration in the time :math:`t =
k \\gamma / (1 - \\mu)` gives :math:`m \\ddot\\theta + \\dot\\theta = -\\nabla \\mathcal{L}`
with the mass :math:`m = \\gamma (1 + \\mu) / (2 (1 - \\mu)^2)`, which is half the step without
momentum. Runs of four momenta fall on one line in it, to 3 % where it is small.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

d = 60
problem = ib.datasets.sparse(20, d, 5, seed=1)
network = ib.DiagonalNetwork(num_features=d, depth=2)
start = ib.Initialization.last_layer_zero(network, np.ones(d), scale=0.2)
flow = ib.predict_limit(network, problem, start).coefficients

masses = np.geomspace(2e-3, 2e-2, 7)
momenta = (0.0, 0.5, 0.8, 0.9)
figure, axes = plt.subplots(
    1, 2, figsize=(10.5, 4.2), sharey=True, layout="constrained"
)
distances = []
for rank, mu in enumerate(momenta):
    steps = 2 * masses * (1 - mu) ** 2 / (1 + mu)
    runs = ib.gradient_descent(
        network,
        problem,
        start,
        step=list(steps),
        momentum=mu,
        until_residual=1e-6,
        max_steps=100_000,
    )
    assert all(run.outcome.converged for run in runs)
    ends = np.array([run.final_coefficients for run in runs])
    distance = np.abs(ends - flow).max(axis=1) / np.abs(flow).max()
    distances.append(distance)
    for ax, x in zip(axes, (steps / (1 - mu), masses), strict=True):
        look = {
            "color": plotting.COLOURS[rank],
            "marker": plotting.MARKERS[rank],
        }
        ax.loglog(x, distance, markersize=5, label=rf"$\mu = {mu:g}$", **look)
spread = np.max(distances, axis=0) / np.min(distances, axis=0)
print("distances at one mass, largest over smallest:", np.round(spread, 3))
slope = np.polyfit(np.log(masses), np.log(distances[0]), 1)[0]
print(f"distance ~ mass^{slope:.2f} for gradient descent")
axes[0].set_xlabel(r"$\gamma / (1 - \mu)$, the time of a step")
axes[1].set_xlabel(r"mass $\gamma (1 + \mu) / (2 (1 - \mu)^2)$")
axes[1].tick_params(axis="x", which="minor", labelbottom=False)
axes[1].set_xticks(
    [0.002, 0.005, 0.01, 0.02], ["0.002", "0.005", "0.01", "0.02"]
)
axes[0].set_ylabel(
    r"$|\beta_\infty - \beta_{\mathrm{flow}}|_\infty / |\beta_{\mathrm{flow}}|_\infty$"
)
axes[0].legend(frameon=False)
plt.show()
