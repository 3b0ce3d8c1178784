"""Whether the largest singular value of M(x) is as many-fold as float64 says, in integers.

Entries of M(x) are binary fractions where the network only moves those of x, or the tensor is
given, so that the characteristic polynomial of M M^T says what a singular value's multiplicity is,
and how far the next one is. Values that are equal to rounding alone part in the end: a flow without
end follows the larger.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.theorems._situation import Situation

MOST = 128  # rows of M(x): a third of a second
MOST_TERMS = 1 << 20  # of a tensor's product with x
DIGITS = 400  # binary digits of the roots
Verdicts = tuple[Verdict, ...]


def require_told(situation: Situation, verdicts: Verdicts) -> None:
    """Refuse singular values that tie with the largest one in float64, and may not be equal.

    Raises
    ------
    NoPredictionError
        They are not equal, or nobody says.
    """
    svd = situation.one_point
    size = svd.groups[0].size
    if svd.tied == 0.0 or size == 1 or (size == 2 and _is_one_frequency(situation)):
        return
    found = _exact_top(situation)
    if found is not None and found[0] == size:
        return
    if found is None:
        gap = float(1.0 - svd.values[size - 1] / svd.values[0])
        told = f"agree to {gap:.1e} of it, and rounding may have made, or hidden, a difference"
    else:
        told = f"agree to {found[1]:.1e} of it, and are not equal: float64 does not tell their "
        told += "singular vectors apart"
    raise NoPredictionError(
        f"the largest singular value of M(x) decides the direction: {size} of them {told}. Take "
        "data whose singular values are equal, or differ by more than 1e-13.",
        verdicts,
    )


def _is_one_frequency(situation: Situation) -> bool:
    """Whether the values that tie with the largest are the cosine's and the sine's of one."""
    if not situation.network.is_fourier:
        return False
    sizes = np.abs(np.fft.rfft(_point(situation)))
    return int((sizes >= (1.0 - 2.0 * situation.one_point.tied) * sizes.max()).sum()) == 1


def _point(situation: Situation) -> FloatArray:
    return np.asarray(situation.rows.rows([0]).toarray()[0], dtype=np.float64)


def _exact_top(situation: Situation) -> tuple[int, float] | None:
    """How many-fold the largest singular value is, and its distance to the next, over it."""
    if min(situation.network.layer_sizes) > MOST:
        return None
    matrix = _exact_matrix(situation)
    if matrix is not None:
        return _top_root(matrix)
    return _top_coordinates(situation)


def _exact_matrix(situation: Situation) -> Any:
    """M(x) times a power of two as an array of integers; None where its entries are rounded."""
    network, x = situation.network, _point(situation)
    tensor = getattr(network, "tensor", None)  # of networks that are given one
    if tensor is not None:
        return integers(tensor) @ integers(x) if tensor.size <= MOST_TERMS else None
    if network.family not in ("convolutional", "group convolutional"):
        return None
    return integers(network.data_tensor(x))  # each entry is one of x


def _top_root(matrix: Any) -> tuple[int, float] | None:
    """Of the singular values of an array of integers; None where roots are not told apart."""
    import flint

    rows = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    whole = flint.fmpz_mat([[int(entry) for entry in row] for row in rows])
    with flint.ctx.workprec(DIGITS):
        roots: Any = (whole * whole.transpose()).charpoly().complex_roots()
        known: list[tuple[Any, int]] = [(root.real, int(count)) for root, count in roots]
        (top, count), *others = sorted(known, key=lambda pair: -float(pair[0].mid()))
        if not others:
            return count, 1.0
        following = others[0][0]
        if not following < top:
            return None
        apart = float(((top - following) / top).mid())
    return count, apart / (1.0 + float(np.sqrt(max(0.0, 1.0 - apart))))


def _top_coordinates(situation: Situation) -> tuple[int, float] | None:
    """The same of |S x|_j, where S is the network's own."""
    decomposition = situation.decomposition
    if decomposition.residual != 0.0 or not decomposition.is_real or situation.network.is_fourier:
        return None
    sizes = np.abs(integers(np.asarray(decomposition.S.real)) @ integers(_point(situation)))
    top = sizes.max()
    below = [int(size) for size in sizes if size != top]
    return int((sizes == top).sum()), (top - max(below)) / top if below else 1.0


def integers(array: FloatArray) -> Any:
    """The floats times a power of two that makes all of them integers of Python."""
    mantissas, exponents = np.frexp(array)
    whole = np.ldexp(mantissas, 53).astype(np.int64).astype(object)
    used = exponents[mantissas != 0.0]
    shifts = np.where(mantissas != 0.0, exponents - (used.min() if used.size else 0), 0)
    return whole * np.asarray(2, dtype=object) ** shifts.astype(object)
