"""Search for Assumption 1 in a data tensor of which nothing is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod, sqrt
from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray, positive_float
from implicitbias._errors import InvalidInputError
from implicitbias._verdicts import Status, Verdict
from implicitbias.networks._assumption import orthonormality_defect
from implicitbias.networks._decomposition import (
    ASSUMPTION,
    DenseDecomposition,
)
from implicitbias.networks._refine import diagonalising_factors, project, relative_residual

if TYPE_CHECKING:
    from implicitbias.networks._base import Network

MAX_SEARCH_ENTRIES = 30_000_000
"""Largest data tensor (k_1 ... k_L d entries) that is searched (240 MB of float64)."""

_MAX_DECIDED_ENTRIES = 1_000_000  # ... where min k_l < d, so that the answer is known beforehand
_NO_EFFECT = 1e-12
_REAL_ATTEMPTS = 2
_COMPLEX_ATTEMPTS = 3


def search_network(network: Network, *, tol: float) -> DenseDecomposition:
    """``search_decomposition`` of the network's data tensor, formed from basis inputs."""
    sizes, d = network.layer_sizes, network.num_features
    if _is_too_large(sizes, d):
        found = _decided_by_size(sizes, d)
    else:
        tensor = np.stack([network.data_tensor(unit) for unit in np.eye(d)], axis=-1)
        found = search_decomposition(tensor, tol=tol)
    return replace(found, parameter_shapes=network.parameter_shapes)


def search_decomposition(tensor: NumericArray, *, tol: float) -> DenseDecomposition:
    """S and U_l with tensor[..., e] = sum_j S_je [U_1]_j (x) ... (x) [U_L]_j, or how far from it.

    Each U_l spans the range of the mode-l unfolding, so the tensor is first compressed to a core
    in the coordinates of these ranges. There the SVD of a generic combination (of inputs, and of
    the modes beyond the second) gives U_1 and U_2, the other modes are matched to them, and all
    are refined together: real first, then complex. The search is a heuristic only in what it finds;
    what it reports is measured on the whole tensor.

    The columns are ordered by decreasing norm of the rows of S, and scaled by phases so that
    the largest entry of each column is positive. Up to that, the decomposition is unique for
    L >= 3; for L = 2 unless two rows of S agree up to a phase.

    Parameters
    ----------
    tensor
        (k_1, ..., k_L, d), L >= 2, real or complex, finite.
    tol
        The verdict is "holds" for a relative residual up to ``tol``, "fails" above sqrt(tol) or
        where S has not full column rank, and "undecided" between. Rows of S are dropped as long
        as the residual stays within ``tol``; noise above ``tol`` counts as rows.

    Raises
    ------
    InvalidInputError
        More than ``MAX_SEARCH_ENTRIES`` entries where d <= min k_l (otherwise the sizes alone
        decide, and tensors of more than 1e6 entries are not searched); ``tol`` not in (0, 1).

    Source: Yun, Krishnan and Mobahi, ICLR 2021, Assumption 1.
    """
    tol = positive_float(tol, "tol")
    if tol >= 1:
        raise InvalidInputError(f"tol is {tol:g}; expected a number between 0 and 1.")
    *sizes, d = tensor.shape
    if _is_too_large(sizes, d):
        return _decided_by_size(sizes, d)
    scales = _scales(tensor)
    if not scales.any():
        return _empty(sizes, d, 0.0, "the data tensor is zero")
    tensor = tensor / scales
    bases = _bases(tensor, tol)
    matrix = project(tensor, bases)
    rank_ratio = _rank_ratio(matrix)
    matrix, bases = _canonical(*_pruned(matrix, bases, tol), scales)
    residual = relative_residual(tensor, bases, matrix / scales)
    verdict = _verdict(bases, d, residual, rank_ratio, tol)
    shapes = tuple((size,) for size in sizes)
    return DenseDecomposition(shapes, residual, verdict, matrix, bases, by_structure=False)


def _scales(tensor: NumericArray) -> FloatArray:
    """||M(e)||_F for each e: features may come in any units.

    Where it is rounding beside the largest, the largest.
    """
    slices = tensor.reshape(-1, tensor.shape[-1])
    peaks = np.abs(slices).max(axis=0)
    norms: FloatArray = peaks * np.linalg.norm(slices / np.where(peaks > 0, peaks, 1.0), axis=0)
    return np.where(norms > _NO_EFFECT * norms.max(), norms, norms.max())


def _bases(tensor: NumericArray, tol: float) -> tuple[NumericArray, ...]:
    """Orthonormal U_1, ..., U_L with the smallest residual among a few attempts."""
    ranges = _ranges(tensor, tol)
    core = tensor
    for mode, basis in enumerate(ranges):
        core = np.moveaxis(np.tensordot(core, basis.conj(), axes=(mode, 0)), -1, mode)
    core = np.ascontiguousarray(core)
    rng = np.random.default_rng(0)
    real = 0 if np.iscomplexobj(core) else _REAL_ATTEMPTS
    best: tuple[NumericArray, ...] = ()
    best_residual = np.inf
    for attempt in range(real + _COMPLEX_ATTEMPTS):
        factors = diagonalising_factors(core, rng, real=attempt < real, goal=tol)
        residual = relative_residual(core, factors, project(core, factors))
        # A complex decomposition is an answer of its own only where no real one is as good.
        if residual < best_residual * (1.0 if attempt < real else 0.99):
            best, best_residual = factors, residual
        if best_residual <= tol:
            break
    return tuple(basis @ factor for basis, factor in zip(ranges, best, strict=True))


def _ranges(tensor: NumericArray, tol: float) -> list[NumericArray]:
    """Orthonormal bases of the ranges of the unfoldings.

    For a decomposable tensor the singular values of every unfolding are the norms of the rows
    of S.
    """
    ranges = []
    for mode, size in enumerate(tensor.shape[:-1]):
        unfolded = np.moveaxis(tensor, mode, 0).reshape(size, -1)
        triangle = np.asarray(np.linalg.qr(unfolded.T, mode="r"))
        left, values, _ = np.linalg.svd(triangle.T, full_matrices=False)
        ranges.append(left[:, values > 0.1 * tol / sqrt(size) * values[0]])
    return ranges


def _pruned(
    matrix: NumericArray, bases: Sequence[NumericArray], tol: float
) -> tuple[NumericArray, tuple[NumericArray, ...]]:
    """Drop the smallest rows of S: together at most half the tolerance, at least d remain."""
    norms = np.linalg.norm(matrix, axis=1)
    order = np.argsort(norms)
    dropped = np.sqrt(np.cumsum(np.square(norms[order])))
    largest = np.linalg.norm(matrix, axis=0).max()
    count = int(np.count_nonzero(dropped <= 0.5 * tol * largest))
    count = min(count, max(0, len(matrix) - matrix.shape[1]))
    keep = np.sort(order[count:])
    return matrix[keep], tuple(basis[:, keep] for basis in bases)


def _canonical(
    matrix: NumericArray, bases: Sequence[NumericArray], scales: FloatArray
) -> tuple[NumericArray, tuple[NumericArray, ...]]:
    """Undo the scales of the features, and fix the phases and the order of the columns."""
    matrix = matrix * scales
    columns = []
    for basis in bases:
        size = np.abs(basis)
        # The first of the entries that tie for the largest, so that rounding does not choose.
        rows = np.argmax(size >= (1 - 1e-6) * size.max(axis=0), axis=0)
        largest = basis[rows, np.arange(basis.shape[1])]
        phase = largest / np.abs(largest)
        columns.append(basis / phase)
        matrix = matrix * phase[:, None]
    norms = np.linalg.norm(matrix / (np.abs(matrix).max() or 1.0), axis=1)
    leading = np.argmax(np.abs(columns[0]) >= (1 - 1e-6) * np.abs(columns[0]).max(axis=0), axis=0)
    turned = np.take_along_axis(matrix, np.abs(matrix).argmax(axis=1)[:, None], axis=1)[:, 0].imag
    order = np.lexsort((turned < 0, leading, -np.round(norms / (norms.max() or 1.0), 8)))
    return matrix[order], tuple(column[:, order] for column in columns)


def _rank_ratio(matrix: NumericArray) -> float:
    """Smallest over largest singular value of S; 0 where it has fewer rows than columns."""
    m, d = matrix.shape
    if m < d:
        return 0.0
    values = np.linalg.svd(matrix, compute_uv=False)
    return float(values[-1] / (values[0] or 1.0))


def _verdict(
    bases: Sequence[NumericArray], d: int, residual: float, rank_ratio: float, tol: float
) -> Verdict:
    m = bases[0].shape[1]
    no_rank = rank_ratio <= 10 * max(m, d) * np.finfo(float).eps
    defect = max(map(orthonormality_defect, bases))
    found = f"searched numerically: m = {m}, orthonormality defect {defect:.1e}"
    if residual <= tol and rank_ratio <= tol:
        reason = (
            f"min k_l allows only {m} rows for {d} features"
            if min(map(len, bases)) < d
            else "smallest over largest singular value of S with columns of unit length"
        )
        return Verdict(
            ASSUMPTION,
            "fails" if no_rank else "undecided",
            rank_ratio,
            f"S lacks full column rank {d}: {reason}; {found}, residual {residual:.1e}",
        )
    status: Status = (
        "fails"
        if residual > sqrt(tol) or no_rank
        else "holds"
        if max(residual, defect) <= tol < rank_ratio
        else "undecided"
    )
    rank = f"; S lacks full column rank {d} as well" if no_rank else ""
    return Verdict(ASSUMPTION, status, residual, f"relative residual; {found}{rank}")


def _empty(sizes: Sequence[int], d: int, residual: float, reason: str) -> DenseDecomposition:
    """Return the decomposition without terms."""
    verdict = Verdict(ASSUMPTION, "fails", residual, reason)
    bases = tuple(np.zeros((size, 0)) for size in sizes)
    shapes = tuple((size,) for size in sizes)
    empty = np.zeros((0, d))
    return DenseDecomposition(shapes, residual, verdict, empty, bases, by_structure=False)


def _is_too_large(sizes: Sequence[int], d: int) -> bool:
    limit = _MAX_DECIDED_ENTRIES if min(sizes) < d else MAX_SEARCH_ENTRIES
    return prod(sizes) * d > limit


def _decided_by_size(sizes: Sequence[int], d: int) -> DenseDecomposition:
    """Say no where S cannot have full column rank, without a search; else refuse."""
    if min(sizes) < d:
        reason = (
            f"S of full column rank needs d <= min k_l, here {d} > {min(sizes)}; not searched, so "
            "the residual is that of no terms at all"
        )
        return _empty(sizes, d, 1.0, reason)
    raise InvalidInputError(
        f"The data tensor has {prod(sizes) * d:.3g} entries; the search for an orthogonal "
        f"decomposition takes up to {MAX_SEARCH_ENTRIES:.3g}. If S and the bases are known, use "
        "OrthogonalNetwork."
    )
