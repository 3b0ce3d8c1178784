"""Models in pickles (joblib.dump) that a version with other insides can read, or says why not.

A pickle names the objects it rebuilds by module, and what it holds by attribute, so that it dies
with any of them. Ours names one function, ``restore`` below, which stays where it is, and the
model's class by its public name; offsets are two arrays, and full results are the bytes that
``implicitbias.save`` would write, which carry their own version.
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np

from implicitbias import __version__
from implicitbias._errors import ImplicitBiasError, InvalidInputError
from implicitbias.problems import Offsets
from implicitbias.serialization import from_bytes, to_bytes

FORMAT = 1
RESULTS = ("limit_", "flow_")


class Saved:
    """Adds to an estimator how it is pickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        cls = type(self)
        ours = cls.__module__.startswith("implicitbias.")
        called = (cls.__name__ if ours else cls, FORMAT, __version__)
        return restore, called, _plain(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        given = inspect.signature(type(self)).parameters.values()
        defaults = {each.name: each.default for each in given}  # what came after it was saved
        self.__dict__.update(defaults | _as_it_was(state))


def restore(cls: Any, number: int, version: str) -> Any:
    """Return an empty model of a class of ours by its name, or of a class of the user's.

    Raises
    ------
    InvalidInputError
        Saved by a version that this one cannot follow.
    """
    from implicitbias import estimators

    if number > FORMAT:
        raise InvalidInputError(
            f"the model was saved by implicitbias {version} in format {number}; version "
            f"{__version__} reads format {FORMAT}. Update implicitbias, or fit the model again."
        )
    found = getattr(estimators, cls, None) if isinstance(cls, str) else cls
    if found is None:
        raise InvalidInputError(
            f"the model is a {cls} of implicitbias {version}, which version {__version__} does not "
            "have. Install that version, or fit another model."
        )
    return found.__new__(found)


def _plain(state: dict[str, Any]) -> dict[str, Any]:
    """The state with nothing of our insides in it."""
    plain = dict(state)
    for name in RESULTS:
        if name in plain:
            plain[name] = _bytes(plain[name])
    if "_offsets" in plain:
        plain["_offsets"] = (state["_offsets"].columns, state["_offsets"].values)
    return plain


def _bytes(result: Any) -> Any:
    try:
        return to_bytes(result)
    except InvalidInputError:  # it holds what is the user's, and goes as that is pickled
        return result


def _as_it_was(state: dict[str, Any]) -> dict[str, Any]:
    """The state with results and offsets; without a result that this version cannot read."""
    found = dict(state)
    for name in RESULTS:
        if isinstance(found.get(name), bytes):
            try:
                found[name] = from_bytes(found[name])
            except ImplicitBiasError as error:
                del found[name]
                warnings.warn(
                    f"the model predicts as it did, but its {name} is not there: {error}",
                    UserWarning,
                    stacklevel=2,
                )
    if isinstance(found.get("_offsets"), tuple):
        found["_offsets"] = Offsets(*map(np.asarray, found["_offsets"]))
    return found
