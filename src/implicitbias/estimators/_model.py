"""The networks that the estimators offer by name, and the starts they train from."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, finite_array, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    MAX_DEPTH,
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
)

NETWORKS = ("diagonal", "convolutional", "fully_connected")


def network_of(name: Any, depth: Any, num_features: int) -> Network:
    """The network called ``name``: filters of full length, hidden layers of width 1.

    A wider fully connected network has the same limit; width 1 keeps its layers small.

    Raises
    ------
    InvalidInputError
        An unknown name, or a depth that is not a whole number >= 2.
    """
    depth = positive_int(depth, "depth", at_least=2, at_most=MAX_DEPTH)
    if name == "diagonal":
        return DiagonalNetwork(num_features, depth)
    if name == "convolutional":
        return ConvolutionalNetwork(num_features, (num_features,) * depth)
    if name == "fully_connected":
        return FullyConnectedNetwork((num_features,) + (1,) * (depth - 1))
    raise InvalidInputError(f"network is {name!r}; expected one of {', '.join(NETWORKS)}.")


def directions_of(network: Network, init_direction: Any) -> Parameters:
    """vbar_l = wbar for l < L and vbar_L = 0; fully connected: W_1 = 0 and ones above it.

    wbar is ``init_direction``; by default ones, for convolutions the unit impulse times sqrt(d),
    whose spectrum is ones. Fully connected networks start at W_1 = 0, from where they reach the
    minimum-norm interpolator itself at every scale, not only as the scale tends to 0.

    Raises
    ------
    InvalidInputError
        A direction of another shape, or one for a fully connected network.
    """
    d = network.num_features
    if network.family == "fully connected":
        if init_direction is not None:
            raise InvalidInputError(
                "init_direction is for diagonal and convolutional networks; a fully connected one "
                "ends at the minimum-norm solution whatever its start. Leave it None."
            )
        first, *rest = network.parameter_shapes
        return (np.zeros(first), *map(np.ones, rest))
    if init_direction is None:
        direction = np.ones(d)
        if network.family == "convolutional":
            direction = np.zeros(d)
            direction[0] = np.sqrt(d)
    else:
        direction = _checked(init_direction, d)
    return Initialization.last_layer_zero(network, direction, scale=1.0).directions


def _checked(init_direction: Any, num_features: int) -> FloatArray:
    array: FloatArray = finite_array(init_direction, "init_direction", shape=(num_features,))
    return array
