"""Theorems of one's own: registered, tried after the package's, asked for by name, checked."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from helpers.draws import normal
from implicitbias import (
    Certificate,
    Classification,
    ClosedForm,
    ConvolutionalNetwork,
    DiagonalNetwork,
    Initialization,
    InvalidInputError,
    Limit,
    NoPredictionError,
    Regression,
    Situation,
    Theorem,
    Verdict,
    explain,
    limit_path,
    predict_limit,
    register_theorem,
    sensitivity,
    simulate_limit,
    unregister_theorem,
)
from implicitbias.theorems._catalogue import CLASSIFICATION, FOUNDATIONS, REGRESSION
from implicitbias.theorems._registry import all_theorems

X, Y = normal(0, (3, 8), 3)
PROBLEM = Regression(X, Y)
SHORT, DIAGONAL = ConvolutionalNetwork(8, (3, 8)), DiagonalNetwork(8, 2)
NAME = "Proposition 9"


def short_first_filter(situation: Situation) -> Verdict:
    """The first filter is shorter than the data."""
    first = situation.network.layer_sizes[0]
    status = "holds" if first < situation.network.num_features else "fails"
    return Verdict("the first filter is short", status, float(first), "k_1")


def always(situation: Situation) -> Verdict:
    """Nothing."""
    return Verdict("nothing", "holds", 0.0)


def least_norm(situation, name, verdicts):
    """No theorem at all: the interpolator of least norm."""
    beta = np.linalg.lstsq(situation.rows.toarray(), situation.targets)[0]
    return Limit(beta, "point", name, Certificate(0.0, kkt_residual=0.0), verdicts)


MINE = Theorem(
    NAME,
    "regression",
    "beta tends to X^+ y",
    (short_first_filter,),
    ClosedForm(least_norm),
    "a network whose first filter is short",
    "made up",
)


@pytest.fixture
def registered():
    """Register theorems for the time of a test."""
    names = []

    def register(theorem):
        register_theorem(theorem)
        names.append(theorem.name)

    yield register
    for name in names:
        unregister_theorem(name)


def random(network, scale=0.3):
    return Initialization.random(network, scale, seed=1)


def test_it_speaks_where_no_other_does(registered):
    init = random(SHORT)
    with pytest.raises(NoPredictionError):
        predict_limit(SHORT, PROBLEM, init)
    registered(MINE)
    limit = predict_limit(SHORT, PROBLEM, init)
    assert limit.theorem == NAME
    assert [verdict.assumption for verdict in limit.assumptions] == ["the first filter is short"]
    np.testing.assert_allclose(limit.coefficients, np.linalg.pinv(X) @ Y, rtol=1e-12)
    found = explain(SHORT, PROBLEM, init)
    assert found.answer.result == NAME
    assert found[NAME].standing == "applies"
    assert NAME in str(found)
    assert simulate_limit(SHORT, PROBLEM, init).covered_by == NAME
    path = limit_path(SHORT, PROBLEM, init, [0.1, 1.0])
    assert path.theorem == NAME
    assert not path.refused.any()
    with pytest.raises(NoPredictionError, match="between 0 and infinity"):
        limit_path(SHORT, PROBLEM, init, [0.0])
    with pytest.raises(NoPredictionError, match="not that of a potential"):
        sensitivity(SHORT, PROBLEM, init)


def test_ours_goes_first_unless_it_is_asked_for(registered):
    registered(replace(MINE, assumptions=[always]))
    init = random(DIAGONAL)
    assert predict_limit(DIAGONAL, PROBLEM, init).theorem == "beyond Theorem 5"
    assert explain(DIAGONAL, PROBLEM, init).answer.result == "beyond Theorem 5"
    asked = predict_limit(DIAGONAL, PROBLEM, init, theorem=NAME)
    assert asked.theorem == NAME
    found = explain(DIAGONAL, PROBLEM, init)[NAME]
    np.testing.assert_array_equal(found.limit.coefficients, asked.coefficients)


def test_unregistered_it_is_forgotten():
    register_theorem(MINE)
    unregister_theorem(NAME)
    with pytest.raises(NoPredictionError, match="no regression theorem covers"):
        predict_limit(SHORT, PROBLEM, random(SHORT))
    with pytest.raises(InvalidInputError, match="'Proposition 9' was registered; there are: none"):
        unregister_theorem(NAME)


def test_the_packages_own_can_be_asked_for_by_name():
    init = Initialization.last_layer_zero(DIAGONAL, np.ones(8), 0.1)
    assert predict_limit(DIAGONAL, PROBLEM, init).theorem == "Corollary 5"
    limit = predict_limit(DIAGONAL, PROBLEM, init, theorem="Theorem 5")
    assert limit.theorem == "Theorem 5"
    with pytest.raises(NoPredictionError, match=r"Theorem 5 does not apply: (?s:.*)It needs"):
        predict_limit(DIAGONAL, PROBLEM, random(DIAGONAL), theorem="Theorem 5")
    with pytest.raises(NoPredictionError, match="lemma4"):
        predict_limit(DIAGONAL, PROBLEM, init, theorem="Lemma 4")
    with pytest.raises(InvalidInputError, match="no theorem 'Theorem 7' about regression; there"):
        predict_limit(DIAGONAL, PROBLEM, init, theorem="Theorem 7")
    with pytest.raises(InvalidInputError, match="no theorem 'Theorem 2' about regression"):
        predict_limit(DIAGONAL, PROBLEM, init, theorem="Theorem 2")


def test_feasibility_is_measured_again(registered):
    def wrong(situation, name, verdicts):
        return replace(least_norm(situation, name, verdicts), coefficients=np.ones(8))

    registered(replace(MINE, limit=ClosedForm(wrong)))
    with pytest.raises(NoPredictionError, match="certified only to"):
        predict_limit(SHORT, PROBLEM, random(SHORT))
    assert "certified only to" in explain(SHORT, PROBLEM, random(SHORT))[NAME].refusal


def test_directions_have_a_margin(registered):
    problem = Classification(X, [1, -1, 1])

    def direction(situation, name, verdicts):
        beta = np.linalg.lstsq(situation.rows.toarray(), situation.targets)[0]
        return Limit(beta, "direction", name, Certificate(0.0, kkt_residual=0.0), ())

    mine = replace(MINE, task="classification", limit=ClosedForm(direction))
    registered(mine)
    limit = predict_limit(SHORT, problem, random(SHORT))
    assert limit.kind == "direction"
    assert limit.assumptions[0].assumption == "the first filter is short"

    for factor in (0.0, 2.0):  # margins of 0 and of 2, where 1 is expected
        found = limit.coefficients * factor
        scaled = Limit(found, "direction", NAME, Certificate(0.0, kkt_residual=0.0), ())
        solve = partial(lambda limit, *_: limit, scaled)
        registered(replace(mine, name=f"times {factor}", limit=ClosedForm(solve)))
        with pytest.raises(NoPredictionError, match="certified only to 1"):
            predict_limit(SHORT, problem, random(SHORT), theorem=f"times {factor}")


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (np.ones(8), "is a ndarray; expected a Limit"),
        (None, "is a NoneType; expected a Limit"),
        (Limit(np.ones(7), "point", NAME, Certificate(0.0), ()), r"shape \(7,\)"),
        (Limit(np.ones(8), "direction", NAME, Certificate(0.0), ()), "is a 'direction'"),
        (Limit(np.ones(8) * 1j, "point", NAME, Certificate(0.0), ()), "is complex"),
        (Limit(np.full(8, np.nan), "point", NAME, Certificate(0.0), ()), "contains nan at index 0"),
        (Limit(["a"] * 8, "point", NAME, Certificate(0.0), ()), "not numeric"),
        (Limit(np.ones(8), "point", NAME, None, ()), "whose certificate is None"),
        (Limit(np.ones(8), "point", NAME, Certificate("0"), ()), "whose feasibility is '0'"),
        (Limit(np.ones(8), "point", NAME, Certificate(0.0), ("fine",)), "whose assumptions is"),
        (Limit(np.ones(8), "point", NAME, Certificate(0.0), (), (np.ones(3),)), "has 1 layers"),
    ],
)
def test_what_is_no_limit_is_refused(registered, returned, said):
    registered(replace(MINE, limit=ClosedForm(lambda *_: returned)))
    with pytest.raises(InvalidInputError, match=said):
        predict_limit(SHORT, PROBLEM, random(SHORT))


def test_what_is_no_verdict_is_refused(registered):
    def careless(situation):
        """All is well."""
        return True

    registered(replace(MINE, assumptions=(careless,)))
    with pytest.raises(InvalidInputError, match="'All is well' was measured as a bool"):
        predict_limit(SHORT, PROBLEM, random(SHORT))


@pytest.mark.parametrize("certificate", [Certificate(np.nan), Certificate(0.0, gap=-1.0)])
def test_a_certificate_is_a_magnitude(registered, certificate):
    def lied(*arguments):
        return replace(least_norm(*arguments), certificate=certificate)

    registered(replace(MINE, limit=ClosedForm(lied)))
    with pytest.raises(NoPredictionError, match="certified only to"):
        predict_limit(SHORT, PROBLEM, random(SHORT))


@pytest.mark.parametrize("path", [[], None])
def test_a_path_has_as_many_limits_as_scales(registered, path):
    class Odd(ClosedForm):
        __hash__ = None  # what is not hashed is taken as well

        def path(self, *arguments):
            return path

    registered(replace(MINE, limit=Odd(least_norm)))
    assert explain(SHORT, PROBLEM, random(SHORT))[NAME].limit is not None
    with pytest.raises(InvalidInputError, match="expected a list of 2, one a scale"):
        limit_path(SHORT, PROBLEM, random(SHORT), [0.1, 1.0])


@pytest.mark.parametrize("verdict", [Verdict("all", "maybe", 0.0), Verdict("all", "holds", "none")])
def test_a_verdict_has_a_status_and_a_number(registered, verdict):
    def careless(situation):
        """All is well."""
        return verdict

    registered(replace(MINE, assumptions=(careless,)))
    with pytest.raises(InvalidInputError, match="which is not of the type that it has"):
        predict_limit(SHORT, PROBLEM, random(SHORT))


def test_what_raises_says_whose_it_is(registered):
    def failing(situation: Situation) -> Verdict:
        """Nothing fails."""
        raise ZeroDivisionError("by design")

    def solve(situation, name, verdicts):
        raise np.linalg.LinAlgError("by design")

    init = random(SHORT)
    registered(replace(MINE, assumptions=(failing,)))
    with pytest.raises(ZeroDivisionError) as caught:
        explain(SHORT, PROBLEM, init)
    assert "nothing fails" in caught.value.__notes__[0].lower()
    registered(replace(MINE, name="Proposition 10", limit=ClosedForm(solve)))
    with pytest.raises(np.linalg.LinAlgError) as caught:
        predict_limit(SHORT, PROBLEM, init, theorem="Proposition 10")
    assert "Proposition 10" in caught.value.__notes__[0]


def undocumented(situation):
    return always(situation)


@pytest.mark.parametrize(
    ("theorem", "said"),
    [
        ("Theorem 9", "theorem is a str; expected a Theorem"),
        (replace(MINE, name=" "), "name is ' '"),
        (replace(MINE, statement=None), "statement is None"),
        (replace(MINE, name="Theorem 5"), "'Theorem 5' already"),
        (replace(MINE, task="clustering"), "task of 'Proposition 9' is 'clustering'"),
        (replace(MINE, limit=least_norm), "is a function; expected a LimitProblem"),
        (replace(MINE, assumptions=()), "at least one"),
        (replace(MINE, assumptions=always), "at least one"),
        (replace(MINE, assumptions=(always, undocumented)), "assumption 2 of 'Proposition 9'"),
        (replace(MINE, assumptions=(3,)), "assumption 1 of 'Proposition 9' is 3"),
    ],
)
def test_entries_are_checked(theorem, said):
    with pytest.raises(InvalidInputError, match=said):
        register_theorem(theorem)


def test_a_name_is_taken_once(registered):
    registered(MINE)
    with pytest.raises(InvalidInputError, match="unregister_theorem first"):
        register_theorem(MINE)


def test_ours_would_pass_the_same_checks():
    before = all_theorems()
    for number, theorem in enumerate((*REGRESSION, *CLASSIFICATION, *FOUNDATIONS)):
        renamed = replace(theorem, name=f"number {number}")
        register_theorem(renamed)
        assert [one.name for one in all_theorems()][len(before) :] == [renamed.name]
        unregister_theorem(renamed.name)
    assert number > 10
