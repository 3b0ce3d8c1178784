"""Which columns of a table are the target and which the features, and what a table then is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias.cli._printing import quoted, visible

SHOWN = 20  # column names listed in a message
FAULTS = 5  # faults of one kind listed in a message


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
    r"""Which columns of a file are the target and which the features, and how cells are written.

    Attributes
    ----------
    target
        The column to fit; None where all columns are looked at alike.
    drop
        Columns to leave out.
    labels
        Whether the target may be text: the classes.
    decimal
        "." or ","; None to find out.
    thousands
        What groups digits by three, or None.
    sep
        What separates the cells of a CSV file, "\s+" for white space; None to find out.
    encoding
        Of a CSV file; None to find out.
    header
        Whether the first row holds the names; None to find out. Without names columns are called
        by their places from 1.
    missing
        Cells that hold no value: rows that have one where it is needed are left out.
    """

    target: str | None
    drop: tuple[str, ...] = ()
    labels: bool = False
    decimal: str | None = None
    thousands: str | None = None
    sep: str | None = None
    encoding: str | None = None
    header: bool | None = None
    missing: tuple[str, ...] = ()

    def features(self, names: Sequence[str], file: str) -> list[int]:
        """Positions of the feature columns.

        Raises
        ------
        InvalidInputError
            Names missing, repeated or unknown (all of them in one message), or no feature left.
        """
        known = set(names)
        targets = () if self.target is None else (self.target,)
        unknown = [each for each in dict.fromkeys((*targets, *self.drop)) if each not in known]
        faults = [*_unnamed(names), *_repeated(names), *_unknown(unknown, names)]
        if len(faults) == 1:
            raise InvalidInputError(f"{file}{' ' if unknown else ': '}{faults[0]}")
        if faults:
            raise InvalidInputError("\n  ".join([f"{file}:", *faults]))
        out = {*targets, *self.drop}
        left = [j for j, name in enumerate(names) if name not in out]
        if not left:
            but = [f"the target {quoted(name)}" for name in targets]
            but += ["those dropped"] * bool(self.drop)
            raise InvalidInputError(f"{file} has no column but {' and '.join(but)}.")
        return left


def _unnamed(names: Sequence[str]) -> list[str]:
    places = [str(place) for place, name in enumerate(names, start=1) if not name]
    if not places:
        return []
    which = f"column {places[0]} has" if len(places) == 1 else f"columns {_few(places)} have"
    return [
        f"{which} no name in the header. Name it (or save without row numbers: index=False in "
        "pandas, row.names=FALSE in R)."
    ]


def _repeated(names: Sequence[str]) -> list[str]:
    places: dict[str, list[str]] = {}
    for place, name in enumerate(names, start=1):
        places.setdefault(name, []).append(str(place))
    faults = [
        f"columns {' and '.join(_few(where).rsplit(', ', 1))} are "
        f"{'both' if len(where) == 2 else 'all'} called {quoted(name)}."
        for name, where in places.items()
        if name and len(where) > 1
    ]
    return _first(faults)


def _first(faults: list[str]) -> list[str]:
    left = len(faults) - FAULTS
    return faults[:FAULTS] + ([f"... and {left} more of this kind."] if left > 0 else [])


def _few(places: list[str]) -> str:
    return ", ".join(places[:FAULTS]) + ", ..." * (len(places) > FAULTS)


def _unknown(unknown: Sequence[str], names: Sequence[str]) -> list[str]:
    """What is not there, the first with what is; names differ by case, by spaces, or by a slip."""
    alike = {each.casefold().strip(): each for each in reversed(names) if each}
    faults: list[str] = []
    for name in unknown:
        fault = f"has no column {quoted(name)}" + (
            "." if faults else f"; its columns are {_listed(names)}."
        )
        key = name.casefold().strip()
        close = [key] if key in alike else get_close_matches(key, alike, 1, 0.5)
        faults.append(fault + (f" Did you mean {quoted(alike[close[0]])}?" if close else ""))
    return _first(faults)


def _listed(names: Sequence[str]) -> str:
    left = len(names) - SHOWN
    more = f" and {left} more" if left > 0 else ""
    return ", ".join(visible(name, 40) or "''" for name in names[:SHOWN]) + more
