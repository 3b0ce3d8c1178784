"""One result of the theory: what it assumes, and which limit it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from implicitbias._verdicts import Verdict
from implicitbias.theorems._assumptions import Predicate, verdict_of
from implicitbias.theorems._limit_problem import LimitProblem
from implicitbias.theorems._situation import Situation

Task = Literal["regression", "classification"]
YKM = "Yun, Krishnan and Mobahi (ICLR 2021)"


@dataclass(frozen=True)
class Theorem:
    """One result: its name, what it assumes and the limit it names.

    Attributes
    ----------
    name
        As limits carry it, such as "Corollary 5".
    task
        "regression" or "classification".
    statement
        The conclusion in one line.
    assumptions
        Functions of a ``Situation`` that measure and return a ``Verdict``, in order; the first that
        fails ends the measuring, since later ones may need it. The first line of their docstrings
        is what ``explain`` prints where they cannot be measured.
    limit
        What it says of a situation in which no assumption failed.
    remedy
        Which network, problem and initialization make it apply.
    source
        Where it is proved.
    needs_solution
        Whether it speaks of data that have a solution, as nearly all do.
    """

    name: str
    task: Task
    statement: str
    assumptions: tuple[Predicate, ...]
    limit: LimitProblem
    remedy: str
    source: str = YKM
    needs_solution: bool = True

    def measure(self, situation: Situation) -> tuple[Verdict, ...]:
        """The verdicts up to the first failure."""
        verdicts: list[Verdict] = []
        for predicate in self.assumptions:
            verdicts.append(verdict_of(predicate, situation))
            if verdicts[-1].fails:
                break
        return tuple(verdicts)
