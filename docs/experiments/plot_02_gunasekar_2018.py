"""
Gunasekar et al. 2018: convolutions find few frequencies
========================================================

Claim: on separable data full-width linear convolutional networks converge in direction to a
stationary point of :math:`\\min \\|F z\\|_{2/L}` over margins of at least 1, fully connected
ones of any depth to :math:`\\min \\|z\\|_2`. The more layers, the fewer frequencies. The marks
are predicted, the bars trained to a margin of :math:`10^6`.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

d = 16
problem = ib.datasets.separable(6, d, 0.5, seed=1)
networks = {
    "fully connected, L = 3": ib.FullyConnectedNetwork((d, 8, 8)),
    "convolution, L = 2": ib.ConvolutionalNetwork(d, (d, d)),
    "convolution, L = 3": ib.ConvolutionalNetwork(d, (d, d, d)),
}


def spectrum(beta):
    """|F beta| of the frequencies 0 to d / 2, for beta of unit length."""
    return np.abs(np.fft.rfft(beta / np.linalg.norm(beta))) / np.sqrt(d)


figure, axes = plt.subplots(
    1, 3, figsize=(11, 3.8), sharey=True, layout="constrained"
)
for rank, (ax, (name, network)) in enumerate(
    zip(axes, networks.items(), strict=True)
):
    start = ib.Initialization.random(network, scale=0.3, seed=1)
    limit = ib.predict_limit(network, problem, start)
    flow = ib.gradient_flow(network, problem, start, until_margin=1e6)
    power = 2.0 if rank == 0 else 2 / network.depth
    norms = [
        np.sum(np.abs(np.fft.fft(beta) / np.sqrt(d)) ** power) ** (1 / power)
        for beta in (flow.final_direction, limit.coefficients)
    ]
    print(f"{name}: angle {ib.compare(flow, limit).error:.1e};", end=" ")
    print(
        f"norm at margin 1 above the predicted {norms[0] / norms[1] - 1:.1e}"
    )
    ax.bar(
        np.arange(d // 2 + 1),
        spectrum(flow.final_direction),
        color=plotting.COLOURS[rank],
    )
    ax.plot(
        spectrum(limit.coefficients),
        "o",
        color="black",
        markersize=5,
        fillstyle="none",
    )
    ax.set_title(name, fontsize="medium")
    ax.set_xlabel("frequency")
axes[0].set_ylabel(r"$|F \beta| \, / \, \|\beta\|$")
plt.show()
