"""What becomes of one problem: certified, refused or a fault, and whether the answer is right."""

from __future__ import annotations

import re
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from benchmarks.robustness._problems import Problem, draw
from benchmarks.robustness._truth import NoReferenceError, Truth, precise_faces, truth_of
from benchmarks.robustness._witness import AT_REST, CLOSING, angle, disagrees, followed

import implicitbias as ib

CERTIFIED = 1e-8
WRONG = 1e-6
HELD = 1e6
SLOWEST = 0.1  # exponents of the margin with which a flow can be seen to close in
NOISE = 1e-40  # digits of the reference
FAMILY = ("the network is", "all filters")
ALLOWED = 10.0  # times the certificate's own estimate


class TooSlowError(BaseException):
    """The processor time of a part is used up; no handler of the package's catches it."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise TooSlowError after so many seconds of processor time, and each second from then on."""

    def stop(*_: Any) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)


@dataclass
class Record:
    """One problem's outcome; ``status`` is the first of the faults that applies."""

    seed: int
    kinds: dict[str, str]
    status: str = ""
    reason: str = ""  # of a refusal or a fault: its message without numbers
    message: str = ""
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)
    nan: bool = False
    claimed: list[float | None] = field(default_factory=list)  # certificate.error, by scale
    worst: list[float] = field(default_factory=list)
    errors: list[float | None] = field(default_factory=list)  # against the reference, by scale
    angles: list[float] = field(default_factory=list)  # to a flow, by decades of the margin
    route: str = "not checked"
    checked: bool = False
    wrong: bool = False
    unremarkable: bool = False  # refused, though there is an answer and the numbers are moderate
    far_apart: bool = False  # unremarkable but for units more than 1e8 apart
    tied: bool = False
    script: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def message_class(error: BaseException) -> str:
    """The message without its numbers and arrays, to count by."""
    text = " ".join(str(error).split())
    if text.startswith(("no regression theorem", "no classification theorem")):
        failed = re.findall(r"fails: ([^(]*)\(", text)  # the last that is no matter of the family
        about = [name for name in failed if not name.startswith(FAMILY)]
        text = f"no theorem covers it: {', '.join(sorted(set(about)))}"
    text = re.sub(r"\[[^\]]*\]", "[..]", text)
    text = re.sub(r"\b[A-Z]\w+Network\([^)]*\)", "network", text)
    text = re.sub(r"[-+]?\d[\d.,]*(?:e[-+]?\d+)?", "#", text)
    return f"{type(error).__name__}: {text[:110]}"


def judge(seed: int, share: float, patience: float) -> Record:
    """Ask the package, then the reference."""
    problem = draw(seed)
    record = Record(seed, problem.kinds)
    limits = _ask(problem, record, patience)
    if record.status in ("untyped exception", "too slow"):
        record.script = problem.script()
        return record
    rng = np.random.default_rng([77, seed])
    if rng.random() < share:
        _check(problem, record, limits, 3 * patience)
    if record.status != "certified" or record.wrong or record.warnings or record.nan:
        record.script = problem.script()
    return record


def _ask(problem: Problem, record: Record, patience: float) -> list[ib.Limit]:
    limits: list[ib.Limit] = []
    start = time.process_time()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            with limited(patience):
                limits = problem.ask()
            record.status = "certified"
        except TooSlowError:
            record.status = "too slow"
        except ib.InfeasibleProblemError as error:
            record.status = "infeasible"
            _remember(record, error)
        except ib.InvalidInputError as error:
            record.status = "invalid"
            _remember(record, error)
        except ib.NoPredictionError as error:
            record.status = "refused"
            _remember(record, error)
        except Exception as error:
            record.status = "untyped exception"
            _remember(record, error)
    record.seconds = time.process_time() - start
    for limit in limits:
        certificate = limit.certificate
        record.claimed.append(certificate.error)
        record.worst.append(certificate.worst)
        if certificate.worst > CERTIFIED:  # an end of rows left open; a scale of a path, warned of
            record.status = "refused"
            open_ = [str(one) for one in limit.assumptions if one.status == "undecided"]
            _remember(record, ib.NoPredictionError(f"no certificate: {limit.note or open_[-1]}"))
        elif not np.isfinite(limit.coefficients).all():
            record.nan = True
    record.warnings = sorted(
        {
            f"{w.category.__name__}: {w.message}"[:160]
            for w in heard
            if record.status != "refused" or w.category is not ib.CertificateWarning
        }
    )
    return limits


def _remember(record: Record, error: BaseException) -> None:
    record.reason, record.message = message_class(error), str(error)[:2000]


def _check(problem: Problem, record: Record, limits: list[ib.Limit], patience: float) -> None:
    try:
        with limited(patience):
            truth = truth_of(problem)
    except NoReferenceError as error:
        record.route = f"no reference: {error}"
        if limits and limits[0].kind == "direction" and "off the margin" in str(error):
            _follow(problem, record, limits[0], patience)
        return
    except TooSlowError:
        record.route = "reference too slow"
        return
    except Exception as error:  # a fault of the reference: said, and not held against the package
        record.route = f"REFERENCE FAILED: {type(error).__name__}: {error}"[:120]
        return
    record.route, record.tied = truth.route, truth.tied
    if limits and limits[0].kind == "stationary direction":
        _follow(problem, record, limits[0], patience)
        return
    if limits:
        try:
            _compare(problem, record, limits, truth)
        except NoReferenceError as error:  # rows that contradict each other by rounding alone
            record.route = f"no reference: {error}"
            return
    if record.status != "certified":
        refused = (
            truth.values
            if not limits
            else [
                value
                for value, worst in zip(truth.values, record.worst, strict=False)
                if worst > CERTIFIED
            ]
        )
        there = bool(refused) and all(
            value is not None and np.isfinite(value).all() for value in refused
        )
        ordinary = truth.fits and there and problem.moderate and _representable(problem, refused)
        record.unremarkable = ordinary and not problem.far_apart
        record.far_apart = ordinary and problem.far_apart


def _follow(problem: Problem, record: Record, limit: ib.Limit, patience: float) -> None:
    if limit.rate is not None and limit.rate < SLOWEST:
        return
    if any(one.status == "undecided" for one in limit.assumptions):  # it says so itself
        record.route = "undecided by its own verdict"
        return
    if "locked" in limit.theorem:  # layers followed in floats do not stay equal near a saddle
        record.route = "kept signs, which layers in floats do not keep"
        return
    if len(problem.layers) > 2 and _equal_columns(problem.X * limit.coefficients):
        record.route = "equal columns, which layers in floats do not keep equal"
        return
    try:
        with limited(patience):
            flow = followed(problem)
    except TooSlowError:
        flow = None
    if flow is None:
        return
    two, rho = len(problem.layers) == 2, limit.spectrum
    if two and rho is not None and rho.size == flow.rows.shape[1] and flow.is_longer(rho.real):
        record.route = "a flow that is yet to come to so small an l1 norm"
        return
    record.route = "the layers' own flow"
    record.angles, record.checked = flow.angles(limit.coefficients), True
    record.wrong = disagrees(record.angles, AT_REST if two else CLOSING)


def _equal_columns(parts: np.ndarray) -> bool:
    """Whether columns x_j beta_j other than 0 are equal: exact flows keep them so."""
    columns = np.round(parts[:, np.any(parts != 0.0, axis=0)].T, 12)
    return len(np.unique(columns, axis=0)) < len(columns)


def _representable(problem: Problem, values: list[np.ndarray]) -> bool:
    """Whether rounding the answer to float64 leaves the targets met to about CERTIFIED."""
    if problem.task == "classification":
        return True
    size = float(np.abs(problem.y).max(initial=0.0))
    with np.errstate(over="ignore"):
        return all(
            float((np.abs(problem.X) @ np.abs(value)).max(initial=0.0)) <= HELD * size
            for value in values
        )


def _compare(problem: Problem, record: Record, limits: list[ib.Limit], truth: Truth) -> None:
    for limit, given, alpha in zip(limits, truth.values, problem.alphas(), strict=False):
        value = _expected(problem, limit, given)
        refused = limit.certificate.worst > CERTIFIED
        if refused or value is None or not np.isfinite(value).all():
            record.errors.append(None)
            continue
        record.checked = True
        size = max(np.abs(value).max(initial=0.0), NOISE * _start_size(problem, alpha))
        missing = float(np.abs(limit.coefficients - value).max(initial=0.0))
        error = 0.0 if missing == 0 else missing / size if size > 0 else np.inf
        if limit.kind == "direction":
            error = angle(limit.coefficients, value)
        record.errors.append(error)
        claimed = limit.certificate.error or 0.0
        record.wrong |= bool(error > max(WRONG, ALLOWED * claimed))


def _expected(problem: Problem, limit: ib.Limit, given: np.ndarray | None) -> np.ndarray | None:
    """The right answer; the small-scale limit where the package says that it gives that."""
    if limit.kind == "small-scale limit":
        return np.array(precise_faces.minimum_norm(problem.X, problem.y))
    return given


def _start_size(problem: Problem, alpha: float) -> float:
    """What a beta of 0 is measured by: the product of the layers.

    Where it overflows, infinite if all targets are 0, and else 0.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        sizes = [np.abs(layer).max(initial=0.0) for layer in problem.layers]
        size = float(np.prod([value or 1.0 for value in sizes]) * np.float64(alpha) ** len(sizes))
    if np.isfinite(size):
        return size
    return 0.0 if problem.task == "classification" or problem.y.any() else np.inf
