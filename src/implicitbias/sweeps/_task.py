"""One task: build what its parameters name, run the verb, and record what came out."""

from __future__ import annotations

import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._errors import (
    ImplicitBiasError,
    InfeasibleProblemError,
    InvalidInputError,
    NoPredictionError,
    PlanChangedError,
)
from implicitbias._model import directions_of, network_of
from implicitbias._results import plain
from implicitbias._verdicts import CERTIFIED
from implicitbias.comparison import Comparison, compare, verify
from implicitbias.descent import Run, gradient_descent
from implicitbias.flow import Flow, gradient_flow
from implicitbias.initialization import Initialization
from implicitbias.limits import Limit
from implicitbias.networks import Network
from implicitbias.problems import Classification
from implicitbias.sweeps._coefficients import packed, summary
from implicitbias.sweeps._data import Problem, hash_of, problem_of, truth_of
from implicitbias.sweeps._lines import Record
from implicitbias.theorems import limit_at_end, predict_limit

Task = Mapping[str, Mapping[str, Any]]
Pairs = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Work:
    """What all tasks of a plan have in common.

    Attributes
    ----------
    verb, compare, save_coefficients
        As in the plan.
    base
        The folder that data files are named from.
    hashes
        What the data files must be, by their names.
    """

    verb: str
    compare: bool
    save_coefficients: bool
    base: Path
    hashes: Mapping[str, str]


def run_batch(work: Work, tasks: list[tuple[int, Task]]) -> list[Record]:
    """The records of tasks, in order.

    Raises
    ------
    PlanChangedError
        A data file is not what it was when the plan was read.
    """
    return [run_task(work, number, task) for number, task in tasks]


def run_task(work: Work, number: int, task: Task) -> Record:
    """The record of a task, whatever became of it: "ok", "refused" (typed), or "failed"."""
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            record = {"status": "ok"} | _measured(work, task)
        except PlanChangedError:
            raise
        except ImplicitBiasError as error:
            record = {"status": "refused", **_told(error), **_evidence(error)}
        except Exception as error:
            trace = traceback.format_exc()
            record = {"status": "failed", **_told(error), "evidence": trace}
    said = dict.fromkeys(f"{each.category.__name__}: {each.message}" for each in caught)
    if said:
        record["warning"] = "; ".join(said)
    return {"task": number, **record, "seconds": time.perf_counter() - began}


def died(number: int, error: BaseException) -> Record:
    """The record of a task that ended every process it was given to."""
    return {
        "task": number,
        "status": "failed",
        "error_type": type(error).__name__,
        "error": "the process that ran this task ended without a result, alone and repeatedly",
        "evidence": str(error),
        "seconds": None,
    }


def _told(error: Exception) -> Record:
    return {"error_type": type(error).__name__, "error": str(error) or type(error).__name__}


def _evidence(error: ImplicitBiasError) -> Record:
    """What a refusal measured."""
    if isinstance(error, NoPredictionError):
        found = {"assumptions": plain(error.assumptions), "certificate": plain(error.certificate)}
        return {"evidence": found}
    if isinstance(error, InfeasibleProblemError) and error.evidence is not None:
        return {"evidence": plain(np.asarray(error.evidence))}
    return {}


def _measured(work: Work, task: Task) -> Record:
    point = task["data"]
    files = {str(name) for name in (point.get("file"), point.get("target"))} & set(work.hashes)
    hashes = tuple((name, work.hashes[name]) for name in sorted(files))
    given = tuple((key, _frozen(value)) for key, value in point.items())
    problem, units = _problem(work.base, given, hashes)
    truth = truth_of(point, problem)
    network = _network(task["network"], problem)
    start = task["start"]
    found = _run(work.verb, network, problem, start, task[work.verb])
    record = {"n": problem.X.shape[0], "d": problem.num_features, "rank": problem.rank}
    record |= _described(found)
    if work.compare and isinstance(found, Flow):
        record |= _compared(found, network, problem, _initialization(network, start))
    beta = _end(found) if units is None else _end(found) / units
    record |= summary(beta, truth, directed=isinstance(problem, Classification))
    return record | ({"coefficients": packed(beta)} if work.save_coefficients else {})


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=2)
def _problem(base: Path, point: Pairs, hashes: Pairs) -> tuple[Problem, FloatArray | None]:
    """Neighbouring tasks share their data. Files are held against ``hashes`` once they are read."""
    try:
        return problem_of(dict(point), base)
    finally:
        for name, expected in hashes:
            _check_unchanged(base / name, expected)


def _check_unchanged(file: Path, expected: str) -> None:
    try:
        found = hash_of(file)
    except InvalidInputError as error:
        raise PlanChangedError(f"A data file is gone since the sweep began: {error}") from None
    if found != expected:
        raise PlanChangedError(
            f"{file} has changed since the sweep began. Put the file back, or begin another folder."
        )


def _network(point: Mapping[str, Any], problem: Problem) -> Network:
    d = problem.num_features
    return network_of(point["name"], point["depth"], d, width=point.get("width", 1))


def _initialization(network: Network, start: Mapping[str, Any]) -> Initialization:
    scale = start["scale"]
    if "seed" not in start:
        return Initialization(directions_of(network), scale=scale)
    draw = Initialization.balanced if start.get("balanced", False) else Initialization.random
    return draw(network, scale, start["seed"])


def _run(
    verb: str,
    network: Network,
    problem: Problem,
    start: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Limit | Flow | Comparison:
    if verb == "predict" and start["scale"] in (0.0, np.inf):
        return _end_of_path(network, problem, start, options)
    init = _initialization(network, start)
    if verb == "predict":
        return predict_limit(network, problem, init, **options)
    if verb == "verify":
        return verify(network, problem, init, **options)
    train: Callable[..., Flow] = gradient_flow if verb == "flow" else gradient_descent
    return train(network, problem, init, **options)


def _end_of_path(
    network: Network, problem: Problem, start: Mapping[str, Any], options: Mapping[str, Any]
) -> Limit:
    """What the limits tend to as the scale tends to 0 or infinity."""
    if isinstance(problem, Classification):
        raise InvalidInputError("in classification the limit direction forgets the scale.")
    directions = _initialization(network, {**start, "scale": 1.0}).directions
    certified_to = options.get("certified_to", CERTIFIED)
    return limit_at_end(network, problem, directions, start["scale"], certified_to)


def _end(found: Limit | Flow | Comparison) -> FloatArray:
    """beta of a limit, or where training ended."""
    if isinstance(found, Limit):
        return found.coefficients
    flow = found.flow if isinstance(found, Comparison) else found
    return flow.final_coefficients if flow.final_direction is None else flow.final_direction


def _described(found: Limit | Flow | Comparison) -> Record:
    if isinstance(found, Comparison):
        return _of_flow(found.flow) | _of_limit(found.limit) | _of_comparison(found)
    return _of_limit(found) if isinstance(found, Limit) else _of_flow(found)


def _of_limit(limit: Limit) -> Record:
    certificate = limit.certificate
    return {
        "theorem": limit.theorem,
        "kind": limit.kind,
        "feasibility": plain(certificate.feasibility),
        "certificate_worst": plain(certificate.worst),
        "certificate_error": plain(certificate.error),
    }


def _of_flow(flow: Flow) -> Record:
    found = {
        "outcome": flow.outcome.name,
        "converged": flow.outcome.converged,
        "residual": plain(flow.residual),
        "log_loss": plain(flow.log_losses[-1]),
        "log_time": plain(flow.log_times[-1]),
        "num_steps": int(flow.num_steps),
        "drift": plain(flow.drift),
    }
    if flow.log_margins is not None:
        found["log_margin"] = plain(flow.log_margins[-1])
    return found if isinstance(flow, Run) else found | {"route": flow.route}


def _of_comparison(held: Comparison) -> Record:
    return {
        "verdict": held.verdict,
        "comparison_error": plain(held.error),
        "tolerance": plain(held.tolerance),
        "distance": plain(held.distance),
    }


def _compared(flow: Flow, network: Network, problem: Problem, init: Initialization) -> Record:
    """The end of training held against the limit, where one is predicted."""
    try:
        limit = predict_limit(network, problem, init)
        return _of_limit(limit) | _of_comparison(compare(flow, limit))
    except NoPredictionError as error:
        return {"verdict": "no prediction", **_told(error), **_evidence(error)}
