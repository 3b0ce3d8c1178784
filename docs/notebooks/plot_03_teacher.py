"""
A teacher: a lesson in the plane
================================

One equation, two unknowns, :math:`x_1 \\beta_1 + x_2 \\beta_2 = y`: a line of solutions that
fits on the blackboard. Everything about implicit bias can be seen in it, with pen and paper beside
it.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

problem = ib.Regression(np.array([[1.0, 2.0]]), np.array([2.0]))
network = ib.DiagonalNetwork(num_features=2, depth=2)


def start(scale):
    return ib.Initialization.last_layer_zero(network, np.ones(2), scale=scale)


# %%
# Ask the class first: where on the line does training end? The point nearest to the origin, (0.4,
# 0.8)? The corner (0, 1)? Then draw four starts.

scales = (3.0, 1.0, 0.3, 0.03)
flows = [ib.gradient_flow(network, problem, start(scale)) for scale in scales]
limits = [
    ib.predict_limit(network, problem, start(scale)) for scale in scales
]
figure, ax = plt.subplots(figsize=(5.5, 5), layout="constrained")
ax.axline((0, 1), (2, 0), color="0.6", linewidth=1)
for rank, (scale, flow, limit) in enumerate(
    zip(scales, flows, limits, strict=True)
):
    look = {
        "color": plotting.COLOURS[rank],
        "linestyle": plotting.STYLES[rank % 3],
    }
    ax.plot(*flow.coefficients.T, label=f"from scale {scale:g}", **look)
    ax.plot(
        *limit.coefficients,
        marker=plotting.MARKERS[rank],
        color=look["color"],
    )
ax.set_xlim(-0.05, 0.6)
ax.set_ylim(-0.05, 1.15)
ax.set_xlabel(r"$\beta_1$")
ax.set_ylabel(r"$\beta_2$")
ax.legend(frameon=False)
plt.show()

# %%
# By hand
# -------
#
# With both layers at :math:`(\alpha, 0)`, the difference :math:`w_1^2 - w_2^2 = \alpha^2` is
# conserved, so :math:`\beta_j = \tfrac{\alpha^2}{2} \sinh(2 x_j \nu)` for one number :math:`\nu`,
# the integral of minus the residual. It solves :math:`\sum_j x_j \beta_j = y`. The class can find
# it by bisection:

alpha, x, y = 0.3, problem.X[0], problem.y[0]
low, high = 0.0, 10.0
for _ in range(60):
    nu = (low + high) / 2
    beta = alpha**2 / 2 * np.sinh(2 * x * nu)
    low, high = (nu, high) if x @ beta < y else (low, nu)
print("by hand:  ", beta)
print("predicted:", limits[2].coefficients)
print("trained:  ", flows[2].final_coefficients)

# %%
# Questions for the class
# -----------------------
#
# 1. Let :math:`\alpha \to \infty` in the formula: why does the end become the nearest point?
# 2. Let :math:`\alpha \to 0`: which term of :math:`x_1 \beta_1 + x_2 \beta_2` wins, and why?
# 3. Where would a network of three layers end? Set ``depth=3`` and see.
#
# ``implicitbias explore --out plane.html`` makes the same lesson a page with sliders, for the
# projector.
