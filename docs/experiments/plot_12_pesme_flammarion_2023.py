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
from scipy.optimize import lsq_linear

import implicitbias as ib
from implicitbias import plotting

X, y = np.array([[1.0, 0.5, 0.7, 0.0], [0.5, 1.0, 0.1, 0.7]]), np.array([1.0, 0.0])
jumps, saddles = [0.0], [np.zeros(4)]
clock = np.zeros(4)
while np.linalg.norm(pull := X.T @ (y - X @ saddles[-1])) > 1e-9:
    moving = np.where(saddles[-1] == 0, pull, 0.0)
    waits = np.where(np.abs(moving) > 1e-9, 1 - np.sign(moving) * clock, np.inf)
    waits = waits / np.maximum(np.abs(moving), 1e-300)
    clock = clock + waits.min() * moving
    jumps.append(jumps[-1] + waits.min())
    signs = np.where(np.abs(clock) > 1 - 1e-9, np.sign(clock), 0.0)
    active = np.flatnonzero(signs)
    found = lsq_linear(X[:, active] * signs[active], y, bounds=(0, np.inf), tol=1e-14).x
    beta = np.zeros(4)
    beta[active] = np.where(found > 1e-6, found, 0.0) * signs[active]
    saddles.append(beta)
print("jumps at", np.round(jumps[1:], 6), "to", *(np.round(each, 6) for each in saddles[1:]))

network, problem = ib.DiagonalNetwork(num_features=4, depth=2), ib.Regression(X, y)
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.2), sharey=True, layout="constrained")
for ax, decades in zip(axes, (30.0, 1000.0), strict=True):
    start = ib.Initialization.last_layer_zero(network, np.ones(4), log_scale=-decades)
    times = np.linspace(0.0, 7.0, 4001)[1:] * decades
    flow = ib.gradient_flow(network, problem, start, route="dual", times=times)
    rescaled = flow.times / decades
    for j in range(4):
        look = {"color": plotting.COLOURS[j], "label": f"coefficient {j + 1}"}
        ax.plot(rescaled, flow.coefficients[:, j], **look)
        steps = [each[j] for each in saddles]
        ax.step([*jumps, 7.0], [*steps, steps[-1]], where="post", color="black", linestyle=":")
    middle = (saddles[1][0] / 2, saddles[2][2] / 2, saddles[3][3] / 2)
    crossed = [
        rescaled[np.argmax(np.abs(flow.coefficients[:, j]) > abs(half))]
        for j, half in zip((0, 2, 3), middle, strict=True)
    ]
    print(f"log(1 / scale) = {decades:g}: halfway at", np.round(crossed, 3))
    ax.set_title(rf"$\log(1 / \alpha) = {decades:g}$", fontsize="medium")
    ax.set_xlabel(r"$t / \log(1 / \alpha)$ (dotted: predicted)")
axes[0].set_ylabel(r"$\beta_j$")
axes[1].legend(frameon=False, loc="upper left")
plt.show()
