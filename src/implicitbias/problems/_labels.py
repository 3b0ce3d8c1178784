"""Two labels of any kind, mapped to -1 and +1."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias._numbers import is_missing, refuse_containers
from implicitbias.problems._inputs import one_per_row

SHOWN = 5
LABELS = (str, bytes, (Number, np.bool_))


def signs_and_classes(labels: Any, num_points: int) -> tuple[FloatArray, NumericArray]:
    """Return y in {-1, +1}, (n,), and the two labels that stand for -1 and +1.

    Labels within {-1, +1} keep their sign even if one of them is missing; any other two labels
    map in sorted order.

    Raises
    ------
    InvalidInputError
        Wrong length, missing values, labels that cannot be compared, or not two of them.
    """
    given = one_per_row(label_array(labels), "y", num_points)
    found = distinct_labels(given)
    if given.dtype.kind in "iuf" and np.isin(found, (-1, 1)).all():
        kind = np.float64 if given.dtype.kind == "f" else np.int64
        return given.astype(np.float64), np.array([-1, 1], dtype=kind)
    if found.size != 2:
        name = "y" if hasattr(labels, "dtype") else "np.asarray(y)"  # a list compares as a whole
        raise InvalidInputError(_wrong_number(found, given.dtype.kind, name))
    return np.where(given == found[1], 1.0, -1.0), found


def distinct_labels(given: NumericArray) -> NumericArray:
    """Return the labels that occur, in order.

    Raises
    ------
    InvalidInputError
        They have no order.
    """
    try:
        found: NumericArray = np.unique(given)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in given.flat})
        raise InvalidInputError(
            f"y mixes labels of types {', '.join(kinds)}, which have no order; expected two labels "
            "of one type."
        ) from None
    return found


def label_array(labels: Any) -> NumericArray:
    """Return labels as an array of numbers, booleans, strings or, where they mix, objects.

    Raises
    ------
    InvalidInputError
        Masked, sparse, ragged, of another kind, or a label is missing.
    """
    refuse_containers(labels, "y")
    listed = isinstance(labels, (list, tuple))
    try:
        given = np.asarray(labels)  # refuses ragged lists
        if listed:  # [nan, "a"] as they are, not as the strings "nan" and "a"
            given = np.asarray(labels, dtype=object)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidInputError(f"y is not a rectangular array ({error}).") from None
    if not given.ndim:
        raise InvalidInputError(
            f"y is of type {type(labels).__name__}; expected one label a row of X."
        )
    if given.dtype.kind in "OT":
        given = _plain(given)
    if given.dtype.kind not in "biufUSO":
        raise InvalidInputError(
            f"y has dtype {given.dtype}; expected numbers, booleans or strings as labels. Convert "
            "them to strings first."
        )
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise _without_label(given, int(np.flatnonzero(~np.isfinite(given))[0]))
    return given


def _plain(given: NumericArray) -> NumericArray:
    """Objects of one kind as an array of that kind, unless one is missing or not a label at all."""
    entries = given.ravel().tolist()
    for place, label in enumerate(entries):
        if is_missing(label):
            raise _without_label(given, place)
        if not isinstance(label, LABELS):
            raise InvalidInputError(
                f"y contains a {type(label).__name__}; expected numbers, booleans or strings as "
                "labels. Convert them to strings first."
            )
    for kind in LABELS:
        if entries and all(isinstance(label, kind) for label in entries):
            return np.asarray(entries).reshape(given.shape)
    return given


def _without_label(given: NumericArray, place: int) -> InvalidInputError:
    label = given.ravel().tolist()[place]
    index = place if given.ndim == 1 else tuple(map(int, np.unravel_index(place, given.shape)))
    return InvalidInputError(
        f"y contains {label!r} at index {index}; every point needs a label. Drop the points "
        "without one."
    )


def _wrong_number(found: NumericArray, kind: str, name: str) -> str:
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
    return text + f"Choose two classes, or one against the rest: {name} == {found.tolist()[0]!r}."
