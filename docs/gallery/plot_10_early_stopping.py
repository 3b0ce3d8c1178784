"""
Early stopping
==============

With noise in the targets, the end of training is not the best point on the way. Along the flow
the error against the coefficients that made the data falls and rises again, and how deep it falls
depends on the network: from a small scale it passes near the sparse truth before it fits the
noise.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

n, d, s, noise = 30, 80, 4, 0.3
truth = np.zeros(d)
truth[:s] = 1 / np.sqrt(s)
problem = ib.datasets.sparse(n, d, s, seed=4, noise=noise)

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4), layout="constrained"
)
for rank, (depth, scale) in enumerate(((2, 2.0), (2, 0.05), (3, 0.2))):
    network = ib.DiagonalNetwork(num_features=d, depth=depth)
    init = ib.Initialization.last_layer_zero(network, np.ones(d), scale=scale)
    flow = ib.gradient_flow(network, problem, init, num_points=400)
    error = np.linalg.norm(flow.coefficients - truth, axis=1)
    name = rf"L = {depth}, $\alpha$ = {scale:g}"
    look = {
        "color": plotting.COLOURS[rank],
        "linestyle": plotting.STYLES[rank],
    }
    left.semilogx(flow.times[1:], error[1:], label=name, **look)
    best = int(error.argmin())
    left.plot(
        flow.times[best],
        error[best],
        marker=plotting.MARKERS[rank],
        color=look["color"],
    )
    right.loglog(flow.times[1:], np.exp(flow.log_losses[1:]), **look)
    print(
        f"{name}: best {error[best]:.3f} at t = {flow.times[best]:.3g}, end {error[-1]:.3f}"
    )
left.set_xlabel("time")
left.set_ylabel(r"$\|\beta(t) - \beta^*\|$")
left.legend(frameon=False, fontsize="small")
right.set_xlabel("time")
right.set_ylabel("training loss")
plt.show()
