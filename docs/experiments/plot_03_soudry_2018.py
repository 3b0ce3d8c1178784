"""
Soudry et al. 2018: the direction converges like 1 / log t
==========================================================

Claim: gradient descent on a linear predictor and separable data with an exponential loss has
:math:`w(t) = \\hat w \\log t + \\rho(t)` with a bounded :math:`\\rho`, :math:`\\hat w` the l2
max-margin vector; so the norm grows like :math:`\\log t`, the loss falls like :math:`1 / t`,
and the direction approaches :math:`\\hat w / \\|\\hat w\\|` only like :math:`1 / \\log t`.
Steps are over the loss here, so that t, their sum, grows exponentially.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problem = ib.datasets.separable(20, 5, 0.5, seed=0)
network = ib.FullyConnectedNetwork(widths=(5, 1))
start = ib.Initialization.random(network, scale=0.1, seed=0)
best = ib.predict_limit(
    network, problem, start
).coefficients  # margins >= 1, least l2 norm

Z, h, w, t = problem.X * problem.y[:, None], 2e-3, np.zeros(5), 1e-3
path, times = [], []
for k in range(
    40_000
):  # steps h over the loss: time grows exponentially, and w like its logarithm
    pulls = np.exp(-(Z @ w))
    w, t = w + h * (pulls / pulls.sum()) @ Z, t + h / pulls.sum()
    if k % 200 == 0:
        path.append(w)
        times.append(t)
path, t = np.array(path), np.array(times)
losses = np.exp(-(path @ Z.T)).sum(axis=1)
units = path / np.linalg.norm(path, axis=1, keepdims=True)
angles = np.linalg.norm(units - best / np.linalg.norm(best), axis=1)
rest = np.linalg.norm(path - np.outer(np.log(t), best), axis=1)
late = t > 1e3
print(
    f"loss ~ t^{np.polyfit(np.log(t[late]), np.log(losses[late]), 1)[0]:.4f}, claimed -1"
)
slope = np.polyfit(np.log(t[late]), np.linalg.norm(path[late], axis=1), 1)[0]
print(
    f"|w| grows by {slope:.4f} log t, claimed |w_hat| = {np.linalg.norm(best):.4f}"
)
print(
    f"|rho(t)| from t = 1000 on: {rest[late].min():.3f} to {rest[late].max():.3f}"
)
product = angles * np.log(t)
print(
    f"distance of the direction times log t: {product[late].min():.3f} to {product[-1]:.3f}"
)

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4), layout="constrained"
)
left.semilogx(
    t,
    np.linalg.norm(path, axis=1),
    color=plotting.COLOURS[0],
    label=r"$\|w(t)\|$",
)
left.semilogx(
    t, rest, color=plotting.COLOURS[1], label=r"$\|w(t) - \hat w \log t\|$"
)
left.semilogx(
    t,
    np.linalg.norm(best) * np.log(t),
    "--",
    color="black",
    label=r"$\|\hat w\| \log t$",
)
left.set_ylim(0, None)
left.set_ylabel("norm")
right.loglog(t, losses, color=plotting.COLOURS[0], label="training loss")
right.loglog(
    t, angles, color=plotting.COLOURS[1], label="distance of the direction"
)
right.loglog(
    t[t > 3],
    product[-1] / np.log(t[t > 3]),
    "--",
    color="black",
    label=r"$\sim 1 / \log t$",
)
for ax in (left, right):
    ax.set_xlabel("time t, the sum of the steps")
    ax.legend(frameon=False)
plt.show()
