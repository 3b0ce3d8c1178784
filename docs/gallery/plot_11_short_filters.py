"""
Short filters
=============

A two-layer convolution trained on one image of a 3: the direction of its coefficients is the
image itself for a filter of length 1, the image and its neighbours for length 2, and one pure
frequency, here the constant, for a filter as long as the image (Corollary 4). In between lies
everything else.
"""

import numpy as np
from matplotlib import pyplot as plt

import implicitbias as ib

image = ib.datasets.digits(4).X[3] / 16
problem = ib.Classification([image], [1])
d = image.size

figure, axes = plt.subplots(2, 6, figsize=(11.5, 4.0), layout="constrained")
lengths = (1, 2, 5, 16, 64)
axes[0, 0].imshow(image.reshape(8, 8), cmap="Greys")
axes[0, 0].set_title("the image", fontsize="medium")
axes[1, 0].plot(np.abs(np.fft.rfft(image)), color="black", linewidth=1)
axes[1, 0].set_ylabel("spectrum")
for column, k in enumerate(lengths, start=1):
    network = ib.ConvolutionalNetwork(num_features=d, filter_sizes=(k, d))
    U1, _, U2 = np.linalg.svd(network.data_tensor(image), full_matrices=False)
    first = U1 @ np.random.default_rng(0).uniform(0.5, 1.5, k)
    init = ib.Initialization([first, 0.2 * U2.T @ (U1.T @ first)], scale=0.3)
    limit = ib.predict_limit(network, problem, init)
    flow = ib.gradient_flow(network, problem, init, until_margin=1e4)
    beta = limit.coefficients
    top = axes[0, column]
    top.imshow(
        beta.reshape(8, 8),
        cmap="PuOr",
        vmin=-np.abs(beta).max(),
        vmax=np.abs(beta).max(),
    )
    top.set_title(f"filter of length {k}", fontsize="medium")
    axes[1, column].plot(
        np.abs(np.fft.rfft(beta)), color="#0072B2", linewidth=1
    )
    print(f"length {k:2d}: {ib.compare(flow, limit)}")
for ax in axes.ravel():
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()
