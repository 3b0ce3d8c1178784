"""The networks that have names, and where each starts by default."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import Parameters, finite_array, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias._names import MAX_DEPTH, NETWORKS, read_name
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    Network,
    TwoSidedDiagonalNetwork,
)


def network_of(name: Any, depth: Any, num_features: int, *, width: int = 1) -> Network:
    """The network called ``name``: filters of full length, hidden layers of ``width``.

    A wider fully connected network has the same limit; width 1 keeps its layers small. Two-sided
    networks take every real depth >= 2.

    Raises
    ------
    InvalidInputError
        An unknown name, or a depth that is not a whole number from 2 to MAX_DEPTH.
    """
    name = read_name(name, NETWORKS, "network")
    if name == "two_sided":
        return TwoSidedDiagonalNetwork(num_features, depth)
    depth = positive_int(depth, "depth", at_least=2, at_most=MAX_DEPTH)
    if name == "diagonal":
        return DiagonalNetwork(num_features, depth)
    if name == "convolutional":
        return ConvolutionalNetwork(num_features, (num_features,) * depth)
    return FullyConnectedNetwork((num_features,) + (width,) * (depth - 1))


def directions_of(network: Network, init_direction: Any = None) -> Parameters:
    """vbar_l = wbar for l < L and vbar_L = 0; fully connected: W_1 = 0 and ones above it.

    Two-sided networks: u = v = wbar > 0, from where every coefficient starts at 0 and crosses it.

    wbar is ``init_direction``; by default ones, for convolutions the unit impulse times sqrt(d),
    whose spectrum is ones. Fully connected networks start at W_1 = 0, from where they reach the
    minimum-norm interpolator itself at every scale, not only as the scale tends to 0.

    Raises
    ------
    InvalidInputError
        A direction of another shape, one that is not positive for u and v, or one for a fully
        connected network.
    """
    d = network.num_features
    if network.family == "fully connected":
        if init_direction is not None:
            raise InvalidInputError(
                "init_direction is for diagonal, two-sided and convolutional networks; a fully "
                "connected one ends at the minimum-norm solution whatever its start. Leave it None."
            )
        first, *rest = network.parameter_shapes
        return (np.zeros(first), *map(np.ones, rest))
    if init_direction is not None:
        direction = finite_array(init_direction, "init_direction", shape=(d,))
    elif network.family == "convolutional":
        direction = np.zeros(d)
        direction[0] = np.sqrt(d)
    else:
        direction = np.ones(d)
    if network.family == "two-sided":
        if not (direction > 0.0).all():
            raise InvalidInputError(
                f"init_direction contains {direction.min():g}; a two-sided network starts from "
                "u = v = init_direction, all entries > 0."
            )
        return direction, direction.copy()
    return Initialization.last_layer_zero(network, direction, scale=1.0).directions
