"""
Woodworth et al. 2020: deeper is richer
=======================================

Claim: :math:`\\beta = u^D - v^D` from :math:`u = v = \\alpha` ends at the interpolator that
minimises :math:`\\sum_j q_D(\\beta_j / \\alpha^D)`, :math:`q_D' = h_D^{-1}` with
:math:`h_D(z) = (1 - z)^{-D/(D-2)} - (1 + z)^{-D/(D-2)}` for :math:`D > 2`, and :math:`\\alpha`
polynomially small takes deeper models to the least l1 norm: the excess falls like
:math:`\\alpha^D`, as coordinates off the support do, whose clocks stay inside their bounds. For
:math:`D = 2` it falls like a smaller power, which depends on the data.
"""

import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import linprog

import implicitbias as ib
from implicitbias import plotting

d = 50
problem = ib.datasets.sparse(20, d, 4, seed=2)
X, y = problem.X, problem.y
ones = np.ones(d)
least1 = linprog(np.ones(2 * d), A_eq=np.hstack([X, -X]), b_eq=y).fun
least2 = np.linalg.norm(np.linalg.pinv(X) @ y)
sizes = np.geomspace(1e-8, 1e2, 61)  # alpha^D

figure, axes = plt.subplots(
    1, 2, figsize=(10, 4.2), layout="constrained", sharex=True
)
for rank, depth in enumerate((2, 3, 4)):
    network = ib.TwoSidedDiagonalNetwork(num_features=d, depth=depth)
    path = ib.limit_path(
        network, problem, [ones, ones], sizes ** (1 / depth)
    ).coefficients
    excess = (
        np.abs(path).sum(axis=1) / least1 - 1,
        np.linalg.norm(path, axis=1) / least2 - 1,
    )
    colour, marker = plotting.COLOURS[rank], "os^"[rank]
    for ax, values in zip(axes, excess, strict=True):
        ax.loglog(sizes, values, color=colour, label=f"D = {depth}")
    worst, slack = 0.0, 0.0
    for size in np.geomspace(1e-2, 1e1, 7):
        init = ib.Initialization([ones, ones], scale=size ** (1 / depth))
        flow = ib.gradient_flow(
            network, problem, init, route="parameters", until_residual=1e-9
        )
        beta = flow.final_coefficients
        limit = ib.predict_limit(network, problem, init).coefficients
        worst = max(
            worst, float(np.abs(beta - limit).max() / np.abs(limit).max())
        )
        slopes = ib.two_sided.h_inverse(
            limit / size, depth
        )  # q_D', a combination of rows of X
        off = slopes - X.T @ np.linalg.lstsq(X.T, slopes)[0]
        slack = max(slack, float(np.abs(off).max() / np.abs(slopes).max()))
        axes[0].plot(
            size, np.abs(beta).sum() / least1 - 1, marker, color=colour
        )
        axes[1].plot(
            size, np.linalg.norm(beta) / least2 - 1, marker, color=colour
        )
    rate = np.diff(np.log(excess[0][:7:6]))[0] / np.log(10.0)
    print(
        f"D = {depth}: flows of u and v end within {worst:.1e} of the minimisers, stationary for "
        f"the printed q_D within {slack:.1e}; the excess falls like (alpha^D)^{rate:.3f}, "
        f"predicted {'1' if depth > 2 else 'less than 1'}"
    )
for ax, name in zip(axes, ("l1", "l2"), strict=True):
    ax.set_ylim(1e-6, None)
    ax.set_xlabel(r"$\alpha^D$")
    ax.set_ylabel(f"{name} norm above the least, relative (marks: flows)")
axes[0].legend(frameon=False)
plt.show()
