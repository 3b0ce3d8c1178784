"""Limits of full-length convolutions whose X S^T is never formed, against the same formed."""

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias import (
    Classification,
    ConvolutionalNetwork,
    Initialization,
    NoPredictionError,
    Regression,
    gradient_flow,
    limit_path,
    predict_limit,
)
from implicitbias.features import Fourier
from implicitbias.networks import _structured
from implicitbias.theorems import situation_of


def even(seed, n, d):
    (rows,) = normal(seed, (n, d))
    return rows + rows[:, -np.arange(d)]


def shifted(seed, n, d):
    """Even signals, all of them moved by two places: the data share phases that are not real."""
    return np.roll(even(seed, n, d), 2, axis=1)


def both_ways(monkeypatch, solve):
    found = [solve()]
    monkeypatch.setattr(_structured, "FORMED", 0)
    return [*found, solve()]


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("data", [even, shifted])
@pytest.mark.parametrize("kind", [Regression, Classification])
def test_limits(monkeypatch, kind, data, depth):
    network = ConvolutionalNetwork(8, (8,) * depth)
    problem = kind(data(1, 3, 8), [1.0, -1.0, 1.0])
    init = Initialization.last_layer_zero(network, np.eye(1, 8)[0] + 0.1, 0.05)
    limits = both_ways(monkeypatch, lambda: predict_limit(network, problem, init))
    assert isinstance(situation_of(network, problem, init).reduction.features, Fourier)
    assert limits[0].theorem == limits[1].theorem
    size = np.abs(limits[0].coefficients).max()
    np.testing.assert_allclose(*(one.coefficients for one in limits), rtol=0, atol=1e-9 * size)
    assert max(one.certificate.worst for one in limits) < 1e-8


def test_paths_and_their_ends(monkeypatch):
    network = ConvolutionalNetwork(9, (9, 9, 9))
    problem = Regression(even(2, 3, 9), [1.0, -1.0, 0.5])
    init = Initialization.last_layer_zero(network, np.eye(1, 9)[0] + 0.1, 1.0)
    scales = [0.0, 1e-6, 0.1, 10.0, np.inf]
    paths = both_ways(monkeypatch, lambda: limit_path(network, problem, init, scales).coefficients)
    np.testing.assert_allclose(*paths, rtol=0, atol=1e-9 * np.abs(paths[0]).max())


def test_flows(monkeypatch):
    network = ConvolutionalNetwork(8, (8, 8))
    problem = Regression(shifted(3, 3, 8), [1.0, -1.0, 1.0])
    init = Initialization.last_layer_zero(network, np.eye(1, 8)[0] + 0.1, 0.3)
    flows = both_ways(
        monkeypatch, lambda: gradient_flow(network, problem, init, route="dual").final_coefficients
    )
    np.testing.assert_allclose(*flows, rtol=0, atol=1e-9)


def test_data_that_share_no_phase(monkeypatch):
    network = ConvolutionalNetwork(8, (8, 8))
    problem = Regression(*normal(4, (3, 8), 3))
    init = Initialization.random(network, 0.1)

    def defect():
        with pytest.raises(NoPredictionError) as caught:
            predict_limit(network, problem, init)
        shared = [v for v in caught.value.assumptions if "share a phase" in v.assumption]
        assert [v.status for v in shared] == ["fails"] * len(shared)
        return [situation_of(network, problem, init).reduction.data_verdict.value]

    np.testing.assert_allclose(*both_ways(monkeypatch, defect), rtol=1e-12)
