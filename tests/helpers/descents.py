"""Small networks with starts and data for gradient descent, the family's name for references."""

import numpy as np

from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork, FullyConnectedNetwork
from implicitbias.problems import Classification, Regression

NETWORKS = {
    "diagonal": DiagonalNetwork(6, 3),
    "fully connected": FullyConnectedNetwork((6, 4, 3)),
    "convolutional": ConvolutionalNetwork(6, (3, 4, 6)),
}


def task(family, n=4, scale=0.6, seed=0):
    """Return a network, X, y and a start, all layers drawn."""
    network = NETWORKS[family]
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, network.num_features)), rng.standard_normal(n)
    layers = [scale * rng.standard_normal(shape) for shape in network.parameter_shapes]
    return network, X, y, Initialization(layers, scale=1.0)


def regression(family, **given):
    network, X, y, init = task(family, **given)
    return network, Regression(X, y), init


def separable(family, **given):
    """The same with labels that coefficients separate by a margin."""
    network, X, _, init = task(family, **given)
    true = np.arange(1.0, network.num_features + 1)
    labels = np.where(X @ true >= 0.0, 1, -1)
    return network, Classification(X + 0.2 * np.outer(labels, true), labels), init
