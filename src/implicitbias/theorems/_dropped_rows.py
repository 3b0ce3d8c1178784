"""Rows that count as dependent without proof: the answer is that of the others, and not certified.

A row that is a combination of others but for a rounding is a copy, or data: X does not say which,
and the interpolators of the two readings are as far apart as can be, however small the rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.limits import Certificate, Limit
from implicitbias.problems import Classification, Regression

ASSUMPTION = "the dropped rows are combinations of the others"
REMEDY = "leave them out, or say that X is a table: Regression.measured(X, y)"


def dropped_rows(problem: Regression | Classification) -> tuple[Verdict, ...]:
    """Whether the rows that count as dependent are, where there are some.

    Raises
    ------
    NoPredictionError
        A row is a multiple of another but for a rounding: the answer is another if it is data.
    """
    if isinstance(problem, Classification) or problem.rank == problem.num_points:
        return ()
    distance = problem.dropped_distance
    detail = "their distance to those, relative to their length"
    if distance == 0.0:
        return (Verdict(ASSUMPTION, "holds", distance, detail),)
    if problem.is_measured:
        return (Verdict(ASSUMPTION, "holds", distance, f"{detail}; rounding, of a table"),)
    verdict = Verdict(ASSUMPTION, "undecided", distance, f"{detail}; {REMEDY}")
    if problem.rounded_copy:
        raise NoPredictionError(
            f"{problem.rounded_copy} but for a rounding ({distance:.1e}): as a copy it says "
            "nothing, as data it is one more equation, and the limit another. Leave it out, make "
            "it an exact multiple, subtract from the columns what their entries share, or say "
            "that X is a table: Regression.measured(X, y).",
            (replace(verdict, status="fails", detail=detail),),
        )
    return (verdict,)


def bounded(
    certificates: tuple[Certificate, ...], verdicts: tuple[Verdict, ...]
) -> tuple[Certificate, ...]:
    """The certificates, of infinite ``error`` where ``verdicts`` leave open which rows count."""
    if all(one.assumption != ASSUMPTION or one.holds for one in verdicts):
        return certificates
    return tuple(replace(one, error=np.inf) for one in certificates)


def answered(limit: Limit, certified_to: float | None) -> Limit:
    """A limit that is certified to that, if not None, for the rows that were kept."""
    (certificate,) = bounded((limit.certificate,), limit.assumptions)
    return replace(limit, certificate=certificate, certified_to=certified_to)
