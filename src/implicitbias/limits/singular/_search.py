"""Many starts at once: critical points of a real multilinear form on a product of spheres.

The search works on a real tensor T of Frobenius norm 1 and a batch of B candidates, one array
(B, k_l) a layer. Real and complex tensors share it: Re A o (u_1, .., u_L) is itself a real
multilinear form in the real and imaginary parts, and its critical points are the tuples that
gradient flow sees.

Two routes, because each misses what the other finds. The *power iteration* climbs, so it ends
in the stable tuples, however small a part of all tuples they are. The *Levenberg-Marquardt
iteration* minimises the squared defect of the equations, to which every critical point is alike:
saddles too. Damping in proportion to the defect leaves the steps quadratic near a
solution even where solutions form curves (Yamashita and Fukushima, Computing Suppl. 15, 2001).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import InvalidInputError

Batch = tuple[FloatArray, ...]

MAX_ENTRIES = 10_000_000
_SWEEPS = 200  # of the power iteration; the refinement does the rest
_DAMPING_FLOOR = 1e-12  # keeps the equations solvable where solutions are not isolated
_LEAST_DAMPING, _MOST_DAMPING = 1e-6, 1e12  # squared, relative to the squared defect
_ROUND = 512  # starts searched together
_ROUND_ENTRIES = 2_000_000  # fewer of them where one start needs large arrays
_SEEN_ENOUGH = 5  # the search ends once every tuple has been met this often


def critical_tuples(
    tensor: NumericArray, num_starts: int | None, seed: int, tol: float, include_saddles: bool
) -> list[tuple[NumericArray, ...]]:
    """Distinct tuples with a positive value, for a tensor of order >= 3 and norm 1."""
    core, bases = _compressed(tensor)
    form = _real_form(core)
    unknowns = sum(form.shape)
    if num_starts is None:
        work = unknowns**3 + form.ndim**2 * form.size
        num_starts = max(128, 4096 * 8192 // max(8192, work))
    entries = max(form.size // min(form.shape), unknowns**2)
    chunk = max(1, min(_ROUND, _ROUND_ENTRIES // entries))
    rng = np.random.default_rng(seed)
    found: Batch = tuple(np.zeros((0, k)) for k in form.shape)
    counts = np.zeros(0)
    for done in range(0, num_starts, chunk):
        size = min(chunk, num_starts - done)
        starts = normalised([rng.standard_normal((size, k)) for k in form.shape])
        ends = _ends(form, starts, include_saddles)
        found, counts = _distinct(form, core, found, counts, ends, tol)
        if done + size >= min(_ROUND, num_starts) and np.all(counts >= _SEEN_ENOUGH):
            break
    if not include_saddles:
        ascent, _ = _types(form, core, found, math.sqrt(tol))
        found = tuple(part[ascent == 0] for part in found)
    lifted = [_given(part, core) @ base for part, base in zip(found, bases, strict=True)]
    return list(zip(*lifted, strict=True))


def critical_type(
    tensor: NumericArray, vectors: Sequence[NumericArray], tol: float
) -> tuple[int, int]:
    """Directions of ascent and flat ones at a tuple with a positive value, ||A|| = 1."""
    core, parts = _in_the_core(tensor, vectors)
    ascent, flat = _types(_real_form(core), core, parts, tol)
    return int(ascent[0]), int(flat[0])


def least_curvature(tensor: NumericArray, vectors: Sequence[NumericArray]) -> float:
    """The smallest |eigenvalue| of P H P / s - I at a tuple, phases not counted."""
    core, parts = _in_the_core(tensor, vectors)
    sizes = np.sort(np.abs(curvatures(_real_form(core), parts)[0]))
    return float(sizes[core.ndim - 1 if np.iscomplexobj(core) else 0])


def _in_the_core(
    tensor: NumericArray, vectors: Sequence[NumericArray]
) -> tuple[NumericArray, list[FloatArray]]:
    """The compressed tensor, and the vectors as a batch of one for its real form."""
    dtype = np.result_type(tensor, *vectors)
    core, bases = _compressed(tensor.astype(dtype))
    parts = [(base.conj() @ part)[None] for base, part in zip(bases, vectors, strict=True)]
    if np.iscomplexobj(core):
        parts = [np.hstack([part.real, part.imag]) for part in parts]
    return core, parts


def _ends(form: FloatArray, starts: Batch, include_saddles: bool) -> Batch:
    """Where the starts end: climbing, and (for saddles) solving after no, one or three sweeps.

    Without sweeps small tensors show their saddles evenly; with some, large tensors do at all.
    """
    parts = [power_iteration(form, starts, _SWEEPS)]
    if include_saddles:
        parts.append(starts)
        parts.append(power_iteration(form, [start[0::4] for start in starts], 1))
        parts.append(power_iteration(form, [start[2::4] for start in starts], 3))
    return refine(form, [np.concatenate(same) for same in zip(*parts, strict=True)])


def _distinct(
    form: FloatArray, core: NumericArray, found: Batch, counts: FloatArray, ends: Batch, tol: float
) -> tuple[Batch, FloatArray]:
    """Return the tuples met so far, and how often: one a product, flat ones one a value."""
    values, residuals = evaluate(form, ends)
    signs = np.where(values < 0, -1.0, 1.0)[:, None]
    values = np.abs(values)
    solved = (values > tol) & (residuals <= np.minimum(tol, math.sqrt(tol) * values))
    ends = tuple(part[solved] for part in (ends[0] * signs, *ends[1:]))
    every = tuple(np.concatenate(pair) for pair in zip(found, ends, strict=True))
    counts = np.concatenate([counts, np.ones(len(ends[0]))])
    values, _ = evaluate(form, every)
    flat = _types(form, core, every, math.sqrt(tol))[1] > 0
    known = len(found[0])
    if known == len(values):
        return found, counts
    overlaps = np.ones((len(values) - known, len(values)), core.dtype)
    for part in every:
        units = _given(part, core)
        overlaps *= units[known:].conj() @ units.T
    near = np.abs(values[known:, None] - values) <= math.sqrt(tol) * values
    same = (overlaps.real > 1.0 - max(tol, 1e-12)) | (near & flat[known:, None] & flat)
    first = np.concatenate([np.arange(known), same.argmax(axis=1)])
    kept, inverse = np.unique(first, return_inverse=True)
    return tuple(part[kept] for part in every), np.bincount(inverse, counts).astype(np.float64)


def _types(
    form: FloatArray, core: NumericArray, vectors: Sequence[FloatArray], tol: float
) -> tuple[NumericArray, NumericArray]:
    """Numbers of eigenvalues above tol, and of those within tol of zero, phases not counted."""
    eigenvalues = curvatures(form, vectors)
    phases = form.ndim - 1 if np.iscomplexobj(core) else 0
    flat = np.sum(np.abs(eigenvalues) <= tol, axis=1) - phases
    return np.sum(eigenvalues > tol, axis=1), np.maximum(flat, 0)


def _compressed(tensor: NumericArray) -> tuple[NumericArray, list[NumericArray]]:
    """Return a smaller core, A o (u_1, .., u_L) = core o (Q_1^T u_1, .., Q_L^T u_L); the Q_l^H.

    Nothing is lost: for s > 0 each u_l lies in the conjugate of the range of A's l-th unfolding,
    which Q_l (k_l, r_l) spans, so u_l = conj(Q_l) w_l with w_l singular for the core.
    """
    core, bases = tensor, []
    for mode, size in enumerate(tensor.shape):
        unfolding = np.moveaxis(core, mode, 0).reshape(size, -1)
        left, values, _ = np.linalg.svd(unfolding, full_matrices=False)
        rank = int(np.sum(values > values[0] * max(unfolding.shape) * np.finfo(float).eps))
        basis = left[:, :rank] if rank < size else np.eye(size, dtype=core.dtype)
        core = np.moveaxis(np.tensordot(basis.conj(), core, (0, mode)), 0, mode)
        bases.append(basis.conj().T)
    return core, bases


def _real_form(tensor: NumericArray) -> FloatArray:
    """T with T o (w_1, .., w_L) = Re A o (u_1, .., u_L), w_l the parts (Re u_l, Im u_l)."""
    if not np.iscomplexobj(tensor):
        return tensor
    if tensor.size * 2**tensor.ndim > MAX_ENTRIES:
        raise InvalidInputError(
            f"tensor is complex, of order {tensor.ndim} and (without unused directions) shape "
            f"{tensor.shape}: its real form takes {tensor.size * 2**tensor.ndim} entries; expected "
            f"at most {MAX_ENTRIES}."
        )
    for mode in range(tensor.ndim):
        tensor = np.concatenate([tensor, 1j * tensor], axis=mode)
    return np.ascontiguousarray(tensor.real)


def _given(vectors: FloatArray, core: NumericArray) -> NumericArray:
    """Return the vectors of the given tensor: (Re u, Im u) back to u if it is complex."""
    if not np.iscomplexobj(core):
        return vectors
    real, imaginary = np.split(vectors, 2, axis=1)
    return real + 1j * imaginary


def contract(tensor: FloatArray, vectors: Sequence[FloatArray], keep: Sequence[int]) -> FloatArray:
    """T o (u_1, .., I at every l in keep, .., u_L) for each candidate: (B, k_l for l in keep)."""
    batch = len(vectors[0])
    result = np.broadcast_to(tensor, (1, *tensor.shape))
    for mode in reversed(range(tensor.ndim)):
        if mode in keep:
            continue
        if len(result) == 1:  # no candidate axis yet: one matrix product serves all
            result = np.tensordot(vectors[mode], result[0], (1, mode))
        else:
            moved = np.moveaxis(result, mode + 1, -1)
            result = np.einsum("z...k,zk->z...", moved, vectors[mode])
    return np.broadcast_to(result, (batch, *result.shape[1:]))


def gradients(tensor: FloatArray, vectors: Sequence[FloatArray]) -> Batch:
    """T o (u_1, .., I at l, .., u_L) for each l."""
    return tuple(contract(tensor, vectors, [mode]) for mode in range(tensor.ndim))


def hessian(tensor: FloatArray, vectors: Sequence[FloatArray]) -> FloatArray:
    """Second derivative of T o (u_1, .., u_L) in all vectors together: (B, N, N), N = sum k_l."""
    edges = np.cumsum([0, *tensor.shape])
    result = np.zeros((len(vectors[0]), edges[-1], edges[-1]))
    for row in range(tensor.ndim):
        for column in range(row + 1, tensor.ndim):
            block = contract(tensor, vectors, [row, column])
            rows, columns = slice(*edges[row : row + 2]), slice(*edges[column : column + 2])
            result[:, rows, columns] = block
            result[:, columns, rows] = block.swapaxes(1, 2)
    return result


def normalised(vectors: Sequence[FloatArray]) -> Batch:
    """Each vector divided by its norm; a zero vector becomes the first unit vector."""
    result = []
    for vector in vectors:
        norms = np.linalg.norm(vector, axis=1, keepdims=True)
        unit = vector / np.where(norms > 0, norms, 1.0)
        unit[norms[:, 0] == 0, 0] = 1.0
        result.append(unit)
    return tuple(result)


def evaluate(tensor: FloatArray, vectors: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Values s = T o (u_1, .., u_L) and residuals max_l ||T o (.., I at l, ..) - s u_l||."""
    slopes = gradients(tensor, vectors)
    values = np.einsum("zk,zk->z", slopes[0], vectors[0])
    defects = [
        np.linalg.norm(slope - values[:, None] * vector, axis=1)
        for slope, vector in zip(slopes, vectors, strict=True)
    ]
    return values, np.max(defects, axis=0)


def curvatures(tensor: FloatArray, vectors: Sequence[FloatArray]) -> FloatArray:
    """Eigenvalues of the Hessian on the product of spheres, divided by the value s: (B, N).

    The projected Hessian of s(u) is P H P - s I. The L radial directions, which are no
    directions on the spheres, are given the eigenvalue -s, which counts for nothing.
    """
    values, _ = evaluate(tensor, vectors)
    curvature = hessian(tensor, vectors)
    edges = np.cumsum([0, *tensor.shape])
    for mode, unit in enumerate(vectors):
        part = slice(*edges[mode : mode + 2])
        along = np.einsum("zk,zkn->zn", unit, curvature[:, part])
        curvature[:, part] -= unit[:, :, None] * along[:, None, :]
        along = np.einsum("znk,zk->zn", curvature[:, :, part], unit)
        curvature[:, :, part] -= along[:, :, None] * unit[:, None, :]
    return np.linalg.eigvalsh(curvature) / values[:, None] - 1.0


def power_iteration(tensor: FloatArray, vectors: Sequence[FloatArray], sweeps: int) -> Batch:
    """u_l <- T o (.., I at l, ..) / norm, for l = 1, .., L in turn: the value never falls."""
    current = list(normalised(vectors))
    for _ in range(sweeps):
        before = np.concatenate(current, axis=1)
        for mode in range(tensor.ndim):
            current[mode] = normalised([contract(tensor, current, [mode])])[0]
        if np.abs(np.concatenate(current, axis=1) - before).max(initial=0.0) < 1e-8:
            break
    return tuple(current)


def _defects(tensor: FloatArray, point: FloatArray) -> FloatArray:
    """Equations T o (.., I at l, ..) - s u_l = 0 and sum_l (1 - ||u_l||^2) / 2 = 0: (B, N + 1).

    One norm is enough: for s != 0 the first equations make all norms equal.
    """
    stacked, values = point[:, :-1], point[:, -1:]
    vectors = np.split(stacked, np.cumsum(tensor.shape)[:-1], axis=1)
    slopes = np.concatenate(gradients(tensor, vectors), axis=1)
    norms = (tensor.ndim - np.sum(stacked**2, axis=1, keepdims=True)) / 2
    return np.concatenate([slopes - values * stacked, norms], axis=1)


def _steps(
    tensor: FloatArray, point: FloatArray, defects: FloatArray, damping: FloatArray
) -> FloatArray:
    """Levenberg-Marquardt steps -J (J^2 + m^2)^{-1} F, J = [[H - s I, -u], [-u, 0]] symmetric.

    As -Re (J + i m)^{-1} F, which squares no condition number.
    """
    stacked, values = point[:, :-1], point[:, -1]
    size = stacked.shape[1]
    shifted = np.zeros((len(point), size + 1, size + 1), dtype=np.complex128)
    vectors = np.split(stacked, np.cumsum(tensor.shape)[:-1], axis=1)
    shifted[:, :-1, :-1] = hessian(tensor, vectors) - values[:, None, None] * np.eye(size)
    shifted[:, :-1, -1] = shifted[:, -1, :-1] = -stacked
    shifted += 1j * damping[:, None, None] * np.eye(size + 1)
    steps = -np.linalg.solve(shifted, defects[:, :, None])[:, :, 0]
    return np.asarray(steps.real, dtype=np.float64)


def refine(tensor: FloatArray, vectors: Sequence[FloatArray], iterations: int = 100) -> Batch:
    """Levenberg-Marquardt on the singular-vector equations from each candidate."""
    start = normalised(vectors)
    values, _ = evaluate(tensor, start)
    point = np.concatenate([*start, values[:, None]], axis=1)
    defects = _defects(tensor, point)
    sizes = np.einsum("zi,zi->z", defects, defects)
    factor = np.ones(len(point))
    active = np.arange(len(point))
    for _ in range(iterations):
        damping = np.maximum(np.sqrt(factor[active] * sizes[active]), _DAMPING_FLOOR)
        trial = point[active] + _steps(tensor, point[active], defects[active], damping)
        trial_defects = _defects(tensor, trial)
        trial_sizes = np.einsum("zi,zi->z", trial_defects, trial_defects)
        better = trial_sizes < sizes[active]
        moved = active[better]
        stalled = ~better & (factor[active] >= _MOST_DAMPING)
        settled = (trial_sizes < 1e-28) | (better & (trial_sizes > sizes[active] * (1 - 1e-4)))
        point[moved], defects[moved] = trial[better], trial_defects[better]
        sizes[moved] = trial_sizes[better]
        grown = np.where(better, factor[active] / 5, factor[active] * 5)
        factor[active] = np.clip(grown, _LEAST_DAMPING, _MOST_DAMPING)
        active = active[~(stalled | settled | (sizes[active] < 1e-31))]
        if not len(active):
            break
    return normalised(np.split(point[:, :-1], np.cumsum(tensor.shape)[:-1], axis=1))
