"""Convolutional networks over finite groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import pairwise
from math import sqrt
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, Parameters, positive_int
from implicitbias._errors import InvalidInputError
from implicitbias._names import MAX_DEPTH
from implicitbias._verdicts import Verdict
from implicitbias.networks._base import Network
from implicitbias.networks._decomposition import (
    ASSUMPTION,
    DenseDecomposition,
    OrthogonalDecomposition,
)
from implicitbias.networks._group_blocks import Block, blocks_of
from implicitbias.networks._group_table import GroupTable, checked_group
from implicitbias.networks._layers import squared_norms
from implicitbias.networks._point_svd import PointSVD, dense_svd
from implicitbias.networks._stacked import by_gradients
from implicitbias.networks._starts import ROUNDING


class GroupConvolutionalNetwork(Network):
    """f(x) = sum over g_1, ..., g_L of x(g_1 g_2 ... g_L) w_1(g_1) ... w_L(g_L), w_l in R^g.

    A function x on a finite group, correlated with one full-width filter a layer:
    [x * w](h) = sum_a x(a h) w(a), so that beta = w_1 w_2 ... w_L in the group algebra,
    beta(h) = sum over g_1 ... g_L = h of prod_l w_l(g_l), and [M(x)]_{g_1 .. g_L} =
    x(g_1 ... g_L). The cyclic group with table (a + b) mod d is ``ConvolutionalNetwork(d, (d, ..,
    d))``. In every representation R, R(beta) = R(w_1) ... R(w_L): a group that is abelian
    decouples into its characters and fulfils Assumption 1 with the rows conj(chi_j) g^{L/2-1} for
    S and the columns chi_j / sqrt(g) for every U_l; others decouple into blocks.
    Conserved: w_l^T w_l - w_{l+1} w_{l+1}^T in the group algebra, w^T(a) = w(a^{-1}).

    With an activation, H_l = phi(H_{l-1} * w_l) elementwise, H_0 = x.

    Parameters
    ----------
    table
        (g, g): row a and column b hold the index of the product a b. Copied.
    depth
        L >= 2.

    Raises
    ------
    InvalidInputError
        The table is not one of a group: the message names the entry, pair or triple at fault; or a
        depth that is not a whole number >= 2.

    Source: Lawrence, Georgiev, Dienes and Kiani, "Implicit bias of linear equivariant networks",
    ICML 2022.
    """

    family = "group convolutional"
    table: IntArray

    def __init__(self, table: Any, depth: int) -> None:
        group = checked_group(table)
        layers = positive_int(depth, "depth", at_least=2, at_most=MAX_DEPTH)
        self.__dict__.update(
            table=group.table,
            num_features=group.order,
            parameter_shapes=((group.order,),) * layers,
        )

    def __repr__(self) -> str:
        kind = "an abelian group" if self.group.is_abelian else "a group"
        return f"GroupConvolutionalNetwork({kind} of order {self.num_features}, depth={self.depth})"

    @property
    def group(self) -> GroupTable:
        """The group."""
        known: GroupTable | None = self.__dict__.get("_group")
        if known is None:
            known = self.__dict__.setdefault("_group", checked_group(self.table))
        return known

    def __getstate__(self) -> dict[str, Any]:
        """Without what was derived."""
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key not in ("_group", "_blocks")}

    @property
    def blocks(self) -> tuple[Block, ...]:
        """One real irreducible representation of each kind: the flow mixes only within them."""
        known: tuple[Block, ...] | None = self.__dict__.get("_blocks")
        if known is None:
            known = self.__dict__.setdefault("_blocks", blocks_of(self.group))
        return known

    def _decompose(self, tol: float) -> OrthogonalDecomposition:
        """Abelian: its characters. Else what the one-dimensional characters leave over.

        Those number g over the order of the commutator subgroup, and a common orthogonal
        decomposition needs g of them. ``tol`` is not used.
        """
        if self.group.is_abelian:
            characters = self.group.characters()
            verdict = Verdict(ASSUMPTION, "holds", 0.0, "by structure: the group's characters")
        else:
            characters = _linear_characters(self.blocks)
            left = sqrt(1.0 - len(characters) / self.num_features)
            verdict = Verdict(
                ASSUMPTION,
                "fails",
                left,
                f"what the {len(characters)} characters of a group of {self.num_features} elements "
                "that is not abelian leave over, relative; it decouples into blocks",
            )
        unit = characters / sqrt(self.num_features)
        size = sqrt(self.num_features) ** (self.depth - 1)
        if not np.isfinite(size * size):
            raise InvalidInputError(
                f"{self.depth} filters over {self.num_features} elements have S of size "
                f"{self.num_features}^((L-1)/2), whose square float64 does not hold. Choose fewer "
                "layers."
            )
        columns = (np.ascontiguousarray(unit.T),) * self.depth
        matrix = np.ascontiguousarray(unit.conj() * size)
        return DenseDecomposition(
            self.parameter_shapes, float(verdict.value), verdict, matrix, columns
        )

    def point_svd(self, x: FloatArray) -> PointSVD:
        """That of M(x), (g, g)."""
        return dense_svd(self.data_tensor(x))

    def balanced(self, layers: Sequence[FloatArray]) -> list[FloatArray]:
        """Q_{l-1}^T h Q_l with one h = h^T >= 0 and Q_l^T Q_l = 1: w_l^T w_l is Q_l^T h^2 Q_l."""
        group = self.group
        _, values, right = np.linalg.svd(_matrix(layers[0], group))
        size = right.T @ (values[:, None] * right)
        turns = [np.eye(group.order)]
        for layer in layers:
            u, _, v = np.linalg.svd(_matrix(layer, group))
            turns.append(u @ v)
        identity = group.identity
        return [
            np.ascontiguousarray((before.T @ size @ after)[:, identity])
            for before, after in pairwise(turns)
        ]

    def with_gap(self, layers: Sequence[FloatArray], gap: float) -> list[FloatArray]:
        """Two layers: w_1 = q h becomes q (h^2 + t)^{1/2} with w_1^T w_1 - w_2 w_2^T >= gap.

        Raises
        ------
        InvalidInputError
            More than two layers of a group that is not abelian, about which no theorem asks this.
        """
        if self.group.is_abelian:
            return super().with_gap(layers, gap)
        if self.depth != 2:
            raise InvalidInputError(
                f"gap is a condition on two layers, or on an abelian group; {self!r} has neither. "
                "Leave gap out: from more layers the flow decides."
            )
        first, second = (_matrix(layer, self.group) for layer in layers)
        short = gap - float(np.linalg.eigvalsh(first.T @ first - second @ second.T)[0])
        if short <= 0.0:
            return list(layers)
        left, values, right = np.linalg.svd(first)
        longer = (left * np.sqrt(values**2 + short * (1.0 + ROUNDING))) @ right
        return [np.ascontiguousarray(longer[:, self.group.identity]), layers[1]]

    def _coefficients(self, layers: Parameters) -> FloatArray:
        return reduce(self._times, layers)

    def _layer_gradients(self, layers: Parameters, direction: FloatArray) -> Parameters:
        prefixes = [direction]
        for layer in layers[:-1]:
            prefixes.append(self._correlated(prefixes[-1], layer))
        gradients, suffix = [prefixes[-1]], layers[-1]
        for index in range(self.depth - 2, -1, -1):
            gradients.append(_applied(prefixes[index][..., self.table], suffix))
            if index:
                suffix = self._times(layers[index], suffix)
        return tuple(gradients[::-1])

    def stacked_coefficients(self, layers: Parameters) -> FloatArray:
        """As for one, rows for each."""
        return self._coefficients(layers)

    def stacked_gradients(self, layers: Parameters, directions: FloatArray) -> Parameters:
        """As for one, rows for each."""
        return self._layer_gradients(layers, directions)

    def stacked_point_gradients(self, layers: Parameters, X: FloatArray) -> FloatArray:
        """By the gradients of all points."""
        return by_gradients(self, layers, X)

    def _second_derivative_blocks(
        self, layers: Parameters, direction: FloatArray
    ) -> Iterator[tuple[int, int, FloatArray]]:
        suffixes = self._suffixes(layers)
        left = direction
        for first in range(self.depth - 1):
            between = _unit(self.group)
            for second in range(first + 1, self.depth):
                rest = _applied(left[self.table], suffixes[second])
                yield first, second, between[self.group.left_quotients] @ rest[self.table]
                between = self._times(between, layers[second])
            left = self._correlated(left, layers[first])

    def _jacobian_blocks(self, layers: Parameters) -> Iterator[FloatArray]:
        prefix = _unit(self.group)
        for layer, suffix in zip(layers, self._suffixes(layers), strict=True):
            shifted = suffix[self.group.left_quotients]  # delta_a times the suffix, row by row
            yield _matrix(prefix, self.group) @ shifted.T
            prefix = self._times(prefix, layer)

    def _suffixes(self, layers: Parameters) -> list[FloatArray]:
        """w_{l+1} ... w_L for each l; the unit for the last."""
        suffixes = [_unit(self.group)]
        for layer in layers[:0:-1]:
            suffixes.append(self._times(layer, suffixes[-1]))
        return suffixes[::-1]

    def _times(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """sum_u a(u) b(u^{-1} h) for each h, of each row."""
        return _applied(b[..., self.group.left_quotients].swapaxes(-1, -2), a)

    def _correlated(self, x: FloatArray, w: FloatArray) -> FloatArray:
        """sum_a x(a h) w(a) for each h, of each row."""
        return _applied(x[..., self.table].swapaxes(-1, -2), w)

    def _data_tensor(self, x: FloatArray) -> FloatArray:
        products = np.arange(self.num_features)
        for _ in range(self.depth - 1):
            products = self.table[products]
        tensor: FloatArray = x[products]
        return tensor

    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray:
        return hidden @ _matrix(layer, self.group)

    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray:
        return np.stack([(hidden[:, row] * pulled).sum(axis=1) for row in self.table], axis=1)

    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray:
        return pulled @ _matrix(layer, self.group).T

    def _entries_per_row(self) -> int:
        return self.num_features

    def _conserved_terms(self, layers: Parameters) -> tuple[FloatArray, FloatArray, FloatArray]:
        """w_l^T w_l and w_{l+1} w_{l+1}^T, and the sums of the two squared norms."""
        inverses, norms = self.group.inverses, squared_norms(layers)
        inner = [self._times(layer[inverses], layer) for layer in layers[:-1]]
        outer = [self._times(layer, layer[inverses]) for layer in layers[1:]]
        scale = np.repeat(norms[:-1] + norms[1:], self.num_features)
        return np.concatenate(inner), np.concatenate(outer), scale


def as_group_convolution(network: Network) -> GroupConvolutionalNetwork:
    """The network as what it is.

    Raises
    ------
    InvalidInputError
        It is another one.
    """
    if not isinstance(network, GroupConvolutionalNetwork):
        raise InvalidInputError(f"{network!r} is no convolution over a group.")
    return network


def _applied(matrices: FloatArray, vectors: FloatArray) -> FloatArray:
    """A v, of each in a stack."""
    return np.asarray((matrices @ vectors[..., None])[..., 0])


def _unit(group: GroupTable) -> FloatArray:
    unit = np.zeros(group.order)
    unit[group.identity] = 1.0
    return unit


def _matrix(w: FloatArray, group: GroupTable) -> FloatArray:
    """Left multiplication by w, [w(a b^{-1})]: the regular representation."""
    return np.asarray(w[group.right_quotients])


def _linear_characters(blocks: tuple[Block, ...]) -> Any:
    """The characters of dimension 1, as rows: of blocks that commute."""
    rows: list[Any] = []
    for block in blocks:
        rows.extend(block.linear_characters())
    return np.array(rows)
