"""
Azulay et al. 2021: the shape of the start counts like its scale
================================================================

Claim: for :math:`\\beta = u_+ v_+ - u_- v_-` from :math:`u_\\pm = u`, :math:`v_\\pm = v` the
scale :math:`\\alpha = uv` and the shape :math:`s = (u - v) / (u + v)` enter the limit only by
:math:`\\sqrt k = 4 \\alpha (1 + s^2) / (1 - s^2)`, as the minimiser of :math:`\\sum_j
q_k(\\beta_j)`. So an unbalanced start (:math:`s \\to 1`) is in the kernel regime however small
:math:`\\alpha` is. In our terms :math:`\\sqrt k = 2 (u^2 + v^2)`: the limit is that of a
two-layer network from the scale :math:`k^{1/4}`.
"""

import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import linprog

import implicitbias as ib
from implicitbias import plotting

d = 40
problem = ib.datasets.sparse(15, d, 3, seed=1)
X, y = problem.X, problem.y
doubled = ib.Regression(np.hstack([X, -X]), y)
network, one_sided = ib.DiagonalNetwork(2 * d, 2), ib.DiagonalNetwork(d, 2)
least = linprog(np.ones(2 * d), A_eq=np.hstack([X, -X]), b_eq=y).fun

alphas, shapes = np.geomspace(1e-4, 1.0, 9), (0.0, 0.9, 0.99, 0.999)
figure, axes = plt.subplots(
    1, 2, figsize=(10.5, 4.2), sharey=True, layout="constrained"
)
worst = 0.0
for rank, s in enumerate(shapes):
    norms, roots = [], 4 * alphas * (1 + s**2) / (1 - s**2)
    for alpha, root in zip(alphas, roots, strict=True):
        u, v = (
            np.sqrt(alpha * (1 + s) / (1 - s)),
            np.sqrt(alpha * (1 - s) / (1 + s)),
        )
        start = ib.Initialization(
            [np.full(2 * d, u), np.full(2 * d, v)], scale=1.0
        )
        flow = ib.gradient_flow(network, doubled, start, until_residual=1e-11)
        rho = flow.final_coefficients
        beta = rho[:d] - rho[d:]
        by_k = ib.Initialization.last_layer_zero(
            one_sided, np.ones(d), scale=np.sqrt(root)
        )
        limit = ib.predict_limit(one_sided, problem, by_k).coefficients
        worst = max(
            worst, float(np.abs(beta - limit).max() / np.abs(limit).max())
        )
        norms.append(np.abs(beta).sum() / least - 1)
    for ax, x in zip(axes, (alphas, np.sqrt(roots)), strict=True):
        look = {
            "color": plotting.COLOURS[rank],
            "marker": plotting.MARKERS[rank],
        }
        ax.semilogx(x, norms, label=f"s = {s:g}", markersize=5, **look)
print(
    f"36 flows end within {worst:.1e} of the minimisers that k alone decides"
)
axes[0].set_xlabel(r"scale $\alpha = uv$")
axes[1].set_xlabel(r"$k^{1/4}$")
axes[0].set_ylabel("l1 norm above the least, relative")
axes[0].legend(frameon=False, title="shape")
plt.show()
