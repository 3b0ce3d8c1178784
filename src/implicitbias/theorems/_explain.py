"""explain: every result of the theory held against one situation."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from textwrap import fill
from typing import Any, Literal, get_args

from implicitbias._arrays import largest_allowed
from implicitbias._errors import ImplicitBiasError, InvalidInputError
from implicitbias._html import Badge, Mark
from implicitbias._names import renamed
from implicitbias._results import Record, plain
from implicitbias._threads import threads_for
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression
from implicitbias.theorems._assumptions import needs_of, title, verdict_of
from implicitbias.theorems._dropped_rows import answered, dropped_rows
from implicitbias.theorems._limit_problem import LimitProblem
from implicitbias.theorems._registry import all_theorems, task_of
from implicitbias.theorems._situation import Situation, refuse_sparse, situation_of
from implicitbias.theorems._theorem import Theorem

Standing = Literal["applies", "may apply", "does not apply"]
MARKS: dict[Standing, Mark] = {"applies": "good", "may apply": "open", "does not apply": "other"}
COLUMNS = 80
INDENT = 6 * " "
PREDICTION = ("kind", "certificate", "coefficients", "note")  # of a limit, in a dictionary
# Never broken: names of results, and calls.
WHOLE = re.compile(r"(?:Theorem|Corollary|Lemma|Assumption) \d|[\w.]+\([^()]*\)")


@dataclass(frozen=True, eq=False, repr=False)
class Finding(Record):
    """One result, held against a situation.

    Attributes
    ----------
    result, statement, source
        Its name, its conclusion in one line, and where it is proved.
    standing
        "applies", "may apply" where an assumption is undecided, or "does not apply".
    assumptions
        The verdicts, each with its number.
    unmeasured
        Assumptions that mean nothing here, and why.
    limit
        The prediction, or None.
    refusal
        Why there is none although the result applies, or "".
    remedy
        Which network, problem and initialization make the result apply.
    names_limit
        Whether there is a limit that it names, as ``predict_limit`` needs.
    """

    result: str
    statement: str
    source: str
    standing: Standing
    assumptions: tuple[Verdict, ...]
    unmeasured: tuple[str, ...]
    limit: Limit | None
    refusal: str
    remedy: str
    names_limit: bool = True

    def _short(self) -> str:
        return f"{self.standing}: {self.result}, {self.statement}"

    def _badge(self) -> Badge:
        return Badge(self.standing, MARKS[self.standing])

    def __str__(self) -> str:
        lines = [
            f"{self.result} {self.standing}: {self.statement}",
            *(f"  {verdict}" for verdict in self.assumptions),
            *(f"  not measured: {text}" for text in self.unmeasured),
        ]
        if self.limit is not None:
            lines.append(f"  predicts a {self.limit.kind}, {self.limit.certificate}")
        if self.refusal:
            lines.append(f"  no prediction: {self.refusal}")
        if self.standing == "does not apply":
            lines.append(f"  needs: {self.remedy}")
        return _wrapped("\n".join(lines))

    def brief(self) -> str:
        """As ``str``, of a result that does not apply only what is in its way."""
        if self.standing != "does not apply":
            return str(self)
        failing = [f"  {verdict}" for verdict in self.assumptions if verdict.fails]
        unknown = [f"  not measured: {text}" for text in self.unmeasured]
        lines = [
            f"{self.result} {self.standing}: {self.statement}",
            *(failing or unknown),
            f"  needs: {self.remedy}",
        ]
        return _wrapped("\n".join(lines))

    def to_dict(self) -> dict[str, Any]:
        """What ``json.dumps`` takes."""
        limit = self.limit
        return {
            "result": self.result,
            "standing": self.standing,
            "statement": self.statement,
            "source": self.source,
            "assumptions": plain(self.assumptions),
            "unmeasured": list(self.unmeasured),
            "prediction": None
            if limit is None
            else {name: plain(getattr(limit, name)) for name in PREDICTION},
            "refusal": self.refusal,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Record):
    """What the theory says of a network, a problem and an initialization, result by result.

    Attributes
    ----------
    situation
        The three in words.
    task
        "regression" or "classification".
    data
        Whether the problem has a solution: X z = y, or a separating z.
    findings
        One per result about this task, most specific first.
    elsewhere
        The names of the results about the other task.
    finite_steps
        Whether runs of gradient descent from here have an effective start, ``Run.effective_start``.
    """

    situation: tuple[str, str, str]
    task: str
    data: Verdict
    findings: tuple[Finding, ...]
    elsewhere: tuple[str, ...]
    finite_steps: Verdict | None = None

    def _short(self) -> str:
        named = "no prediction" if self.limit is None else f"answered by {self.limit.theorem}"
        able = sum(one.standing != "does not apply" for one in self.findings)
        return f"{self.task}: {named}; {able} of {len(self.findings)} results may apply"

    @property
    def answer(self) -> Finding | None:
        """The first result that may apply and names a limit: the one ``predict_limit`` solves."""
        able = (one for one in self.findings if one.standing != "does not apply")
        return next((one for one in able if one.names_limit), None)

    @property
    def limit(self) -> Limit | None:
        """What ``predict_limit`` returns; None where it refuses."""
        return None if self.answer is None else self.answer.limit

    def __getitem__(self, result: str) -> Finding:
        """The finding on a result, by its name."""
        for finding in self.findings:
            if finding.result == result:
                return finding
        known = "; ".join(finding.result for finding in self.findings)
        raise InvalidInputError(f"no result {result!r} about {self.task}; there are {known}.")

    def __str__(self) -> str:
        other = "classification" if self.task == "regression" else "regression"
        ordered = sorted(self.findings, key=lambda one: get_args(Standing).index(one.standing))
        elsewhere = "; ".join(name.replace(" ", "\xa0") for name in self.elsewhere)
        blocks = [
            "\n".join((*self.situation, str(self.data))),
            self._headline(),
            *(finding.brief() for finding in ordered),
            *([] if self.finite_steps is None else [f"Finite steps: {self.finite_steps}"]),
            f"For {other}: {elsewhere}.",
        ]
        return _wrapped("\n\n".join(blocks))

    def _headline(self) -> str:
        if self.answer is not None and self.limit is not None:
            measured = self.answer.assumptions  # they follow, result by result
            open_ = [v for v in self.limit.assumptions if v not in measured and not v.holds]
            return f"predict_limit answers: {replace(self.limit, assumptions=tuple(open_))}"
        if self.answer is not None:
            return f"{self.answer.result} applies, but predict_limit refuses: {self.answer.refusal}"
        if self.data.fails:
            return (
                "The data have no solution, so there is nothing to predict: add features (a column "
                "of ones for an intercept, products), or drop the points that contradict."
            )
        return (
            f"No {self.task} theorem predicts where training ends. What the flow finds: "
            "simulate_limit(network, problem, init)."
        )

    def to_dict(self) -> dict[str, Any]:
        """What ``json.dumps`` takes."""
        network, problem, init = self.situation
        return {
            "network": network,
            "problem": problem,
            "initialization": init,
            "task": self.task,
            "data": self.data.to_dict(),
            "answer": None if self.limit is None else self.limit.theorem,
            "results": [finding.to_dict() for finding in self.findings],
            "elsewhere": list(self.elsewhere),
            "finite_steps": plain(self.finite_steps),
        }


@renamed(tol="certified_to")
def explain(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    certified_to: float = CERTIFIED,
) -> Explanation:
    """Hold every result of the theory against a situation, with a number for each assumption.

    It refuses nothing but input that does not fit together: a result that does not apply says so,
    with what would make it apply; data without a solution are a verdict.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where.
    certified_to
        The largest certificate (relative) that still counts as a prediction.

    Raises
    ------
    InvalidInputError
        Network, problem and initialization do not fit together.

    Notes
    -----
    Source: Lemma 4, Theorems 1, 2, 3, 5, 6 and Corollaries 1 to 6 of Yun, Krishnan and Mobahi (ICLR
    2021), with the results beyond them that ``predict_limit`` uses.
    """
    certified_to = largest_allowed(certified_to, "certified_to")
    situation = situation_of(network, problem, init)
    refuse_sparse(situation, "explain")
    task, data = task_of(problem), _data(problem)
    known: dict[LimitProblem, Limit | str] = {}
    results = all_theorems()
    with threads_for(problem.X.size):
        findings = tuple(
            _finding(result, situation, data, known, certified_to)
            for result in results
            if result.task == task
        )
    return Explanation(
        (repr(network), repr(problem), repr(init)),
        task,
        data,
        findings,
        tuple(result.name for result in results if result.task != task),
        _finite_steps(situation),
    )


def _finite_steps(situation: Situation) -> Verdict:
    """Whether layers decouple in real clocks, or there are two and one point."""
    says = "runs of gradient descent have an effective start"
    whole = situation.decomposition.verdict
    found = Verdict(says, whole.status, whole.value, f"it needs {whole.assumption}")
    if whole.holds:
        reduction = situation.decoupled(situation.problem.X).reduction
        verdicts = (reduction.data_verdict, reduction.start_verdict)
        failed = next((each for each in verdicts if not each.holds), None)
        if failed is None:
            return Verdict(says, "holds", whole.value, "layers decouple in real clocks")
        found = Verdict(says, "fails", failed.value, f"it needs that {failed.assumption}")
    if situation.network.depth == 2 and situation.is_one_point:
        return Verdict(says, "holds", 0.0, "two layers and one point")
    return found


def _data(problem: Regression | Classification) -> Verdict:
    if isinstance(problem, Classification):
        return problem.separability().verdict
    return Verdict(
        "X z = y has a solution",
        "holds",
        problem.inconsistency,
        f"the worst contradiction among {problem.num_points} rows of rank {problem.rank}",
    )


def _finding(
    result: Theorem,
    situation: Situation,
    data: Verdict,
    known: dict[LimitProblem, Limit | str],
    certified_to: float,
) -> Finding:
    verdicts, unmeasured = _measured(result, situation)
    if data.fails and result.needs_solution:
        verdicts = (replace(data, detail=""), *verdicts)
    standing: Standing = (
        "does not apply"
        if unmeasured or any(verdict.fails for verdict in verdicts)
        else "applies"
        if all(verdict.holds for verdict in verdicts)
        else "may apply"
    )
    limit, refusal = None, ""
    if standing != "does not apply":
        if result.limit not in known:
            known[result.limit] = _predicted(result, situation, certified_to)
        found = known[result.limit]
        if isinstance(found, str):
            refusal = found
        else:
            limit = replace(found, theorem=result.name, assumptions=(*verdicts, *found.assumptions))
    return Finding(
        result.name,
        result.statement,
        result.source,
        standing,
        verdicts,
        unmeasured,
        limit,
        refusal,
        result.remedy,
        result.limit.exists,
    )


def _measured(result: Theorem, situation: Situation) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    """All verdicts, and what could not be measured because of what it rests on."""
    verdicts: list[Verdict] = []
    unmeasured: list[str] = []
    for predicate in result.assumptions:
        name = title(predicate)
        try:
            missing = next((one for one in needs_of(predicate) if one(situation).fails), None)
            if missing is not None:
                unmeasured.append(f"{name} (it needs: {title(missing)})")
            else:
                verdicts.append(verdict_of(predicate, situation))
        except InvalidInputError as error:
            unmeasured.append(f"{name} ({error})")
    return tuple(verdicts), tuple(unmeasured)


def _predicted(result: Theorem, situation: Situation, certified_to: float) -> Limit | str:
    """The limit with the verdicts that came with solving it, or why there is none."""
    try:
        limit = result.limit.at(situation, result.name, dropped_rows(situation.problem))
    except ImplicitBiasError as error:
        return str(error)
    if not limit.certificate.worst <= certified_to:
        return f"found, but certified only to {limit.certificate.worst:.1e} ({limit.certificate})"
    return answered(limit, certified_to)


def _in_one_piece(found: re.Match[str]) -> str:
    return found[0].replace(" ", "\xa0") if len(INDENT + found[0]) < COLUMNS else found[0]


def _wrapped(text: str) -> str:
    """The lines in ``COLUMNS`` columns, with names of results and calls that fit in one piece."""
    lines = WHOLE.sub(_in_one_piece, text).split("\n")
    wrapped = "\n".join(
        fill(
            line,
            COLUMNS,
            subsequent_indent=INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines
    )
    return wrapped.replace("\xa0", " ")
