"""Rows: what they compute independently, and that they notice a wrong prediction."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from implicitbias.comparison import compare
from implicitbias.coordinates import lemma4
from implicitbias.theorems import limit_path
from implicitbias.verification import CHECKS, _lemma4, _regression, _woodworth, run_check, select

QUICK = [
    check
    for name in ("Lemma 4", "Theorem 6", "Woodworth", "aligned layers")
    for check in select(CHECKS, name)
]


@pytest.mark.parametrize("check", QUICK, ids=lambda check: check.title)
def test_quick_rows_agree(check):
    row = run_check(check)
    assert row.agrees, row.note
    assert row.measured.error <= 1e-11


def test_theorem_5_row_compares_both_flows_with_the_orthogonal_network():
    measured = _regression.theorem_5_diagonal(2, 0.1)
    assert measured.error <= 1e-9
    assert measured.holds
    assert measured.shape == (20, 100)
    assert [v.status for v in measured.assumptions] == ["holds"] * 5
    assert measured.settings["scale"] == 0.1


@pytest.mark.parametrize("z", [1e-6, 0.3, 5.0, 1e4])
def test_woodworths_potential_is_the_integral_of_its_slope(z):
    expected, _ = quad(lambda x: np.arcsinh(x / 2), 0, z, epsrel=1e-13, epsabs=0)
    assert float(_woodworth.q_2(np.array(z))) == pytest.approx(expected, rel=1e-11)


def perturbed(limit):
    return replace(limit, coefficients=limit.coefficients * (1 + 1e-7))


def test_a_wrong_limit_is_noticed(monkeypatch):
    predict_limit = _woodworth.predict_limit
    monkeypatch.setattr(_woodworth, "predict_limit", lambda *args: perturbed(predict_limit(*args)))
    row = run_check(select(CHECKS, "Woodworth")[0])
    assert not row.agrees
    assert row.measured.error == pytest.approx(1e-7, rel=1e-3)


def test_wrong_layers_are_noticed(monkeypatch):
    verify = _regression.verify

    def swapped(*args, **options):
        comparison = verify(*args, **options)
        first, second = comparison.limit.parameters
        return replace(comparison, limit=replace(comparison.limit, parameters=(first, -second)))

    monkeypatch.setattr(_regression, "verify", swapped)
    assert _regression.theorem_6_matrix().error == pytest.approx(2.0)
    assert _regression.aligned_layers((10, 6), 1.0).error == pytest.approx(2.0)


def test_the_minimum_norm_in_place_of_the_limit_of_aligned_layers_is_noticed(monkeypatch):
    verify = _regression.verify

    def at_zero(network, problem, init, **options):
        found = verify(network, problem, init, **options)
        return compare(found.flow, limit_path(network, problem, init, [0.0]).limits[0])

    monkeypatch.setattr(_regression, "verify", at_zero)
    row = run_check(select(CHECKS, "aligned layers")[0])
    assert not row.agrees
    assert row.measured.error > 1e-3


def test_another_result_than_the_row_names_is_noticed(monkeypatch):
    verify = _regression.verify

    def renamed(*args, **options):
        comparison = verify(*args, **options)
        return replace(comparison, limit=replace(comparison.limit, theorem="beyond Theorem 6"))

    monkeypatch.setattr(_regression, "verify", renamed)
    measured = _regression.theorem_6_matrix()
    assert not measured.holds
    assert "predicted by beyond Theorem 6 instead" in measured.note


def test_a_distance_that_does_not_shrink_is_noticed(monkeypatch):
    monkeypatch.setattr(_regression, "SHRINKING_SCALES", (0.1, 1.0))
    measured = _regression.fully_connected((10, 6))
    assert measured.error <= 1e-9
    assert not measured.holds
    assert "distance to the minimum-norm solution" in measured.note


@pytest.mark.parametrize("name", ["p", "q", "h", "h_inverse", "H"])
@pytest.mark.parametrize("row", [_lemma4.against_integration, _lemma4.against_closed_forms])
def test_every_function_of_lemma_4_is_measured(monkeypatch, name, row):
    function = getattr(lemma4, name)
    monkeypatch.setattr(
        _lemma4.lemma4, name, lambda value, depth: function(value, depth) * (1 + 1e-7)
    )
    assert row().error > 1e-8
