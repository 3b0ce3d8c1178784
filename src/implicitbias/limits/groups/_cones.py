"""min ||beta||_* / g s.t. Z beta >= t by semidefinite cones, over the blocks R_j of a group.

Its dual, n numbers and one linear matrix inequality a block, is what is solved:

    max t^T a  s.t.  a >= 0,  [[1, R_j(c)], [R_j(c)^T, 1]] >= 0 for all j,  c = Z^T a,

which says that no R_j(c) has a singular value above 1. The multipliers W_j of the inequalities are
the primal: beta(h) = -2 sum_j <R_j(h), (W_j)_12>.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import clarabel
import numpy as np
from scipy.sparse import csc_array

from implicitbias._arrays import FloatArray
from implicitbias.networks import Block

TOLERANCE = 1e-11


class ConePoint(NamedTuple):
    """beta, (g,), and a, (n,)."""

    beta: FloatArray
    a: FloatArray


def least_nuclear(
    rows: FloatArray, targets: FloatArray, blocks: Sequence[Block]
) -> ConePoint | None:
    """The solver's point for Z beta >= t, to about 1e-8; None where it has none.

    Parameters
    ----------
    rows, targets
        Z, (n, g), separable, of rows of about unit length; t > 0, (n,), the largest about 1.
    blocks
        One real irreducible representation of each kind.
    """
    n = len(rows)
    columns, right, cones, places = [-np.eye(n)], [np.zeros(n)], [clarabel.NonnegativeConeT(n)], []
    for block in blocks:
        triangle = _Triangle(2 * block.dimension)
        places.append(triangle)
        columns.append(np.stack([-triangle.corner(matrix) for matrix in block.of(rows)], axis=1))
        right.append(triangle.identity())
        cones.append(clarabel.PSDTriangleConeT(triangle.side))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = TOLERANCE
    found = clarabel.DefaultSolver(
        csc_array((n, n)),
        -targets,
        csc_array(np.vstack(columns)),
        np.concatenate(right),
        cones,
        settings,
    ).solve()
    x, z = np.array(found.x), np.array(found.z)
    if not x.size or not np.isfinite(x).all() or not np.isfinite(z).all():
        return None
    beta, begin = np.zeros(rows.shape[1]), n
    for block, triangle in zip(blocks, places, strict=True):
        end = begin + triangle.length
        beta -= 2.0 * np.tensordot(block.matrices, triangle.corner_of(z[begin:end]), axes=2)
        begin = end
    return ConePoint(beta, np.clip(x, 0.0, None))


class _Triangle:
    """Symmetric matrices as upper triangles, column by column, off the diagonal times sqrt(2)."""

    def __init__(self, side: int) -> None:
        self.side, self.half = side, side // 2
        self.columns, self.rows = np.tril_indices(side)  # the transpose of the upper triangle
        self.length = self.rows.size
        self.scale = np.where(self.rows == self.columns, 1.0, np.sqrt(2.0))

    def identity(self) -> FloatArray:
        """1."""
        return np.asarray(self.rows == self.columns, dtype=np.float64)

    def corner(self, matrix: FloatArray) -> FloatArray:
        """[[0, R], [R^T, 0]]."""
        whole = np.zeros((self.side, self.side))
        whole[: self.half, self.half :] = matrix
        return np.asarray(whole[self.rows, self.columns] * self.scale)

    def corner_of(self, triangle: FloatArray) -> FloatArray:
        """The upper right quarter."""
        whole = np.zeros((self.side, self.side))
        whole[self.rows, self.columns] = triangle / self.scale
        return np.asarray(whole[: self.half, self.half :])
