"""
The loss against time, with its constant
========================================

A classifier's loss falls like :math:`C / (t (\\log t)^{2 - 2/L})`, and :math:`C` is known from the
limit direction. The leading order is approached like :math:`\\log\\log t / \\log t`: at the loss
:math:`e^{-10}` times are 20 to 60 % off. With the next terms they are right to 4 % there.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problem = ib.datasets.separable(20, 8, 0.5, seed=0)
flows, limits, names = [], [], []
for depth in (2, 3, 4):
    network = ib.FullyConnectedNetwork((8,) + (4,) * (depth - 1))
    init = ib.Initialization.random(network, scale=0.5, seed=1)
    flows.append(ib.gradient_flow(network, problem, init, until_margin=1e6))
    limits.append(ib.predict_limit(network, problem, init))
    names.append(f"fully connected, L = {depth}")
    course = ib.compare(flows[-1], limits[-1]).losses[0]
    print(
        f"L = {depth}: log C = {course.expected.log_constant:.7f}, {course}"
    )

ax = plotting.loss_course(flows, limits, names)
ax.set_ylim(0.4, 1.2)
ax.set_xlim(10.0, 1e6)
assert np.isfinite([limit.loss_rate.constant for limit in limits]).all()
plt.show()
