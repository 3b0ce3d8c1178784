"""Regression flows with an independently known end, and how far two results are apart."""

from dataclasses import dataclass

import numpy as np

from implicitbias._errors import Outcome
from implicitbias.flow._arguments import Request
from implicitbias.flow._budget import Budget, Goal
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork, DiagonalNetwork, Network, OrthogonalNetwork
from implicitbias.problems import Regression
from reference import dual_newton


@dataclass(frozen=True)
class FlowCase:
    """A flow from Theorem 5's start and its limit in high precision (depths 2, 3, 4)."""

    network: Network
    problem: Regression
    init: Initialization
    features: np.ndarray
    eta: np.ndarray
    spectrum: np.ndarray

    def limit(self, scale):
        depth = self.network.depth
        rho = dual_newton.limit(self.features, self.problem.y, self.eta, scale, depth, digits=40)
        return self.spectrum.T @ rho


def diagonal(depth, scale, n=3, d=9, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    network, eta = DiagonalNetwork(d, depth), rng.uniform(0.4, 1.6, d)
    init = Initialization.last_layer_zero(network, eta, scale)
    return FlowCase(network, Regression(X, y), init, X, eta, np.eye(d))


def orthogonal(depth, scale, n=3, d=6, seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    S = rng.standard_normal((d, d))
    bases = [np.linalg.qr(rng.standard_normal((d + 2, d)))[0] for _ in range(depth)]
    network, eta = OrthogonalNetwork(S, bases), rng.uniform(0.4, 1.6, d)
    init = Initialization.last_layer_zero(network, eta, scale)
    return FlowCase(network, Regression(X, y), init, X @ S.T, eta, S)


def even_convolution(depth, scale, n=3, d=8, seed=0):
    """Even data and an even filter, with Corollary 6's real spectrum eta = F wbar."""
    rng = np.random.default_rng(seed)
    X, y = _even(rng.standard_normal((n, d))), rng.standard_normal(n)
    eta = _even(rng.uniform(0.4, 1.6, (1, d)))[0]
    network = ConvolutionalNetwork(d, (d,) * depth)
    init = Initialization.last_layer_zero(network, np.fft.ifft(eta, norm="ortho").real, scale)
    S = d ** ((depth - 1) / 2) * np.fft.fft(np.eye(d), norm="ortho").real
    return FlowCase(network, Regression(X, y), init, X @ S.T, eta, S)


def _even(rows):
    return (rows + np.roll(rows[:, ::-1], 1, axis=1)) / 2


FAMILIES = {
    "diagonal": diagonal,
    "orthogonal": orthogonal,
    "even convolution": even_convolution,
}


def distance(found, expected):
    """|found - expected|_inf / |expected|_inf."""
    return np.abs(found - expected).max() / np.abs(expected).max()


def assert_same_direction(found, expected):
    """Two classification flows end in the same direction at the same time."""
    assert found.outcome is expected.outcome is Outcome.MARGIN_REACHED
    size = np.abs(expected.final_direction).max()
    np.testing.assert_allclose(
        found.final_direction, expected.final_direction, rtol=0, atol=1e-8 * size
    )
    assert abs(found.log_times[-1] - expected.log_times[-1]) <= max(
        1e-4, 1e-6 * abs(expected.log_times[-1])
    )


def asked(until=1e6, steps=None, points=200, *, route="auto", rtol=None):
    """The request of a flow to a margin, or to a small residual."""
    budget = Budget(None, steps, points)
    return Request(route, Goal(1e-10, 1e-11), float(np.log(until)), budget, rtol=rtol)
