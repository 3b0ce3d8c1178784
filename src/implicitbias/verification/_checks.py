"""What a row of the verification table is, and how rows are run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._closing import Closing
from implicitbias._errors import InvalidInputError
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.limits import Certificate

AGREEMENT = 1e-8  # the largest relative error that counts as agreement


@dataclass(frozen=True, eq=False)
class Measurement:
    """What one check found.

    Attributes
    ----------
    error
        The largest relative difference between what was simulated and what was predicted; for
        directions the largest angle left, for Theorem 1 the residual left.
    certificate
        How far the prediction is from satisfying the problem it is said to solve.
    assumptions
        The verdicts of the result that was used.
    shape
        (n, d) of the data, or None where there is none.
    holds
        Whatever else the result claims and the check measured (see ``note``).
    note
        The numbers that stand in no column.
    settings
        The numbers that define the run: depth, scale, seeds.
    arrays
        What was compared, by name.
    closings
        For directions, which no flow reaches: how each flow closes in.
    certificates
        Of the limits that were predicted; ``certificate`` counts the worst number of each.
    quantity
        What ``closings`` hold: "angle" or "residual".
    """

    error: float
    certificate: float
    assumptions: tuple[Verdict, ...] = ()
    shape: tuple[int, int] | None = None
    holds: bool = True
    note: str = ""
    settings: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    closings: tuple[Closing, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    quantity: str = "angle"

    @property
    def judged(self) -> str:
        """What ``near`` judges, and how small it has become: of several flows by the furthest."""
        if not self.closings:
            return f"difference {self.error:.1e}"
        if not self.near:
            return f"{self.quantity} {self.error:.1e}"
        return f"{self.quantity} {min(one.angle for one in self.closings):.1e}"

    @property
    def near(self) -> bool:
        """Whether every flow is there to 1e-8 or, towards a direction, closes in as predicted."""
        if not self.closings:
            return bool(self.error <= AGREEMENT)
        return all(one.angle <= AGREEMENT or one.consistent for one in self.closings)


@dataclass(frozen=True)
class Check:
    """One row before it is run: what is claimed, of which network, on what data.

    Attributes
    ----------
    result
        The name in full, such as "Corollary 6".
    network, data
        What is trained, on what, in words.
    measure
        Simulates, predicts and compares; deterministic.
    """

    result: str
    network: str
    data: str
    measure: Callable[[], Measurement]

    @property
    def title(self) -> str:
        """One line that names the check."""
        return f"{self.result}; {self.network}; {self.data}"


@dataclass(frozen=True, eq=False)
class Row:
    """One row of the table.

    Attributes
    ----------
    check
        What was claimed.
    measured
        What was found, or None where the check raised.
    seconds
        Wall time.
    failure
        "ErrorType: message" of a check that raised, else "".
    """

    check: Check
    measured: Measurement | None
    seconds: float
    failure: str = ""

    @property
    def agrees(self) -> bool:
        """Whether simulation and prediction agree and the prediction is certified."""
        found = self.measured
        return (
            found is not None
            and found.holds
            and found.near
            and bool(found.certificate <= CERTIFIED)
            and not any(verdict.fails for verdict in found.assumptions)
        )

    @property
    def assumptions(self) -> str:
        """How many of the result's assumptions hold."""
        if self.measured is None:
            return "not measured"
        verdicts = self.measured.assumptions
        hold = sum(verdict.holds for verdict in verdicts)
        if not verdicts:
            return "none needed"
        if hold < len(verdicts):
            return f"{hold} of {len(verdicts)} hold"
        return "1 holds" if hold == 1 else f"all {hold} hold"

    @property
    def doubts(self) -> tuple[str, ...]:
        """The assumptions that do not hold or are undecided, in their own words."""
        verdicts = () if self.measured is None else self.measured.assumptions
        return tuple(str(verdict) for verdict in verdicts if not verdict.holds)

    @property
    def note(self) -> str:
        """What the columns do not say: the failure, or the check's own note."""
        return self.failure if self.measured is None else self.measured.note


@dataclass(frozen=True, eq=False)
class Report:
    """The rows that were run, in order.

    Attributes
    ----------
    rows
        One a check.
    """

    rows: tuple[Row, ...]

    @property
    def agrees(self) -> bool:
        """Whether every row agrees."""
        return all(row.agrees for row in self.rows)

    @property
    def seconds(self) -> float:
        """Wall time of all rows."""
        return float(np.sum([row.seconds for row in self.rows]))

    def __str__(self) -> str:
        bad = sum(not row.agrees for row in self.rows)
        alone = len(self.rows) == 1
        agree = "agrees" if alone else "all agree"
        disagree = "DISAGREES" if alone else f"{bad} DISAGREE" + "S" * (bad == 1)
        return (
            f"{len(self.rows)} check{'' if alone else 's'}, {disagree if bad else agree}, "
            f"{self.seconds:.1f} s"
        )


def select(checks: Iterable[Check], text: str) -> tuple[Check, ...]:
    """Return the checks whose result, network or data contain ``text``, whatever its case.

    Raises
    ------
    InvalidInputError
        None does; the message lists the results there are.
    """
    checks = tuple(checks)
    chosen = tuple(check for check in checks if text.casefold() in check.title.casefold())
    if not chosen:
        results = "; ".join(dict.fromkeys(check.result for check in checks))
        raise InvalidInputError(
            f"no check is about {text!r}; expected part of a result, network or data set. "
            f"Results: {results}."
        )
    return chosen


def run_check(check: Check) -> Row:
    """Run one check; whatever it raises becomes a row that does not agree."""
    began = time.perf_counter()
    measured, failure = None, ""
    try:
        measured = check.measure()
    except Exception as error:  # a table with a failed row says more than a traceback
        failure = f"{type(error).__name__}: {error}"
    return Row(check, measured, time.perf_counter() - began, failure)


def run_checks(
    checks: Sequence[Check],
    *,
    started: Callable[[int, Check], None] | None = None,
    finished: Callable[[int, Row], None] | None = None,
) -> Report:
    """Run the checks in order.

    Parameters
    ----------
    checks
        What to run.
    started, finished
        Called with the position (from 0) and the check before it runs, the row afterwards.
    """
    rows = []
    for index, check in enumerate(checks):
        if started is not None:
            started(index, check)
        rows.append(run_check(check))
        if finished is not None:
            finished(index, rows[-1])
    return Report(tuple(rows))
