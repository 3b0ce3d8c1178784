"""The laws every linear tensor network obeys."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any, ClassVar

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, finite_array, finite_arrays, positive_float
from implicitbias._errors import InvalidInputError
from implicitbias.networks import _point_svd, _reverse, _stacked, _starts
from implicitbias.networks._activation import Activation, Elementwise, phi_of
from implicitbias.networks._assumption import require_same
from implicitbias.networks._decomposition import OrthogonalDecomposition
from implicitbias.networks._layers import real, squared_norms
from implicitbias.networks._search import search_network

MAX_TENSOR_ENTRIES = 10_000_000
"""Largest dense tensor the package forms by itself (80 MB of float64)."""

_ROW_BLOCK_ENTRIES = 4_000_000


class Network(ABC):
    """f(x; Theta) = M(x) o (v_1, ..., v_L) with a data tensor M(x) linear in x.

    Laws, tested for every subclass, for all x, c in R^d and all parameters Theta:

    - ``predict(Theta, x) == x @ coefficients(Theta)``;
    - ``data_tensor(x)`` contracted with the (flattened) layers gives the same number;
    - ``layer_gradients(Theta, c)[l] == M(c) o (v_1, .., I at l, .., v_L)``, so the inner product
      with v_l is ``c @ coefficients(Theta)`` for every l, and it is the gradient of that number;
    - along dv_l/dt = ``layer_gradients(Theta, c(t))[l]``, whatever c(t) is, ``conserved`` stays.

    Networks are immutable. ``parameters`` is a sequence of L arrays of ``parameter_shapes``;
    every method refuses other shapes with ``InvalidInputError``, only ``check_parameters`` and
    ``predict`` look for NaN and infinities. Numbers beyond float64 come back as inf or nan.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 3.
    """

    num_features: int
    parameter_shapes: tuple[tuple[int, ...], ...]
    family: ClassVar[str] = ""
    """What corollaries about one family ask for: "diagonal", "convolutional", ..."""
    takes_sparse: ClassVar[bool] = False
    """Whether limits on sparse data need no dense work in d dimensions: no column is mixed."""
    is_multilinear: ClassVar[bool] = True
    """Whether beta is linear in each layer, so that there is a data tensor and the laws hold."""

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; build a new one instead.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; build a new one instead.")

    def __getstate__(self) -> dict[str, Any]:
        """Without what was derived."""
        return {key: value for key, value in vars(self).items() if key != "_derived"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Read-only again: pickled arrays forget it."""
        for value in state.values():
            for array in value if isinstance(value, tuple) else (value,):
                if isinstance(array, np.ndarray):
                    array.setflags(write=False)
        self.__dict__.update(state)

    @property
    def depth(self) -> int:
        """Number of layers L."""
        return len(self.parameter_shapes)

    @property
    def degree(self) -> float:
        """To which power beta grows with Theta: beta(c Theta) = c^degree beta(Theta)."""
        return float(self.depth)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """The sizes (k_1, ..., k_L) of the flattened layers."""
        return tuple(prod(shape) for shape in self.parameter_shapes)

    @property
    def num_parameters(self) -> int:
        """P = k_1 + ... + k_L."""
        return sum(self.layer_sizes)

    def coefficients(self, parameters: Iterable[Any]) -> FloatArray:
        """beta(Theta) in R^d with f(x; Theta) = x^T beta."""
        layers = self._layers(parameters)
        with np.errstate(over="ignore", invalid="ignore"):
            return self._coefficients(layers)

    def layer_gradients(self, parameters: Iterable[Any], direction: Any) -> Parameters:
        """M(c) o (v_1, .., I at l, .., v_L) for each l: the gradient of c^T beta(Theta).

        The gradient flow of the loss is dv_l/dt = layer_gradients(Theta, -X^T r)[l].
        ``direction`` is c, of shape (d,).
        """
        layers, direction = self._layers(parameters), self._direction(direction)
        with np.errstate(over="ignore", invalid="ignore"):
            return self._layer_gradients(layers, direction)

    def stacked_coefficients(self, layers: Parameters) -> FloatArray:
        """beta of R stacked networks, (R, d), of layers (R, ...): unchecked, for runs in one."""
        return np.stack([self._coefficients(run) for run in zip(*layers, strict=True)])

    def stacked_gradients(self, layers: Parameters, directions: FloatArray) -> Parameters:
        """``layer_gradients`` of R stacked networks, directions (R, d): unchecked."""
        runs = zip(zip(*layers, strict=True), directions, strict=True)
        gradients = [self._layer_gradients(run, direction) for run, direction in runs]
        return tuple(np.stack(layer) for layer in zip(*gradients, strict=True))

    def stacked_point_gradients(self, layers: Parameters, X: FloatArray) -> FloatArray:
        """X D beta(Theta) of R stacked networks, (R, n, P): unchecked."""
        return _stacked.by_jacobians(self, layers, X)

    def second_derivative(self, parameters: Iterable[Any], direction: Any) -> FloatArray:
        """D^2 (c^T beta(Theta)), symmetric (P, P), in the order of ``flatten``.

        Blocks (l, k) are M(c) o (v_1, .., I at l, .., I at k, .., v_L); diagonal blocks are 0.
        """
        layers, direction = self._layers(parameters), self._direction(direction)
        ends = np.cumsum((0, *self.layer_sizes))
        hessian = np.zeros((ends[-1], ends[-1]))
        with np.errstate(over="ignore", invalid="ignore"):
            for first, second, block in self._second_derivative_blocks(layers, direction):
                rows = slice(ends[first], ends[first + 1])
                columns = slice(ends[second], ends[second + 1])
                hessian[rows, columns] = block
                hessian[columns, rows] = block.T
        return hessian

    def coefficient_jacobian(self, parameters: Iterable[Any]) -> FloatArray:
        """D beta(Theta), of shape (d, P), columns in the order of ``flatten``."""
        layers = self._layers(parameters)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.concatenate(list(self._jacobian_blocks(layers)), axis=1)

    def conserved(self, parameters: Iterable[Any]) -> FloatArray:
        """Return the numbers that no gradient flow of this network changes, as one vector.

        ||v_l||^2 - ||v_{l+1}||^2 for l < L, or what the family has beyond them.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            first, second, _ = self._conserved_terms(self._layers(parameters))
            return np.asarray(first - second)

    def conserved_scale(self, parameters: Iterable[Any]) -> FloatArray:
        """Return the size against which a change of each ``conserved`` number is measured.

        The sum of the two squares it is the difference of; where these come out of inner
        products (whose rounding is relative to norms), the sum of the two squared norms.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return self._conserved_terms(self._layers(parameters))[2]

    def predict(
        self, parameters: Iterable[Any], X: Any, activation: Elementwise | str | None = None
    ) -> FloatArray:
        """f(x_i; Theta) for each row x_i of X, by the forward pass.

        H_1 = phi(M(x) o (v_1, I, ..., I)), H_l = phi(H_{l-1} o (v_l, I, ..., I)),
        f = H_{L-1} o v_L, with phi the identity unless ``activation`` is given.

        Parameters
        ----------
        parameters
            L arrays of ``parameter_shapes``.
        X
            Inputs, (n, d).
        activation
            An elementwise function of an array, returning an array of the same shape, or one of
            the names that ``gradient_flow`` takes. What it is applied to when phi(0) is not 0, the
            family's class says.

        Raises
        ------
        InvalidInputError
            Wrong shapes, NaN or infinities, or an activation that is not elementwise.
        """
        layers = self.check_parameters(parameters)
        X = finite_array(X, "X", shape=(None, self.num_features))
        phi = phi_of(activation)
        rows = max(1, _ROW_BLOCK_ENTRIES // self._entries_per_row())
        with np.errstate(over="ignore", invalid="ignore"):
            return np.concatenate(
                [
                    self._last_hidden(layers, X[start : start + rows], phi) @ layers[-1]
                    for start in range(0, len(X), rows)
                ]
            )

    def hidden_layers(
        self, parameters: Iterable[Any], X: Any, activation: Elementwise | str | None = None
    ) -> tuple[FloatArray, ...]:
        """H_1, ..., H_{L-1} of the forward pass (see ``predict``), rows of X first.

        Without the entries that are zero by structure, so H_l is (n, d) for diagonal and
        convolutional networks, (n, d_{l+1}) for fully connected ones, and
        (n, k_{l+1}, ..., k_L) for the others.
        """
        layers = self.check_parameters(parameters)
        X = finite_array(X, "X", shape=(None, self.num_features))
        with np.errstate(over="ignore", invalid="ignore"):
            return tuple(self._hidden(layers, X, phi_of(activation)))

    def prediction_jacobian(
        self, parameters: Iterable[Any], X: FloatArray, activation: Activation
    ) -> tuple[FloatArray, FloatArray]:
        """f(x_i; Theta), (n,), and its derivatives by Theta, (n, P), in the order of ``flatten``.

        Reverse mode through the forward pass of ``predict``, at a cost of a few such passes.
        X is (n, d), float64 and unchecked: this runs inside every flow step.
        """
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            return _reverse.prediction_jacobian(self, self._layers(parameters), X, activation)

    def data_tensor(self, x: Any) -> FloatArray:
        """M(x) as a dense (k_1, ..., k_L) array, matrix layers flattened row-major.

        Raises
        ------
        InvalidInputError
            Wrong input, or more than ``MAX_TENSOR_ENTRIES`` entries.
        """
        x = finite_array(x, "x", shape=(self.num_features,))
        entries = prod(self.layer_sizes)
        if entries > MAX_TENSOR_ENTRIES:
            raise InvalidInputError(
                f"The data tensor of {self!r} has {entries:.3g} entries; it is formed up to "
                f"{MAX_TENSOR_ENTRIES:.3g}. coefficients and layer_gradients never need it."
            )
        return self._data_tensor(x)

    def orthogonal_decomposition(self, tol: float = 1e-10) -> OrthogonalDecomposition:
        """S and U_l with M(x) = sum_j [S x]_j [U_1]_j (x) ... (x) [U_L]_j (Assumption 1).

        The result is returned whatever its verdict; ``tol`` is the relative residual up to which
        it says "holds". It is derived once for each ``tol``.
        """
        tol = positive_float(tol, "tol")
        derived: dict[float, OrthogonalDecomposition] = self.__dict__.setdefault("_derived", {})
        if tol not in derived:
            found: object = self._decompose(tol)
            if not isinstance(found, OrthogonalDecomposition):
                raise InvalidInputError(
                    f"the decomposition that {self!r} gives is a {type(found).__name__}; expected "
                    "an OrthogonalDecomposition."
                )
            ours = type(self).__module__.startswith("implicitbias.")  # tested, at every depth
            if found.by_structure and not ours:
                require_same(self, found)
            derived.setdefault(tol, found)  # the same for all threads
        return derived[tol]

    def decoupling(self) -> OrthogonalDecomposition:
        """The coordinates in which the flow decouples, if its verdict holds: Assumption 1's."""
        return self.orthogonal_decomposition()

    def _decompose(self, tol: float) -> OrthogonalDecomposition:
        """Derive the decomposition: by structure where that is known; else by a search in M."""
        return search_network(self, tol=tol)

    @property
    def is_fourier(self) -> bool:
        """Whether the discrete Fourier transform decouples the layers: S = c F, U_l = conj(F)."""
        return False

    def point_svd(self, x: FloatArray) -> _point_svd.PointSVD:
        """The compact SVD of M(x), for two layers and x of shape (d,), by structure where known."""
        decomposition = self.orthogonal_decomposition()
        if decomposition.by_structure and decomposition.is_real and decomposition.verdict.holds:
            return _point_svd.decomposed_svd(decomposition, x)
        return _point_svd.dense_svd(self.data_tensor(x))

    def first_layers(self, direction: Any) -> list[FloatArray]:
        """v_1, ..., v_{L-1} of Theorem 5's start from one direction: the same array in each."""
        return _starts.repeated(self, direction)

    def balanced(self, layers: Sequence[FloatArray]) -> list[FloatArray]:
        """Layers like these of which every conserved quantity is zero."""
        decomposition = self.orthogonal_decomposition()
        if decomposition.verdict.holds:
            return _starts.equal_coordinates(decomposition, layers)
        return _starts.unit_norms(layers)

    def with_gap(self, layers: Sequence[FloatArray], gap: float) -> list[FloatArray]:
        """The layers, the first ones lengthened to fulfil Theorem 2's condition on the start."""
        return _starts.lengthened(self, layers, gap)

    def drawn(self, layers: list[FloatArray]) -> list[FloatArray]:
        """The start that random ``layers`` stand for: they themselves."""
        return layers

    def in_domain(self, layers: Parameters, name: str) -> Parameters:
        """The finite layers, if the network is defined for them: always."""
        return layers

    def check_parameters(self, parameters: Any, name: str = "parameters") -> Parameters:
        """Return the layers as finite float64 arrays of ``parameter_shapes``, or raise."""
        return finite_arrays(parameters, name, self.parameter_shapes)

    def flatten(self, parameters: Iterable[Any]) -> FloatArray:
        """Theta as one vector (P,): the layers one after the other, matrices row-major."""
        return np.concatenate([layer.ravel() for layer in self._layers(parameters)])

    def unflatten(self, vector: Any) -> Parameters:
        """Return the layers that ``flatten`` would turn into ``vector``, copied."""
        vector = real(vector, "vector")
        if vector.shape != (self.num_parameters,):
            raise InvalidInputError(
                f"vector has shape {vector.shape}; expected ({self.num_parameters},), the layers "
                f"{self._shapes_text()} one after the other."
            )
        parts = np.split(vector, np.cumsum(self.layer_sizes)[:-1])
        pairs = zip(parts, self.parameter_shapes, strict=True)
        return tuple(part.reshape(shape).copy() for part, shape in pairs)

    @abstractmethod
    def _coefficients(self, layers: Parameters) -> FloatArray: ...

    @abstractmethod
    def _layer_gradients(self, layers: Parameters, direction: FloatArray) -> Parameters: ...

    @abstractmethod
    def _second_derivative_blocks(
        self, layers: Parameters, direction: FloatArray
    ) -> Iterator[tuple[int, int, FloatArray]]:
        """Yield (l, k, (k_l, k_k) block) for all l < k."""

    @abstractmethod
    def _jacobian_blocks(self, layers: Parameters) -> Iterator[FloatArray]:
        """Yield d beta / d v_l, (d, k_l), for each l."""

    @abstractmethod
    def _data_tensor(self, x: FloatArray) -> FloatArray: ...

    @abstractmethod
    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray:
        """H_{l-1} o (v_l, I, ..), rows of X first; ``index`` is l - 1 < L - 1 and H_0 is X."""

    @abstractmethod
    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray:
        """Derivative by v_l of the inner product of each row of ``_step`` with ``pulled``."""

    @abstractmethod
    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray:
        """Derivative of the same by H_{l-1}, for l > 1."""

    @abstractmethod
    def _entries_per_row(self) -> int:
        """Entries of the largest hidden layer of one input."""

    def _hidden(self, layers: Parameters, X: FloatArray, phi: Elementwise) -> Iterator[FloatArray]:
        """Yield H_1, ..., H_{L-1}, rows of X first; the last is (n, k_L)."""
        for index, layer in enumerate(layers[:-1]):
            X = phi(self._step(index, X, layer))
            yield X

    def _last_hidden(self, layers: Parameters, X: FloatArray, phi: Elementwise) -> FloatArray:
        *_, last = self._hidden(layers, X, phi)
        return last

    def _conserved_terms(self, layers: Parameters) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Two vectors whose difference is conserved, and the scale of each difference."""
        squares = squared_norms(layers)
        return squares[:-1], squares[1:], squares[:-1] + squares[1:]

    def _layers(self, parameters: Iterable[Any]) -> Parameters:
        """Float64 layers of the right shapes; cheap, for it runs inside every flow step."""
        try:
            layers = tuple(real(layer, "a layer of parameters") for layer in parameters)
        except TypeError:
            raise InvalidInputError(
                f"parameters must be a sequence of {len(self.layer_sizes)} arrays, one a layer; "
                f"got {type(parameters).__name__}."
            ) from None
        if tuple(layer.shape for layer in layers) != self.parameter_shapes:
            got = ", ".join(str(layer.shape) for layer in layers)
            raise InvalidInputError(
                f"parameters have shapes {got or 'none'}; {self!r} expects {self._shapes_text()}."
            )
        return layers

    def _direction(self, direction: Any) -> FloatArray:
        vector = real(direction, "direction")
        if vector.shape != (self.num_features,):
            raise InvalidInputError(
                f"direction has shape {vector.shape}; expected ({self.num_features},)."
            )
        return vector

    def _shapes_text(self) -> str:
        return ", ".join(map(str, self.parameter_shapes))
