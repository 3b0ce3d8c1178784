"""
Depth changes sparsity
======================

The potential that training minimises lies between the square and the absolute value. Deeper
networks turn from one to the other at larger scales, so that at the same scale they are sparser.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.0), layout="constrained")
plotting.potential((2, 3, 4, 5), ax=axes[0])
plotting.levels(3, [0.03, 0.5, 1.0, 3.0], ax=axes[1])

# %%
# The level sets on the right go from a circle (l2) to a diamond (l1). What this does to the
# minimiser: five of sixty coefficients made these targets.

problem = ib.datasets.sparse(20, 60, 5, seed=1)
scales = np.geomspace(1e-4, 30, 45)


def effective(beta):
    """The number of coefficients that beta is spread over: exp of the entropy of |beta|."""
    shares = np.abs(beta) / np.abs(beta).sum(axis=-1, keepdims=True)
    return np.exp(
        -np.sum(shares * np.log(np.maximum(shares, 1e-300)), axis=-1)
    )


figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for rank, depth in enumerate((2, 3, 4, 6)):
    network = ib.DiagonalNetwork(num_features=60, depth=depth)
    start = ib.Initialization.last_layer_zero(network, np.ones(60), scale=1.0)
    path = ib.limit_path(network, problem, start, scales)
    colour = plotting.COLOURS[rank]
    ax.semilogx(
        scales,
        effective(path.coefficients),
        color=colour,
        label=f"L = {depth}",
    )
ax.axhline(5, color="black", linestyle=":", linewidth=1, label="of the truth")
ax.set_xlabel(r"scale $\alpha$ of the initialization")
ax.set_ylabel("effective number of coefficients")
ax.legend(frameon=False)
plt.show()
