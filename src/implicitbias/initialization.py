"""Initialization: directions and scale, kept apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from implicitbias._arrays import (
    TINY,
    FloatArray,
    Parameters,
    finite_array,
    finite_number,
    positive_float,
    positive_int,
)
from implicitbias._errors import InvalidInputError
from implicitbias.networks import Network, layers_from_weights

MAX_EXPONENT = 1 << 14  # far beyond float64, and small enough for ldexp


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Initialization:
    """Theta(0) = alpha * (vbar_1, ..., vbar_L).

    Parameters
    ----------
    directions
        vbar_l, one real array a layer; copied.
    scale
        alpha > 0.
    log_scale
        log alpha instead, for scales beyond float64.

    Attributes
    ----------
    directions
        Tuple of read-only float64 arrays.
    scale
        alpha; 0.0 or inf where float64 does not hold it.
    log_scale
        log alpha, finite.

    Raises
    ------
    InvalidInputError
        Fewer than two directions, one that is empty or not finite; a scale that is not positive and
        finite; both or neither of ``scale`` and ``log_scale``.

    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 2.
    """

    directions: Parameters
    scale: float
    log_scale: float
    _mantissa: float = field(repr=False)  # alpha = mantissa 2^exponent
    _exponent: int = field(repr=False)

    def __init__(
        self,
        directions: Iterable[Any],
        scale: float | None = None,
        *,
        log_scale: float | None = None,
    ) -> None:
        self.__dict__["directions"] = _checked_directions(directions)
        if (scale is None) == (log_scale is None):
            given = "neither" if scale is None else "both"
            raise InvalidInputError(
                f"got {given} of scale and log_scale; expected exactly one, such as scale=0.1."
            )
        if scale is not None:
            scale = _checked_scale(scale)
            mantissa, exponent = math.frexp(scale)
            log_scale = math.log(scale)
        else:
            log_scale = finite_number(log_scale, "log_scale")
            mantissa, exponent = _power_of_two(log_scale)
            with np.errstate(over="ignore", under="ignore"):
                scale = float(np.exp(log_scale))
        self.__dict__.update(
            scale=scale, log_scale=log_scale, _mantissa=mantissa, _exponent=exponent
        )

    def __repr__(self) -> str:
        held = 0 < self.scale < math.inf
        size = f"scale={self.scale!r}" if held else f"log_scale={self.log_scale!r}"
        shapes = ", ".join(str(v.shape) for v in self.directions)
        return f"Initialization(directions of shapes {shapes}; {size})"

    def parameters(self) -> Parameters:
        """Theta(0): alpha times each direction, whole even where alpha itself does not fit float64.

        Raises
        ------
        InvalidInputError
            An entry overflows, or a layer underflows altogether.
        """
        layers = self.rounded()
        for index, (layer, direction) in enumerate(zip(layers, self.directions, strict=True), 1):
            lost = direction.any() and float(np.abs(layer).max()) < TINY
            if lost or not np.isfinite(layer).all():
                remedy = (
                    "Limits take the logarithm, and so does route='dual' where the network has "
                    "real decoupled coordinates; a flow of the parameters needs a larger scale."
                    if lost
                    else "Limits take the logarithm; a flow needs a smaller scale."
                )
                raise InvalidInputError(
                    f"layer {index} of the initialization {'under' if lost else 'over'}flows "
                    f"float64 at log_scale={self.log_scale:g}. {remedy}"
                )
        return layers

    def rounded(self) -> Parameters:
        """Theta(0) with zeros and infinities where float64 does not hold it."""
        return tuple(self._scaled(direction) for direction in self.directions)

    def _scaled(self, direction: FloatArray) -> FloatArray:
        mantissas, exponents = np.frexp(direction)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(np.ldexp(mantissas * self._mantissa, exponents + self._exponent))

    def check(self, network: Network) -> None:
        """Refuse directions that do not fit a network's layers.

        Raises
        ------
        InvalidInputError
            The number of layers or the shape of one of them differs.
        """
        _check_shapes(self.directions, network, "the initialization")

    @classmethod
    def last_layer_zero(
        cls,
        network: Network,
        direction: Any,
        scale: float | None = None,
        *,
        log_scale: float | None = None,
    ) -> Initialization:
        """vbar_l = U_l eta for l < L and vbar_L = 0: the start of Theorem 5.

        Parameters
        ----------
        network
            What is to be trained.
        direction
            eta (m,) for an ``OrthogonalNetwork``; for others w-bar, one array used for each of the
            first layers where they have equal shapes (diagonal networks, full-length filters, all
            networks with two layers); or a list of L - 1 arrays, the first layers themselves.
        scale, log_scale
            alpha, or its logarithm.

        Raises
        ------
        InvalidInputError
            The direction fits none of these, or the scale is not positive and finite.

        Source: Theorem 5, Corollaries 5 and 6 of Yun, Krishnan and Mobahi, ICLR 2021.
        """
        if isinstance(direction, (list, tuple)) and direction and np.ndim(direction[0]) > 0:
            first = list(direction)
            if len(first) != len(network.parameter_shapes) - 1:
                raise InvalidInputError(
                    f"direction is a list of {len(first)} layers; {network!r} needs the first "
                    f"{len(network.parameter_shapes) - 1}, or one array for all of them."
                )
        else:
            first = network.first_layers(direction)
        layers = [*first, np.zeros(network.parameter_shapes[-1])]
        _check_shapes(_checked_directions(layers), network, "direction")
        return cls(layers, scale, log_scale=log_scale)

    @classmethod
    def random(
        cls,
        network: Network,
        scale: float | None = None,
        seed: int = 0,
        gap: float | None = None,
        *,
        log_scale: float | None = None,
    ) -> Initialization:
        """vbar_l with independent standard normal entries; of two-sided networks, their sizes.

        Parameters
        ----------
        network
            What is to be trained.
        scale, log_scale
            alpha, or its logarithm.
        seed
            A whole number >= 0; the same seed gives the same directions.
        gap
            lambda > 0 with |[U_l^T vbar_l]_j|^2 - |[U_L^T vbar_L]_j|^2 >= lambda for all l < L and
            j, the condition of Theorem 2: coordinates of the first layers that are too short are
            lengthened. The flow's own differences are alpha^2 times these. Over a group that is
            not abelian, with two layers: w_1^T w_1 - w_2 w_2^T >= lambda, as matrices.

        Raises
        ------
        InvalidInputError
            A bad seed, gap or scale; a gap for a network without orthogonal decomposition.

        Source: the condition of Theorem 2 of Yun, Krishnan and Mobahi, ICLR 2021.
        """
        rng = np.random.default_rng(positive_int(seed, "seed", at_least=0))
        directions = [rng.standard_normal(shape) for shape in network.parameter_shapes]
        directions = network.drawn(directions)
        if gap is not None:
            directions = network.with_gap(directions, positive_float(gap, "gap"))
        return cls(directions, scale, log_scale=log_scale)

    @classmethod
    def balanced(
        cls,
        network: Network,
        scale: float | None = None,
        seed: int = 0,
        *,
        log_scale: float | None = None,
    ) -> Initialization:
        """Random directions for which every conserved quantity is zero.

        Fully connected: W_l = u_l u_{l+1}^T and w_L = u_L with random unit vectors u_l, since
        W_l^T W_l = W_{l+1} W_{l+1}^T = ... = w_L w_L^T has rank one. With an orthogonal
        decomposition: |[U_l^T vbar_l]_j| equal over the layers, and nothing outside the range of
        conj(U_l). Else ||vbar_l|| equal, and full-length filters alike. Unbalanced starts are what
        ``random`` gives, and ``last_layer_zero`` at the extreme.

        Parameters
        ----------
        network
            What is to be trained.
        scale, log_scale
            alpha, or its logarithm.
        seed
            A whole number >= 0; the same seed gives the same directions.

        Raises
        ------
        InvalidInputError
            A bad seed or scale.

        Notes
        -----
        A balanced coordinate keeps its sign for ever: not every interpolator can be reached.

        Source: Arora, Cohen, Golowich and Hu, ICLR 2019, for fully connected networks.
        """
        rng = np.random.default_rng(positive_int(seed, "seed", at_least=0))
        directions = [rng.standard_normal(shape) for shape in network.parameter_shapes]
        return cls(network.balanced(directions), scale, log_scale=log_scale)

    @classmethod
    def from_weights(cls, network: Network, weights: Any, layout: str = "torch") -> Initialization:
        """vbar_l = the weights of a framework in the layout of ``network``, exactly; alpha = 1.

        Fully connected: torch's Linear weights (out, in) are transposed, flax's Dense kernels
        (in, out) are not. Convolutional: Conv1d weights (1, 1, k), flax's Conv kernels (k, 1, 1),
        with stride 1 and circular "same" padding, then a linear layer (1, d) or (d, 1), which is
        rotated by the sum of (k_l - 1) // 2. Other families: arrays of ``parameter_shapes``.
        Vectors may also come as (k,).

        Parameters
        ----------
        network
            What is trained.
        weights
            One array a layer, first to last; or a mapping in that order from names to arrays: a
            ``state_dict()``, nested parameters of flax (where Dense_2 comes before Dense_10).
            Biases in a mapping must be zero and are left out: only right if they stay zero.
        layout
            "torch" or "flax". A square matrix cannot show which one it is in.

        Raises
        ------
        InvalidInputError
            An unknown layout, another number of weights, a shape that does not fit, a bias that is
            not zero, NaN or infinities.
        """
        return cls(layers_from_weights(network, weights, layout), scale=1.0)


def _checked_directions(directions: Any) -> Parameters:
    if isinstance(directions, (str, bytes)) or not hasattr(directions, "__iter__"):
        raise InvalidInputError(
            f"directions is a {type(directions).__name__}; expected a sequence of arrays, one a "
            "layer."
        )
    arrays = tuple(
        _checked_direction(value, f"directions, layer {index},")
        for index, value in enumerate(directions, start=1)
    )
    if len(arrays) < 2:
        raise InvalidInputError(
            f"directions has length {len(arrays)}; expected at least 2 arrays, one a layer."
        )
    return arrays


def _checked_direction(value: Any, name: str) -> FloatArray:
    try:
        modes = max(1, np.ndim(value))
    except ValueError:  # ragged: let the check say so
        modes = 1
    array = finite_array(value, name, shape=(None,) * modes).copy()
    array.setflags(write=False)
    return array


def _checked_scale(scale: Any) -> float:
    if isinstance(scale, (int, float)) and scale in (0, math.inf):
        end = "0" if scale == 0 else "infinity"
        raise InvalidInputError(
            f"scale is {scale:g}, from which no flow can start; expected a finite number > 0. For "
            f"the limit as the scale tends to {end} give it to limit_path among its scales."
        )
    return positive_float(scale, "scale")


def _power_of_two(logarithm: float) -> tuple[float, int]:
    """Mantissa in [1/2, 1) and exponent of e^logarithm."""
    exponent = math.floor(logarithm / math.log(2)) + 1
    if abs(exponent) > MAX_EXPONENT:
        return 0.5, int(math.copysign(MAX_EXPONENT, exponent))
    return math.exp(logarithm - exponent * math.log(2)), exponent


def _check_shapes(layers: Parameters, network: Network, name: str) -> None:
    if len(layers) != len(network.parameter_shapes):
        raise InvalidInputError(
            f"{name} has {len(layers)} layers; {network!r} has {len(network.parameter_shapes)}."
        )
    for index, (layer, wanted) in enumerate(zip(layers, network.parameter_shapes, strict=True), 1):
        if layer.shape != wanted:
            raise InvalidInputError(
                f"{name}, layer {index}, has shape {layer.shape}; {network!r} expects {wanted}."
            )
    network.in_domain(layers, name)
