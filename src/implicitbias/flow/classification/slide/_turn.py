"""Whether rounding decided to which side a slide left the direction that it began with.

For L > 2 flows may pass by stationary directions that are no minima, and leave them along what has
been growing since the start. Where that was below the tolerance, another tolerance leaves them at
another margin, or to another side.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from implicitbias._arrays import FloatArray, unit
from implicitbias._errors import Outcome
from implicitbias.flow._budget import Budget, End
from implicitbias.flow._stability import APART
from implicitbias.flow.classification._dual import DualMargins
from implicitbias.flow.classification._loop import Run
from implicitbias.flow.classification._record import MarginRecord
from implicitbias.flow.classification._target import Target
from implicitbias.flow.classification.slide._run import slide_on

TURNED = 1e-2  # of the direction: less is no turn to another
LATER = 0.5  # units of log margin by which turns may be apart
POINTS = 400

Follow = tuple[DualMargins, Run]


def turn_of(system: DualMargins, run: Run, t: FloatArray) -> float | None:
    """By how much a slide from ``run`` to t turned; None for L = 2, or where it is next to nothing.

    With two layers errors do not grow: their end is the least point of a convex function.
    """
    if system.curves.depth == 2:
        return None
    turned = float(np.abs(system.direction(t) - _begun((system, run))).max())
    return turned if turned > TURNED else None


def doubted(first: Follow, again: Follow, target: Target, budget: Budget, turned: float) -> End:
    """The end of the slide from ``first``, unless that from ``again``, another tolerance, differs.

    Both have reached their hand-over; ``again`` need not.
    """
    run = first[1]
    known = run.end or End(Outcome.FAILED, "the slide stopped without an end.")
    if again[1].end is None or again[1].end.outcome is not Outcome.MARGIN_REACHED:
        return known
    ends, brackets = [], []
    for one in (first, again):
        record, there = MarginRecord(POINTS), replace(one[1])
        t, _ = slide_on(one[0], there, target, budget, record, None)
        if there.end is None or there.end.outcome is not known.outcome:
            return known
        ends.append(one[0].direction(t))
        brackets.append(_departure(record, _begun(one), 0.5 * turned))
    apart = float(np.abs(ends[1] - ends[0]).max())
    later = max(brackets[0][0] - brackets[1][1], brackets[1][0] - brackets[0][1])
    if apart <= APART and later <= LATER:
        return known
    return End(
        Outcome.UNSTABLE,
        f"{known.message} But rounding decided this: the direction turned by {turned:.1e} on the "
        "slide, away from one that is stationary and no minimum. At another tolerance it turns at "
        f"margins exp({max(later, 0.0):.2g}) apart, and ends {apart:.1e} away. Neither is known to "
        "be the limit: stop at a smaller margin, or try another start.",
    )


def _begun(one: Follow) -> FloatArray:
    return one[0].direction(one[0].points(one[1].state))


def _departure(record: MarginRecord, begun: FloatArray, least: float) -> tuple[float, float]:
    """The log margins between which the direction first was ``least`` away from ``begun``."""
    path = record.path()
    moved = np.array([float(np.abs(unit(one) - begun).max()) for one in path.directions])
    index = int(np.argmax(moved > least))
    return float(path.log_margins[max(index - 1, 0)]), float(path.log_margins[index])
