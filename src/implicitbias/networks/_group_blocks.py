"""Real irreducible representations of a finite group: where its convolutions are matrix products.

R(w) = sum_a w(a) R(a) has R(w_1 w_2) = R(w_1) R(w_2), and over one representation R_j of each kind,
of dimension D_j and multiplicity m_j in the regular one,

    g <u, w> = sum_j m_j <R_j(u), R_j(w)>_F        (Plancherel).

Kinds: m_j = D_j where only multiples of 1 commute with all R_j(a), D_j / 2 where those are the
complex numbers, D_j / 4 where they are the quaternions. Source: Serre, "Linear Representations of
Finite Groups", 1977, 13.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias.networks._group_table import GroupTable

DRAWS = 8  # random symmetric elements, of which the one with the widest gaps is taken
TOGETHER = 1e-9  # relative; eigenvalues of one irreducible space agree to rounding
SAME = 0.5  # of inner products of characters, which are whole numbers


@dataclass(frozen=True, eq=False)
class Block:
    """One real irreducible representation.

    Attributes
    ----------
    matrices
        R(a), orthogonal, for each element a, (g, D, D).
    multiplicity
        How often it is part of the regular representation.
    """

    matrices: FloatArray
    multiplicity: int

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.matrices.shape[1])

    def of(self, w: FloatArray) -> FloatArray:
        """R(w) = sum_a w(a) R(a), (D, D); of each row of a stack."""
        return np.asarray(np.tensordot(w, self.matrices, axes=1))

    def part(self, matrix: FloatArray) -> FloatArray:
        """The w whose R is the projection of a (D, D) matrix to all R(w), and 0 elsewhere: (g,)."""
        weight = self.multiplicity / len(self.matrices)
        return weight * np.tensordot(self.matrices, matrix, axes=2)

    def linear_characters(self) -> list[NumericArray]:
        """The homomorphisms to complex numbers that it consists of, if they are all of it."""
        if self.dimension == 1:
            return [self.matrices[:, 0, 0]]
        if self.dimension == 2 and self.multiplicity == 1:
            turns = self.matrices[:, 0, 0] + 1j * self.matrices[:, 1, 0]
            return [turns, turns.conj()]
        return []


def blocks_of(group: GroupTable) -> tuple[Block, ...]:
    """One of each kind, the trivial one first.

    Right multiplication by c with c(a) = c(a^{-1}) is symmetric and commutes with all left ones:
    for generic c its eigenspaces are irreducible under these.
    """
    rng = np.random.default_rng(0)
    _, vectors, cuts = max((_eigenspaces(group, rng) for _ in range(DRAWS)), key=lambda one: one[0])
    found: list[Block] = []
    for basis in np.split(vectors, cuts, axis=1):
        matrices = np.einsum("ui,auj->aij", basis, basis[group.left_quotients], optimize=True)
        character = np.trace(matrices, axis1=1, axis2=2)
        if not any(_overlap(character, known) > SAME for known in found):
            kind = round(_overlap(character, Block(matrices, 1)))
            found.append(Block(matrices, basis.shape[1] // kind))
    found.sort(key=lambda block: (block.dimension, -float(block.matrices.sum())))
    return tuple(found)


def _overlap(character: FloatArray, block: Block) -> float:
    """<chi, chi'>: 0 between kinds; 1, 2 or 4 within one."""
    other = np.trace(block.matrices, axis1=1, axis2=2)
    return float(character @ other) / len(character)


def _eigenspaces(
    group: GroupTable, rng: np.random.Generator
) -> tuple[float, FloatArray, np.ndarray]:
    """The narrowest gap, the eigenvectors, and where they are cut into eigenspaces."""
    c = rng.standard_normal(group.order)
    c = c + c[group.inverses]
    values, vectors = np.linalg.eigh(c[group.left_quotients].T)
    steps = np.diff(values)
    cuts = np.flatnonzero(steps > TOGETHER * np.abs(values).max()) + 1
    return float(steps[cuts - 1].min(initial=np.inf)), vectors, cuts
