"""Tables of numbers read from files, with errors that name the column and the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import InvalidInputError

SHOWN = 20  # column names listed in a message


@dataclass(frozen=True, eq=False)
class Table:
    """Features and a target.

    Attributes
    ----------
    X, y
        (n, d) and (n,); y as text where labels were asked for and it is not all numbers.
    names
        The d feature names, in the order of the file.
    target
        The target's name.
    note
        How the file was understood where that was not plain, or "".
    """

    X: FloatArray
    y: NumericArray
    names: tuple[str, ...]
    target: str
    note: str = ""


@dataclass(frozen=True)
class Selection:
    """Which columns of a file are the target and which the features.

    Attributes
    ----------
    target
        The column to fit.
    drop
        Columns to leave out.
    labels
        Whether the target may be text: the classes.
    decimal
        "." or ","; None to find out.
    """

    target: str
    drop: tuple[str, ...] = ()
    labels: bool = False
    decimal: str | None = None

    def features(self, names: Sequence[str], file: str) -> list[int]:
        """Positions of the feature columns.

        Raises
        ------
        InvalidInputError
            Names repeated or unknown, or no feature left.
        """
        for place, name in enumerate(names, start=1):
            first = list(names).index(name) + 1
            if first != place:
                raise InvalidInputError(
                    f"{file}: columns {first} and {place} are both called {name!r}."
                )
        for name in (self.target, *self.drop):
            if name not in names:
                raise InvalidInputError(_unknown(name, names, file))
        left = [j for j, name in enumerate(names) if name not in (self.target, *self.drop)]
        if not left:
            raise InvalidInputError(
                f"{file} has no column but the target {self.target!r}"
                + (" and those dropped." if self.drop else ".")
            )
        return left


def read_table(path: Path, selection: Selection) -> Table:
    """Read a file by the ending of its name: .parquet, .npz, and everything else as CSV.

    Raises
    ------
    InvalidInputError
        The file is not what its ending says, or holds anything but finite numbers in the columns
        selected; the message names the row and the column.
    """
    from implicitbias.cli import _binary, _csv

    readers = {".parquet": _binary.read_parquet, ".pq": _binary.read_parquet}
    readers[".npz"] = _binary.read_npz
    return readers.get(path.suffix.lower(), _csv.read_csv)(path, selection)


def _unknown(name: str, names: Sequence[str], file: str) -> str:
    close = get_close_matches(name, names, 1, 0.5)
    meant = f" Did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(names[:SHOWN])
    left = len(names) - SHOWN
    more = f" and {left} more" if left > 0 else ""
    return f"{file} has no column {name!r}; its columns are {shown}{more}.{meant}"


def refused_cell(where: str, name: str, found: str) -> InvalidInputError:
    """The error for a cell that is not a finite number."""
    return InvalidInputError(
        f"{where}, column {name!r}: {found}. Every cell must be a number: encode text, fill in or "
        f"drop the rows with missing values, or leave the column out with --drop {_quoted(name)}."
    )


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def finite_column(values: FloatArray, name: str, where: str) -> FloatArray:
    """Refuse NaN and infinities; ``where`` is how rows, counted from 1, are called."""
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        value = values[bad[0]]
        found = "the value is missing" if np.isnan(value) else f"{value} is not finite"
        raise refused_cell(f"{where} {bad[0] + 1}", name, found)
    return values
