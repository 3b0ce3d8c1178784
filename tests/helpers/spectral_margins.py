"""The parameter flow of a margin loss in the half spectra of full-length filters.

    dp_l/dtau = conj( [w^T Z] prod_{k != l} p_k ),   Z_ij = y_i [S x_i]_j,   w = softmax(-margins),

for p_l = U_l^T v_l, elementwise, whatever phases the data have. Half of a spectrum, times sqrt(2)
where its conjugate is left out, is the filter in another orthonormal basis: this is the parameter
flow, with the same clocks, tolerances and ways to end, in coordinates that the layers share. It
is no faster (LSODA factors the same dense Jacobian): it is a second, independent way.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import ComplexArray, FloatArray, Parameters
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.flow.classification._parameters import ParameterMargins
from implicitbias.flow.classification._system import MarginPoint
from implicitbias.networks import Network
from implicitbias.problems import Classification


class SpectralMargins(ParameterMargins):
    """Gradient flow in Re p_l, then Im p_l where it is not zero by symmetry, layer by layer."""

    route = "fourier"

    def __init__(
        self,
        network: Network,
        problem: Classification,
        loss: MarginLoss,
        start: Parameters,
        tol: float | None,
        target: float,
    ) -> None:
        d, depth = network.num_features, network.depth
        self.decomposition = network.orthogonal_decomposition()
        self.half = d // 2 + 1
        self.paired = 2 * np.arange(self.half) % d != 0
        self.scale = np.where(self.paired, np.sqrt(2.0), 1.0)
        rows = problem.y[:, None] * problem.X
        # a pair counts twice, and its scaled layers multiply to 2^{L/2} rho
        features = self.decomposition.features(rows)[:, : self.half]
        self.features: ComplexArray = features * self.scale ** (2 - depth)
        super().__init__(network, problem, loss, start, tol, target)

    def integrator(self, state: FloatArray, first_step: float) -> None:
        """LSODA: the second way has a second integrator."""

    def looks(self, states: FloatArray) -> list[MarginPoint]:
        """One after the other."""
        return [self.look(state) for state in states]

    def parameters(self, state: FloatArray) -> Parameters | None:
        """Theta."""
        return self.decomposition.parameters(self._whole(self.layers(state)))

    def drift(self, state: FloatArray) -> float:
        """That of the parameters."""
        return self.drift_of(self.decomposition.parameters(self._whole(self.layers(state))))

    def flattened(self, layers: Parameters) -> FloatArray:
        """The half spectra of Theta, one after the other."""
        p = self.decomposition.coordinates(layers)[:, : self.half] * self.scale
        return np.ascontiguousarray(self._packed(p)).ravel()

    def coefficients(self, layers: Parameters) -> FloatArray:
        """beta = S^T rho, (d,)."""
        rho = self._whole(layers).prod(axis=0)
        return np.ascontiguousarray(self.decomposition.coefficients(rho).real)

    def gradients(self, layers: Parameters, weights: FloatArray) -> FloatArray:
        """sum_i w_i grad gamma_i, (N,)."""
        driver = weights @ self.features
        return self._packed((driver * self._others(layers)).conj()).ravel()

    def moved(self, layers: Parameters) -> FloatArray:
        """grad gamma_i, (n, N)."""
        spectra = (self.features[:, None, :] * self._others(layers)).conj()
        return self._packed(spectra).reshape(len(spectra), -1)

    def curvature(self, layers: Parameters, weights: FloatArray) -> FloatArray:
        """sum_i w_i hess gamma_i, (N, N): entries of one frequency only."""
        p, driver = self._unpacked(layers), weights @ self.features
        depth, width = len(p), len(layers[0])
        hessian = np.zeros((depth, width, depth, width))
        real, imaginary = np.arange(self.half), self.half + np.arange(int(self.paired.sum()))
        paired = np.flatnonzero(self.paired)
        for first in range(depth):
            for second in range(first + 1, depth):
                rest = np.delete(p, (first, second), axis=0).prod(axis=0)
                a = (driver * rest).conj()
                for i, j in ((first, second), (second, first)):
                    hessian[i, real, j, real] = a.real
                    hessian[i, paired, j, imaginary] = a.imag[paired]
                    hessian[i, imaginary, j, paired] = a.imag[paired]
                    hessian[i, imaginary, j, imaginary] = -a.real[paired]
        return hessian.reshape(depth * width, -1)

    def _others(self, layers: Parameters) -> ComplexArray:
        """prod_{k != l} p_k, (L, h)."""
        p = self._unpacked(layers)
        before, after = np.ones_like(p), np.ones_like(p)
        for index in range(1, len(p)):
            before[index] = before[index - 1] * p[index - 1]
            after[-1 - index] = after[-index] * p[-index]
        return before * after

    def _whole(self, layers: Parameters) -> ComplexArray:
        """The spectra with their conjugate halves, (L, d)."""
        p = self._unpacked(layers) / self.scale
        return np.hstack([p, p[:, self.paired][:, ::-1].conj()])

    def _packed(self, p: ComplexArray) -> FloatArray:
        return np.concatenate([p.real, p.imag[..., self.paired]], axis=-1)

    def _unpacked(self, layers: Parameters) -> ComplexArray:
        packed = np.stack(layers)
        p = packed[:, : self.half].astype(np.complex128)
        p.imag[:, self.paired] = packed[:, self.half :]
        return p
