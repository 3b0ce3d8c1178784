"""A module as a function of x and its parameters, evaluated in float64 on a copy."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import InvalidInputError, reason_of
from implicitbias.interop._families import Arrays

ROWS = 4  # of the inputs by which the features are found
MOST_SOUGHT = 512  # features that are tried where no parameter has their number
FAR = 1024.0  # how much farther than the inputs linearity is tried: some activations end there
LINEAR = 1e-10  # relative defect that is rounding

FORMS: tuple[Callable[[FloatArray], FloatArray], ...] = (
    lambda X: X,
    lambda X: X[:, None, :],  # what Conv1d takes: one channel
)


class Probe:
    """f(x; parameters) of a copy on the CPU, in float64, in training mode, without gradients.

    The module itself, its mode, its gradients and the state of torch's generator stay as they are.

    Raises
    ------
    InvalidInputError
        The module cannot be copied.
    """

    def __init__(self, torch: Any, module: Any, values: dict[str, FloatArray]) -> None:
        self._torch = torch
        self.kind = type(module).__name__
        self.values = list(values.values())
        self.names = list(values)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._copy = copy.deepcopy(module).cpu().double().train()
                for buffer in self._copy.buffers():  # double() leaves complex ones alone
                    if buffer.is_complex():
                        buffer.data = buffer.data.to(torch.complex128)
        except Exception as error:  # whatever a module of a user's own raises
            raise InvalidInputError(
                f"{self.kind} could not be copied, and is not evaluated in place "
                f"({type(error).__name__}: {reason_of(error)}). Build it anew, and give it this "
                "one's state_dict()."
            ) from error
        own = dict(self._copy.named_parameters(remove_duplicate=False))
        self._own = [own[name] for name in values]
        self._form = FORMS[0]
        self._calls = 0
        self.num_features = 0

    def open(self, sizes: Sequence[int], given: int | None) -> None:
        """Find the number of features that the module takes, and the form of its input.

        Raises
        ------
        InvalidInputError
            No number of features, or several, give one number a row.
        """
        if given is not None:
            accepted = self._accepted([given])
        else:
            accepted = self._accepted([*dict.fromkeys(sizes)])
            if not accepted:
                accepted = self._accepted([*sizes, *range(1, MOST_SOUGHT + 1)])
            if len(accepted) > 1:
                accepted.pop(1, None)  # broadcast
        if not accepted:
            tried = "any d that was tried" if given is None else f"d = {given}"
            raise InvalidInputError(
                f"{self.kind} does not turn X of shape (n, d) or (n, 1, d) into one number a row, "
                f"(n,) or (n, 1), for {tried}: {self._refusal}. Expected such a "
                "forward; give num_features=, the d of its inputs, where it has another d."
            )
        if len(accepted) > 1:
            found = ", ".join(map(str, list(accepted)[:4]))
            raise InvalidInputError(
                f"{self.kind} takes inputs of several sizes ({found}, ...); give num_features=."
            )
        ((self.num_features, self._form),) = accepted.items()

    def _accepted(self, sizes: Iterable[int]) -> dict[int, Callable[[FloatArray], FloatArray]]:
        """The numbers of features that give one number a row, each with its form of input."""
        accepted: dict[int, Callable[[FloatArray], FloatArray]] = {}
        self._refusal = "no sizes"
        wrong_output = ""
        for d in sizes:
            for form in FORMS:
                try:
                    self._forward(form(np.ones((ROWS, d))))
                except InvalidInputError as error:  # it takes the input: what else is wrong matters
                    wrong_output = wrong_output or reason_of(error)
                except Exception as error:  # a module says so in its own way
                    self._refusal = reason_of(error)
                else:
                    accepted.setdefault(d, form)
        self._refusal = wrong_output or self._refusal
        return accepted

    def _forward(self, inputs: FloatArray) -> FloatArray:
        torch = self._torch
        with (
            torch.no_grad(),
            torch.random.fork_rng(devices=[]),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            self._calls += 1  # what is random differs from call to call
            torch.default_generator.manual_seed(self._calls)
            outputs = self._copy(torch.from_numpy(np.array(inputs)))
        shape = tuple(getattr(outputs, "shape", ()))
        if not isinstance(outputs, torch.Tensor) or shape not in {
            (len(inputs), *(1,) * modes) for modes in range(4)
        }:
            given = f"shape {shape}" if shape else f"type {type(outputs).__name__}"
            raise InvalidInputError(
                f"for X of shape {inputs.shape} it returns {given}, expected ({len(inputs)},) or "
                f"({len(inputs)}, 1), one output a row"
            )
        values: FloatArray = outputs.detach().double().reshape(-1).numpy().copy()
        return values

    def __call__(self, X: FloatArray, parameters: Arrays | None = None) -> FloatArray:
        """f(x_i; parameters), (n,), for the rows of X; at the module's own unless given.

        Raises
        ------
        InvalidInputError
            The module raises.
        """
        torch = self._torch
        given = self.values if parameters is None else parameters
        try:
            with torch.no_grad():
                for own, value in zip(self._own, given, strict=True):
                    own.copy_(torch.from_numpy(np.array(value)))
            return self._forward(self._form(X))
        except Exception as error:  # whatever a module of a user's own raises
            raise InvalidInputError(
                f"{self.kind} raised {type(error).__name__} on an input of shape "
                f"{self._form(X).shape}: {reason_of(error)}."
            ) from error

    def check_linear(self, X: FloatArray, parameters: Arrays) -> None:
        """Refuse a module without f(0) = 0, f(-a x) = -a f(x), f(x + z) = f(x) + f(z).

        Raises
        ------
        InvalidInputError
            It is not, by the size of the violation.
        """
        zero = float(np.abs(self(np.zeros_like(X), parameters)).max())
        own, other = self(X, parameters), self(X[::-1], parameters)
        size = float(np.abs(own).max())
        if zero > LINEAR * size:
            raise InvalidInputError(
                f"{self.kind} returns {zero:.3g} at x = 0, where f(x) = x^T beta is 0: it adds a "
                "constant. Remove it, and give x a constant feature where one is wanted."
            )
        with np.errstate(invalid="ignore"):
            odd = np.abs(self(-FAR * X, parameters) / FAR + own)
            added = np.abs(self(X + X[::-1], parameters) - own - other)
        worst = float(np.maximum(odd, added).max())
        if not worst <= LINEAR * size:
            raise InvalidInputError(
                f"{self.kind} is not linear in x: f(a x + b z) differs from a f(x) + b f(z) by "
                f"{worst:.3g} where f is up to {size:.3g}. Expected no activation, no dropout, and "
                "no rounding to less than float64 on the way from x to f."
            )
