"""
Label noise makes it sparse
===========================

HaoChen, Wei, Lee and Ma (2021): with noise on the labels, SGD finds the sparse signal from a
start of any size; gradient descent from the same start does not. Noise goes on shrinking the
effective start (left) as long as it lasts. The flow from the effective start passes through the
run's layers, so that its limit is where training without noise would go on to from there: dense
first, close to the least l1 norm in the end (right). 40 points, 100 features, five of which
matter.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

d, step = 100, 4e-3
problem = ib.datasets.sparse(40, d, 5, seed=0)
truth = np.where(np.arange(d) < 5, 1 / np.sqrt(5), 0.0)
network = ib.DiagonalNetwork(num_features=d, depth=2)
start = ib.Initialization.last_layer_zero(network, np.ones(d), scale=1.0)
durations = np.unique(np.geomspace(30, 8000, 13).astype(int))

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4.2), layout="constrained"
)
for rank, noise in enumerate((0.0, 0.5, 1.0)):
    scales, risks = [], []
    for duration in durations:
        run = ib.gradient_descent(
            network,
            problem,
            start,
            step=step,
            label_noise=noise,
            batch_size=10,
            max_steps=int(duration),
        )
        limit = ib.predict_limit(
            network, problem, run.effective_start
        ).coefficients
        scales.append(np.exp(np.mean(np.log(run.effective.scales))))
        risks.append(np.sum((limit - truth) ** 2))
    name = rf"noise $\pm${noise:g}" if noise else "no noise"
    look = {
        "color": plotting.COLOURS[rank],
        "marker": plotting.MARKERS[rank],
        "markersize": 4,
    }
    left.loglog(durations, scales, label=name, **look)
    right.loglog(durations, risks, label=name, **look)
    print(
        f"noise {noise:g}: scale {scales[-1]:.3g}, risk {risks[0]:.3g} -> {risks[-1]:.3g}"
    )
left.set_ylabel("effective scale, geometric mean")
right.set_ylabel(r"$\|\beta - \beta^*\|^2$ of the limit from there")
for ax in (left, right):
    ax.set_xlabel("steps")
left.legend(frameon=False)
plt.show()

# %%
# The same by training on without noise: 2,000 steps with it, then until the data are fitted.

run = ib.gradient_descent(
    network,
    problem,
    start,
    step=step,
    label_noise=np.full(2000, 1.0),
    until_residual=1e-9,
)
print(ib.compare(run, ib.predict_limit(network, problem, start)))
