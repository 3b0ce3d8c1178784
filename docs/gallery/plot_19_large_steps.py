"""
Large steps: gradient descent less sparse, SGD sparser
======================================================

Even, Pesme, Gunasekar and Flammarion (2023): with growing steps gradient descent on a two-layer
diagonal network recovers a sparse signal worse, stochastic gradient descent better, and most so
just below the step that diverges. Every dot is the end of a run; the flow (dashed) knows no
step. Six problems, 20 points, 30 features of which three matter, batches of one point: the
second half holds in all of them, the first in five up to the last step but one.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

n, d = 20, 30
truth = np.where(np.arange(d) < 3, 1 / np.sqrt(3), 0.0)
network = ib.DiagonalNetwork(num_features=d, depth=2)
start = ib.Initialization.last_layer_zero(network, np.ones(d), scale=0.2)


def risks(problem, steps, batch_size, seed):
    """|beta - truth|^2 at the ends of the runs, NaN for those that did not fit the data."""
    runs = ib.gradient_descent(
        network,
        problem,
        start,
        step=list(steps),
        batch_size=batch_size,
        seed=seed,
        until_residual=1e-5,
        max_steps=40_000,
    )
    return [
        np.sum((run.final_coefficients - truth) ** 2)
        if run.outcome.converged
        else np.nan
        for run in runs
    ]


figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
for seed in range(6):
    problem = ib.datasets.sparse(n, d, 3, seed=seed)
    flow = np.sum(
        (ib.predict_limit(network, problem, start).coefficients - truth) ** 2
    )
    for ax, batch_size, largest in zip(
        axes, (None, 1), (1.3, 0.6), strict=True
    ):
        steps = np.geomspace(0.1, 1.0, 12) * largest / n
        found = np.array(risks(problem, steps, batch_size, seed))
        look = {
            "color": plotting.COLOURS[seed],
            "marker": plotting.MARKERS[seed],
        }
        ax.semilogx(
            steps,
            found / flow,
            markersize=4,
            label=f"problem {seed + 1}",
            **look,
        )
        last = np.flatnonzero(np.isfinite(found))[-1]
        name = "SGD" if batch_size else "GD"
        print(
            f"problem {seed + 1}, {name}: {found[last] / flow:.3g} at step {steps[last]:.3f}"
        )
for ax, title in zip(
    axes, ("gradient descent", "SGD, batches of one point"), strict=True
):
    ax.axhline(
        1.0, color="black", linestyle="--", linewidth=1, label="gradient flow"
    )
    ax.set_title(title, fontsize="medium")
    ax.set_xlabel(r"step size $\gamma$")
    ax.tick_params(axis="x", which="minor", labelbottom=False)
    ax.set_xticks(
        [0.005, 0.01, 0.02, 0.05], ["0.005", "0.01", "0.02", "0.05"]
    )
    ax.set_xlim(0.0045, 0.075)
axes[1].set_yscale("log")
axes[0].set_ylabel(r"$\|\beta_\infty - \beta^*\|^2$ / the flow's")
axes[0].legend(frameon=False, fontsize="small")
plt.show()
