"""What the exact limit of fully connected networks assumes, measured into verdicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from implicitbias._arrays import stable_norm
from implicitbias._verdicts import CERTIFIED, Status, Verdict
from implicitbias.limits import SignFlow, decided_signs, escape, turning
from implicitbias.theorems._aligned_chain import ROUNDED, AlignedChain
from implicitbias.theorems._assumptions import (
    ROUNDING,
    counted,
    fully_connected,
    needs,
    positive,
    title,
    vanishing,
)
from implicitbias.theorems._situation import Situation

LEAVES = "the start leaves the saddle at 0, however small it is"
KNOWN = "training fits the data, and the signs of s_2, .., s_L at its end are known"
KEPT = "what is off the chain by rounding does not grow into the limit"
CLEAR = 1e-6  # from a saddle, in units of the layers: nearer, no one says to which side it passes
HARMLESS = 1e-10  # of beta
NEAR = 1e-5  # sizes relative to the start's below which rounding may have turned the flow


@dataclass(frozen=True)
class Decision:
    """The sign of s_2 .. s_L at the end, and what says so."""

    verdict: Verdict
    product: float = 1.0


@needs(fully_connected)
def leaves_zero(situation: Situation) -> Verdict:
    """The start leaves the saddle at 0, however small it is."""
    layers, y = situation.init.directions, situation.problem.y
    largest = max(float(np.abs(layer).max()) for layer in layers)
    size = float(np.abs(y).max(initial=0.0))
    if largest == 0.0 or size == 0.0:  # from y = 0 whatever moves, moves to it
        return positive(LEAVES, largest, largest, "the largest entry")
    drive = situation.problem.features.T @ (y / size)
    drive = drive / float(np.abs(drive).max())
    first, *later = (np.asarray(layer) / largest for layer in layers)
    found = escape((first.T @ (drive / float(np.linalg.norm(drive))), *later))
    text = "the least gradient on the way out, of what the norms of the layers allow"
    if situation.network.depth == 2:
        text = "|W_1^T k / |k| + w_2| relative to both, k = X^T y: the part that grows"
    elif not found.escapes:
        text += "; it stays on the side where k^T beta < 0"
    holds = found.escapes and found.clearness > ROUNDING
    return Verdict(LEAVES, "holds" if holds else "fails", found.clearness, text)


@needs(fully_connected)
def aligned_layers(situation: Situation) -> Verdict:
    """X^+ X W_1 = v u_2^T, W_l = s_l u_l u_{l+1}^T and w_L = s_L u_L: the layers are aligned."""
    chain = situation.aligned
    if not chain.found:
        text = "two layers are 0 where they meet the others: nothing moves"
        if chain.doubt > 0.0:
            text = "the rows of X, in the units of its columns, are dependent in float64"
        return counted(title(aligned_layers), 0.0, False, text)
    return vanishing(title(aligned_layers), chain.defect, "the largest part off it, of |W_l|")


@needs(fully_connected, aligned_layers)
def signs_are_known(situation: Situation) -> Verdict:
    """Training fits the data, and the signs of s_2, .., s_L at its end are known."""
    return decision(situation).verdict


def decision(situation: Situation) -> Decision:
    """The verdict of ``signs_are_known`` with the sign."""
    if "aligned signs" not in situation.derived:
        situation.derived["aligned signs"] = _decided(situation)
    found: Decision = situation.derived["aligned signs"]
    return found


@needs(fully_connected, aligned_layers, signs_are_known)
def chain_is_kept(situation: Situation) -> Verdict:
    """What is off the chain by rounding does not grow into the limit."""
    off = deviation(situation)
    status: Status = "holds" if off <= HARMLESS else "undecided" if off <= CERTIFIED else "fails"
    return Verdict(KEPT, status, off, "what it adds to beta at most, of |beta|")


def deviation(situation: Situation) -> float:
    """|d beta| / |beta| for what is off the chain: P W_1 s_3 .. s_L dw, dw orthogonal to u_2.

    |w| itself changes in second order.
    """
    chain, end = situation.aligned, situation.grown
    unseen = stable_norm(chain.unseen)
    if max(chain.outside, unseen) <= ROUNDED or situation.row_space.rank == chain.unseen.size:
        return 0.0
    log_unit = situation.init.log_scale + chain.log_unit + end.log_later
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        log_kept = np.log([chain.outside, unseen]) + log_unit
        log_size = np.logaddexp(np.log(stable_norm(situation.least.rho)), log_kept[1])
        share = np.exp(np.minimum(log_kept - log_size, 0.0))
    first, second = np.where(log_kept == -np.inf, 0.0, share)  # nothing is kept of nothing
    if max(first, second) <= HARMLESS:
        return float(first + second)
    off = off_chain(situation)
    return float(first * off + second * off**2)


def off_chain(situation: Situation) -> float:
    """What is off the chain at the end at most, relative to s_2, up to 1.

    Rows of [V; w^T] orthogonal to u_2 undergo the Lorentz transformations that carry (v, s_2)
    along. From a timelike one, s_2 > |v|, their norm is bounded by the start and the end.
    """
    if "off the chain" not in situation.derived:
        situation.derived["off the chain"] = _off_chain(situation)
    return float(situation.derived["off the chain"])


def _off_chain(situation: Situation) -> float:
    chain, end = situation.aligned, situation.grown
    if chain.units[0].size == 1:
        return 0.0  # nothing is orthogonal to u_2
    squares = chain.start_sizes[:2] ** 2
    timelike, size = float(squares[1] - squares[0]), float(squares.sum())
    parts = (chain.outside, stable_norm(chain.seen), stable_norm(chain.unseen))
    first = float(np.linalg.norm(parts))  # |W_1|, of which the data may see next to nothing
    rounding = (chain.defect + ROUNDED) * (max(1.0, first / size**0.5) if size else 1.0)
    if timelike > ROUNDING * size:
        return min(1.0, 4.0 * rounding * size / timelike)
    if not situation.targets.any():
        return 1.0
    log_scale = situation.init.log_scale + chain.log_unit
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        reached = float(end.sizes[1] * np.exp(end.log_unit - log_scale))
        grown = float(np.exp(turning(_sign_flow(situation, chain))))
    return min(1.0, rounding * grown * size**0.5 / reached) if reached else 1.0


def _verdict(holds: bool, value: float, detail: str) -> Verdict:
    return Verdict(KNOWN, "holds" if holds else "fails", value, detail)


def _decided(situation: Situation) -> Decision:
    chain = situation.aligned
    squares = chain.start_sizes**2
    gap = float(squares[1:].min() - squares[0]) / float(squares.max())
    if gap > ROUNDING:
        return Decision(
            _verdict(True, gap, "min s_l^2 - |v|^2 over the largest: no layer vanishes")
        )
    if not situation.targets.any():
        return Decision(_verdict(True, 0.0, "y = 0, which beta = 0 fits, too"))
    flow = _sign_flow(situation, chain)
    excess = flow.excess(flow.seen, flow.sizes)
    if excess < 0.0:
        text = "the loss at the start less that of beta = 0, in some unit: they stay apart"
        return Decision(_verdict(True, excess, text))
    least, second = np.sort(squares)[:2]
    ties = bool(second - least <= ROUNDING * squares.max())
    if situation.row_space.rank == 1:
        return _on_a_line(float(np.sign(flow.seen @ flow.pull)), ties, -gap)
    return _followed(flow, ties)


def _on_a_line(side: float, ties: bool, gap: float) -> Decision:
    """One point: all sizes are scalars, and the smallest alone can turn."""
    if not ties:
        text = "one point, and the smallest layer turns as y asks"
        return Decision(_verdict(True, gap, text), product=side)
    text = "sgn(s_1 .. s_L y): one point, and the smallest two layers tie, so that signs stay"
    return Decision(_verdict(side > 0.0, side, text))


def _followed(flow: SignFlow, ties: bool) -> Decision:
    """By the flow of the chain, until its loss is below that of beta = 0."""
    found = decided_signs(flow)
    if found is None:
        text = "the loss does not fall below that of beta = 0: training may end at the saddle"
        return Decision(_verdict(False, 0.0, text))
    if ties and found.product < 0.0:
        text = "two layers tie, and rounding alone turns them"
        return Decision(_verdict(False, found.clearness, text))
    near = found.clearness < CLEAR or found.smallest < NEAR
    text = f"the least distance from a saddle; of the layers {found.smallest:.1e} is always left"
    return Decision(_verdict(not near, found.clearness, text), found.product)


def _sign_flow(situation: Situation, chain: AlignedChain) -> SignFlow:
    """The chain's flow on all points, dependent or not, in units of its own."""
    space, features = situation.row_space, situation.problem.features
    across = solve_triangular(space.triangle, features.inner(space.units).T, trans="T")  # (X Q)^T
    largest, most = float(np.abs(across).max()), float(np.abs(situation.problem.y).max())
    across = across / largest
    gram, pull = across @ across.T, across @ (situation.problem.y / most)
    end = np.linalg.lstsq(across.T, situation.problem.y / most, rcond=0.0)[0]
    sizes = (float(np.linalg.norm(gram)), float(np.linalg.norm(pull)))
    unit = float(chain.start_sizes.max())
    log_unit = situation.init.log_scale + chain.log_unit + float(np.log(unit))
    log_ratio = situation.network.depth * log_unit + float(
        np.log(sizes[0]) + np.log(largest) - np.log(sizes[1]) - np.log(most)
    )
    return SignFlow(
        gram / sizes[0],
        pull / sizes[1],
        end * (sizes[0] / sizes[1]),
        chain.coordinates / unit,
        chain.sizes / unit,
        log_ratio,
    )
