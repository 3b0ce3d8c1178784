"""Theorem 1, measured at a flow's end: the layers of every separable classifier align.

    s u_l = M(-u) o (u_1, .., I at l, .., u_L),        u the direction of X^T r,

in the limit, where the loss falls below 1 and X^T r converges in direction. The theorem names no
single limit, M(-u) has several singular tuples, and no rate is known: both hypotheses, what is left
of the equation, and the tuples with the one that the layers approach are numbers to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._closing import angle_between
from implicitbias._errors import InvalidInputError
from implicitbias._results import Record
from implicitbias._verdicts import Verdict
from implicitbias.flow import Flow
from implicitbias.limits import (
    singular_residual_of_network,
    singular_vectors_near,
    tensor_singular_vectors,
)
from implicitbias.networks import Network
from implicitbias.problems import Classification

STRETCH = float(np.log(100.0))  # of log margin, over which the drift is measured
SETTLED = 1e-2  # radians of drift below which a direction counts as converging, if it falls
LISTED, REFINED = 200, 20000  # entries of M(-u) up to which tuples are searched, or one refined
NEAR = 0.5  # radians between the layers and the tuple that they approach
SOLVED, SAME = 1e-8, 1e-6  # residual of a tuple; relative difference of equal numbers
PRINTED = 8


@dataclass(frozen=True, eq=False, repr=False)
class Candidate(Record):
    """One singular tuple of M(-u).

    Attributes
    ----------
    value, vectors
        s, for u of unit length, and u_1, .., u_L.
    residual
        max_l ||s u_l - M(-u) o (u_1, .., I, .., u_L)|| / ||M(-u)||.
    angle
        To the layers, the largest over l, up to signs, in radians.
    """

    value: float
    vectors: tuple[NumericArray, ...]
    residual: float
    angle: float

    def _short(self) -> str:
        return f"s = {self.value:.6g}, residual {self.residual:.1e}, {self.angle:.2g} radians away"


@dataclass(frozen=True, eq=False, repr=False)
class Theorem1(Record):
    """What Theorem 1 assumes and says, at the end of one flow.

    Attributes
    ----------
    loss_below_one
        Whether the loss fell below 1; the value is the log of the loss at the end.
    direction_settled
        Whether the direction of X^T r converges; the value is its drift in radians over the last
        factor 100 of the margin (past the hand-over to the slide: since then). A flow that has
        ended cannot refute it: "holds" or "undecided".
    direction
        -u, of unit length, (d,).
    residual
        max_l ||M(-u) o (u_1, .., I, .., u_L) - s u_l|| / s at the layers' directions u_l.
    log_margin
        Log of the margin at the end.
    approached
        The singular tuple that Newton's method finds from the layers; None where it finds none
        within half a radian, or the tensor is too large.
    candidates
        Singular tuples of M(-u), largest value first, of tied ones some; None where its tensor is
        too large.
    reached
        Index of the candidate that is ``approached``, or ties with it; None where there is none.
    """

    loss_below_one: Verdict
    direction_settled: Verdict
    direction: FloatArray
    residual: float
    log_margin: float
    approached: Candidate | None
    candidates: tuple[Candidate, ...] | None
    reached: int | None

    @property
    def assumptions(self) -> tuple[Verdict, Verdict]:
        """Both hypotheses."""
        return self.loss_below_one, self.direction_settled

    def _short(self) -> str:
        return f"residual {self.residual:.2g} at margin exp({self.log_margin:.4g})"

    def __str__(self) -> str:
        lines = [
            f"Theorem 1 at margin exp({self.log_margin:.4g}): the layers miss singular vectors of "
            f"M(-u) by {self.residual:.2g}",
            *(f"  {verdict}" for verdict in self.assumptions),
        ]
        if self.approached is None:
            lines.append("  no singular tuple of M(-u) is approached yet")
        else:
            lines.append(
                f"  approached: s = {self.approached.value:.5g}, {self.approached.angle:.2g} "
                "radians from the layers"
            )
        return "\n".join([*lines, *self._list()])

    def _list(self) -> list[str]:
        if self.candidates is None:
            return []
        lines = [f"  {len(self.candidates)} singular tuples of M(-u) found, * the one approached:"]
        for index, one in enumerate(self.candidates):
            if index < PRINTED or index == self.reached:
                mark = "*" if index == self.reached else " "
                lines.append(f"  {mark} s = {one.value:.5g}, {one.angle:.2g} from the layers")
            elif index == PRINTED:
                lines.append("    ...")
        return lines


def theorem_1(
    network: Network, problem: Classification, flow: Flow, *, max_entries: int = LISTED
) -> Theorem1:
    """Measure Theorem 1's hypotheses and its conclusion at the end of a flow.

    Parameters
    ----------
    network, problem, flow
        Any linear network, separable data, and a flow of the one on the other.
    max_entries
        The singular tuples of M(-u) are searched where it has at most so many entries.

    Raises
    ------
    InvalidInputError
        The three do not belong together, the flow has no positive margin yet, or its layers
        overflow float64.

    Notes
    -----
    Source: Theorem 1 of Yun, Krishnan and Mobahi, "A unifying view on implicit bias in training
    linear neural networks", ICLR 2021.
    """
    directions, heights = _checked(network, problem, flow)
    normal = _normal(problem, flow, directions, heights, -1)
    layers = [layer.ravel() / np.linalg.norm(layer) for layer in flow.final_parameters or ()]
    size = int(np.prod([layer.size for layer in layers]))
    tensor = network.data_tensor(normal) if size <= max(REFINED, max_entries) else None
    approached = None if tensor is None else _approached(tensor, layers)
    candidates = None if tensor is None or size > max_entries else _candidates(tensor, layers)
    return Theorem1(
        loss_below_one=_loss_below_one(flow),
        direction_settled=_direction_settled(problem, flow, directions, heights),
        direction=normal,
        residual=singular_residual_of_network(network, normal, flow.final_parameters or ()),
        log_margin=float(heights[-1]),
        approached=approached,
        candidates=candidates,
        reached=_reached(approached, candidates),
    )


def _checked(
    network: Network, problem: Classification, flow: Flow
) -> tuple[FloatArray, FloatArray]:
    """The flow's directions and log margins, where all three fit together."""
    if not network.is_multilinear:
        raise InvalidInputError(
            f"Theorem 1 is about the data tensor M(x) of a network; {network!r} has none, for its "
            "coefficients are not linear in its layers. Its limit: predict_limit(network, problem, "
            "init)."
        )
    if not isinstance(problem, Classification) or (
        not isinstance(flow, Flow) or flow.directions is None
    ):
        raise InvalidInputError(
            "Theorem 1 is about classification: expected a Classification and a flow of it."
        )
    heights = np.asarray(flow.log_margins)
    if heights[-1] == -np.inf:
        raise InvalidInputError(
            f"the flow has not separated the points ({flow.message}): Theorem 1 speaks of what "
            "follows. Follow it further, to a positive margin."
        )
    if flow.final_parameters is None:
        raise InvalidInputError(
            f"the layers overflow float64 at margin exp({heights[-1]:.4g}). Stop the flow earlier: "
            "until_log_margin=300, say."
        )
    shapes = tuple(layer.shape for layer in flow.final_parameters)
    fits = shapes == tuple(network.parameter_shapes) and (
        flow.directions.shape[1] == problem.num_features == network.num_features
    )
    if fits:
        smallest = float((problem.y * (problem.X @ flow.directions[-1])).min())
        fits = abs(smallest - 1.0) <= SAME
    if not fits:
        raise InvalidInputError(
            "the flow is of another network or of other data than those given; pass the network "
            "and the problem that it was followed for."
        )
    return flow.directions, heights


def _normal(
    problem: Classification,
    flow: Flow,
    directions: FloatArray,
    heights: FloatArray,
    index: int,
) -> FloatArray:
    """-X^T r over its length, at a saved point: the points weighted by softmax(-margins)."""
    if flow.slide is not None and heights[index] > flow.slide.log_handover:
        support, weights = flow.slide.support, flow.slide.weights
        normal = (weights * problem.y[support]) @ problem.X[support]
    else:
        margins = problem.y * (problem.X @ directions[index])
        with np.errstate(under="ignore", over="ignore"):
            weights = np.exp(np.exp(heights[index]) * (margins.min() - margins))
        normal = (weights * problem.y) @ problem.X
    return np.asarray(normal / np.linalg.norm(normal))


def _loss_below_one(flow: Flow) -> Verdict:
    below = np.flatnonzero(flow.log_losses < 0.0)
    last = float(flow.log_losses[-1])
    text = "the loss falls below 1"
    if not below.size:
        return Verdict(text, "undecided", last, "log loss at the end: follow the flow further")
    time = float(flow.log_times[below[0]])
    when = "at the start" if time == -np.inf else f"by log t = {time:.3g}"
    return Verdict(text, "holds", last, f"log loss at the end; below 0 {when}")


def _direction_settled(
    problem: Classification, flow: Flow, directions: FloatArray, heights: FloatArray
) -> Verdict:
    """The drift of X^T r's direction over the last stretch, and over the one before."""
    top = float(heights[-1])
    if flow.slide is not None:
        top = min(top, flow.slide.log_handover)
    marks = [top, top - STRETCH] if top < heights[-1] else [top - STRETCH, top - 2.0 * STRETCH]
    text, first = "the direction of X^T r converges", float(heights[heights > -np.inf][0])
    if marks[1] < first:
        detail = f"the flow grew only from margin exp({first:.3g}) to exp({heights[-1]:.3g})"
        return Verdict(text, "undecided", np.nan, detail)
    at = [-1, *(int(np.flatnonzero(heights <= mark)[-1]) for mark in marks)]
    normals = [_normal(problem, flow, directions, heights, index) for index in at]
    last, before = (angle_between(*pair) for pair in pairwise(normals))
    settled = last <= SETTLED and last <= before
    since = f"since margin exp({heights[at[1]]:.3g})"
    detail = f"radians {since}; {before:.2g} over the stretch before"
    return Verdict(text, "holds" if settled else "undecided", last, detail)


def _angle(layers: Sequence[NumericArray], vectors: Sequence[NumericArray]) -> float:
    """The largest angle of two layers' directions; the signs of two may be exchanged."""
    return max(
        min(angle_between(layer, u), angle_between(layer, -u))
        for layer, u in zip(layers, vectors, strict=True)
    )


def _approached(tensor: NumericArray, layers: list[FloatArray]) -> Candidate | None:
    """The singular tuple at the end of Newton's method from the layers, if it is near them."""
    if float(np.linalg.norm(tensor)) == 0.0:
        return None
    found = singular_vectors_near(tensor, layers)
    one = Candidate(found.value, found.vectors, found.residual, _angle(layers, found.vectors))
    return one if one.residual <= SOLVED and one.angle <= NEAR else None


def _candidates(tensor: NumericArray, layers: list[FloatArray]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(one.value, one.vectors, one.residual, _angle(layers, one.vectors))
        for one in tensor_singular_vectors(tensor)
    )


def _reached(approached: Candidate | None, candidates: tuple[Candidate, ...] | None) -> int | None:
    """The candidate of the same value that is nearest to the tuple approached."""
    if approached is None or candidates is None:
        return None
    alike = [
        index
        for index, one in enumerate(candidates)
        if abs(one.value - approached.value) <= SAME * approached.value
    ]
    distances = [_angle(approached.vectors, candidates[index].vectors) for index in alike]
    return alike[int(np.argmin(distances))] if alike else None
