"""How far the layers of a fully connected network are from rank one, and from each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, worst_of
from implicitbias._errors import InvalidInputError
from implicitbias._results import Record
from implicitbias.networks._base import Network
from implicitbias.networks._fully_connected import FullyConnectedNetwork


@dataclass(frozen=True, eq=False, repr=False)
class LayerAlignment(Record):
    """W_l = s_l u_l v_l^T + rest, s_l its largest singular value; w_L is a column.

    Attributes
    ----------
    rank_one
        ||rest||_F / ||W_l||_F for each layer, (L,); the last is 0.
    neighbours
        The sine of the angle between v_l and u_{l+1}, (L - 1,).
    """

    rank_one: FloatArray
    neighbours: FloatArray

    @property
    def worst(self) -> float:
        """The largest of all these numbers: 0 where the layers are aligned and of rank one."""
        return worst_of(self.rank_one.max(), self.neighbours.max())

    def _short(self) -> str:
        return f"{self.rank_one.size} layers, worst {self.worst:.1e}"

    def __str__(self) -> str:
        def text(values: FloatArray) -> str:
            return ", ".join(f"{value:.1e}" for value in values)

        return (
            f"distance from rank one by layer: {text(self.rank_one)}\n"
            f"sine of the angle between neighbours: {text(self.neighbours)}"
        )


def layer_alignment(network: Network, parameters: Iterable[Any]) -> LayerAlignment:
    """Distance from rank one, and the angles between neighbours' leading singular vectors.

    Along classification flows of deep linear networks both tend to 0.

    Parameters
    ----------
    network
        A ``FullyConnectedNetwork``.
    parameters
        Its layers, such as ``flow.final_parameters``.

    Raises
    ------
    InvalidInputError
        Another network, wrong shapes, NaN or infinities, or a layer that is zero.

    Source: Ji and Telgarsky, "Gradient descent aligns the layers of deep linear networks", ICLR
    2019.
    """
    if not isinstance(network, FullyConnectedNetwork):
        raise InvalidInputError(
            f"layer_alignment is about fully connected networks; got {network!r}."
        )
    *matrices, last = network.check_parameters(parameters)
    layers = [*matrices, last[:, None]]
    rank_one, leading = [], []
    for index, layer in enumerate(layers, start=1):
        size = float(np.abs(layer).max())
        if size == 0.0:
            raise InvalidInputError(f"layer {index} is zero and has no direction to align.")
        left, values, right = np.linalg.svd(layer / size, full_matrices=False)
        rank_one.append(float(np.linalg.norm(values[1:]) / np.linalg.norm(values)))
        leading.append((left[:, 0], right[0]))
    sines = [
        float(np.linalg.norm(after - before * (before @ after)))
        for (_, before), (after, _) in pairwise(leading)
    ]
    return LayerAlignment(np.array(rank_one), np.array(sines))
