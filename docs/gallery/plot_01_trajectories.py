"""
Same start, three networks, three ends
======================================

Fully connected, diagonal and convolutional networks start from the same coefficients and see the
same data. Nothing in the loss tells them apart; their architecture does. In regression every
point of the grey line fits the datum, and where a path meets it is predicted exactly (filled
markers). Deeper fully connected networks are predicted only for scales that tend to zero (hollow
marker). In classification the coefficients grow for ever, and each network has a direction of its
own.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

last = np.array([0.45, -0.3])


def starts(depth):
    """Layers that multiply to alpha^L (0.45, -0.3) in every network."""
    networks = {
        "fully connected": (
            ib.FullyConnectedNetwork((2,) * depth),
            np.eye(2),
        ),
        "diagonal": (ib.DiagonalNetwork(2, depth), np.ones(2)),
        "convolution": (
            ib.ConvolutionalNetwork(2, (2,) * depth),
            np.array([1.0, 0.0]),
        ),
    }
    for name, (network, unit) in networks.items():
        for scale in (0.1, 0.5, 1.0):
            yield (
                name,
                network,
                ib.Initialization([unit] * (depth - 1) + [last], scale),
            )


def draw(problem, depth, ax):
    """Train, predict, draw."""
    runs = list(starts(depth))
    plotting.trajectories(
        problem,
        [
            ib.gradient_flow(net, problem, init, until_margin=1e4)
            for _, net, init in runs
        ],
        limits=[
            ib.predict_limit(net, problem, init) for _, net, init in runs
        ],
        names=[name for name, _, _ in runs],
        ax=ax,
        legend=depth == 3,
    )
    ax.set_title(f"L = {depth}")


# %%
# Regression: one point :math:`x = (1, 2)`, :math:`y = 2`.

problem = ib.Regression([[1.0, 2.0]], [2.0])
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
for depth, ax in zip((2, 3), axes, strict=True):
    draw(problem, depth, ax)

# %%
# Classification: two points of one class, (1, 2) and (2, 2.5). The nearer one decides, and the
# three networks maximise its margin in three norms: l2, l1, and l1 of the Fourier transform. With
# three layers the diagonal network has two stationary directions; the larger start ends in the
# other.

problem = ib.Classification([[1.0, 2.0], [2.0, 2.5]], [1, 1])
figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.4), layout="constrained")
for depth, ax in zip((2, 3), axes, strict=True):
    draw(problem, depth, ax)
plt.show()
