"""
Layers turn into singular vectors
=================================

Theorem 1 holds for every linear tensor network: as the margin grows, each layer aligns with the
image of the others under the data tensor of the residual's direction, that is, with singular
vectors of a tensor. How fast is not part of the theorem, and for a tensor of order three it can
be slow.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

rng = np.random.default_rng(3)
problem = ib.Classification(rng.standard_normal((5, 6)), [1, -1, 1, 1, -1])
networks = {
    "random 4 x 5 matrices": ib.TensorNetwork(rng.standard_normal((4, 5, 6))),
    "random 4 x 4 x 4 tensors": ib.TensorNetwork(
        rng.standard_normal((4, 4, 4, 6))
    ),
}
figure, axes = plt.subplots(
    1, 2, figsize=(11, 4), sharey=True, layout="constrained"
)
for ax, (name, network) in zip(axes, networks.items(), strict=True):
    init = ib.Initialization.random(network, scale=0.5, seed=2)
    flows = [
        ib.gradient_flow(
            network, problem, init, route="parameters", until_margin=margin
        )
        for margin in (1.0, 10.0, 1e2, 1e3, 1e4, 1e5)
    ]
    plotting.alignment(network, problem, flows, ax=ax)
    ax.set_title(name, fontsize="medium")
    worst = max(flow.drift for flow in flows)
    print(f"{name}: drift of the conserved quantities {worst:.1e}")
axes[1].set_ylabel("")
plt.show()
