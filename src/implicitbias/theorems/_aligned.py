"""The limit of fully connected networks from aligned layers, at every scale."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np

from implicitbias._arrays import EPS, FloatArray, Parameters, stable_norm, worst_of
from implicitbias._verdicts import CERTIFIED, Verdict
from implicitbias.limits import (
    Certificate,
    GrownSizes,
    Limit,
    grown_sizes,
    relative_residual,
)
from implicitbias.theorems._aligned_assumptions import Decision, decision, deviation, off_chain
from implicitbias.theorems._aligned_chain import ROUNDED
from implicitbias.theorems._limit_problem import require_finite
from implicitbias.theorems._situation import Situation

LOG_LEAST = float(np.log(np.finfo(np.float64).smallest_subnormal))

Verdicts = tuple[Verdict, ...]


def aligned_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """beta = X^+ y + s_2 .. s_L (I - X^+ X) W_1 u_2, from the sizes' own equation."""
    chain, signs = situation.aligned, decision(situation)
    end, grown = situation.least, situation.grown
    log_scale = situation.init.log_scale + chain.log_unit
    kept = _kept_part(chain.unseen, grown, signs, log_scale)
    coefficients = end.rho + kept
    require_finite(coefficients, situation, name, verdicts)
    layers, note = _layers(situation, grown, end.rho, signs), ""
    if off_chain(situation) > CERTIFIED:
        layers, note = (
            None,
            "The layers are not given: rounding off their chain may grow on the way.",
        )
    return Limit(
        coefficients,
        "point",
        name,
        Certificate(
            relative_residual(situation.problem.features, coefficients, situation.problem.y),
            kkt_residual=worst_of(
                grown.residual, _broken_laws(situation, grown, layers, coefficients)
            ),
            error=_error(situation, coefficients),
        ),
        verdicts,
        None if layers is None else _in_place(layers, grown.log_unit),
        dual=None if kept.any() else end.nu,  # beta = X^T nu
        note=note,
    )


def minimum_norm_point(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """X^+ y, to which the limit tends as the scale tends to 0."""
    end = situation.least
    features, y = situation.problem.features, situation.problem.y
    return Limit(
        end.rho,
        "point",
        name,
        Certificate(relative_residual(features, end.rho, y), end.gap, error=end.error),
        verdicts,
        dual=end.nu,
    )


def _log_norm(vector: FloatArray) -> float:
    with np.errstate(divide="ignore"):
        return float(np.log(stable_norm(vector)))


def _kept_part(
    unseen: FloatArray, grown: GrownSizes, signs: Decision, log_scale: float
) -> FloatArray:
    """s_2 .. s_L alpha (I - X^+ X) W_1 u_2, (d,)."""
    if not unseen.any():
        return np.zeros_like(unseen)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        factor = signs.product * np.exp(grown.log_later + log_scale)
        return np.where(unseen == 0.0, 0.0, factor * unseen)


def _layers(
    situation: Situation, grown: GrownSizes, target: FloatArray, signs: Decision
) -> Parameters | None:
    """The layers at the end over the unit of the sizes; None where y = 0 leaves v's side open."""
    chain = situation.aligned
    log_scale = situation.init.log_scale - grown.log_unit
    with np.errstate(under="ignore"):
        first = np.asarray(situation.init.directions[0]) * np.exp(log_scale)
        start = np.exp(log_scale + chain.log_unit)
    sizes = grown.sizes[1:].copy()
    turned = np.argmin(chain.sizes)
    sizes[turned] *= signs.product
    if target.any():  # in units of the sizes it may underflow, its unit vector does not
        seen = signs.product * grown.sizes[0] * (target / stable_norm(target))
    elif grown.sizes[0] == 0.0:
        seen = np.zeros_like(target)
    elif situation.row_space.rank == 1:
        seen = grown.sizes[0] * chain.seen / float(np.linalg.norm(chain.seen))
    else:
        return None
    if situation.row_space.rank == seen.size:
        first = np.outer(seen, chain.units[0])
    else:
        first = first + np.outer(seen - start * chain.seen, chain.units[0])
    middle = (s * np.outer(*pair) for s, pair in zip(sizes, pairwise(chain.units), strict=False))
    return (first, *middle, sizes[-1] * chain.units[-1])


def _in_place(layers: Parameters, log_unit: float) -> Parameters | None:
    """The layers in no unit; None where they overflow."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        whole = tuple(np.where(layer == 0.0, 0.0, layer * np.exp(log_unit)) for layer in layers)
    return whole if all(np.isfinite(layer).all() for layer in whole) else None


def _broken_laws(
    situation: Situation, grown: GrownSizes, layers: Parameters | None, coefficients: FloatArray
) -> float:
    """What the layers miss: the start's conserved matrices, and beta as their product."""
    if layers is None:
        return 0.0
    network, log_unit = situation.network, grown.log_unit
    with np.errstate(under="ignore"):
        factor = np.exp(situation.init.log_scale - log_unit)
        start = tuple(np.asarray(layer) * factor for layer in situation.init.directions)
        scale = np.maximum(network.conserved_scale(layers), network.conserved_scale(start))
        drift = np.abs(network.conserved(layers) - network.conserved(start)) / scale.max()
    with np.errstate(over="ignore", divide="ignore", under="ignore"):  # beta may have underflowed
        sizes = np.exp(np.log(np.abs(coefficients)) - network.depth * log_unit)
        lost = np.exp(LOG_LEAST - network.depth * log_unit)
    missed = np.abs(network.coefficients(layers) - np.copysign(sizes, coefficients)) - lost
    size = np.prod([float(np.linalg.norm(layer)) for layer in layers])
    return worst_of(float(drift.max()), float(missed.max()) / float(size) if size else 0.0)


def _error(situation: Situation, coefficients: FloatArray) -> float:
    """|d beta|_inf / |beta|_inf for the rounding of the sizes, of v, and of the alignment."""
    size = float(np.abs(coefficients).max(initial=0.0))
    chain, end, grown = situation.aligned, situation.least, situation.grown
    if size == 0.0:
        return 0.0
    error = EPS + end.error * float(np.abs(end.rho).max()) / size
    if situation.row_space.rank == coefficients.size:
        return error
    log_scale, log_target = situation.init.log_scale + chain.log_unit, _log_norm(end.rho)
    start = chain.start_sizes
    off = np.full(start.size, ROUNDED * float(start[1:].max()))
    off[0] = chain.doubt
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        # layers' products at the start's unit, over |beta|
        factor = float(np.exp(grown.log_later + log_scale - np.log(size)))
        change = 0.0
        for index, sign in product(range(start.size), (-1.0, 1.0)):
            moved = start.copy()
            moved[index] = max(moved[index] + sign * off[index], 0.0)
            other = grown_sizes(moved, log_scale, log_target)
            change += 0.5 * abs(float(np.expm1(other.log_later - grown.log_later)))
        largest = float(np.abs(chain.unseen).max())
        if factor > 0.0:
            rounded = EPS * (4.0 + abs(log_scale) * start.size)
            error += factor * (largest * (change + rounded) + chain.doubt)
    error += deviation(situation)
    return error if np.isfinite(error) else float("inf")
