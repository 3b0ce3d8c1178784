"""Elementwise activations with their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self, TypeAlias, cast

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError
from implicitbias._results import Record

Elementwise = Callable[[FloatArray], FloatArray]

LEAK = 0.01
WRONG = 1e-4  # relative error of a derivative that is no rounding
STEP = 1e-6
# Where a derivative is tried: off the kinks that activations have at whole and half numbers.
PROBES = np.array([-3.17, -1.31, -0.73, -0.21, 0.19, 0.67, 1.43, 2.89])


def _lost(z: FloatArray) -> FloatArray:
    raise InvalidInputError(
        "this activation was saved by its name alone, since files hold no functions; use your own."
    )


def _checked(function: Elementwise, name: str, z: FloatArray) -> FloatArray:
    result = np.asarray(function(z))
    if result.shape != z.shape or result.dtype.kind not in "buif":
        raise InvalidInputError(
            f"{name} turned a float64 array of shape {z.shape} into {result.dtype} of shape "
            f"{result.shape}; expected an elementwise real function."
        )
    return result.astype(np.float64, copy=False)


@dataclass(frozen=True, repr=False)
class Activation(Record):
    """phi, applied to each entry of an array, and its derivative phi'.

    Parameters
    ----------
    function, derivative
        Elementwise functions of a float64 array. At a kink the derivative is any number between
        those at its sides.
    name
        How it is called in texts.
    rounded
        For a phi with a kink: the same with the kink rounded over a given width of z; else None.
        Flows use it, since they can slide along a kink, where no integrator gets ahead.

    Raises
    ------
    InvalidInputError
        Not elementwise, or a derivative that is not that of the function (tried at 8 points).
    """

    function: Elementwise
    derivative: Elementwise
    name: str = "given"
    rounded: Callable[[float], Activation] | None = None
    _recipe: tuple[str, float] | None = None  # its name in NAMED, and the width of its kink

    def __post_init__(self) -> None:
        slope = (
            _checked(self.function, "activation", PROBES + STEP)
            - _checked(self.function, "activation", PROBES - STEP)
        ) / (2 * STEP)
        claimed = _checked(self.derivative, "the activation's derivative", PROBES)
        error = np.abs(claimed - slope) / np.maximum(1.0, np.abs(slope))
        worst = int(np.argmax(error))
        if not error[worst] <= WRONG:
            raise InvalidInputError(
                f"the derivative of activation {self.name!r} is {claimed[worst]:.6g} at "
                f"{PROBES[worst]:g}, where differences of the function give {slope[worst]:.6g}; "
                "give the pair (phi, its derivative)."
            )

    @classmethod
    def _types(cls) -> dict[str, Any]:
        return {"name": str, "recipe": tuple[str, float] | None}

    def _held(self) -> dict[str, Any]:
        return {"name": self.name, "recipe": self._recipe}

    @classmethod
    def _restored(cls, held: dict[str, Any]) -> Self:
        """Ours from its recipe; of a user's functions, which no file holds, the name alone."""
        if held["recipe"] is None:
            new = object.__new__(cls)
            new.__dict__.update(function=_lost, derivative=_lost, name=held["name"], rounded=None)
            return new
        name, width = held["recipe"]
        found = NAMED[name]
        rounded = found if found.rounded is None or width == 0.0 else found.rounded(width)
        return cast(Self, rounded)

    def _short(self) -> str:
        return repr(self.name)

    def __call__(self, z: FloatArray) -> FloatArray:
        """phi(z)."""
        return _checked(self.function, "activation", z)

    def slope(self, z: FloatArray) -> FloatArray:
        """phi'(z)."""
        return _checked(self.derivative, "the activation's derivative", z)

    @property
    def nonlinearity(self) -> float:
        """max |phi(z) - z| / |z| over a few z: 0 for the identity."""
        return float(np.max(np.abs(self(PROBES) - PROBES) / np.abs(PROBES)))

    @property
    def is_homogeneous(self) -> bool:
        """Whether phi(2 z) = 2 phi(z) at a few z; the flow then conserves ||v_l||^2 - ||v_k||^2."""
        return bool(np.allclose(self(2 * PROBES), 2 * self(PROBES), rtol=1e-14, atol=0.0))


AnyActivation: TypeAlias = Activation | tuple[Elementwise, Elementwise] | str


def leaky_relu(leak: float, name: str, width: float = 0.0) -> Activation:
    """phi(z) = a z + (1 - a) r(z), r(z) = (z + sqrt(z^2 + w^2)) / 2: max(z, a z) where w = 0.

    Parameters
    ----------
    leak
        a, the slope on the left.
    name
        How it is called.
    width
        w, over which the kink is rounded; |phi - max(z, a z)| <= w / 2.
    """

    def function(z: FloatArray) -> FloatArray:
        return leak * z + (1.0 - leak) * (z + np.hypot(z, width)) / 2.0

    def derivative(z: FloatArray) -> FloatArray:
        length = np.hypot(z, width)
        sign = np.divide(z, length, out=np.zeros_like(z), where=length > 0)
        return leak + (1.0 - leak) * (1.0 + sign) / 2.0

    if width > 0.0:
        text = f"{name} with its kink rounded over {width:.1e}"
        return Activation(function, derivative, text, _recipe=(name, width))
    rounded = partial(leaky_relu, leak, name)
    return Activation(function, derivative, name, rounded, (name, 0.0))


NAMED = {
    "relu": leaky_relu(0.0, "relu"),
    "leaky_relu": leaky_relu(LEAK, "leaky_relu"),
    "tanh": Activation(np.tanh, lambda z: 1.0 - np.tanh(z) ** 2, "tanh", None, ("tanh", 0.0)),
}


def as_activation(value: Any) -> Activation:
    """An ``Activation`` from itself, a name, or a pair (phi, phi').

    Raises
    ------
    InvalidInputError
        None of these.
    """
    if isinstance(value, Activation):
        return value
    if isinstance(value, str) and value in NAMED:
        return NAMED[value]
    if isinstance(value, tuple) and len(value) == 2 and all(map(callable, value)):
        return Activation(*value)
    raise InvalidInputError(
        f"activation is {value!r}; expected one of {', '.join(map(repr, NAMED))}, a pair of "
        "elementwise functions (phi, its derivative), or an Activation."
    )


def as_elementwise(value: Any) -> Elementwise:
    """The function alone, for a forward pass: a name, an ``Activation`` or any callable.

    Raises
    ------
    InvalidInputError
        None of these. When called: a result of another shape, or not of real numbers.
    """
    if isinstance(value, (str, tuple)):
        return as_activation(value)
    if not callable(value):
        raise InvalidInputError(
            f"activation is {value!r}; expected None or an elementwise function such as numpy.tanh."
        )
    return lambda hidden: _checked(value, "activation", hidden)


def linear(hidden: FloatArray) -> FloatArray:
    """Return its argument: the activation of a linear network."""
    return hidden


def phi_of(activation: Elementwise | str | None) -> Elementwise:
    """The activation as a function; ``linear`` if None."""
    return linear if activation is None else as_elementwise(activation)
