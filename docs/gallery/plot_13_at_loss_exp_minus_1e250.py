"""
A direction 4e-2 from its limit at a loss of exp(-1e250)
========================================================

Twenty random points in a hundred dimensions, a diagonal network of two layers. A coefficient that
does not belong to the l1 solution is almost as good as those that do: the distance to the
predicted direction falls like the margin to the power -0.005, and only in the end. No simulation
in ordinary variables gets far enough to see this; this one follows the logarithm of the margin,
with the smallest margins kept equal.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

rng = np.random.default_rng(24)
X, y = (
    rng.standard_normal((20, 100)),
    np.where(rng.standard_normal(20) > 0, 1.0, -1.0),
)
problem = ib.Classification(X, y)
network = ib.DiagonalNetwork(num_features=100, depth=2)
init = ib.Initialization.random(network, scale=0.5, seed=1, gap=0.5)

limit = ib.predict_limit(network, problem, init)
flow = ib.gradient_flow(
    network, problem, init, until_log_margin=250 * np.log(10)
)
print(f"margin 1e250: {ib.compare(flow, limit).closings[0]}")
print(flow)

run = plotting.MarginRun(
    "diagonal, L = 2",
    flow.directions,
    flow.log_margins,
    limit.coefficients,
    rate=limit.rate,
    norm_power=1.0,
)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4), layout="constrained"
)
plotting.margin_path([run], ax=left, legend=False)
left.set_ylim(1e-2, 3)
unit = limit.coefficients / np.linalg.norm(limit.coefficients)
reached = flow.final_direction / np.linalg.norm(flow.final_direction)
order = np.argsort(-np.abs(unit) - np.abs(reached))[:30]
right.bar(
    np.arange(30),
    unit[order],
    color=plotting.COLOURS[0],
    alpha=0.6,
    label="predicted",
)
right.plot(
    reached[order],
    "o",
    color="black",
    markerfacecolor="none",
    label="margin 1e250",
)
right.set_xlabel("coefficient, largest first")
right.set_ylabel("direction, unit length")
right.legend(frameon=False)
plt.show()
