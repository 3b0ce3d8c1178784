"""Predicates: what they need, and how they are told to users."""

import inspect
import re

import pytest

from implicitbias.theorems import _assumptions as measured
from implicitbias.theorems import _pair_assumptions as pairs
from implicitbias.theorems import _saddle_assumptions as saddles
from implicitbias.theorems._catalogue import CLASSIFICATION, FOUNDATIONS, REGRESSION
from implicitbias.theorems._finite_loss import FINITE_LOSS
from implicitbias.theorems._neighbours import NEIGHBOURS

THEOREMS = (*REGRESSION, *CLASSIFICATION, *FOUNDATIONS, *FINITE_LOSS, *NEIGHBOURS)
PREDICATES = sorted(
    {one for theorem in THEOREMS for one in theorem.assumptions}, key=lambda one: one.__name__
)
# What of a situation has a meaning only under an assumption.
UNDER = {
    r"situation\.(coordinates|reduction|curves|reach|potential)\b|kept_signs\(|_outside\(": (
        measured.orthogonally_decomposable,
    ),
    r"situation\.(curves|reach|potential)\b|kept_signs\(": (measured.single_data_phase,),
    r"situation\.one_point\b": (measured.two_layers, measured.single_point),
}
ALONE = {measured.single_point}  # asks for the depth and the rank itself


def all_needs(predicate):
    """Those of a predicate, and theirs."""
    found = set(measured.needs_of(predicate))
    return found.union(*(all_needs(one) for one in found))


@pytest.mark.parametrize("predicate", PREDICATES, ids=lambda one: one.__name__)
def test_a_predicate_needs_what_its_quantities_do(predicate):
    source = inspect.getsource(predicate)
    for pattern, needed in UNDER.items():
        if re.search(pattern, source) and predicate not in ALONE:
            needs = all_needs(predicate)
            if not needs & {pairs.two_sided, saddles.decouples}:  # else by structure, or either way
                assert set(needed) <= needs, pattern


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda one: one.name)
def test_what_is_needed_comes_first(theorem):
    """Measured one after the other, an assumption never meets a situation without its needs."""
    for index, predicate in enumerate(theorem.assumptions):
        before = set(theorem.assumptions[:index])
        if measured.diagonal in before or measured.full_length_filters in before:
            before |= {measured.orthogonally_decomposable}  # by structure
        assert all_needs(predicate) <= before, predicate.__name__


@pytest.mark.parametrize("predicate", PREDICATES, ids=lambda one: one.__name__)
def test_the_first_line_of_a_predicate_can_be_shown(predicate):
    shown = measured.title(predicate)
    assert 5 <= len(shown) <= 100
    assert not shown.endswith(".")
    assert "``" not in shown
