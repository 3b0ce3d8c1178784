"""predict_limit: the first result whose assumptions hold, solved and certified."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from implicitbias._arrays import largest_allowed
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._names import renamed
from implicitbias._threads import threads_for
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.initialization import Initialization
from implicitbias.limits import MAX_ITERATIONS, Limit
from implicitbias.networks import Activation, AnyActivation, Network, as_activation
from implicitbias.problems import Classification, Regression
from implicitbias.theorems._dropped_rows import answered, dropped_rows
from implicitbias.theorems._registry import task_of, theorem_called, theorems_about
from implicitbias.theorems._sensitivity import Sensitivity
from implicitbias.theorems._situation import (
    Situation,
    in_moderate_units,
    refuse_sparse,
    situation_of,
)
from implicitbias.theorems._theorem import Theorem


@renamed(tol="certified_to")
def predict_limit(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    certified_to: float = CERTIFIED,
    max_iterations: int = MAX_ITERATIONS,
    activation: AnyActivation | None = None,
    theorem: str | None = None,
) -> Limit:
    """lim_{t -> infinity} beta(Theta(t)), without training.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where.
    certified_to
        The largest certificate (relative) that still counts as an answer. Where rows count as
        dependent that may be data (see ``Regression``), that of the limit of the other rows;
        ``error`` is infinite then.
    max_iterations
        Newton steps after which the path to a scale is given up.
    activation
        phi of the hidden layers, as for ``gradient_flow``; refused unless it is the identity.
    theorem
        The name of the result to use, in place of the first that applies.

    Returns
    -------
    Limit
        By the most specific result of the theory that applies, with a verdict on each assumption.

    Raises
    ------
    NoPredictionError
        No result applies: the message lists, for each, the assumption that fails and its number.
        Or a limit was found but its certificate is worse than ``certified_to``, or none was in
        ``max_iterations`` (``partial`` is how far they led), or the activation is not linear.
    InfeasibleProblemError
        The two classes are not linearly separable; ``evidence`` is the Farkas vector.
    InvalidInputError
        Network, problem and initialization do not fit together.

    Notes
    -----
    Source: Theorems 2, 3, 5 and 6 and Corollaries 1 to 6 of Yun, Krishnan and Mobahi, "A
    unifying view on implicit bias in training linear neural networks", ICLR 2021, and the dual flow
    for every other real start.
    """
    certified_to = largest_allowed(certified_to, "certified_to")
    situation = situation_of(network, problem, init, max_iterations)
    if activation is not None:
        _require_linear(as_activation(activation))
    return predicted(situation, certified_to, theorem)


def predicted(
    situation: Situation, certified_to: float = CERTIFIED, theorem: str | None = None
) -> Limit:
    """``predict_limit`` of what has been checked."""
    problem, exponent = situation.problem, 0
    with threads_for(problem.X.size):
        if isinstance(problem, Classification):
            problem.require_separable()
            situation, exponent = in_moderate_units(situation)

        def ask(result: Theorem, verdicts: tuple[Verdict, ...]) -> Limit:
            limit = result.limit.at(situation, result.name, verdicts)
            limit = _in_units(limit, -exponent) if exponent else limit
            return certified(limit, situation, result, verdicts, certified_to)

        if theorem is not None:
            return ask(*_asked(situation, theorem))
        return first_answer(situation, ask)


def certified(
    limit: Limit,
    situation: Situation,
    result: Theorem,
    verdicts: tuple[Verdict, ...],
    certified_to: float,
) -> Limit:
    """The limit, if its certificate is as good as asked for."""
    if not limit.certificate.worst <= certified_to:
        open_ = [str(verdict) for verdict in verdicts if verdict.status == "undecided"]
        raise NoPredictionError(
            f"{result.name} applies, but its limit was certified only to "
            f"{limit.certificate.worst:.1e} ({limit.certificate}); asked for {certified_to:.1e}. "
            f"Pass a larger certified_to, or {situation.easier}."
            + "".join(f" It is {text}." for text in open_),
            verdicts,
            limit.certificate,
        )
    return answered(limit, certified_to)


def _in_units(limit: Limit, exponent: int) -> Limit:
    """The direction, its spectrum and multipliers times 2^exponent."""
    with np.errstate(over="ignore", under="ignore"):
        beta = np.ldexp(limit.coefficients, exponent)
    if not np.isfinite(beta).all() or np.abs(beta).max() < np.finfo(np.float64).tiny:
        raise NoPredictionError(
            f"{limit.theorem} applies, but the direction whose smallest margin is 1 does not fit "
            "float64. Give the features in units that make them of moderate size.",
            limit.assumptions,
        )
    with np.errstate(over="ignore", under="ignore"):
        factors = np.ldexp(1.0, exponent // 2), np.ldexp(1.0, exponent - exponent // 2)
        spectrum = None if limit.spectrum is None else limit.spectrum * factors[0] * factors[1]
        dual = None if limit.dual is None else np.ldexp(limit.dual, exponent)
    rate = limit.loss_rate
    if rate is not None:  # the squares of the layers are those of another beta
        shift = 2.0 * exponent / rate.degree * float(np.log(2.0))
        rate = replace(rate, log_constant=rate.log_constant + shift)
    return replace(limit, coefficients=beta, spectrum=spectrum, dual=dual, loss_rate=rate)


def _require_linear(activation: Activation) -> None:
    """Refuse phi that is not the identity."""
    size = activation.nonlinearity
    if size > 0.0:
        verdict = Verdict("linearity, phi(z) = z", "fails", size, "the largest |phi(z) - z| / |z|")
        raise NoPredictionError(
            f"the theory is about linear networks, and activation {activation.name!r} is not "
            f"linear: {verdict}. What its flow finds: simulate_limit(network, problem, init, "
            "activation=...).",
            [verdict],
        )


def applicable(situation: Situation) -> tuple[Theorem, tuple[Verdict, ...]]:
    """The first result none of whose assumptions fails, with its verdicts; measured once.

    Raises
    ------
    NoPredictionError
        Every result has a failing assumption; all verdicts are kept on the error.
    """
    if "applicable" not in situation.derived:
        situation.derived["applicable"] = _first_applicable(situation)
    found: tuple[Theorem, tuple[Verdict, ...]] = situation.derived["applicable"]
    return found


def applicable_in_turn(situation: Situation) -> Iterator[tuple[Theorem, tuple[Verdict, ...]]]:
    """Each result none of whose assumptions fails, and whose limit is computed in a way of its own.

    Where the first cannot be solved or certified, or names no limit at an end of the scale, another
    may. One that speaks of another scale than the start's speaks first or not at all.

    Raises
    ------
    NoPredictionError
        As ``applicable``.
    """
    first, verdicts = applicable(situation)
    yield first, verdicts
    tried = [first.limit]
    theorems = theorems_about(task_of(situation.problem))
    for result in theorems[theorems.index(first) + 1 :]:
        if result.limit in tried or not result.limit.at_own_scale:
            continue
        verdicts = result.measure(situation)
        if not any(verdict.fails for verdict in verdicts):
            tried.append(result.limit)
            yield result, (*verdicts, *dropped_rows(situation.problem))


def first_answer(
    situation: Situation, ask: Callable[[Theorem, tuple[Verdict, ...]], Limit]
) -> Limit:
    """What is answered first by the results that apply, in turn.

    Raises
    ------
    NoPredictionError
        None answers: as the first says.
    """
    refusals: list[NoPredictionError] = []
    for result, verdicts in applicable_in_turn(situation):
        try:
            return ask(result, verdicts)
        except NoPredictionError as error:
            refusals.append(error)
    raise refusals[0]  # there is a first result, or applicable_in_turn has raised


def _asked(situation: Situation, name: str) -> tuple[Theorem, tuple[Verdict, ...]]:
    """The result of that name, if none of its assumptions fails."""
    result = theorem_called(name, task_of(situation.problem))
    verdicts = result.measure(situation)
    if verdicts[-1].fails:
        raise NoPredictionError(
            f"{name} does not apply: {verdicts[-1]}. It needs {result.remedy}.", verdicts
        )
    return result, (*verdicts, *dropped_rows(situation.problem))


def _first_applicable(situation: Situation) -> tuple[Theorem, tuple[Verdict, ...]]:
    failed: list[tuple[Theorem, tuple[Verdict, ...]]] = []
    for result in theorems_about(task_of(situation.problem)):
        verdicts = result.measure(situation)
        if not any(verdict.fails for verdict in verdicts):
            return result, (*verdicts, *dropped_rows(situation.problem))
        failed.append((result, verdicts))
    lines = [f"  {result.name}: {verdicts[-1]}" for result, verdicts in failed]
    instead = (
        "What the flow finds, beside the points of least norm: "
        "simulate_limit(network, problem, init); its course: "
        "flow = gradient_flow(network, problem, init)"
    )
    if isinstance(situation.problem, Classification) and situation.network.is_multilinear:
        instead += (
            ".\nTheorem 1 names no single limit but covers every linear network: "
            "theorem_1(network, problem, flow) measures it at the flow's end"
        )
    raise NoPredictionError(
        f"no {task_of(situation.problem)} theorem covers gradient flow of {situation.network!r} on "
        "this problem and start:\n"
        + "\n".join(lines)
        + f"\n{instead}. What would have to change: explain(network, problem, init).",
        [verdict for _, verdicts in failed for verdict in verdicts],
    )


def require_applicable(situation: Situation) -> None:
    """Refuse what ``predict_limit`` refuses before it solves anything.

    Raises
    ------
    NoPredictionError, InfeasibleProblemError
        As ``predict_limit``.
    """
    if isinstance(situation.problem, Classification):
        situation.problem.require_separable()
        situation = in_moderate_units(situation)[0]
    applicable(situation)


def sensitivity(network: Network, problem: Regression, init: Initialization) -> Sensitivity:
    """Derivatives of lim beta(Theta(t)) for decomposable networks.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where.

    Raises
    ------
    InvalidInputError
        Arguments that do not fit together, or a classification problem.
    NoPredictionError
        The limit does not come from a potential (Theorem 5 and beyond).

    Notes
    -----
    Source: the implicit function theorem on the optimality conditions of Theorem 5 of Yun, Krishnan
    and Mobahi (ICLR 2021).
    """
    if not isinstance(problem, Regression):
        raise InvalidInputError("sensitivity needs a Regression.")
    situation = situation_of(network, problem, init)
    refuse_sparse(situation, "sensitivity")
    result, verdicts = applicable(situation)
    return result.limit.sensitivity(situation, result.name, verdicts)
