"""
How the time of a limit grows
=============================

From the array to the certified limit, CPU seconds of one thread, beside the *floor*: what the same
run's Gram matrices, their Cholesky factors and products with X take at the rates that the machine
itself reached at that size. Numbers at the curves are exponents, by least squares in logarithms.
They are those that

.. code-block:: sh

   python -m benchmarks --only scaling

wrote.
"""

import numpy as np
from matplotlib import pyplot as plt

from implicitbias import plotting

rows = np.genfromtxt(
    "../measured/scaling.csv", delimiter=",", dtype=None, names=True
)
figure, axes = plt.subplots(2, 2, figsize=(8.0, 6.0), layout="constrained")
panels = {
    "n": ("n",),
    "d": ("d",),
    "L": ("L",),
    "1/scale": ("1/scale L=2", "1/scale L=3"),
}
for ax, (name, curves) in zip(axes.flat, panels.items(), strict=True):
    for curve, colour in zip(curves, plotting.COLOURS, strict=False):
        found = rows[rows["what"] == curve]
        size, spent = found["size"], found["seconds"]
        slope = np.polyfit(np.log(size), np.log(spent), 1)[0]
        depth = curve.removeprefix(name)
        ax.loglog(
            size,
            spent,
            "o-",
            color=colour,
            label=f"limit{depth}: {slope:.2f}",
        )
        ax.loglog(
            size, found["floor"], "--", color=colour, label=f"floor{depth}"
        )
        print(f"{curve}: time grows like {name}^{slope:.2f}")
    ax.set_ylim(
        top=ax.get_ylim()[1] * 2 ** (2 * len(curves))
    )  # room for the legend
    if name == "L":
        ax.set_xticks(size, [f"{each:g}" for each in size])
        ax.minorticks_off()
    ax.set_xlabel(name)
    ax.set_ylabel("CPU seconds")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
