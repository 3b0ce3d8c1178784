"""
How much noise a decomposition survives
=======================================

Hidden orthogonal decompositions of order three, with Gaussian noise added to the tensor. The
residual of the fit follows the noise. The verdict "holds" below the tolerance (1e-10 here), "fails"
above its square root, and is "undecided" between them: such a tensor may be a decomposable one that
was measured badly.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

rng = np.random.default_rng(0)
levels = np.repeat(10.0 ** np.arange(-14, 0.5), 6)
found = []
for level in levels:
    bases = [np.linalg.qr(rng.standard_normal((k, 4)))[0] for k in (5, 6, 4)]
    tensor = np.einsum(
        "aj,bj,cj,jx->abcx", *bases, rng.standard_normal((4, 4))
    )
    noise = rng.standard_normal(tensor.shape)
    noise *= level * np.linalg.norm(tensor) / np.linalg.norm(noise)
    found.append(ib.TensorNetwork(tensor + noise).orthogonal_decomposition())

figure, ax = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
for status, colour, marker in zip(
    ("holds", "undecided", "fails"),
    plotting.COLOURS,
    plotting.MARKERS,
    strict=False,
):
    chosen = np.array([one.verdict.status == status for one in found])
    residuals = np.array([one.residual for one in found])[chosen]
    ax.loglog(
        levels[chosen],
        residuals,
        marker,
        color=colour,
        label=status,
        alpha=0.7,
    )
    print(f"{status}: {len(residuals)} of {len(found)}")
for line in (1e-10, 1e-5):
    ax.axhline(line, color="black", linestyle="--", linewidth=0.8)
ax.set_xlabel("noise, relative to the tensor")
ax.set_ylabel("residual of the decomposition")
ax.legend()
plt.show()
