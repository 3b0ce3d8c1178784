"""What the sequence of saddles assumes of a network and its start, measured into verdicts."""

from __future__ import annotations

from implicitbias._verdicts import Verdict
from implicitbias.theorems._assumptions import needs
from implicitbias.theorems._situation import Situation


def decouples(situation: Situation) -> Verdict:
    """The network decouples into scalar coordinates (Assumption 1, or beta = u^D - v^D)."""
    return situation.decomposition.verdict


@needs(decouples)
def one_phase(situation: Situation) -> Verdict:
    """[S x_i]_j share a phase over the points, so that each coordinate has a real clock."""
    return situation.reduction.data_verdict


@needs(decouples, one_phase)
def growing_start(situation: Situation) -> Verdict:
    """The start is real in that phase, or of u, v >= 0, and some coordinate moves."""
    verdict, reduction = situation.reduction.start_verdict, situation.reduction
    if not reduction.reduces:
        return verdict
    moving = int((~situation.curves.dead).sum())
    return Verdict(
        "the start's coordinates follow scalar curves, and some of them move",
        "holds" if moving else "fails",
        float(moving),
        f"how many of the {situation.curves.size} do",
    )
