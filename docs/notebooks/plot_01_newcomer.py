"""
A newcomer: where does training end?
====================================

Two points, four unknown coefficients: a whole plane of coefficient vectors fits the data exactly.
Gradient descent does not choose among them, and yet it ends at one. Which?
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

X = np.array([[1.0, 2.0, 0.5, -1.0], [0.2, -1.0, 2.0, 0.3]])
y = np.array([3.0, 1.0])
problem = ib.Regression(X, y)
problem

# %%
# A network of two layers
# -----------------------
#
# The network multiplies two numbers a coefficient, :math:`\beta_j = w_{1,j} w_{2,j}`: as a
# function of x it is linear, as a function of its weights it is not. It starts at a small scale.

network = ib.DiagonalNetwork(num_features=4, depth=2)
start = ib.Initialization.last_layer_zero(network, np.ones(4), scale=0.1)

# %%
# Train it, with nothing but gradient flow on its weights:

flow = ib.gradient_flow(network, problem, start, route="parameters")
print(np.round(flow.final_coefficients, 6))
print("left of the targets:", np.abs(X @ flow.final_coefficients - y).max())

# %%
# Now predict the same without training. The answer names the theorem that it follows from, the
# theorem's assumptions with their numbers, and a certificate:

limit = ib.predict_limit(network, problem, start)
limit

# %%
# Hold one against the other:

ib.compare(flow, limit)

# %%
# The scale decides
# -----------------
#
# From large starts the end is the interpolator of least length. As the scale tends to 0 it tends
# to one of least sum of sizes, with no more nonzero coefficients than there are points; slowly,
# for two layers. In between lies a path:

scales = np.geomspace(100.0, 1e-4, 60)
path = ib.limit_path(network, problem, start.directions, scales)
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
plotting.scale_path(path, ax=ax)
plt.show()

least_length = np.linalg.pinv(X) @ y
print("least length:  ", np.round(least_length, 4))
print("largest scale: ", np.round(path.coefficients[0], 4))
print("smallest scale:", np.round(path.coefficients[-1], 4))
zero = ib.limit_path(network, problem, start.directions, [0.0])
print("scale to 0:    ", np.round(zero.coefficients[0], 4))

# %%
# Your turn: give the network three layers (``depth=3``), or start elsewhere (``np.array([1, 1, 2,
# 1])`` for ``np.ones(4)``), and look at the path again.
