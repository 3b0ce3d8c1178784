"""
Sparse in frequency, by convolution
===================================

Full-length convolutional networks are diagonal networks in the Fourier domain: trained from a
small scale they find coefficients with few frequencies. Here the targets come from a sum of two
waves. The data are not even, so that no formula covers the limit at this scale; the flow of the
parameters does not mind.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

d, n = 40, 24
t = np.arange(d)
truth = np.cos(2 * np.pi * 3 * t / d) + 0.6 * np.sin(2 * np.pi * 8 * t / d)
X = np.random.default_rng(2).standard_normal((n, d))
problem = ib.Regression(X, X @ truth)

found = {"minimum l2 norm": np.linalg.pinv(X) @ problem.y}
for depth in (2, 3):
    network = ib.ConvolutionalNetwork(
        num_features=d, filter_sizes=(d,) * depth
    )
    init = ib.Initialization.random(network, scale=0.01, seed=1, gap=0.5)
    flow = ib.gradient_flow(network, problem, init)
    found[f"convolution, L = {depth}"] = flow.final_coefficients
    print(f"L = {depth}: {flow.outcome.name}, drift {flow.drift:.1e}")

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 3.8), layout="constrained"
)
left.plot(t, truth, color="black", linewidth=5, alpha=0.2, label="truth")
for rank, (name, beta) in enumerate(found.items()):
    look = {
        "color": plotting.COLOURS[rank],
        "linestyle": plotting.STYLES[rank % 3],
    }
    left.plot(t, beta, label=name, **look)
    half = np.abs(np.fft.rfft(beta)) / np.sqrt(d)
    right.plot(
        half, marker=plotting.MARKERS[rank], markersize=4, linewidth=1, **look
    )
    print(
        f"{name:20s} error {np.linalg.norm(beta - truth) / np.linalg.norm(truth):.1e}"
    )
left.set_xlabel("position")
left.set_ylabel(r"coefficient $\beta_j$")
right.set_xlabel("frequency")
right.set_ylabel(r"$|F \beta|$")
left.legend(
    frameon=False,
    fontsize="small",
    loc="lower left",
    bbox_to_anchor=(0, 1),
    ncols=4,
)
plt.show()
