"""The assumptions about two-sided networks, beta = u^D - v^D, each measured into a verdict."""

from __future__ import annotations

import numpy as np

from implicitbias._verdicts import Verdict
from implicitbias.theorems import _assumptions as measured
from implicitbias.theorems._assumptions import needs, of_family, vanishing
from implicitbias.theorems._situation import Situation


def two_sided(situation: Situation) -> Verdict:
    """The network is two-sided, beta = u^D - v^D."""
    return of_family(situation, "two-sided", "the network is two-sided, beta = u^D - v^D")


@needs(two_sided)
def positive_pair(situation: Situation) -> Verdict:
    """u(0), v(0) >= 0, or D is an even number."""
    return situation.reduction.start_verdict


@needs(two_sided)
def equal_pair(situation: Situation) -> Verdict:
    """u(0) = v(0), no entry of it 0."""
    u, v = np.abs(situation.coordinates)
    size = float(max(u.max(), v.max()))
    verdict = vanishing(
        "u(0) = v(0), no entry of it 0",
        float(np.abs(u - v).max()) / max(size, np.finfo(float).tiny),
        "the largest difference relative to the start",
    )
    if u.all() and v.all():
        return verdict
    return Verdict(verdict.assumption, "fails", 0.0, "the smallest entry")


@needs(two_sided, positive_pair)
def pairs_reach(situation: Situation) -> Verdict:
    """Some interpolator has the signs of the coordinates where u(0) or v(0) is 0."""
    return measured.reachable_signs(situation)


@needs(two_sided, positive_pair)
def pairs_separate(situation: Situation) -> Verdict:
    """Some separating beta has the signs of the coordinates where u(0) or v(0) is 0."""
    return measured.separating_signs(situation)
