"""
Pesme et al. 2021: SGD acts like a smaller start
================================================

Claim: stochastic gradient flow on :math:`\\beta = u^2 - v^2` ends where gradient flow would
from the scale :math:`\\alpha_\\infty = \\alpha \\exp(-2 \\gamma \\, \\mathrm{diag}(X^T X / n)
\\int \\mathcal{L} \\, dt)`, :math:`\\mathcal{L} = \\frac{1}{4n} \\|X \\beta - y\\|^2`: slower
training means a sparser end. SGD with steps has an exact effective scale; as the steps tend to
zero it is this one, but for the paper's replacing of :math:`r_i^2` by their mean. A step
:math:`\\gamma` on :math:`(u, v)` is a step :math:`\\gamma` of the mean of :math:`\\frac{1}{2}
r_i^2` on the layers :math:`u \\pm v`.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

n, d, alpha = 30, 60, 0.3
problem = ib.datasets.sparse(n, d, 4, seed=0)
X = problem.X
network = ib.DiagonalNetwork(num_features=d, depth=2)
start = ib.Initialization.last_layer_zero(
    network, np.ones(d), scale=2 * alpha
)

figure, axes = plt.subplots(
    1, 2, figsize=(10.5, 4.4), sharey=True, layout="constrained"
)
for rank, step in enumerate((0.01, 0.03, 0.1)):
    measured, paper, exact = [], [], []
    runs = ib.gradient_descent(
        network,
        problem,
        [start] * 10,
        step=step,
        batch_size=1,
        replacement=True,
        reduction="mean",
        seed=list(range(10)),
        times=np.arange(0, int(300 / step), max(1, int(0.1 / step))),
        until_residual=1e-6,
    )
    for run in runs:
        squares = (run.coefficients @ X.T - problem.y) ** 2
        measured.append(np.log(run.effective.scales / (2 * alpha)))
        loss = np.trapezoid(squares.mean(axis=1) / 4, run.times)
        paper.append(-2 * step * np.mean(X**2, axis=0) * loss)
        exact.append(
            -step / 2 * np.trapezoid(squares @ X**2 / n, run.times, axis=0)
        )
    measured, paper, exact = (
        np.mean(each, axis=0) for each in (measured, paper, exact)
    )
    for ax, law, name in zip(
        axes, (paper, exact), ("paper", "without the mean"), strict=True
    ):
        error = np.median(np.abs(measured / law - 1))
        print(
            f"step {step}, {name}: median over j of |measured / law - 1| {error:.3f}"
        )
        look = {
            "color": plotting.COLOURS[rank],
            "marker": plotting.MARKERS[rank],
        }
        ax.loglog(
            -law,
            -measured,
            linestyle="none",
            markersize=4,
            label=f"step {step}",
            **look,
        )
for ax in axes:
    ax.plot(ax.get_xlim(), ax.get_xlim(), color="black", linewidth=0.8)
axes[0].set_xlabel(
    r"$2 \gamma \, (X^T X)_{jj} / n \int \mathcal{L} \, dt$, as in the paper"
)
axes[1].set_xlabel(
    r"$\frac{\gamma}{2 n} \sum_i x_{ij}^2 \int r_i^2 \, dt$, without the mean"
)
axes[0].set_ylabel(
    r"measured $\log(\alpha / \alpha_{\mathrm{eff}, j})$, mean of 10 runs"
)
axes[0].legend(frameon=False)
plt.show()
