"""Two-sided diagonal networks: the difference of two powers a feature."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

import numpy as np

from implicitbias._arrays import FloatArray, Parameters, finite_array, positive_int, real_power
from implicitbias._errors import InvalidInputError
from implicitbias._verdicts import Verdict
from implicitbias.networks._activation import Activation, Elementwise
from implicitbias.networks._base import Network
from implicitbias.networks._decomposition import OrthogonalDecomposition
from implicitbias.networks._stacked import by_gradients
from implicitbias.networks._structured import IdentityDecomposition


class PairDecomposition(IdentityDecomposition):
    """rho_j = u_j^D - v_j^D and beta = rho: each pair moves in a clock of its own."""

    def __init__(self, num_features: int, power: float) -> None:
        super().__init__(num_features, 2)
        detail = f"by structure: beta_j = u_j^D - v_j^D, D = {power:g}"
        verdict = Verdict("the coordinates move alone", "holds", 0.0, detail)
        self.__dict__.update(verdict=verdict, _power=power)

    @property
    def power(self) -> float | None:
        """D."""
        return float(self.__dict__["_power"])


class TwoSidedDiagonalNetwork(Network):
    """f(x) = x^T beta, beta = u^D - v^D elementwise, for real D >= 2 and (u, v) in R^d each.

    Gradient flow: du/dt = D u^{D-1} * c, dv/dt = -D v^{D-1} * c with c = -X^T r. From u = v = alpha
    it moves as the diagonal network of depth D on (X, -X) with all layers equal would, without the
    cancellation of that. Entries that are 0 stay 0. For D not a whole number u, v >= 0.

    beta is not linear in u and v, so that there is no data tensor: ``data_tensor``,
    ``orthogonal_decomposition`` and ``hidden_layers`` refuse, and of the laws of ``Network``

    - the inner products of the layers with ``layer_gradients(Theta, c)`` add up to
      D c^T beta(Theta), whose gradient they are;
    - ``conserved`` is u * v for D = 2, u^{2-D} + v^{2-D} for D > 2; 0 where u or v is.

    Parameters
    ----------
    num_features
        d >= 1.
    depth
        D >= 2, whole or not.

    Raises
    ------
    InvalidInputError
        A size that is not a whole number >= 1, or D that is no finite number >= 2.

    Source: Woodworth et al., "Kernel and rich regimes in overparametrized models", COLT 2020;
    Azulay et al., "On the implicit bias of initialization shape", ICML 2021, for u(0) != v(0).
    """

    family = "two-sided"
    takes_sparse = True
    is_multilinear = False

    def __init__(self, num_features: int, depth: float) -> None:
        d = positive_int(num_features, "num_features")
        power = real_power(depth, "depth")
        self.__dict__.update(num_features=d, parameter_shapes=((d,), (d,)), _power=power)

    def __repr__(self) -> str:
        return f"TwoSidedDiagonalNetwork(num_features={self.num_features}, depth={self.depth})"

    @property
    def degree(self) -> float:
        """D as a float."""
        return float(self.__dict__["_power"])

    @property
    def depth(self) -> float:  # type: ignore[override]  # whole elsewhere, for the layers are counted
        """D, a whole number or a float; the parameters are two arrays whatever it is."""
        return int(self.degree) if self._whole else self.degree

    @property
    def _whole(self) -> bool:
        return self.degree % 1.0 == 0.0

    def decoupling(self) -> OrthogonalDecomposition:
        """Each pair (u_j, v_j) moves alone, by structure."""
        derived: dict[Any, OrthogonalDecomposition] = self.__dict__.setdefault("_derived", {})
        return derived.setdefault("pairs", PairDecomposition(self.num_features, self.degree))

    def in_domain(self, layers: Parameters, name: str) -> Parameters:
        """Return the layers, or refuse entries below 0 where D is not a whole number.

        Raises
        ------
        InvalidInputError
            There is one.
        """
        if self._whole:
            return layers
        for layer, letter in zip(layers, "uv", strict=True):
            if (layer < 0.0).any():
                place = int(np.argmax(layer < 0.0))
                raise InvalidInputError(
                    f"{name}: {letter}[{place}] is {layer[place]:g}; u^D and v^D need u, v >= 0 "
                    f"for D = {self.degree:g}. Take absolute values, or a whole number as depth."
                )
        return layers

    def drawn(self, layers: list[FloatArray]) -> list[FloatArray]:
        """Absolute values: a start that predictions take at every D."""
        return [np.abs(layer) for layer in layers]

    def check_parameters(self, parameters: Any, name: str = "parameters") -> Parameters:
        """Return (u, v) as finite float64 arrays of shape (d,), in the domain, or raise."""
        return self.in_domain(super().check_parameters(parameters, name), name)

    def predict(
        self, parameters: Iterable[Any], X: Any, activation: Elementwise | str | None = None
    ) -> FloatArray:
        """X beta, (n,); there is no hidden layer for an ``activation``, which has to be None.

        Raises
        ------
        InvalidInputError
            Wrong shapes, NaN or infinities, entries outside the domain, or an activation.
        """
        if activation is not None:
            self._refuse("hidden layers for an activation")
        layers = self.check_parameters(parameters)
        X = finite_array(X, "X", shape=(None, self.num_features))
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(X @ self._coefficients(layers))

    def hidden_layers(
        self, parameters: Iterable[Any], X: Any, activation: Elementwise | str | None = None
    ) -> tuple[FloatArray, ...]:
        """Refuse: there are none."""
        self._refuse("hidden layers")

    def prediction_jacobian(
        self, parameters: Iterable[Any], X: FloatArray, activation: Activation
    ) -> tuple[FloatArray, FloatArray]:
        """Refuse: there is no hidden layer for an activation."""
        self._refuse("hidden layers for an activation")

    def second_derivative(self, parameters: Iterable[Any], direction: Any) -> FloatArray:
        """D^2 (c^T beta(Theta)), diagonal: D (D - 1) c u^{D-2} and -D (D - 1) c v^{D-2}."""
        u, v = self._layers(parameters)
        c = self.degree * (self.degree - 1.0) * self._direction(direction)
        with np.errstate(over="ignore", invalid="ignore"):
            parts = c * self._raised(u, 2), -c * self._raised(v, 2)
        return np.diag(np.concatenate(parts))

    def orthogonal_decomposition(self, tol: float = 1e-10) -> OrthogonalDecomposition:
        """Refuse: there is no data tensor to decompose; ``decoupling`` is what it has instead."""
        self._refuse("data tensor, and no orthogonal decomposition of one")

    def balanced(self, layers: Any) -> list[FloatArray]:
        """Refuse: from u, v > 0 no conserved quantity is 0."""
        raise InvalidInputError(
            f"{self!r} has no balanced start: u * v (D = 2) and u^(2-D) + v^(2-D) are > 0 wherever "
            "u, v > 0. Start from u = v: Initialization([eta, eta], scale)."
        )

    def point_svd(self, x: FloatArray) -> NoReturn:
        """Refuse: there is no M(x)."""
        self._refuse("data tensor")

    def _raised(self, values: FloatArray, less: int = 0) -> FloatArray:
        """values^{D - less}; for D not whole that of the absolute values, of their sign.

        The latter is never asked for but by steps of an integrator beyond 0.
        """
        power = self.degree - less
        if power == 0.0:
            return np.ones_like(values)
        if self._whole:
            return np.asarray(values**power)
        sizes = np.abs(values) ** power
        return sizes if less == 1 else np.copysign(sizes, values)

    def _coefficients(self, layers: Parameters) -> FloatArray:
        return self._raised(layers[0]) - self._raised(layers[1])

    def _slopes(self, layers: Parameters) -> tuple[FloatArray, FloatArray]:
        u, v = (self.degree * self._raised(layer, 1) for layer in layers)
        return u, -v

    def _layer_gradients(self, layers: Parameters, direction: FloatArray) -> Parameters:
        return tuple(direction * slope for slope in self._slopes(layers))

    def stacked_coefficients(self, layers: Parameters) -> FloatArray:
        """Elementwise, as for one."""
        return self._coefficients(layers)

    def stacked_gradients(self, layers: Parameters, directions: FloatArray) -> Parameters:
        """Elementwise, as for one."""
        return self._layer_gradients(layers, directions)

    def stacked_point_gradients(self, layers: Parameters, X: FloatArray) -> FloatArray:
        """By the gradients of all points."""
        return by_gradients(self, layers, X)

    def _jacobian_blocks(self, layers: Parameters) -> Iterator[FloatArray]:
        return (np.diag(slope) for slope in self._slopes(layers))

    def _conserved_terms(self, layers: Parameters) -> tuple[FloatArray, FloatArray, FloatArray]:
        u, v = layers
        if self.degree == 2.0:
            product = u * v
            return product, np.zeros_like(product), np.abs(product)
        moving = (u != 0.0) & (v != 0.0)
        power = 2.0 - self.degree
        first = np.where(moving, np.where(moving, u, 1.0) ** power, 0.0)
        second = np.where(moving, np.where(moving, v, 1.0) ** power, 0.0)
        return first, -second, np.abs(first) + np.abs(second)

    def _refuse(self, what: str) -> NoReturn:
        raise InvalidInputError(
            f"{self!r} has no {what}: beta = u^D - v^D is not linear in u and v. The diagonal "
            "network on features and their negatives, DiagonalNetwork(2 * d, D) on [X, -X] from "
            "equal layers, has the same coefficients for a whole D."
        )

    def _second_derivative_blocks(self, layers: Parameters, direction: FloatArray) -> NoReturn:
        self._refuse("second derivative between u and v")

    def _data_tensor(self, x: FloatArray) -> FloatArray:
        self._refuse("data tensor")

    def data_tensor(self, x: Any) -> FloatArray:
        """Refuse: there is none."""
        self._refuse("data tensor")

    def _step(self, index: int, hidden: FloatArray, layer: FloatArray) -> FloatArray:
        self._refuse("hidden layers")

    def _step_jacobian(self, index: int, hidden: FloatArray, pulled: FloatArray) -> FloatArray:
        self._refuse("hidden layers")

    def _step_adjoint(self, index: int, layer: FloatArray, pulled: FloatArray) -> FloatArray:
        self._refuse("hidden layers")

    def _entries_per_row(self) -> int:
        return self.num_features
