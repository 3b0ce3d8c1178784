"""Assumption 1, checked where somebody says that it holds with given S and U_l."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import NumericArray, finite_array
from implicitbias._errors import InvalidInputError

if TYPE_CHECKING:
    from implicitbias.networks._base import Network
    from implicitbias.networks._decomposition import OrthogonalDecomposition

TOLERANCE = 1e-10  # of orthonormality, and of the imaginary part of a data tensor
SAME = 1e-8  # relative; of coefficients computed in two ways


def checked_assumption(
    S: Any, bases: Iterable[Any]
) -> tuple[NumericArray, tuple[NumericArray, ...]]:
    """S and U_l as arrays of their own.

    Raises
    ------
    InvalidInputError
        Wrong shapes, columns that are not orthonormal to 1e-10, or S of lower rank.
    """
    matrix = _own(finite_array(S, "S", shape=(None, None), allow_complex=True))
    columns = tuple(
        _own(finite_array(basis, f"bases, entry {i},", shape=(None, None), allow_complex=True))
        for i, basis in enumerate(_sequence(bases), start=1)
    )
    _check_assumption(matrix, columns)
    return matrix, columns


def orthonormality_defect(basis: NumericArray) -> float:
    """Largest entry of |U^H U - I|."""
    gram = basis.conj().T @ basis
    return float(np.abs(gram - np.eye(len(gram))).max(initial=0.0))


def column_rank(matrix: NumericArray) -> int:
    """Numerical rank: singular values above max(m, d) eps times the largest."""
    if not matrix.size:
        return 0
    values = np.linalg.svd(matrix, compute_uv=False)
    cutoff = max(matrix.shape) * np.finfo(float).eps * values[0]
    return int(np.count_nonzero(values > cutoff))


def _own(array: NumericArray) -> NumericArray:
    """Copy read-only, real where no imaginary part is there."""
    if np.iscomplexobj(array) and not array.imag.any():
        array = array.real
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def _sequence(bases: Any) -> tuple[Any, ...]:
    try:
        columns = tuple(bases)
    except TypeError:
        columns = ()
    if len(columns) < 2:
        raise InvalidInputError(
            f"bases must be a sequence of at least two matrices U_1, ..., U_L; got {len(columns)}."
        )
    return columns


def _check_assumption(matrix: NumericArray, columns: tuple[NumericArray, ...]) -> None:
    m, d = matrix.shape
    for index, basis in enumerate(columns, start=1):
        if basis.shape[1] != m or basis.shape[0] < m:
            raise InvalidInputError(
                f"bases, entry {index}, has shape {basis.shape}; expected (k, {m}) with k >= {m}, "
                f"one orthonormal column for each of the {m} rows of S."
            )
        defect = orthonormality_defect(basis)
        if defect > TOLERANCE:
            raise InvalidInputError(
                f"bases, entry {index}, has columns that are not orthonormal: max |U^H U - I| = "
                f"{defect:.2g}; expected at most {TOLERANCE:g}. Take the Q of a QR factorisation."
            )
    rank = column_rank(matrix)
    if rank < d:
        raise InvalidInputError(
            f"S of shape {matrix.shape} has rank {rank}; expected full column rank {d} (so at "
            "least as many rows as features): otherwise some feature never reaches the output."
        )


def require_same(network: Network, decomposition: OrthogonalDecomposition) -> None:
    """Refuse S and U_l of another network, seen by beta = S^T prod_l U_l^T v_l at one Theta."""
    if not decomposition.verdict.holds:
        return
    rng = np.random.default_rng(0)
    layers = [rng.uniform(0.5, 1.5, shape) for shape in network.parameter_shapes]
    sizes = np.abs(decomposition.coordinates(layers)).max(axis=1)
    layers = [layer / size for layer, size in zip(layers, sizes, strict=True)]  # whatever the depth
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rho = np.prod(decomposition.coordinates(layers), axis=0)
        beta, other = network.coefficients(layers), decomposition.coefficients(rho)
        apart = float(np.abs(beta - other).max())
    if apart > SAME * float(np.abs(beta).max(initial=0.0)):
        raise InvalidInputError(
            f"the decomposition that {network!r} gives is not its own: beta = S^T prod_l U_l^T v_l "
            f"is off by {apart:.2g} at random layers, where its entries are up to "
            f"{np.abs(beta).max():.2g}."
        )
