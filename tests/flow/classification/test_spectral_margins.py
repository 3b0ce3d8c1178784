"""The witness of a margin loss against the same flow in half of the spectra of its filters."""

from __future__ import annotations

import numpy as np
import pytest

from helpers.flows import asked, assert_same_direction
from helpers.spectral_margins import SpectralMargins
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.flow.classification._parameters import ParameterMargins
from implicitbias.flow.classification._run import margin_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import ConvolutionalNetwork
from implicitbias.problems import Classification, Regression


def case(depth, d, scale, *, zero=False, n=2):
    rng = np.random.default_rng([depth, d])
    problem = Regression(rng.normal(size=(n, d)), rng.normal(size=n))
    directions = [rng.normal(size=d) for _ in range(depth)]
    directions[-1] *= 0.0 if zero else 1.0
    return ConvolutionalNetwork(d, (d,) * depth), problem, Initialization(directions, scale)


@pytest.mark.parametrize(
    ("depth", "d", "n"), [(2, 5, 3), (2, 8, 4), (3, 8, 4), (4, 7, 3), (3, 2, 2)]
)
def test_classes_are_followed_alike(depth, d, n):
    network, problem, init = case(depth, d, 0.5, n=n)
    labels = Classification(problem.X, np.where(np.arange(n) % 2, 1, -1))
    start = init.parameters()
    for margin in (1.0, 1e4):
        found, expected = (
            margin_flow(kind(network, labels, MarginLoss(), start, None, margin), asked(margin))
            for kind in (SpectralMargins, ParameterMargins)
        )
        assert found.drift < 1e-9
        assert_same_direction(found, expected)
        for left, right in zip(found.final_parameters, expected.final_parameters, strict=True):
            np.testing.assert_allclose(left, right, rtol=0, atol=1e-8 * np.abs(right).max())


@pytest.mark.parametrize("d", [1, 2, 6, 7])
def test_the_margins_are_those_of_the_parameters_in_another_basis(d):
    network, problem, init = case(3, d, 0.7, n=1)
    labels = Classification(problem.X, [1])
    turned, given = (
        kind(network, labels, MarginLoss(), init.parameters(), None, 10.0)
        for kind in (SpectralMargins, ParameterMargins)
    )
    assert turned.look(turned.start).margin == pytest.approx(given.look(given.start).margin)
    speeds = [np.linalg.norm(system.velocity(system.start)) for system in (turned, given)]
    assert speeds[0] == pytest.approx(speeds[1])
    values = [np.linalg.eigvals(system.jacobian(system.start)) for system in (turned, given)]
    np.testing.assert_allclose(*(np.sort(one.real) for one in values), atol=1e-10)
    np.testing.assert_allclose(turned.shape_of(turned.start), given.shape_of(given.start))
