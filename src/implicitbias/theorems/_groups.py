"""The limit directions of convolutions over groups, and what they assume."""

from __future__ import annotations

from typing import Literal

import numpy as np

from implicitbias._arrays import FloatArray, unit, worst_of
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Status, Verdict
from implicitbias.features import Dense
from implicitbias.flow import margin_flows
from implicitbias.limits import (
    LEADS,
    Certificate,
    GroupMargin,
    Limit,
    Shares,
    late_shares,
    nuclear_max_margin,
    schatten_sum,
    smallest_margin,
    stationary_margin,
)
from implicitbias.networks import as_group_convolution
from implicitbias.theorems._assumptions import ROUNDING, counted, needs, of_family, two_layers
from implicitbias.theorems._classification import scaled_to_margin
from implicitbias.theorems._loss_rates import gram_of, loss_rate, smallest_margins
from implicitbias.theorems._situation import Situation

Verdicts = tuple[Verdict, ...]
NOISE = 1e-13  # of conditions on beta
SINGLE = 1e-6  # relative change of beta along directions that keep the optimality conditions
CLOSE = 1e-8  # slacks that directions which keep the optimality conditions may be made of
LOG_MARGINS = np.log(1e4), np.log(1e6)  # where the flow's direction is read off
NEAR = 0.1  # radians between the later one and a point that it has come near to


def group_convolutional(situation: Situation) -> Verdict:
    """The network is a convolution over a group."""
    return of_family(situation, "group convolutional", "the network is a convolution over a group")


@needs(group_convolutional, two_layers)
def definite_blocks(situation: Situation) -> Verdict:
    """In every block R_j(w_1)^T R_j(w_1) - R_j(w_2) R_j(w_2)^T is positive or negative definite.

    It is conserved. Definite, it keeps the block's growing directions from being missed, whatever
    the data (the theory page proves it); without a zero eigenvalue, all but exceptional data.
    """
    network = as_group_convolution(situation.network)
    first, second = situation.init.directions
    size, definite, regular = 0.0, np.inf, np.inf
    for block in network.blocks:
        left, right = block.of(first), block.of(second)
        values = np.linalg.eigvalsh(left.T @ left - right @ right.T)
        size = max(size, float(np.linalg.norm(left, 2)) ** 2, float(np.linalg.norm(right, 2)) ** 2)
        definite = min(definite, max(float(values[0]), -float(values[-1])))
        regular = min(regular, float(np.abs(values).min()))
    noise = ROUNDING * size
    status: Status = "holds" if definite > noise else "undecided" if regular > noise else "fails"
    detail = "its least eigenvalue by magnitude, of one sign in each block"
    if status == "undecided":
        detail = "its eigenvalues have both signs in some block: it holds but for exceptional data"
    elif status == "fails":
        detail = "it is singular in some block, so that some directions may never grow"
    value = definite if status == "holds" else regular
    return Verdict(
        "w_1^T w_1 - w_2 w_2^T is definite in every block of the group", status, value, detail
    )


def more_layers(situation: Situation) -> Verdict:
    """The network has more than two layers, L > 2."""
    depth = situation.network.depth
    return counted("the network has more than two layers", depth, depth > 2, "L")


def nuclear_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """min sum_j m_j ||R_j(beta)||_* s.t. margins >= 1."""
    found = nuclear_max_margin(as_group_convolution(situation.network), _rows(situation))
    if found is None:
        raise NoPredictionError(
            f"{name} applies, but no point of least nuclear norm was found. Subtract offsets from "
            "the features, or merge points that are nearly equal.",
            verdicts,
        )
    alone = _alone(found)
    if found.moves > SINGLE:
        raise NoPredictionError(
            f"{name} applies, but several points have the least nuclear norm to what float64 "
            f"tells, and none is known to be the flow's: {alone}. Its direction: "
            "gradient_flow(network, problem, init).",
            (*verdicts, alone),
        )
    told = _ranks_told(found)
    if not told.holds:
        raise NoPredictionError(
            f"{name} applies, but float64 does not tell in which representations the point of "
            f"least nuclear norm lies: {told}. Its direction: gradient_flow(network, problem, "
            "init).",
            (*verdicts, alone, told),
        )
    return _limit(
        situation, name, (*verdicts, alone), found, "direction", f"kappa = {found.kappa:.4g}."
    )


def _alone(found: GroupMargin) -> Verdict:
    """Directions that keep the conditions to ``CLOSE`` are also those of nearly equal values."""
    single = found.moves <= SINGLE
    status: Status = "holds" if single else "undecided" if found.slack <= CLOSE else "fails"
    detail = f"the optimality conditions' least eigenvalue; kappa = {found.kappa:.4g}"
    if not single:
        detail = "by how much it moves, relative, along directions that keep the optimality "
        detail += "conditions"
    if status == "undecided":
        detail += f"; singular values beside it are within {found.slack:.1e} of its own"
    value = found.determined if single else found.moves
    return Verdict("the point of least nuclear norm is unique", status, value, detail)


def _ranks_told(found: GroupMargin) -> Verdict:
    """A point with a slack of the wrong sign keeps all other conditions, wherever the right is."""
    status: Status = "holds" if found.slack > found.unclear else "fails"
    if abs(found.slack) <= found.unclear:
        status = "undecided"
    return Verdict(
        "no singular value of R_j(Z^T a) where R_j(beta) has none reaches 1",
        status,
        found.slack,
        f"1 - the largest of them, known to {found.unclear:.0e}",
    )


def schatten_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """The stationary point of the Schatten-2/L quasi-norm to which the flow leads."""
    network = as_group_convolution(situation.network)
    early, late = (_late_layers(situation, log_margin, verdicts) for log_margin in LOG_MARGINS)
    found = stationary_margin(network, _rows(situation), late)
    if found is None or found.moves > SINGLE:
        raise NoPredictionError(
            f"{name} applies, but near the flow's direction at margin {np.exp(LOG_MARGINS[1]):.0e} "
            "no single stationary point was found. Follow it further: gradient_flow(network, "
            "problem, init, until_margin=...).",
            verdicts,
        )
    before, after = (_angle(network.coefficients(tuple(w)), found.beta) for w in (early, late))
    leads = Verdict(
        LEADS,
        "holds" if after < min(before, NEAR) else "undecided",
        after,
        f"the angle at margin 1e6; {before:.2e} at 1e4"
        + ("" if after < min(before, NEAR) else "; from there |w| fell along the smallest margins"),
    )
    power, value = f"2/{network.depth}", network.num_features * found.value
    note = (
        f"A stationary point with sum_j m_j ||R_j(beta)||_{{S,{power}}}^{{{power}}} = {value:.6g}; "
        "the flow's direction at margin 1e6 decided among them."
    )
    return _limit(situation, name, (*verdicts, leads), found, "stationary direction", note)


def _rows(situation: Situation) -> FloatArray:
    return np.ascontiguousarray(situation.problem.y[:, None] * situation.problem.X)


def _late_layers(situation: Situation, log_margin: float, verdicts: Verdicts) -> FloatArray:
    """w_l of the flow at a margin, later for large starts, (L, g)."""
    size = situation.init.log_scale + float(
        np.log(max(np.abs(layer).max() for layer in situation.init.directions))
    )
    late = log_margin + max(0.0, situation.network.depth * size)
    flow = margin_flows(situation).to(float(late), "parameters")
    if flow.final_parameters is None or not flow.outcome.converged:
        raise NoPredictionError(
            "for L > 2 the flow decides which stationary point is reached, and it stopped early: "
            f"{flow.message}",
            verdicts,
        )
    return np.stack(flow.final_parameters)


def _angle(first: FloatArray, second: FloatArray) -> float:
    one, other = (unit(v) / np.linalg.norm(unit(v)) for v in (first, second))
    return float(2 * np.arctan2(np.linalg.norm(one - other), np.linalg.norm(one + other)))


def _limit(
    situation: Situation,
    name: str,
    verdicts: Verdicts,
    found: GroupMargin,
    kind: Literal["direction", "stationary direction"],
    note: str,
) -> Limit:
    beta = scaled_to_margin(situation, found.beta)
    problem = situation.problem
    short = 1.0 - smallest_margin(problem.features.scaled(problem.y, None), beta)
    error = found.error
    if not found.stationarity <= NOISE:
        error = worst_of(error, found.stationarity)
    convex = found.gap is not None
    network = as_group_convolution(situation.network)
    squares = network.depth * schatten_sum(network, beta)
    shares = _shares(situation, beta, found)
    return Limit(
        beta,
        kind,
        name,
        Certificate(
            worst_of(0.0, short),
            gap=found.gap,
            kkt_residual=None if convex else found.stationarity,
            error=error,
        ),
        verdicts,
        dual=found.multipliers,
        rate=found.rate if shares.entropy_error == 0.0 else None,  # else of some multipliers
        loss_rate=loss_rate(situation, squares, shares),
        note=note,
    )


def _shares(situation: Situation, beta: FloatArray, found: GroupMargin) -> Shares:
    """Of the loss: margins are moved by the layers at the limit."""
    rows = _rows(situation)
    jacobian = situation.network.coefficient_jacobian(tuple(found.layers))
    return late_shares(
        found.multipliers,
        smallest_margins(situation, beta),
        gram_of(Dense(rows @ jacobian)),
        gram_of(Dense(rows)),
    )
