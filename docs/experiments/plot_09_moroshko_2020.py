"""
Moroshko et al. 2020: scale against accuracy
============================================

Claim: for :math:`\\beta = u^2 - v^2` from :math:`u = v = \\alpha` and the exponential loss,
stopped at the loss :math:`\\varepsilon`, what counts is :math:`\\mu = \\alpha^2 / \\log(1 /
\\varepsilon)`. As :math:`\\varepsilon \\to 0`, :math:`\\beta / \\log(1 / \\varepsilon)` tends
to the minimiser of :math:`\\sum_j \\mu \\, q(\\beta_j / \\mu)` over margins of at least 1,
between the l1 (:math:`\\mu \\to 0`) and the l2 max margin (:math:`\\mu \\to \\infty`). From
large starts the rich end needs losses far below what training reaches; for small :math:`\\mu`
the limit itself is slow to be approached.
"""

import numpy as np
from matplotlib import pyplot as plt
from scipy.optimize import linprog

import implicitbias as ib
from implicitbias import plotting

n, d = 8, 30
problem = ib.datasets.separable(n, d, 0.5, seed=3)
Z = problem.X * problem.y[:, None]
network = ib.DiagonalNetwork(num_features=d, depth=2)
least = linprog(
    np.ones(2 * d), A_ub=-np.hstack([Z, -Z]), b_ub=-np.ones(n)
).fun


def dual(nu, mu):
    return 2 * mu * np.cosh(np.clip(Z.T @ nu, -600, 600)).sum() - nu.sum()


def predicted(mu):
    """beta = 2 mu sinh(Z^T nu), nu >= 0 the minimiser of the dual: Newton, halved to descend."""
    nu, slope = np.zeros(n), -np.ones(n)
    while np.abs(slope[free := (nu > 0) | (slope < 0)]).max() > 1e-9:
        hessian = 2 * mu * (Z * np.cosh(Z.T @ nu)) @ Z.T
        newton = np.where(free, 1.0, 0.0)
        newton[free] = -np.linalg.solve(
            hessian[np.ix_(free, free)], slope[free]
        )
        while dual(np.maximum(nu + newton, 0.0), mu) > dual(
            nu, mu
        ) + 1e-12 * abs(dual(nu, mu)):
            newton /= 2
        nu = np.maximum(nu + newton, 0.0)
        slope = 2 * mu * Z @ np.sinh(Z.T @ nu) - 1
    return 2 * mu * np.sinh(Z.T @ nu)


figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
mus = np.geomspace(1e-5, 10, 25)
curve = [np.abs(predicted(mu)).sum() / least - 1 for mu in mus]
ax.loglog(mus, curve, color="black", label=r"predicted, $\varepsilon \to 0$")
for rank, depth in enumerate((1e1, 1e2, 1e3, 1e4)):
    errors, places, norms = [], [], []
    for mu in np.geomspace(1e-5, 10, 7):
        scale = 2 * np.sqrt(mu * depth)
        start = ib.Initialization.last_layer_zero(
            network, np.ones(d), scale=scale
        )
        flow = ib.gradient_flow(network, problem, start, until_margin=depth)
        log_loss = -flow.log_losses[-1]
        beta, places = (
            flow.final_coefficients / log_loss,
            [*places, mu * depth / log_loss],
        )
        limit = predicted(places[-1])
        errors.append(np.abs(beta - limit).max() / np.abs(limit).max())
        norms.append(np.abs(beta).sum() / (Z @ beta).min() / least - 1)
    print(
        f"margin {depth:g}: beta misses the prediction by {errors[-1]:.1e} at mu = 10,",
        end=" ",
    )
    print(f"{errors[3]:.1e} at 0.01, {errors[0]:.1e} at 1e-5")
    look = {"color": plotting.COLOURS[rank], "marker": plotting.MARKERS[rank]}
    name = rf"flows to a margin of $10^{rank + 1}$"
    ax.loglog(
        places, norms, linestyle="none", markersize=5, label=name, **look
    )
x = r"$\mu = \alpha^2 / \log(1 / \varepsilon)$"
ax.set(xlabel=x, ylabel="l1 norm at margin 1, above the least")
ax.legend(frameon=False)
plt.show()
