"""What the exact limit of fully connected networks assumes, measured into verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from implicitbias._verdicts import Verdict
from implicitbias.limits import SignFlow, decided_signs
from implicitbias.theorems._aligned_chain import AlignedChain
from implicitbias.theorems._assumptions import (
    ROUNDING,
    counted,
    fully_connected,
    needs,
    title,
    vanishing,
)
from implicitbias.theorems._situation import Situation

CLEAR = 1e-6  # |cos| below which the flow passes a saddle too near to say to which side
NEAR = 1e-5  # sizes relative to the start's below which rounding may have turned the flow


@dataclass(frozen=True)
class Decision:
    """The sign of s_2 .. s_L at the end, what says so, and how near saddles the way comes.

    ``gap`` is a lower bound on the squares that the flow keeps, relative to the largest at the
    start, ``clearness`` a cosine.
    """

    verdict: Verdict
    product: float = 1.0
    gap: float = 1.0
    clearness: float = 1.0


@needs(fully_connected)
def aligned_layers(situation: Situation) -> Verdict:
    """The layers share a chain of singular vectors, as balanced ones and one hidden unit do."""
    chain = situation.aligned
    if not chain.found:
        text = "two layers vanish where they meet the others: nothing moves"
        return counted(title(aligned_layers), 0.0, False, text)
    return vanishing(
        title(aligned_layers),
        chain.defect,
        "what X^+ X W_1 = v u_2^T, W_l u_{l+1} = s_l u_l, W_l^T u_l = s_l u_{l+1} miss",
    )


@needs(fully_connected, aligned_layers)
def signs_are_known(situation: Situation) -> Verdict:
    """Training fits the data, with layers along the chain whose signs at its end are known."""
    return decision(situation).verdict


def decision(situation: Situation) -> Decision:
    """The verdict of ``signs_are_known`` with the sign."""
    if "aligned signs" not in situation.derived:
        situation.derived["aligned signs"] = _decided(situation)
    found: Decision = situation.derived["aligned signs"]
    return found


def _verdict(holds: bool, value: float, detail: str) -> Verdict:
    return Verdict(title(signs_are_known), "holds" if holds else "fails", value, detail)


def _decided(situation: Situation) -> Decision:
    chain = situation.aligned
    squares = chain.start_sizes**2
    largest = float(squares.max())
    gap = float(squares[1:].min() - squares[0]) / largest
    if gap > ROUNDING:
        return Decision(
            _verdict(True, gap, "min s_l^2 - |v|^2 over the largest: no layer vanishes"), gap=gap
        )
    if not situation.targets.any():
        text = "y = 0, which beta = 0 fits, too"
        return Decision(_verdict(True, 0.0, text), gap=max(-gap, ROUNDING))
    flow = _sign_flow(situation, chain)
    excess = flow.excess(flow.seen, flow.sizes)
    if excess < 0.0:
        text = "the loss at the start less that of beta = 0, in some unit: they stay apart"
        return Decision(_verdict(True, excess, text), gap=max(-gap, _kept(flow)))
    if situation.row_space.rank == 1:
        return _on_a_line(flow, squares, gap)
    return _followed(flow, squares, gap)


def _kept(flow: SignFlow) -> float:
    """A lower bound on (pi |z|)^{2/L} while the loss is below that of beta = 0."""
    own, pull = flow.strengths
    product, pulled = float(np.prod(flow.sizes)), float(flow.seen @ flow.pull)
    gained = 2.0 * pull * product * pulled - own * product**2 * float(
        flow.seen @ flow.gram @ flow.seen
    )
    least = gained / (2.0 * pull) if pull else 0.0  # pi |z| |k| is at least half the gain
    return float(max(least, 0.0) ** (2.0 / (flow.sizes.size + 1)))


def _ties(squares: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    """Whether the smallest two tie, so that neither can vanish before the other."""
    least, second = np.sort(squares)[:2]
    return bool(second - least <= ROUNDING * squares.max())


def _on_a_line(
    flow: SignFlow, squares: np.ndarray[tuple[int, ...], np.dtype[np.float64]], gap: float
) -> Decision:
    """One point: all sizes are scalars, and the smallest alone can turn."""
    side = float(np.sign(flow.seen @ flow.pull))
    if not _ties(squares):
        text = "one point, and the smallest layer turns as y asks"
        return Decision(_verdict(True, -gap, text), product=side, gap=max(-gap, ROUNDING))
    text = "one point, and the smallest two layers tie: their signs stay"
    return Decision(_verdict(side > 0.0, -gap, text), gap=ROUNDING)


def _followed(
    flow: SignFlow, squares: np.ndarray[tuple[int, ...], np.dtype[np.float64]], gap: float
) -> Decision:
    """By the flow of the chain, until its loss is below that of beta = 0."""
    found = decided_signs(flow)
    if found is None:
        text = "the loss does not fall below that of beta = 0: training may end at the saddle"
        return Decision(_verdict(False, 0.0, text))
    if _ties(squares) and found.product < 0.0:
        text = "two layers tie, and rounding alone turns them"
        return Decision(_verdict(False, found.clearness, text))
    near = found.clearness < CLEAR or found.smallest < NEAR
    text = f"|cos(v, X^T y)| where the loss falls below that of beta = 0, {found.smallest:.1e} left"
    return Decision(
        _verdict(not near, found.clearness, f"{text} of the layers on the way"),
        product=found.product,
        gap=max(-gap, found.smallest**2),
        clearness=found.clearness,
    )


def _sign_flow(situation: Situation, chain: AlignedChain) -> SignFlow:
    """The chain's flow on all points, dependent or not, in units of its own."""
    space, features = situation.row_space, situation.problem.features
    across = solve_triangular(space.triangle, features.inner(space.units).T, trans="T")  # (X Q)^T
    largest, most = float(np.abs(across).max()), float(np.abs(situation.problem.y).max())
    across = across / largest
    gram, pull = across @ across.T, across @ (situation.problem.y / most)
    sizes = (float(np.linalg.norm(gram)), float(np.linalg.norm(pull)))
    unit = float(chain.start_sizes.max())
    log_unit = situation.init.log_scale + chain.log_unit + float(np.log(unit))
    log_ratio = situation.network.depth * log_unit + float(
        np.log(sizes[0]) + np.log(largest) - np.log(sizes[1]) - np.log(most)
    )
    return SignFlow(
        gram / sizes[0], pull / sizes[1], chain.coordinates / unit, chain.sizes / unit, log_ratio
    )
