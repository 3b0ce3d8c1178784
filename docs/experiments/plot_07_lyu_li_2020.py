"""
Lyu and Li 2020: the normalised margin grows, and the rate of the loss
======================================================================

Claim: once the loss is small, the smoothed normalised margin :math:`\\tilde\\gamma = -\\log
\\mathcal{L} \\, / \\, \\|\\theta\\|^L` of an L-homogeneous network never falls, and the loss is
of the order :math:`1 / (t (\\log t)^{2 - 2/L})`. For a direction that converges the factor is
:math:`1 / (L^2 \\gamma^{2/L})` with the limit's normalised margin :math:`\\gamma`, which here
is :math:`0.5 / L^{L/2}`. From a balanced start :math:`\\|\\theta\\|^2 = L \\|\\beta\\|^{2/L}`.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problem = ib.datasets.separable(20, 8, 0.5, seed=0)
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4.2), layout="constrained"
)
for rank, depth in enumerate((2, 3, 4)):
    network = ib.FullyConnectedNetwork(widths=(8,) * depth)
    start = ib.Initialization.balanced(network, scale=1.0, seed=0)
    flow = ib.gradient_flow(
        network, problem, start, until_margin=1e8, num_points=300, rtol=1e-10
    )
    fits = (flow.log_losses < 0) & (flow.log_times > 1)
    logs, log_t = flow.log_losses[fits], flow.log_times[fits]
    size = np.sqrt(depth) ** depth * np.linalg.norm(
        flow.coefficients[fits], axis=1
    )
    limit = 0.5 / np.sqrt(depth) ** depth
    normalised = -logs / size / limit
    factor = logs + log_t + (2 - 2 / depth) * np.log(log_t)
    predicted = -2 * np.log(depth) - 2 / depth * np.log(limit)
    print(
        f"L = {depth}: margin 1 - {1 - normalised[-1]:.1e} of the limit's, largest fall",
        end=" ",
    )
    print(f"{max(0.0, -np.diff(normalised).min()):.0e};", end=" ")
    print(f"log factor {factor[-1]:.6f}, predicted {predicted:.6f}")
    look = {
        "color": plotting.COLOURS[rank],
        "linestyle": plotting.STYLES[rank],
    }
    left.loglog(-logs, 1 - normalised, label=f"L = {depth}", **look)
    right.semilogx(-logs, factor, label=f"L = {depth}", **look)
    right.axhline(
        predicted, color=plotting.COLOURS[rank], linestyle=":", linewidth=1
    )
left.set_ylabel(r"$1 - \tilde\gamma / \gamma$")
right.set_ylabel(
    r"$\log (\mathcal{L} \, t \, (\log t)^{2 - 2/L})$, dotted: predicted"
)
for ax in (left, right):
    ax.set_xlabel(r"$-\log \mathcal{L}$")
    ax.legend(frameon=False)
plt.show()
