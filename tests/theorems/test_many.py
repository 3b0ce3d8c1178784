"""predict_limits and limit_paths: many at once, each as by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

import implicitbias as ib
from helpers.draws import normal
from implicitbias.theorems import _stacked

X, TARGETS, WEIGHTS = normal(0, (5, 16), (4, 5), (3, 16))
BASE = ib.Regression(X, TARGETS[0])
PROBLEMS = [BASE.with_targets(y) for y in TARGETS[1:]]
ETAS = 0.5 + np.abs(WEIGHTS)
SCALES = [0.5, 0.02, 1e-3]


def network_and_starts(name):
    """Three starts of one network."""
    if name == "two-sided":
        network = ib.TwoSidedDiagonalNetwork(16, 2.5)
        return network, [ib.Initialization([eta, eta], 1.0) for eta in ETAS]
    network = ib.DiagonalNetwork(16, int(name[-1]))
    if name.startswith("random"):
        return network, [ib.Initialization.random(network, 1.0, seed) for seed in range(3)]
    return network, [ib.Initialization.last_layer_zero(network, eta, 1.0) for eta in ETAS]


NAMES = ["Theorem 5, L = 2", "Theorem 5, L = 3", "Theorem 5, L = 4", "random, L = 3", "two-sided"]


@pytest.fixture
def alone(monkeypatch):
    """How many limits the ordinary solver was asked for."""
    asked = []
    one = ib.theorems._many.predicted
    monkeypatch.setattr(
        ib.theorems._many, "predicted", lambda *given: asked.append(given) or one(*given)
    )
    return asked


def same(found, expected):
    """One limit as the other, certificate included."""
    size = np.abs(expected.coefficients).max()
    assert np.abs(found.coefficients - expected.coefficients).max() < 1e-12 * size
    assert found.theorem == expected.theorem
    assert list(map(str, found.assumptions)) == list(map(str, expected.assumptions))
    assert found.certified_to == expected.certified_to
    assert found.certificate.worst < 1e-10
    assert found.certificate.gap_kind == expected.certificate.gap_kind
    np.testing.assert_allclose(found.dual, expected.dual, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.spectrum, expected.spectrum, atol=1e-12 * size)
    for one, other in zip(found.parameters, expected.parameters, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_every_limit_is_that_of_predict_limit(name, alone):
    network, starts = network_and_starts(name)
    members = [
        (problem, ib.Initialization(start.directions, scale))
        for problem in PROBLEMS
        for start in starts
        for scale in SCALES
    ]
    problems, inits = zip(*members, strict=True)
    limits = ib.predict_limits(network, problems, inits)
    assert len(limits) == len(members)
    assert not limits.refused.any()
    assert len(alone) <= (9 if name.endswith("4") else 4)  # most of them together
    for limit, (problem, init) in zip(limits, members, strict=True):
        same(limit, ib.predict_limit(network, problem, init))
    assert limits.coefficients.shape == (27, 16)
    assert limits.worst.max() < 1e-10
    assert str(limits) == f"27 limits, certified to {limits.worst.max():.1e}"


@pytest.mark.parametrize("name", NAMES)
def test_every_path_is_that_of_limit_path(name):
    network, starts = network_and_starts(name)
    scales = [0.02, 0.0, 1.0, np.inf, 1e-3] if "random" not in name else [0.02, 1.0, 0.0]
    paths = ib.limit_paths(network, PROBLEMS, starts, scales)
    for path, problem, start in zip(paths, PROBLEMS, starts, strict=True):
        expected = ib.limit_path(network, problem, start, scales)
        assert path.theorem == expected.theorem
        np.testing.assert_array_equal(path.scales, expected.scales)
        size = np.abs(expected.coefficients).max()
        np.testing.assert_allclose(path.coefficients, expected.coefficients, atol=1e-12 * size)
        assert path.errors.max() < 1e-10
    assert paths.coefficients.shape == (3, len(scales), 16)
    assert not paths.refused.any()
    assert str(paths) == f"3 paths of {len(scales)} scales"


def test_one_start_and_one_problem_are_shared():
    network, starts = network_and_starts("Theorem 5, L = 2")
    assert len(ib.predict_limits(network, PROBLEMS, starts[0])) == 3
    assert len(ib.predict_limits(network, BASE, starts)) == 3
    single = ib.predict_limits(network, BASE, starts[0])
    same(single[0], ib.predict_limit(network, BASE, starts[0]))


def test_refusals_are_typed_and_the_others_keep_their_answers():
    network = ib.DiagonalNetwork(2, 2)
    start = ib.Initialization.last_layer_zero(network, np.ones(2), 0.1)
    good = ib.Regression([[1.0, 2.0]], [1.0])
    same_twice = ib.Classification([[1.0, 0.0], [1.0, 0.0]], [-1, 1])
    huge = ib.Initialization([np.array([1.0, 2.0]), np.array([0.5, 0.3])], log_scale=600.0)
    with pytest.warns(ib.CertificateWarning, match="2 of 3 members were refused; member 1"):
        limits = ib.predict_limits(network, [good, same_twice, good], [start, start, huge])
    assert limits.refused.tolist() == [False, True, True]
    assert [each.member for each in limits.refusals] == [1, 2]
    same(limits[0], ib.predict_limit(network, good, start))
    assert np.isnan(limits.coefficients[1:]).all()
    assert np.isinf(limits.worst[1:]).all()
    with pytest.raises(ib.InfeasibleProblemError) as raised:
        limits[1]
    assert raised.value.evidence is not None
    with pytest.raises(ib.NoPredictionError) as raised:
        limits[-1]
    assert raised.value is limits.refusals[1].error


def test_a_certificate_that_misses_is_a_refusal():
    network, starts = network_and_starts("Theorem 5, L = 3")
    with pytest.warns(ib.CertificateWarning, match="3 of 3 members"):
        limits = ib.predict_limits(network, PROBLEMS, starts, certified_to=1e-18)
    assert {each.kind for each in limits.refusals} == {"NoPredictionError"}
    assert limits.refusals[0].certificate.worst > 1e-18
    with pytest.warns(ib.CertificateWarning, match="9 limits of others"):
        paths = ib.limit_paths(network, PROBLEMS, starts, SCALES, certified_to=1e-18)
    assert paths.refused.all()
    assert "9 of 9 limits refused" in str(paths)


def test_too_few_iterations_are_a_refusal_with_what_was_reached():
    network, starts = network_and_starts("Theorem 5, L = 4")
    tiny = [ib.Initialization(start.directions, 1e-5) for start in starts]
    with pytest.warns(ib.CertificateWarning):
        limits = ib.predict_limits(network, PROBLEMS, tiny, max_iterations=1)
    assert limits.refusals[0].error.partial is not None


def test_members_of_every_kind_are_answered():
    """Sparse data, dependent rows, twin columns, y = 0 and other networks go one by one."""
    network = ib.DiagonalNetwork(16, 3)
    start = ib.Initialization.last_layer_zero(network, ETAS[0], 0.1)
    twice = np.vstack([X, X[:1]])
    twins = X.copy()
    twins[:, 3] = twins[:, 4]
    problems = [
        ib.Regression(csr_array(X), BASE.y),
        ib.Regression(twice, np.append(BASE.y, BASE.y[0])),
        ib.Regression(twins, BASE.y),
        ib.Regression(X, np.zeros(5)),
        ib.Regression(X[:1], BASE.y[:1]),
        ib.Classification(X, np.sign(BASE.y)),
    ]
    ones = ib.Initialization.last_layer_zero(network, np.ones(16), 0.1)
    inits = [start, start, ones, start, start, start]
    limits = ib.predict_limits(network, problems, inits)
    for limit, problem, init in zip(limits, problems, inits, strict=True):
        expected = ib.predict_limit(network, problem, init)
        assert limit.theorem == expected.theorem
        size = np.abs(expected.coefficients).max()
        np.testing.assert_allclose(limit.coefficients, expected.coefficients, atol=1e-11 * size)
        feasibility = expected.certificate.feasibility
        assert limit.certificate.feasibility == pytest.approx(feasibility, abs=1e-14)


@pytest.mark.parametrize("log_scale", [-1000.0, -30.0, 200.0, 1000.0])
def test_scales_of_any_size(log_scale):
    network, starts = network_and_starts("Theorem 5, L = 2")
    inits = [ib.Initialization(start.directions, log_scale=log_scale) for start in starts]
    limits = ib.predict_limits(network, PROBLEMS, inits)
    for limit, problem, init in zip(limits, PROBLEMS, inits, strict=True):
        expected = ib.predict_limit(network, problem, init)
        np.testing.assert_allclose(limit.coefficients, expected.coefficients, atol=1e-10)


@pytest.mark.parametrize("unit", [1e-8, 1e8])
def test_units_of_the_data(unit):
    network, starts = network_and_starts("Theorem 5, L = 3")
    scaled = ib.Regression(unit * X, BASE.y)
    limits = ib.predict_limits(network, scaled, starts)
    for limit, start in zip(limits, starts, strict=True):
        expected = ib.predict_limit(network, scaled, start)
        size = np.abs(expected.coefficients).max()
        np.testing.assert_allclose(limit.coefficients, expected.coefficients, atol=1e-11 * size)


def test_programs_of_few_members_agree(monkeypatch):
    network, starts = network_and_starts("Theorem 5, L = 2")
    whole = ib.predict_limits(network, PROBLEMS, starts).coefficients
    monkeypatch.setattr(_stacked, "MEMBERS", (1, 1))
    few = ib.predict_limits(network, PROBLEMS, starts).coefficients
    np.testing.assert_allclose(few, whole, rtol=1e-12, atol=1e-14)


def test_arguments_that_do_not_fit_are_refused_by_member():
    network, starts = network_and_starts("Theorem 5, L = 2")
    with pytest.raises(ib.InvalidInputError, match="3 problems and 2 inits"):
        ib.predict_limits(network, PROBLEMS, starts[:2])
    with pytest.raises(ib.InvalidInputError, match="inits is empty"):
        ib.predict_limits(network, PROBLEMS, [])
    with pytest.raises(ib.InvalidInputError, match="member 1 has a str where a problem"):
        ib.predict_limits(network, [BASE, "data"], starts[:2])
    with pytest.raises(ib.InvalidInputError, match="member 1 has a ndarray where a Initialization"):
        ib.predict_limits(network, BASE, [starts[0], ETAS[0]])
    small = ib.Regression([[1.0, 2.0]], [1.0])
    with pytest.raises(ib.InvalidInputError, match="member 2: "):
        ib.predict_limits(network, [*PROBLEMS[:2], small], starts[0])
    with pytest.raises(ib.InvalidInputError, match="member 0 is a Classification"):
        ib.limit_paths(network, ib.Classification(X, np.sign(BASE.y)), starts[0], [1.0])
    with pytest.raises(ib.InvalidInputError, match="scales contains -1"):
        ib.limit_paths(network, BASE, starts, [1.0, -1.0])


def test_saved_and_loaded(tmp_path):
    network = ib.DiagonalNetwork(2, 2)
    start = ib.Initialization.last_layer_zero(network, np.ones(2), 0.1)
    good = ib.Regression([[1.0, 2.0]], [1.0])
    huge = ib.Initialization([np.array([1.0, 2.0]), np.array([0.5, 0.3])], log_scale=600.0)
    with pytest.warns(ib.CertificateWarning):
        limits = ib.predict_limits(network, good, [start, huge])
    paths = ib.limit_paths(network, good, start, [1.0, 0.1])
    paths = replace(paths, paths=(*paths.paths, None), refusals=limits.refusals)
    for result in (limits, paths):
        file = tmp_path / type(result).__name__
        ib.save(result, file)
        loaded = ib.load(file)
        np.testing.assert_array_equal(loaded.coefficients, result.coefficients)
        assert repr(loaded) == repr(result)
        with pytest.raises(ib.NoPredictionError, match="applies, but"):
            loaded[1]
        assert result.to_dict()["refusals"][0]["member"] == 1
        assert "refused" in result._repr_html_()


def test_other_targets_of_the_same_data():
    other = BASE.with_targets(np.arange(5.0))
    assert other.features is BASE.features
    np.testing.assert_array_equal(other.y, np.arange(5.0))
    np.testing.assert_array_equal(BASE.rows, other.rows)
    dependent = ib.Regression(np.vstack([X, X[:1]]), np.append(BASE.y, BASE.y[0]))
    assert dependent.with_targets(np.zeros(6)).rank == 5
    with pytest.raises(ib.InfeasibleProblemError):
        dependent.with_targets(np.arange(6.0))
    with pytest.raises(ib.InvalidInputError, match="y"):
        BASE.with_targets(np.ones(4))
