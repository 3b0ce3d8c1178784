"""
Saxe et al. 2014: modes are learned one after another
=====================================================

Claim: with whitened inputs the modes of a deep linear network decouple, and one of strength
:math:`s` follows a sigmoid, :math:`s e^{2st} / (e^{2st} - 1 + s / a_0)` for two layers from
:math:`a_0`: it is learned at the time :math:`\\log(s / a_0 - 1) / 2s`, the strong ones first. A
diagonal network on the identity has these modes. With more layers :math:`\\dot a = L a^{2 -
2/L} (s - a)`: from the same small :math:`a_0` a mode waits longer.
"""

import numpy as np
from matplotlib import pyplot as plt
from scipy.integrate import quad

import implicitbias as ib
from implicitbias import plotting

strengths, a0 = np.array([4.0, 2.0, 1.0]), 1e-3
problem = ib.Regression(np.eye(3), strengths)


def train(depth, times):
    """beta(t) from a_0 in every mode, all layers equal."""
    network = ib.DiagonalNetwork(num_features=3, depth=depth)
    start = ib.Initialization([np.ones(3)] * depth, scale=a0 ** (1 / depth))
    flow = ib.gradient_flow(
        network, problem, start, route="parameters", times=times
    )
    return flow.times[1:], flow.coefficients[1:]


figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4), layout="constrained"
)
times, found = train(2, np.linspace(0.0, 6.0, 400)[1:])
growth = np.exp(2 * np.outer(times, strengths))
sigmoid = strengths * growth / (growth - 1 + strengths / a0)
print(
    f"two layers: largest distance from the sigmoids {np.abs(found - sigmoid).max():.1e}"
)
for rank, s in enumerate(strengths):
    left.plot(
        times,
        found[:, rank],
        color=plotting.COLOURS[rank],
        label=f"s = {s:g}",
    )
    left.plot(
        times[::20],
        sigmoid[::20, rank],
        "o",
        color="black",
        markersize=3,
        fillstyle="none",
    )
    left.axvline(
        np.log(s / a0 - 1) / (2 * s),
        color=plotting.COLOURS[rank],
        linestyle=":",
    )
left.set_xlabel("time t")
left.set_ylabel(r"coefficient $\beta_j$ (rings: the sigmoids)")
left.legend(frameon=False, loc="upper right", bbox_to_anchor=(1.0, 0.88))

for rank, depth in enumerate((2, 3, 4)):
    times, found = train(depth, np.geomspace(1e-2, 300.0, 4000))
    half = [
        np.interp(0.5, found[:, j] / s, times)
        for j, s in enumerate(strengths)
    ]
    rate = [
        quad(
            lambda a, L, s: a ** (2 / L - 2) / (L * (s - a)),
            a0,
            s / 2,
            (depth, s),
        )[0]
        for s in strengths
    ]
    error = np.abs(np.array(half) / rate - 1).max()
    print(
        f"L = {depth}: times to half, measured over predicted - 1: at most {error:.1e}"
    )
    right.loglog(
        strengths,
        rate,
        color=plotting.COLOURS[rank],
        label=f"L = {depth}, predicted",
    )
    right.loglog(
        strengths, half, plotting.MARKERS[rank], color=plotting.COLOURS[rank]
    )
right.set_xlabel("strength s of the mode")
right.set_ylabel("time to half of it (marks: flows)")
right.set_xticks(strengths, [f"{s:g}" for s in strengths])
right.tick_params(axis="x", which="minor", labelbottom=False)
right.legend(frameon=False)
plt.show()
