"""
A decomposition, found and refused
==================================

Assumption 1 asks that one set of orthonormal bases turn every data tensor into a diagonal. It is
found, or refused with the residual, for any network: here a two-layer network that hides a
diagonal one behind two rotations, and a convolution whose filter is shorter than the signal.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib
from implicitbias import plotting

d = 6
rng = np.random.default_rng(3)
first, second = (
    np.linalg.qr(rng.standard_normal((8, d)))[0] for _ in range(2)
)
hidden = ib.TensorNetwork(
    np.einsum("aj,bj,jk->abk", first, second, np.eye(d))
)
found = hidden.orthogonal_decomposition()
print(found.verdict)

x = rng.standard_normal(d)
M = hidden.data_tensor(x)
turned = found.bases[0].conj().T @ M @ found.bases[1].conj()
figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.6), layout="constrained")
for ax, matrix, title in (
    (axes[0], M, r"$M(x)$ as given"),
    (axes[1], np.abs(turned), r"$|U_1^H M(x) \bar U_2|$"),
):
    limit = np.abs(matrix).max()
    image = ax.imshow(matrix, cmap="PuOr", vmin=-limit, vmax=limit)
    figure.colorbar(image, ax=ax, shrink=0.8)
    ax.set_title(title, fontsize="medium")
    ax.set_xticks([])
    ax.set_yticks([])

# Filters of every length on a signal of eight: only the full length decomposes.

sizes = np.arange(1, 9)
residuals = [
    ib.TensorNetwork(
        np.stack(
            [
                ib.ConvolutionalNetwork(8, (k, 8)).data_tensor(e)
                for e in np.eye(8)
            ],
            axis=-1,
        )
    )
    .orthogonal_decomposition()
    .residual
    for k in sizes.tolist()
]
axes[2].semilogy(
    sizes, np.maximum(residuals, 1e-17), "o", color=plotting.COLOURS[0]
)
axes[2].axhline(1e-10, color="black", linestyle="--", linewidth=0.8)
axes[2].set_xlabel("length of the first filter")
axes[2].set_ylabel("residual of the decomposition")
print(
    "short filter:",
    ib.ConvolutionalNetwork(8, (3, 8)).orthogonal_decomposition().verdict,
)
plt.show()
