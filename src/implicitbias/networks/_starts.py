"""Starts of a known shape: the first layers from one direction, and balanced layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray, finite_array
from implicitbias._errors import InvalidInputError
from implicitbias.networks._decomposition import OrthogonalDecomposition

if TYPE_CHECKING:
    from implicitbias.networks._base import Network

ROUNDING = 1e-12  # covers the way through the coordinates and back


def repeated(network: Network, direction: Any) -> list[FloatArray]:
    """One array for each of the first layers."""
    *shapes, _ = network.parameter_shapes
    if len(set(shapes)) > 1:
        listed = ", ".join(map(str, shapes))
        raise InvalidInputError(
            f"one direction does not fit the first layers of {network!r}, whose shapes differ; "
            f"expected a list of {len(shapes)} arrays of shapes {listed}."
        )
    return [finite_array(direction, "direction", shape=shapes[0])] * len(shapes)


def in_coordinates(decomposition: OrthogonalDecomposition, eta: Any) -> list[FloatArray]:
    """Layers with coordinates eta: U_l eta, or conj(U_l) eta where the bases are complex."""
    eta = finite_array(
        eta,
        "direction (eta, one number for each row of S)",
        shape=(decomposition.size,),
        allow_complex=not decomposition.is_real,
    )
    return list(decomposition.parameters(np.tile(eta, (decomposition.depth, 1))))[:-1]


def equal_coordinates(
    decomposition: OrthogonalDecomposition, layers: Sequence[FloatArray]
) -> list[FloatArray]:
    """Layers with the phases of their coordinates p_l, and the moduli of p_1."""
    p = decomposition.coordinates(layers)
    lengths = np.abs(p)
    phases = np.where(lengths > 0, p / np.where(lengths > 0, lengths, 1.0), 1.0)
    return list(decomposition.parameters(phases * lengths[0]))


def unit_norms(layers: Sequence[FloatArray]) -> list[FloatArray]:
    """The layers over their norms."""
    return [layer / np.linalg.norm(layer) for layer in layers]


def chained(layers: Sequence[FloatArray]) -> list[FloatArray]:
    """W_l = u_l u_{l+1}^T and w_L = u_L, u_l the first column of each over its length."""
    units = unit_norms([layer[:, 0] if layer.ndim == 2 else layer for layer in layers])
    return [*(np.outer(*pair) for pair in pairwise(units)), units[-1]]


def lengthened(network: Network, layers: Sequence[FloatArray], gap: float) -> list[FloatArray]:
    """|p_l| made sqrt(|p_L|^2 + gap) where it falls short, for l < L."""
    if not network.is_multilinear:
        raise InvalidInputError(
            f"gap is Theorem 2's condition on the layers of a tensor network; {network!r} is none. "
            "Leave gap out: its coordinates cross 0 from every start with u, v > 0."
        )
    decomposition = network.orthogonal_decomposition()
    if not decomposition.verdict.holds:
        raise InvalidInputError(
            f"gap needs the coordinates of an orthogonal decomposition, and {network!r} has none "
            f"({decomposition.verdict}). Leave gap out; for two layers and one point x build the "
            "directions from the SVD of network.data_tensor(x), whose coordinates Theorems 3 and 6 "
            "ask about."
        )
    p = decomposition.coordinates(layers)
    first, last = p[:-1], p[-1]
    lengths = np.abs(first)
    wanted = np.sqrt((1 + ROUNDING) * gap + (1 + ROUNDING) * np.abs(last) ** 2)
    phases = np.where(lengths > 0, first / np.where(lengths > 0, lengths, 1.0), 1.0)
    longer = np.where(lengths < wanted, phases * wanted, first)
    return list(decomposition.parameters(np.vstack([longer, last]), remainder_of=layers))
