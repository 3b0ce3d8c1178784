"""
Nacson et al. 2019: steps over the loss
=======================================

Claim: with fixed steps the normalised margin of a linear predictor approaches the largest like
:math:`1 / \\log t`, and no tail of the loss does better than the exponential one; with steps
that are divided by the loss and decay like :math:`1 / \\sqrt t` it does like :math:`\\log t /
\\sqrt t`. The gradient over the loss is that of :math:`\\log \\mathcal{L}`: nothing underflows.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

rng = np.random.default_rng(6)
X = rng.standard_normal((20, 5))
y = np.where(X[:, 0] < 0, -1.0, 1.0)
X[:, 0] += 0.3 * y
problem, Z = ib.Classification(X, y), X * y[:, None]
network = ib.FullyConnectedNetwork(widths=(5, 1))
start = ib.Initialization.random(network, scale=0.1, seed=0)
largest = 1 / np.linalg.norm(
    ib.predict_limit(network, problem, start).coefficients
)
print(f"largest margin {largest:.6f}")

saved = np.unique(np.geomspace(10, 40_000, 80).astype(int))


def gaps(step, power, over_loss):
    """1 - margin / largest at the saved steps."""
    w, found = np.zeros(5), []
    for k in range(1, saved[-1] + 1):
        margins = Z @ w
        pulls = np.exp(margins.min() * over_loss - margins)
        if over_loss:
            pulls /= pulls.sum()
        w = w + step * k**power * (pulls @ Z)
        if k == saved[len(found)]:
            found.append(1 - (Z @ w).min() / (np.linalg.norm(w) * largest))
    return np.array(found)


figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
late = saved > 1000
kinds = {
    "fixed steps": (0.02, 0.0, False),
    "over the loss, falling": (0.2, -0.5, True),
    "over the loss, constant": (0.02, 0.0, True),
}
for rank, (name, kind) in enumerate(kinds.items()):
    gap = gaps(*kind)
    slope = np.polyfit(np.log(saved[late]), np.log(gap[late]), 1)[0]
    product = (gap * np.log(saved))[late]
    print(
        f"{name}: gap {gap[-1]:.1e} after {saved[-1]} steps, ~ k^{slope:.2f};",
        end=" ",
    )
    print(f"times log k {product.min():.2g} to {product.max():.2g}")
    look = {
        "color": plotting.COLOURS[rank],
        "linestyle": plotting.STYLES[rank],
    }
    ax.loglog(saved, gap, label=name, **look)
ax.set(
    xlabel="step k", ylabel="normalised margin below the largest, relative"
)
ax.legend(frameon=False)
plt.show()
