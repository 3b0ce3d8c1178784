"""
Recovering a sparse signal
==========================

Five features of a thousand matter, each with the coefficient :math:`1/\\sqrt{5}`, and the noise has
variance 0.01: the design of Woodworth et al. (2020). Small starts find the five once there are
enough points; large ones do what ridge regression does. The limit interpolates, noise included, and
``LassoCV`` (dashed), which need not, stays ahead of it.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.linear_model import LassoCV, RidgeCV

from implicitbias import datasets, plotting
from implicitbias.estimators import flow_limit_path

d, scales = 1000, np.geomspace(1e-6, 3.0, 10)
truth = np.zeros(d)
truth[:5] = 1 / np.sqrt(5)

figure, axes = plt.subplots(
    1, 2, figsize=(10, 3.8), sharey=True, layout="constrained"
)
for n, colour in zip((50, 100, 200), plotting.COLOURS, strict=False):
    problem = datasets.sparse(n, d, 5, 0, noise=0.1)
    for ax, depth in zip(axes, (2, 3), strict=True):
        _, coefs, gaps = flow_limit_path(
            problem.X, problem.y, depth=depth, init_scales=scales
        )
        risks = np.sum((coefs.T - truth) ** 2, axis=1)
        ax.loglog(
            scales, risks, "o-", color=colour, markersize=4, label=f"n = {n}"
        )
        print(
            f"n = {n}, L = {depth}: risk {risks.min():.3f}, worst gap {gaps.max():.0e}"
        )
    rivals = (
        (LassoCV(fit_intercept=False), "--"),
        (RidgeCV(np.geomspace(1e-3, 1e5, 30), fit_intercept=False), ":"),
    )
    for model, style in rivals:
        risk = np.sum((model.fit(problem.X, problem.y).coef_ - truth) ** 2)
        for ax in axes:
            ax.axhline(risk, color=colour, linestyle=style, linewidth=1)
for ax, depth in zip(axes, (2, 3), strict=True):
    ax.set_title(
        f"L = {depth}; dashed: LassoCV, dotted: RidgeCV", fontsize="medium"
    )
    ax.set_xlabel("scale of the start")
axes[0].set_ylabel(r"excess risk $\|\beta - \beta^*\|^2$")
figure.legend(
    *axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4
)
plt.show()
