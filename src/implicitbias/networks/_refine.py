"""Joint diagonalisation of a tensor by unitary factors: a first guess, and its refinement.

A core C of shape (r_1, ..., r_L, d) is sought as C(e) = sum_j S_{je} [V_1]_j (x) ... (x) [V_L]_j,
j < m = min r_l, with orthonormal columns [V_l]_j. Where a decomposition exists all r_l are m and
the V_l are unitary. Given the V_l, the best S is the projection
S_{je} = C(e) o (conj [V_1]_j, ..., conj [V_L]_j).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from implicitbias._arrays import NumericArray
from implicitbias.networks._multilinear import outer_columns

_ROUNDS = 30
_ROUNDING = 1e-14
_BLOCK_ENTRIES = 4_000_000


def project(core: NumericArray, bases: Sequence[NumericArray]) -> NumericArray:
    """S_{je} = C(e) o (conj [V_1]_j, ..., conj [V_L]_j), of shape (m, d)."""
    return contract_columns(core, bases).T


def contract_columns(
    core: NumericArray, bases: Sequence[NumericArray], skip: int | None = None
) -> NumericArray:
    """C contracted with conj([V_l]_j) in every mode l but ``skip``, for each j.

    Of shape (d, m), or (k_skip, d, m); the last axis is j.
    """
    modes = [mode for mode in range(len(bases)) if mode != skip]
    first = modes[-1]
    result = np.tensordot(core, bases[first].conj(), axes=(first, 0))
    for mode in modes[-2::-1]:
        result = np.einsum("a...j,aj->...j", np.moveaxis(result, mode, 0), bases[mode].conj())
    return result


def relative_residual(
    core: NumericArray, bases: Sequence[NumericArray], matrix: NumericArray
) -> float:
    """max_e ||C(e) - sum_j S_je [V_1]_j (x) ..||_F / max_e ||C(e)||_F (0/0 is 0)."""
    d = core.shape[-1]
    error, size = np.zeros(d), np.zeros(d)
    rest = outer_columns(bases[1:])
    rows = max(1, _BLOCK_ENTRIES // (len(rest) * max(d, len(matrix), 1)))
    for start in range(0, len(bases[0]), rows):
        columns = outer_columns((bases[0][start : start + rows], rest))
        block = core[start : start + rows].reshape(-1, d)
        error += np.square(np.abs(block - columns @ matrix)).sum(axis=0)
        size += np.square(np.abs(block)).sum(axis=0)
    largest = float(size.max())
    return float(np.sqrt(error.max() / largest)) if largest > 0 else 0.0


def diagonalising_factors(
    core: NumericArray, rng: np.random.Generator, *, real: bool, goal: float
) -> tuple[NumericArray, ...]:
    """V_1, ..., V_L that nearly diagonalise the core: a guess by SVD, refined towards ``goal``."""
    bases = _guess(core, rng, real=real)
    best, best_residual = bases, relative_residual(core, bases, project(core, bases))
    refine = _newton if len(set(core.shape[:-1])) == 1 and len(bases) == 2 else _alternate
    for _ in range(_ROUNDS):
        if best_residual <= _ROUNDING:
            break
        bases = refine(core, bases)
        residual = relative_residual(core, bases, project(core, bases))
        gain, previous = residual < 0.9 * best_residual, best_residual
        if residual < best_residual:
            best, best_residual = bases, residual
        if not gain and (previous <= goal or residual > 0.99 * previous):
            break
    return best


def polar(matrix: NumericArray) -> NumericArray:
    """Return the nearest matrix with orthonormal columns."""
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    product: NumericArray = left @ right
    return product


def _guess(core: NumericArray, rng: np.random.Generator, *, real: bool) -> tuple[NumericArray, ...]:
    """SVD of the core contracted to two modes by generic vectors; the other modes matched to it.

    The refinement makes up for singular values that happen to lie close together.
    """
    depth = core.ndim - 1
    matrix = core @ _generic(rng, core.shape[-1], real=real)
    for _ in range(depth - 2):
        matrix = matrix @ _generic(rng, matrix.shape[-1], real=real)
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    size = min(core.shape[:-1])
    first, second = left[:, :size], right.T[:, :size]  # M = U_1 diag(s) U_2^T, plain transpose
    if depth == 2:
        return first, second
    return first, second, *_matched(core, first, second)


def _matched(core: NumericArray, first: NumericArray, second: NumericArray) -> list[NumericArray]:
    """[U_l]_j, l > 2: the leading left singular vector of C o (conj u_1j, conj u_2j, ..)."""
    rest = np.tensordot(core, first.conj(), axes=(0, 0))
    rest = np.einsum("a...j,aj->j...", rest, second.conj())
    found = []
    for mode in range(1, rest.ndim - 1):
        unfolded = np.moveaxis(rest, mode, 1).reshape(len(rest), rest.shape[mode], -1)
        gram = unfolded @ unfolded.conj().transpose(0, 2, 1)
        leading = np.linalg.eigh(gram)[1][:, :, -1]
        found.append(polar(leading.T))
    return found


def _alternate(core: NumericArray, bases: tuple[NumericArray, ...]) -> tuple[NumericArray, ...]:
    """One sweep of V_l <- polar factor of the gradient of sum_je |S_je|^2, which never falls.

    Near an orthogonally decomposable tensor with L >= 3 it converges quadratically.
    """
    current = list(bases)
    for mode in range(len(current)):
        partial = contract_columns(core, current, skip=mode)
        matrix = np.einsum("aej,aj->ej", partial, current[mode].conj())
        current[mode] = polar(np.einsum("aej,ej->aj", partial, matrix.conj()))
    return tuple(current)


def _newton(core: NumericArray, bases: tuple[NumericArray, ...]) -> tuple[NumericArray, ...]:
    """One Newton step of the joint SVD: V_1 (I + X), V_2 (I + Y), X and Y skew-Hermitian.

    To first order the entry (j, k) of D_e = V_1^H C(e) conj(V_2) is X_jk S_ke + Y_kj S_je; over
    all e, and with the entry (k, j), a least squares problem with two unknowns for each pair
    j < k. Where rows j and k of S agree up to phase, the rotation that leaves the fit as it is
    is left out.
    """
    left, right = bases
    D = np.einsum("kej,ki->eij", np.tensordot(core, right.conj(), axes=(1, 0)), left.conj())
    S = np.einsum("ejj->je", D)
    gram = S @ S.conj().T
    norms = gram.diagonal().real
    total = norms[:, None] + norms[None, :]
    overlap = 2.0 * np.abs(gram)
    phase = np.divide(2.0 * gram, overlap, out=np.ones_like(gram), where=overlap > 0)
    f = np.einsum("ejk,ke->jk", D, S.conj())
    g = np.einsum("ejk,je->jk", D, S.conj())
    f, g = f - f.conj().T, phase * (g - g.conj().T)
    floor = 1e-20 * norms.max()
    even = np.divide(f + g, 2.0 * (total + overlap), out=np.zeros_like(f), where=total > floor)
    gap = total - overlap
    apart = (gap > 1e-10 * total) & (total > floor)
    odd = np.divide(f - g, 2.0 * gap, out=np.zeros_like(f), where=apart)
    X, Y = even + odd, (phase.conj() * (even - odd)).T
    for step in (X, Y):
        np.fill_diagonal(step, 0.0)
        step *= min(1.0, 0.5 / max(float(np.linalg.norm(step, 2)), 1e-300))
    identity = np.eye(len(S))
    return polar(left @ (identity + X)), polar(right @ (identity + Y))


def _generic(rng: np.random.Generator, size: int, *, real: bool) -> NumericArray:
    vector: NumericArray = rng.standard_normal(size)
    return vector if real else vector + 1j * rng.standard_normal(size)
