"""The parameter flow of a full-length convolution in its Fourier coordinates.

    dp_l/dt = conj( [Z^T (y - Z rho)] prod_{k != l} p_k ),      rho = prod_l p_l,      Z = X S^T,

for p_l = U_l^T v_l, elementwise. It needs no phase that the data share: where they share one, the
dual flow has n unknowns instead. The transform is unitary, so that half of the spectrum, times
sqrt(2) where its conjugate is left out, is the parameters in another orthonormal basis: the same
flow, the same stiff part F^T F, at a cost of n d L for F instead of n d^2 L.

Measured on random data (L = 2, 3, 4), against the flow in the parameters: 0.9 to 1.8 times as fast
at d = 32, 1.3 to 1.5 at 64, 2.5 to 3 at 128, 3 to 6 at 256, 17 to 19 at 1024.
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import OdeSolver

from implicitbias._arrays import ComplexArray, FloatArray, Parameters, stable_norm
from implicitbias._errors import InvalidInputError
from implicitbias.flow._rest import Rest
from implicitbias.flow._stability import FINER
from implicitbias.flow.integrators._radau import LowRankRadau, each, symmetric
from implicitbias.flow.regression._loss import SquaredLoss
from implicitbias.flow.regression._parameters import SMALL_ENTRY, ParameterFlow
from implicitbias.flow.regression._system import FlowSystem, Reading
from implicitbias.networks import Network

FASTER_FROM = 64  # features


def has_fourier_coordinates(network: Network) -> bool:
    """Whether the network is a convolution whose filters all have full length."""
    return network.is_fourier


def require_fourier_coordinates(network: Network) -> None:
    """Refuse any other network.

    Raises
    ------
    InvalidInputError
        Not a convolution with full-length filters.
    """
    if not has_fourier_coordinates(network):
        raise InvalidInputError(
            "route='fourier' needs a ConvolutionalNetwork with full-length filters; got "
            f"{network!r}. Use route='parameters', which takes every network."
        )


class FourierFlow(FlowSystem):
    """Gradient flow of the squared loss in half of the spectra of the filters.

    The state is Re p_l, then Im p_l where it is not zero by symmetry. What a flow is asked rarely
    is answered by the parameter flow, at the same point.
    """

    route = "fourier"
    method = ParameterFlow.method

    def __init__(
        self, network: Network, loss: SquaredLoss, start: Parameters, tol: float | None
    ) -> None:
        self.network, self.loss = network, loss
        self.witness = ParameterFlow(network, loss, start, tol)
        self.rtol = self.witness.rtol
        self.decomposition = network.orthogonal_decomposition()
        d, self.depth = network.num_features, network.depth
        self.half = d // 2 + 1
        self.paired = 2 * np.arange(self.half) % d != 0
        self.scale = np.where(self.paired, np.sqrt(2.0), 1.0)
        # a pair counts twice, and its scaled layers multiply to 2^{L/2} rho
        features = self.decomposition.features(loss.X)[:, : self.half]
        self.features = features * self.scale ** (2 - self.depth)
        self.start = self._packed(self._spectra(start))
        self.sizes = self._entry_sizes()
        self.most_evaluations = self.witness.most_evaluations

    def integrator(self, first_step: float, bound: float) -> OdeSolver:
        """Radau IIA, whose stiff factor is that of the parameters in this basis."""
        return LowRankRadau(
            each(self.velocity),
            self.start,
            bound,
            first_step=first_step,
            factors=symmetric(each(self.factor)),
            tol=self.rtol,
            sizes=self.sizes,
        )

    def velocity(self, state: FloatArray) -> FloatArray:
        """dp/dt."""
        p = self._unpacked(state)
        with np.errstate(over="ignore", invalid="ignore"):
            others = self._others(p)
            residual = self._predictions(others[0] * p[0]) - self.loss.y
            driver = -(residual @ self.features)
            return self._packed((driver * others).conj())

    def factor(self, state: FloatArray) -> FloatArray:
        """Derivatives of the predictions, (n, N)."""
        with np.errstate(over="ignore", invalid="ignore"):
            others = self._others(self._unpacked(state))
            moved = (self.features[:, None, :] * others).conj()
        points = len(moved)
        real, imaginary = moved.real, moved.imag[:, :, self.paired]
        return np.hstack([real.reshape(points, -1), imaginary.reshape(points, -1)])

    def read(self, state: FloatArray) -> Reading:
        """Return the loss and the residual."""
        return self.loss.read(self._predictions(self._unpacked(state).prod(axis=0)))

    def coefficients(self, state: FloatArray) -> FloatArray:
        """beta = S^T rho."""
        rho = self._whole(self._unpacked(state)).prod(axis=0)
        return np.ascontiguousarray(self.decomposition.coefficients(rho).real)

    def parameters(self, state: FloatArray) -> Parameters | None:
        """Theta."""
        return self.decomposition.parameters(self._whole(self._unpacked(state)))

    def speed(self, state: FloatArray, reading: Reading) -> float:
        """||dTheta/dt||: the basis is orthonormal."""
        return stable_norm(self.velocity(state))

    def size(self, state: FloatArray) -> float:
        """||Theta||."""
        return stable_norm(state)

    def fastest_time(self, reading: Reading) -> float:
        """That of the parameters."""
        return self.witness.fastest_time(reading)

    def rounding(self, state: FloatArray) -> float:
        """That of the parameters."""
        return self.witness.rounding(self._theta(state))

    def noise(self, state: FloatArray) -> float:
        """That of the parameters."""
        return self.witness.noise(self._theta(state))

    def newton_change(self, state: FloatArray, reading: Reading) -> FloatArray | None:
        """That of the parameters."""
        return self.witness.newton_change(self._theta(state), reading)

    def rest(self, state: FloatArray, reading: Reading, size: float) -> Rest | None:
        """That of the parameters."""
        return self.witness.rest(self._theta(state), reading, size)

    def instability(self, state: FloatArray, least: float) -> float:
        """That of the parameters."""
        return self.witness.instability(self._theta(state), least)

    def finer(self) -> FourierFlow:
        """The flow with smaller steps."""
        layers = self.witness.layers(self.witness.start)
        return FourierFlow(self.network, self.loss, layers, FINER * self.rtol)

    def drift(self, state: FloatArray) -> float:
        """That of the parameters."""
        return self.witness.drift(self._theta(state))

    def _theta(self, state: FloatArray) -> FloatArray:
        layers = self.decomposition.parameters(self._whole(self._unpacked(state)))
        return self.network.flatten(layers)

    def _predictions(self, rho: ComplexArray) -> FloatArray:
        """Re Z rho, (n,)."""
        return np.asarray(self.features.real @ rho.real - self.features.imag @ rho.imag)

    def _others(self, p: ComplexArray) -> ComplexArray:
        """prod_{k != l} p_k, (L, h)."""
        before, after = np.ones_like(p), np.ones_like(p)
        for index in range(1, self.depth):
            before[index] = before[index - 1] * p[index - 1]
            after[-1 - index] = after[-index] * p[-index]
        return before * after

    def _spectra(self, layers: Parameters) -> ComplexArray:
        spectra: ComplexArray = self.decomposition.coordinates(layers)[:, : self.half] * self.scale
        return spectra

    def _whole(self, p: ComplexArray) -> ComplexArray:
        """The spectra with their conjugate halves, (L, d)."""
        p = p / self.scale
        return np.hstack([p, p[:, self.paired][:, ::-1].conj()])

    def _packed(self, p: ComplexArray) -> FloatArray:
        return np.concatenate([p.real.ravel(), p.imag[:, self.paired].ravel()])

    def _unpacked(self, state: FloatArray) -> ComplexArray:
        count = self.depth * self.half
        p = np.zeros((self.depth, self.half), dtype=np.complex128)
        p.real = state[:count].reshape(self.depth, -1)
        p.imag[:, self.paired] = state[count:].reshape(self.depth, -1)
        return p

    def _entry_sizes(self) -> FloatArray:
        """The natural size of each entry: its modulus at the start, or its first movement."""
        p = np.abs(self._unpacked(self.start))
        still = p.max(axis=1, keepdims=True) == 0.0
        if still.any():
            residual = self.read(self.start).residual_vector
            step = np.asarray(np.linalg.lstsq(self.factor(self.start), -residual)[0], dtype=float)
            p = np.where(still, np.minimum(np.abs(self._unpacked(step)), p.max()), p)
        largest = p.max(axis=1, keepdims=True)
        sizes = np.maximum(p, SMALL_ENTRY * np.where(largest > 0, largest, p.max()))
        sizes = np.where(sizes > 0, sizes, 1.0)
        return np.concatenate([sizes.ravel(), sizes[:, self.paired].ravel()])
