"""
Steps shrink the scale of the start
===================================

A run of gradient descent ends where the flow from another start would: its effective start.
Larger steps and smaller batches mean smaller effective scales (left; dashed: what the flow
alone says of small steps, :math:`\\alpha \\exp(-\\frac{\\gamma}{2} \\int g_j^2 \\, dt)` for two
layers). Full batches shrink the scale where the residual pulls most, on the features that
matter; batches of one point shrink it everywhere (right).
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

alpha, d = 0.2, 60
problem = ib.datasets.sparse(20, d, 5, seed=1)
network = ib.DiagonalNetwork(num_features=d, depth=2)
start = ib.Initialization.last_layer_zero(network, np.ones(d), scale=alpha)
flow = ib.gradient_flow(
    network, problem, start, route="dual", num_points=2000
)
pulls = (flow.coefficients @ problem.X.T - problem.y) @ problem.X
decay = np.trapezoid(pulls**2, flow.times, axis=0)


def mean(scales):
    """The geometric mean over the coordinates."""
    return np.exp(np.mean(np.log(scales), axis=-1))


def train(steps, batch_size):
    """The effective scales (steps, d) of the runs that fit the data, NaN for the others."""
    runs = ib.gradient_descent(
        network,
        problem,
        start,
        step=list(steps),
        batch_size=batch_size,
        until_residual=1e-6,
    )
    fits = [
        run.outcome.converged and run.effective.scales is not None
        for run in runs
    ]
    return np.array(
        [
            run.effective.scales if fit else np.full(d, np.nan)
            for run, fit in zip(runs, fits, strict=True)
        ]
    )


figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4.2), layout="constrained"
)
steps = np.geomspace(1e-3, 3e-2, 16)
for rank, batch_size in enumerate((None, 10, 4, 1)):
    name = (
        "all 20 points" if batch_size is None else f"batches of {batch_size}"
    )
    found = train(steps, batch_size)
    look = {
        "color": plotting.COLOURS[rank],
        "marker": plotting.MARKERS[rank],
        "markersize": 4,
    }
    left.semilogx(steps, mean(found) / alpha, label=name, **look)
    last = np.flatnonzero(np.isfinite(found[:, 0]))[-1]
    print(
        f"{name}: settles up to step {steps[last]:.4f}, mean scale {mean(found[last]):.4f}"
    )
    if batch_size in (None, 1):
        label = f"{name}, step {steps[last]:.4f}"
        right.semilogy(
            np.arange(d),
            found[last] / alpha,
            linestyle="none",
            label=label,
            **look,
        )
small = np.exp(-steps[:, None] * decay / 2)
left.semilogx(
    steps,
    mean(small),
    "--",
    color="black",
    linewidth=1,
    label="all points, by the flow",
)
left.set_xlabel(r"step size $\gamma$")
left.set_ylabel(r"effective scale / $\alpha$, geometric mean")
left.legend(frameon=False, loc="lower left")
right.axvspan(-0.5, 4.5, color=plotting.REST, alpha=0.3, linewidth=0)
right.set_xlabel("feature (grey: the five that made the targets)")
right.set_ylabel(r"effective scale / $\alpha$")
right.legend(frameon=False, loc="lower right")
plt.show()
