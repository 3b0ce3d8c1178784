"""
Vaskevicius et al. 2019: stopped early, as good as the oracle
=============================================================

Claim: gradient descent on :math:`w = u^2 - v^2` from a tiny start, stopped in time, recovers a
sparse signal from noisy data at the minimax rate; where the signal is strong against the noise
it does better than the lasso and matches least squares on the true support. The start :math:`u
= v = \\alpha` is a two-layer network from :math:`(2 \\alpha, 0)`. Stopping times are the best
ones in hindsight, for the flow as for the lasso.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.linear_model import lasso_path

import implicitbias as ib
from implicitbias import plotting

n, d, k = 40, 80, 4
truth = np.where(np.arange(d) < k, 1 / np.sqrt(k), 0.0)
network = ib.DiagonalNetwork(num_features=d, depth=2)


def errors(problem, alpha):
    """Times and |beta(t) - truth|^2 along the flow."""
    start = ib.Initialization.last_layer_zero(
        network, np.ones(d), scale=2 * alpha
    )
    flow = ib.gradient_flow(
        network, problem, start, max_time=100.0, num_points=80, rtol=1e-6
    )
    return flow.times[1:], np.sum(
        (flow.coefficients[1:] - truth) ** 2, axis=1
    )


def rivals(problem):
    """Least errors of the lasso over its path, and of least squares on the true support."""
    X, y = problem.X, problem.y
    lasso = lasso_path(
        X, y, alphas=np.abs(X.T @ y).max() / n * np.geomspace(1, 1e-4, 100)
    )[1]
    oracle = np.linalg.lstsq(X[:, :k], y)[0]
    return np.sum((lasso.T - truth) ** 2, axis=1).min(), np.sum(
        (oracle - truth[:k]) ** 2
    )


figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4.2), layout="constrained"
)
problem = ib.datasets.sparse(n, d, k, seed=0, noise=0.1)
for rank, alpha in enumerate((1e-1, 1e-4, 1e-8)):
    times, found = errors(problem, alpha)
    name = rf"$\alpha = 10^{{{np.log10(alpha):.0f}}}$"
    left.loglog(times, found, color=plotting.COLOURS[rank], label=name)
lasso, oracle = rivals(problem)
left.axhline(
    lasso, color="black", linestyle="--", linewidth=1, label="best lasso"
)
left.axhline(
    oracle, color="black", linestyle=":", linewidth=1, label="oracle"
)
left.set(
    xlabel="time", ylabel=r"$\|\beta - \beta^*\|^2$", ylim=(oracle / 3, 5)
)
left.legend(frameon=False, fontsize="small")

noises, ratios = [0.03, 0.1, 0.3, 1.0], []
for noise in noises:
    one = []
    for seed in range(3):
        problem = ib.datasets.sparse(n, d, k, seed=seed, noise=noise)
        lasso, oracle = rivals(problem)
        one.append([errors(problem, 1e-8)[1].min() / oracle, lasso / oracle])
    ratios.append(np.median(one, axis=0))
    print(
        f"noise {noise:.2f}: flow {ratios[-1][0]:.2f}, lasso {ratios[-1][1]:.2f} of the oracle's"
    )
ratios = np.array(ratios)
right.loglog(
    noises,
    ratios[:, 0],
    "o-",
    color=plotting.COLOURS[2],
    label=f"flow, {name}",
)
right.loglog(noises, ratios[:, 1], "s--", color="black", label="best lasso")
right.axhline(1, color="black", linestyle=":", linewidth=1)
right.set(
    xlabel="standard deviation of the noise",
    ylabel="error / the oracle's, median of 3",
)
right.legend(frameon=False)
plt.show()
