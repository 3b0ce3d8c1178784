"""
Ji and Telgarsky 2019: layers align
===================================

Claim: while a deep linear network separates its data, every layer tends to rank one, and its
right singular vector to the left one of the next: :math:`W_l \\to s_l u_l v_l^T`, :math:`v_l =
u_{l+1}`; the network as a whole tends to the max-margin direction.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problem = ib.datasets.separable(12, 10, 0.5, seed=1)
network = ib.FullyConnectedNetwork(widths=(10, 5, 5, 5))
start = ib.Initialization.random(network, scale=0.5, seed=1)
limit = ib.predict_limit(network, problem, start).coefficients
ranks, angles, directions, reached = [], [], [], []
for margin in np.geomspace(1.0, 1e12, 7):
    flow = ib.gradient_flow(network, problem, start, until_margin=margin)
    reached.append(flow.margins[-1])
    found = ib.layer_alignment(network, flow.final_parameters)
    ranks.append(found.rank_one[:-1])
    angles.append(found.neighbours)
    unit = flow.final_direction / np.linalg.norm(flow.final_direction)
    directions.append(np.linalg.norm(unit - limit / np.linalg.norm(limit)))
ranks, angles, margins = np.array(ranks), np.array(angles), np.array(reached)
late = margins > 1e5
for name, values in (
    ("distance from rank one", ranks[:, 0]),
    ("angle of neighbours", angles[:, 0]),
    ("direction", directions),
):
    power = np.polyfit(
        np.log(margins[late]), np.log(np.array(values)[late]), 1
    )[0]
    print(
        f"{name}, first layer: {values[-1]:.1e} at margin {margins[-1]:.1e}, ~ margin^{power:.3f}"
    )

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4), layout="constrained"
)
for layer in range(3):
    look = {
        "color": plotting.COLOURS[layer],
        "marker": plotting.MARKERS[layer],
        "markersize": 4,
    }
    left.loglog(margins, ranks[:, layer], label=f"$W_{layer + 1}$", **look)
    name = f"$W_{layer + 1}$ and " + (
        f"$W_{layer + 2}$" if layer < 2 else "$w_4$"
    )
    right.loglog(margins, angles[:, layer], label=name, **look)
right.loglog(
    margins,
    directions,
    "--",
    color="black",
    label=r"$\beta$ and the max margin",
)
left.set_ylabel(r"$\|W_l - s_l u_l v_l^T\| \, / \, \|W_l\|$")
right.set_ylabel("angle (sine, or distance of units)")
for ax in (left, right):
    ax.set_xlabel("smallest margin")
    ax.legend(frameon=False)
plt.show()
