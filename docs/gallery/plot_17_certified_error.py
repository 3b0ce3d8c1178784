"""
What a certificate says, and what is true
=========================================

Every certificate carries an estimate of the answer's own error. Structured problems (integers,
equal and nearly equal columns, time stamps, units, designs of signs and indicators, all networks,
scales from 1e-300 to 1e300) were solved a second time in exact rationals and ball arithmetic. Below
the dashed line an estimate is more than ten times too small; on the dotted lines float64 itself
ends. The numbers are those that

.. code-block:: sh

   python -m benchmarks.robustness errors --problems 2000 --save docs/gallery/certified_error.csv

wrote.
"""

import numpy as np
from matplotlib import pyplot as plt

from implicitbias import plotting

_, estimate, true = np.loadtxt(
    "certified_error.csv", delimiter=",", skiprows=1
).T
floor = 1e-17
estimate, true = np.maximum(estimate, floor), np.maximum(true, floor)
short = true > np.maximum(10 * estimate, 1e-15)
print(
    f"{true.size} answers, {short.sum()} estimates more than ten times too small"
)
print(f"true errors: median {np.median(true):.1e}, largest {true.max():.1e}")

figure, ax = plt.subplots(figsize=(5.6, 4.6), layout="constrained")
for chosen, colour, marker, size in (
    (~short, plotting.COLOURS[0], "o", 2.5),
    (short, plotting.COLOURS[1], "s", 4),
):
    ax.loglog(
        true[chosen],
        estimate[chosen],
        marker,
        color=colour,
        markersize=size,
        alpha=0.4,
    )
ends = np.array([floor, 1e-6])
ax.plot(ends, ends / 10, "--", color="black", linewidth=0.8)
ax.axvline(1e-16, linestyle=":", color="black", linewidth=0.8)
ax.axhline(1e-16, linestyle=":", color="black", linewidth=0.8)
ax.set_xlim(floor / 2, 1e-6)
ax.set_ylim(floor / 2, 1e-6)
ax.set_xlabel(r"true error $|\beta - \beta^*|_\infty / |\beta^*|_\infty$")
ax.set_ylabel("certificate.error")
plt.show()
