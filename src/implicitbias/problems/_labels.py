"""Two labels of any kind, mapped to -1 and +1."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias.problems._inputs import one_per_row, refuse_containers

SHOWN = 5


def signs_and_classes(labels: Any, num_points: int) -> tuple[FloatArray, NumericArray]:
    """Return y in {-1, +1}, (n,), and the two labels that stand for -1 and +1.

    Labels within {-1, +1} keep their sign even if one of them is missing; any other two labels
    map in sorted order.

    Raises
    ------
    InvalidInputError
        Wrong length, missing values, labels that cannot be compared, or not two of them.
    """
    refuse_containers(labels, "y")
    given = _flat_labels(labels, num_points)
    try:
        found = np.unique(given)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in given})
        raise InvalidInputError(
            f"y mixes labels of types {', '.join(kinds)}, which have no order; expected two labels "
            "of one type."
        ) from None
    if given.dtype.kind in "iuf" and np.isin(found, (-1, 1)).all():
        kind = np.float64 if given.dtype.kind == "f" else np.int64
        return given.astype(np.float64), np.array([-1, 1], dtype=kind)
    if found.size != 2:
        raise InvalidInputError(_wrong_number(found, given.dtype.kind))
    return np.where(given == found[1], 1.0, -1.0), found


def _flat_labels(labels: Any, num_points: int) -> NumericArray:
    given = np.asarray(one_per_row(labels, "y", num_points))
    if given.dtype.kind == "O":
        given = _plain(given)
    if given.dtype.kind not in "biufUSTO":
        raise InvalidInputError(
            f"y has dtype {given.dtype}; expected numbers, booleans or strings as labels."
        )
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        index = int(np.flatnonzero(~np.isfinite(given))[0])
        raise InvalidInputError(
            f"y contains {given[index]} at index {index}; every point needs a label. Drop the "
            "points without one."
        )
    return given


def _plain(given: NumericArray) -> NumericArray:
    """Objects of one kind as an array of that kind; a missing label is refused."""
    for index, label in enumerate(given):
        # NaN is not equal to itself; pandas' NA refuses to say
        if label is None or type(label).__name__ == "NAType" or label != label:
            raise InvalidInputError(
                f"y contains {label!r} at index {index}; every point needs a label. Drop the "
                "points without one."
            )
    plain = np.asarray(given.tolist())
    alike = len({isinstance(label, str) for label in given}) == 1
    return plain if alike and plain.shape == given.shape else given


def _wrong_number(found: NumericArray, kind: str) -> str:
    shown = ", ".join(str(label) for label in found[:SHOWN].tolist())
    if found.size > SHOWN:
        shown += ", .."
    if found.size == 1:
        return (
            f"y contains the single label {shown}; expected two. Only the labels -1 and +1 say by "
            "themselves which class they are: relabel if all points belong to one class."
        )
    text = f"y contains {found.size} different labels ({shown}); expected two. "
    if kind == "f" and np.any(found != np.round(found)):
        return text + "These look like regression targets: use Regression(X, y)."
    return text + f"Choose two classes, or one against the rest: y == {found.tolist()[0]!r}."
