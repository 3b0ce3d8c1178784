"""
Woodworth et al. 2020: from kernel to rich
==========================================

Claim: :math:`\\beta = u^2 - v^2` from :math:`u = v = \\alpha` ends at the interpolator that
minimises :math:`\\sum_j q(\\beta_j / \\alpha^2)`, :math:`q(z) = 2 - \\sqrt{4 + z^2} + z \\,
\\mathrm{arcsinh}(z / 2)`: the least l1 norm for :math:`\\alpha \\to 0` (rich), the least l2
norm for :math:`\\alpha \\to \\infty` (kernel). The layers :math:`u + v` and :math:`u - v` make
it a two-layer diagonal network from :math:`(2 \\alpha, 0)`.
"""

import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import linprog

import implicitbias as ib
from implicitbias import plotting

d = 50
problem = ib.datasets.sparse(20, d, 4, seed=2)
X, y = problem.X, problem.y
network = ib.DiagonalNetwork(num_features=d, depth=2)
start = ib.Initialization.last_layer_zero(network, np.ones(d), scale=2.0)
alphas = np.geomspace(1e-4, 1e2, 49)
path = ib.limit_path(network, problem, start, 2 * alphas).coefficients
least1 = linprog(np.ones(2 * d), A_eq=np.hstack([X, -X]), b_eq=y).fun
least2 = np.linalg.norm(np.linalg.pinv(X) @ y)

figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
worst, slack = 0.0, 0.0
for alpha in np.geomspace(1e-3, 10, 9):
    init = ib.Initialization.last_layer_zero(
        network, np.ones(d), scale=2 * alpha
    )
    flow = ib.gradient_flow(
        network, problem, init, route="parameters", until_residual=1e-9
    )
    beta = flow.final_coefficients
    limit = ib.predict_limit(network, problem, init).coefficients
    worst = max(
        worst, float(np.abs(beta - limit).max() / np.abs(limit).max())
    )
    multipliers = np.arcsinh(
        limit / (2 * alpha**2)
    )  # q', a combination of the points' rows
    off = multipliers - X.T @ np.linalg.lstsq(X.T, multipliers)[0]
    slack = max(slack, float(np.abs(off).max() / np.abs(multipliers).max()))
    ax.plot(
        alpha, np.abs(beta).sum() / least1 - 1, "o", color=plotting.COLOURS[0]
    )
    ax.plot(
        alpha,
        np.linalg.norm(beta) / least2 - 1,
        "s",
        color=plotting.COLOURS[1],
    )
print(f"flows of the parameters end within {worst:.1e} of the minimisers")
print(f"the minimisers are stationary for the printed q within {slack:.1e}")
for norms, least, rank, name in (
    (np.abs(path).sum(axis=1), least1, 0, "l1"),
    (np.linalg.norm(path, axis=1), least2, 1, "l2"),
):
    excess = norms / least - 1
    ax.loglog(
        alphas,
        excess,
        color=plotting.COLOURS[rank],
        label=f"{name} norm above the least",
    )
    end = excess[0] if rank == 0 else excess[-1]
    print(f"excess of the {name} norm at its end of the path: {end:.1e}")
ax.set_ylim(1e-6, None)
ax.set_xlabel(r"$\alpha$")
ax.set_ylabel("relative excess (marks: flows)")
ax.legend(frameon=False)
plt.show()
