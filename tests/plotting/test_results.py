"""The smaller figures: potentials, coordinates, training, alignment, summaries."""

from dataclasses import replace

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pytest
from matplotlib.figure import Figure

from implicitbias import datasets, plotting
from implicitbias._errors import InvalidInputError
from implicitbias.coordinates import lemma4
from implicitbias.flow import gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import DiagonalNetwork, TensorNetwork
from implicitbias.problems import Classification
from implicitbias.theorems import predict_limit

D = 7
PROBLEM = datasets.gaussian(3, D, seed=1)
NET = DiagonalNetwork(D, 3)
INIT = Initialization.last_layer_zero(NET, np.ones(D), 0.5)


@pytest.fixture(scope="module")
def regression():
    flow = gradient_flow(NET, PROBLEM, INIT, route="parameters")
    return flow, predict_limit(NET, PROBLEM, INIT)


@pytest.fixture(scope="module")
def separable():
    rng = np.random.default_rng(3)
    problem = Classification(rng.standard_normal((5, 6)), [1, -1, 1, 1, -1])
    network = TensorNetwork(np.random.default_rng(5).standard_normal((3, 3, 6)))
    init = Initialization.random(network, 0.5, seed=2)
    flows = [
        gradient_flow(network, problem, init, route="parameters", until_margin=margin)
        for margin in (1e3, 1e1)
    ]
    return network, problem, flows


@pytest.fixture
def ax():
    return Figure().subplots()


@pytest.mark.parametrize("depth", [2, 3, 4, 7])
def test_the_potential_has_two_regimes(depth):
    (trace,) = plotting.potential_traces([depth])
    assert trace.value[0] == pytest.approx(trace.quadratic[0], rel=1e-5)
    assert trace.value[-1] == pytest.approx(trace.linear[-1], rel=0.05)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_levels_go_from_a_circle_to_a_diamond(depth):
    small, large = plotting.level_traces(depth, [1e-4, 1e4])
    np.testing.assert_allclose(np.linalg.norm(large.points, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.abs(small.points).sum(axis=1), 1.0, atol=0.1)


def test_levels_have_one_value_of_q():
    alpha, eta = 0.7, np.array([1.0, 2.0])
    (trace,) = plotting.level_traces(3, [alpha], eta)
    values = alpha**2 * lemma4.H(trace.points / (alpha * eta) ** 3, 3) @ eta**2
    np.testing.assert_allclose(values, values[0], rtol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_levels_at_the_ends_are_those_that_scales_tend_to(depth):
    eta, point = (1.0, 2.0), (0.3, -0.4)

    def points(scale):
        (trace,) = plotting.level_traces(depth, [scale], eta, through=point)
        return trace.points

    least = np.abs(points(0.0)) @ [1.0, 2.0 ** (2 - depth)]
    np.testing.assert_allclose(least, 0.3 + 0.4 * 2.0 ** (2 - depth), rtol=1e-12)
    largest = points(np.inf) ** 2 @ [1.0, 2.0 ** (2 - 2 * depth)]
    np.testing.assert_allclose(largest, 0.09 + 0.16 * 2.0 ** (2 - 2 * depth), rtol=1e-12)
    np.testing.assert_allclose(points(1e3), points(np.inf), atol=1e-6)
    if depth > 2:  # logarithmically slow for two layers
        np.testing.assert_allclose(points(1e-4), points(0.0), atol=1e-3)


def test_coordinates_follow_lemma_4_and_stop_at_their_clock():
    (trace,) = plotting.coordinate_traces({"a": [1.0, 1.0, 0.0]}, reach=3.0)
    np.testing.assert_allclose(trace.rho, lemma4.h(trace.s, 3), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(trace.ends, [-np.pi / 2, np.pi / 2])
    assert np.abs(trace.rho).max() == pytest.approx(3.0)


def test_clocks_are_measured_from_the_start():
    (trace,) = plotting.coordinate_traces({"a": [2.0, 1.0, 0.5]}, reach=1e9)
    assert [trace.s.min(), trace.s.max()] == pytest.approx(list(trace.ends), rel=5e-3)


def test_locked_and_dead_coordinates_are_shown_as_far_as_asked():
    locked, dead = plotting.coordinate_traces({"locked": [1.0, 1.0], "dead": [0.0, 0.0]}, span=2.0)
    assert (locked.rho > 0).all()
    assert locked.s.min() == pytest.approx(-2.0, abs=0.1)
    np.testing.assert_allclose(locked.rho, np.exp(2 * locked.s))
    assert not dead.rho.any()


def test_training_is_what_the_flow_saved(regression, separable):
    flow, limit = regression
    (loss,) = plotting.training_traces([flow])
    np.testing.assert_allclose(10.0**loss.values, np.exp(flow.log_losses[1:]))
    np.testing.assert_allclose(10.0**loss.log10_times, flow.times[1:])
    (angle,) = plotting.training_traces([flow], "angle", limits=[limit])
    assert angle.values[-1] < 1e-9
    _, _, flows = separable
    margins = plotting.training_traces(flows, "margin", names=["far", "near"])
    assert [trace.values[-1] for trace in margins] == pytest.approx([3.0, 1.0])


def test_layers_align_with_singular_vectors(separable):
    network, problem, flows = separable
    traces = plotting.alignment_traces(network, problem, flows)
    np.testing.assert_allclose(traces.log10_margins, [1.0, 3.0])
    assert traces.angles.shape == (2, network.depth)
    assert (traces.angles[1] < traces.angles[0]).all()


def test_summaries_are_the_certificates_and_the_drift(regression):
    flow, limit = regression
    certificates = plotting.certificate_traces([limit], names=["one"])
    assert certificates.columns["gap"] == [limit.certificate.gap]
    assert "KKT residual" not in certificates.columns
    (drift,) = plotting.drift_traces([flow]).columns.values()
    assert drift == [flow.drift]


def test_every_figure_is_drawn_on_the_axes_it_is_given(regression, separable):
    flow, limit = regression
    network, problem, flows = separable
    drawings = (
        (lambda ax: plotting.potential((2, 3), ax=ax), "tau"),
        (lambda ax: plotting.levels(2, [0.1, 1.0], ax=ax), "rho_1"),
        (lambda ax: plotting.coordinate_curves({"a": [1, 0], "b": [1, 1, 1]}, ax=ax), "clock"),
        (lambda ax: plotting.training([flow], ax=ax), "time"),
        (lambda ax: plotting.training([flow], "angle", limits=[limit], ax=ax), "time"),
        (lambda ax: plotting.alignment(network, problem, flows, ax=ax), "margin"),
        (lambda ax: plotting.certificate_summary([limit], ax=ax), None),
        (lambda ax: plotting.drift_summary([flow], ax=ax), None),
    )
    for draw, label in drawings:
        given = Figure().subplots()
        assert draw(given) is given
        given.figure.canvas.draw()
        assert given.has_data()
        if label is None:  # a summary: one row a result, and its mark
            assert [tick.get_text() for tick in given.get_yticklabels()] in (["limit"], ["flow"])
        else:
            assert label in given.get_xlabel()
            assert given.get_ylabel()


def test_axes_of_decades_become_logarithmic_past_hundreds(regression, ax):
    flow, _ = regression
    far = replace(flow, log_times=flow.log_times * 1e5, log_losses=flow.log_losses * 1e250)
    plotting.training([far], ax=ax)
    assert (ax.get_xscale(), ax.get_yscale()) == ("symlog", "symlog")
    ax.figure.canvas.draw()
    near = plotting.training([flow], ax=Figure().subplots())
    assert (near.get_xscale(), near.get_yscale()) == ("linear", "linear")


BAD = {
    "depths": (lambda f: plotting.potential_traces(()), "depths is empty"),
    "eta": (lambda f: plotting.level_traces(2, [1.0], (0.0, 1.0)), "other than 0"),
    "scales": (lambda f: plotting.level_traces(2, []), "scales is empty"),
    "through": (lambda f: plotting.level_traces(2, [1.0], through=(0, 0)), "is the origin"),
    "starts": (lambda f: plotting.coordinate_traces({}), "starts is empty"),
    "reach": (lambda f: plotting.coordinate_traces({"a": [1, 0]}, reach=0), "reach"),
    "quantity": (lambda f: plotting.training_traces([f], "error"), "one of loss, margin, angle"),
    "margin": (lambda f: plotting.training_traces([f], "margin"), "no margins"),
    "angle": (lambda f: plotting.training_traces([f], "angle"), "needs limits, one a flow"),
    "alignment": (
        lambda f: plotting.alignment_traces(NET, PROBLEM, [f]),
        "problem is a Regression",
    ),
    "certificates": (lambda f: plotting.certificate_traces([]), "limits is empty"),
    "drift": (lambda f: plotting.drift_traces([f], names=["a", "b"]), "expected 1 of them"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(case, regression):
    call, text = BAD[case]
    with pytest.raises(InvalidInputError, match=text):
        call(regression[0])
