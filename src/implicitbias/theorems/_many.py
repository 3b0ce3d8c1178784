"""predict_limits and limit_paths: many limits in one call, small ones as one array program."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from implicitbias._arrays import ArrayLike, largest_allowed
from implicitbias._errors import (
    CertificateWarning,
    ImplicitBiasError,
    InvalidInputError,
    NoPredictionError,
)
from implicitbias._threads import threads_for
from implicitbias._verdicts import CERTIFIED
from implicitbias.initialization import Initialization
from implicitbias.limits import MAX_ITERATIONS, Limit
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression
from implicitbias.theorems._along import checked_values
from implicitbias.theorems._dropped_rows import answered
from implicitbias.theorems._limit_problem import Member
from implicitbias.theorems._limits import LimitPaths, Limits, Refusal
from implicitbias.theorems._path import LimitPath, whole_path
from implicitbias.theorems._predict import applicable, predicted
from implicitbias.theorems._situation import Situation, situation_of

Problem = Regression | Classification
Answer = TypeVar("Answer")


def predict_limits(
    network: Network,
    problems: Problem | Sequence[Problem],
    inits: Initialization | Sequence[Initialization],
    *,
    certified_to: float = CERTIFIED,
    max_iterations: int = MAX_ITERATIONS,
) -> Limits:
    """``predict_limit`` for many problems and starts in one call.

    Limits of small regressions by diagonal and two-sided networks are found together, as rows of
    arrays, with the certificates that ``predict_limit`` gives; whoever does not get through there,
    and all others, one by one. Many targets on one X: ``problem.with_targets(y)`` for each.

    Parameters
    ----------
    network
        What is trained.
    problems, inits
        B of them each, member by member; or one, which all members share.
    certified_to, max_iterations
        As for ``predict_limit``.

    Returns
    -------
    Limits
        In order. A member that ``predict_limit`` would refuse has no limit, and its refusal says
        why; the others keep theirs.

    Warns
    -----
    CertificateWarning
        Some members were refused.

    Raises
    ------
    InvalidInputError
        Arguments that do not fit together; the sentence names the member.
    """
    certified_to = largest_allowed(certified_to, "certified_to")
    members = _paired(problems, inits)
    starts, jobs = _Starts(network, max_iterations), {}
    for place, (problem, init) in enumerate(members):
        key = id(problem), starts.key(init)
        if key not in jobs:
            jobs[key] = _Job(starts.situation(place, problem, init), [], [])
        jobs[key].log_scales.append(init.log_scale)
        jobs[key].places.append(place)
    found: list[Limit | None] = [None] * len(members)
    for job, limits in zip(jobs.values(), _together(jobs.values(), certified_to), strict=True):
        for place, limit in zip(job.places, limits, strict=True):
            if limit is not None and limit.num_iterations <= max_iterations:
                found[place] = limit

    def one(index: int) -> Limit:
        known = found[index]
        if known is not None:
            return known
        problem, init = members[index]
        return predicted(situation_of(network, problem, init, max_iterations), certified_to)

    whole, refusals = _answers(len(members), one)
    _warn(refusals, len(members), 0)
    return Limits(whole, refusals)


def limit_paths(
    network: Network,
    problems: Regression | Sequence[Regression],
    inits: Initialization | Sequence[Initialization],
    scales: ArrayLike,
    *,
    certified_to: float = CERTIFIED,
) -> LimitPaths:
    """``limit_path`` for many problems and starts over the same scales, in one call.

    Parameters
    ----------
    network
        What is trained.
    problems, inits
        B of them each, member by member; or one, which all members share. The scales of the
        initializations are ignored.
    scales
        alpha >= 0, in any order, 0 and infinity included.
    certified_to
        As for ``limit_path``.

    Returns
    -------
    LimitPaths
        In order. A member that ``limit_path`` would refuse has no path, and its refusal says why.

    Warns
    -----
    CertificateWarning
        Some members were refused, or could not be certified at some scales (NaN, as in
        ``limit_path``).

    Raises
    ------
    InvalidInputError
        Arguments that do not fit together; the sentence names the member.
    """
    alphas = checked_values(scales, "scales", "scale")
    certified_to = largest_allowed(certified_to, "certified_to")
    members = _paired(problems, inits)
    for index, (problem, _) in enumerate(members):
        if isinstance(problem, Classification):
            raise InvalidInputError(
                f"member {index} is a Classification, and limit_paths needs Regressions: in "
                "classification the limit direction forgets the scale."
            )
    with np.errstate(divide="ignore"):
        logs = np.log(alphas).tolist()
    starts = _Starts(network, MAX_ITERATIONS)
    jobs = [_Job(starts.situation(place, *each), logs, []) for place, each in enumerate(members)]
    found = _together(jobs, certified_to)

    def one(index: int) -> LimitPath:
        job, limits = jobs[index], found[index]
        left = np.array([k for k, limit in enumerate(limits) if limit is None], dtype=np.intp)
        known = [limit for limit in limits if limit is not None]
        if not left.size:
            return LimitPath(alphas, tuple(known), known[0].theorem)
        with threads_for(job.situation.problem.X.size):
            rest = whole_path(job.situation, alphas[left], certified_to, None)
        whole = list(limits)
        for k, limit in zip(left, rest.limits, strict=True):
            whole[k] = limit
        kept = tuple(limit for limit in whole if limit is not None)
        return LimitPath(alphas, kept, known[0].theorem if known else rest.theorem)

    paths, refusals = _answers(len(members), one)
    missing = sum(int(path.refused.sum()) for path in paths if path is not None)
    _warn(refusals, len(members), missing)
    return LimitPaths(alphas, paths, refusals)


@dataclass(frozen=True, eq=False)
class _Job:
    """A situation at scale 1, the scales asked for, and which members these are."""

    situation: Situation
    log_scales: list[float]
    places: list[int]


class _Starts:
    """Situations at scale 1: what does not depend on targets or scale is measured once."""

    def __init__(self, network: Network, max_iterations: int) -> None:
        self.network, self.max_iterations = network, max_iterations
        self._keys: dict[int, tuple[Initialization, Any]] = {}
        self._roots: dict[Any, Situation] = {}

    def key(self, init: Initialization) -> Any:
        """What starts of the same directions have in common."""
        if id(init) not in self._keys:  # kept, so that no other gets its place in memory
            key = tuple((each.shape, each.tobytes()) for each in init.directions)
            self._keys[id(init)] = init, key
        return self._keys[id(init)][1]

    def situation(self, place: int, problem: Problem, init: Initialization) -> Situation:
        """The situation of a member.

        Raises
        ------
        InvalidInputError
            What it consists of does not fit together.
        """
        key = id(problem.X), np.asarray(getattr(problem, "rows", 0)).tobytes(), self.key(init)
        root = self._roots.get(key)
        try:
            start = Initialization(init.directions, scale=1.0) if root is None else root.init
            own = situation_of(self.network, problem, start, self.max_iterations)
        except InvalidInputError as error:
            raise InvalidInputError(f"member {place}: {error}") from error
        if root is None:
            self._roots[key] = own
        elif isinstance(problem, Regression) and _shares(root):
            own = root.on(problem)
            own.derived["applicable"] = applicable(root)
        return own


def _shares(root: Situation) -> bool:
    """Whether verdicts say the same whatever the targets: no sign is kept, and no single point."""
    if "shares" not in root.derived:
        result = _applicable(root)
        shares = result is not None and result[0].limit.takes_many and root.problem.rank > 1
        curves = root.curves if shares else None
        root.derived["shares"] = curves is not None and not (curves.locked | curves.dead).any()
    return bool(root.derived["shares"])


def _applicable(situation: Situation) -> Any:
    """The first result that applies, with its verdicts; None if there is none."""
    if isinstance(situation.problem, Classification):
        return None
    try:
        return applicable(situation)
    except NoPredictionError:
        return None


def _together(jobs: Iterable[_Job], certified_to: float) -> list[list[Limit | None]]:
    """What is found together, one list a job; None where it has to be asked for by itself."""
    jobs = list(jobs)
    answers: list[list[Limit | None]] = [[None] * len(job.log_scales) for job in jobs]
    groups: defaultdict[Any, list[tuple[int, Member]]] = defaultdict(list)
    for index, job in enumerate(jobs):
        result = _applicable(job.situation)
        if result is not None and result[0].limit.takes_many:
            scales = np.array(job.log_scales)
            member = Member(job.situation, result[0].name, result[1], scales)
            groups[result[0].limit].append((index, member))
    for limit_problem, group in groups.items():
        with threads_for(max(member.situation.problem.X.size for _, member in group)):
            found = limit_problem.many([member for _, member in group])
        for (index, _), limits in zip(group, found, strict=True):
            answers[index] = [
                answered(limit, certified_to)
                if limit is not None and limit.certificate.worst <= certified_to
                else None
                for limit in limits
            ]
    return answers


def _paired(problems: Any, inits: Any) -> list[tuple[Any, Any]]:
    """Problem and start of each member.

    Raises
    ------
    InvalidInputError
        Both are several, and not equally many; or none.
    """
    several = [_several(problems, "problems"), _several(inits, "inits")]
    counts = [len(each) for each in several if each is not None]
    if len(set(counts)) > 1:
        raise InvalidInputError(
            f"got {counts[0]} problems and {counts[1]} inits; expected one of each for every "
            "member, or a single one that all share."
        )
    count = counts[0] if counts else 1
    whole = [
        [given] * count if each is None else each
        for given, each in zip((problems, inits), several, strict=True)
    ]
    wanted: tuple[Any, Any] = Problem, Initialization
    for name, kind, values in zip(("problem", "Initialization"), wanted, whole, strict=True):
        for index, value in enumerate(values):
            if not isinstance(value, kind):
                raise InvalidInputError(
                    f"member {index} has a {type(value).__name__} where a {name} is expected."
                )
    return list(zip(*whole, strict=True))


def _several(given: Any, name: str) -> list[Any] | None:
    """A list of what was given, or None for a single one."""
    if not isinstance(given, (Sequence, np.ndarray)):
        return None
    if not len(given):
        raise InvalidInputError(f"{name} is empty; expected at least one.")
    return list(given)


def _answers(
    count: int, one: Callable[[int], Answer]
) -> tuple[tuple[Answer | None, ...], tuple[Refusal, ...]]:
    """What each member is answered, None where it is refused, and the refusals."""
    answers: list[Answer | None] = []
    refusals: list[Refusal] = []
    for index in range(count):
        try:
            answers.append(one(index))
        except ImplicitBiasError as error:
            answers.append(None)
            refusals.append(Refusal.of(index, error))
    return tuple(answers), tuple(refusals)


def _warn(refusals: Sequence[Refusal], count: int, missing: int) -> None:
    texts = []
    if refusals:
        texts.append(f"{len(refusals)} of {count} members were refused; {refusals[0]}")
    if missing:
        texts.append(f"{missing} limits of others could not be certified and are NaN")
    if texts:
        warnings.warn("; ".join(texts), CertificateWarning, stacklevel=3)
