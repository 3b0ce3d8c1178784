"""
The dual flow, seen
===================

Every decoupled coordinate is a fixed curve of its own clock, and the clocks are linear in as many
dual variables as there are points. So the whole flow of the layers can be run in n dimensions:
the lines come from the dual, the rings from the layers themselves.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

starts = {
    "L = 2, from (1, 0)": [1.0, 0.0],
    "L = 3, from (1, 1, 0)": [1.0, 1.0, 0.0],
    "L = 4, from (1, 1, 1, 0)": [1.0, 1.0, 1.0, 0.0],
    "L = 3, from (1.5, 1, 0.5)": [1.5, 1.0, 0.5],
}
figure, (left, right) = plt.subplots(
    1, 2, figsize=(11.5, 4.2), layout="constrained"
)
plotting.coordinate_curves(starts, ax=left, reach=4, span=2)
left.get_legend().remove()
left.legend(frameon=False, fontsize="small", loc="upper left")

# The same trajectory, twice.

problem = ib.datasets.gaussian(4, 12, seed=5)
network = ib.DiagonalNetwork(num_features=12, depth=3)
init = ib.Initialization.random(network, scale=0.6, seed=3, gap=0.2)
layers = ib.gradient_flow(
    network, problem, init, route="parameters", num_points=40
)
dual = ib.gradient_flow(network, problem, init, route="dual", num_points=400)
order = np.argsort(-np.abs(dual.final_coefficients))[:6]
for rank, j in enumerate(order):
    colour = plotting.COLOURS[rank]
    right.semilogx(dual.times[1:], dual.coefficients[1:, j], color=colour)
    right.plot(
        layers.times[1:],
        layers.coefficients[1:, j],
        "o",
        color=colour,
        markerfacecolor="none",
    )
right.set_xlabel("time")
right.set_ylabel(r"coefficient $\beta_j$")
right.set_title(
    "lines: 4 dual unknowns; rings: 36 parameters", fontsize="medium"
)
ends = np.abs(layers.final_coefficients - dual.final_coefficients).max()
print(
    f"the ends differ by {ends:.1e}; steps: {layers.num_steps} and {dual.num_steps}"
)
plt.show()
