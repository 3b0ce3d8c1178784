"""Stationary points of min sum_l |w_l|^2 / L s.t. Z (w_1 .. w_L) >= t over a group.

The least sum over the layers of one beta is sum_j m_j ||R_j(beta)||_{2/L}^{2/L} / g, a nuclear norm
for L = 2 and a Schatten quasi-norm beyond, so that both have the same stationary points. Newton's
method on the conditions

    w_l = M(c) o (w_1, .., I at l, .., w_L),  c = Z^T a,  (Z beta)_i = t_i where a_i > 0

in the layers, which are determined up to w_l -> q_{l-1}^T w_l q_l, q_l^T q_l = 1: steps have no
part along these, and beta does not see them. The residuals are exact (``_exact``), so that the last
step is what is left of beta.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from implicitbias._arrays import FloatArray, IntArray, worst_of
from implicitbias._nonnegative import nnls
from implicitbias.limits.groups._cones import least_nuclear
from implicitbias.limits.groups._newton import (
    FREE,
    Margins,
    Polished,
    newton,
    pulls_of,
    scaled,
)
from implicitbias.limits.groups._ranks import (
    CHARGED,
    ROUNDED,
    on_blocks,
    schatten_sum,
    steepest_part,
)
from implicitbias.networks import GroupConvolutionalNetwork

LEADS = "the flow's direction has come near to the stationary point"
ROUNDS = 20  # of changes to the set of points that hold the margins
STEP = 0.05  # of log |w|, and of the margins' heights that count as smallest
STRETCH, SLIDES = 25, 60  # steps between two calls of Newton's method, and stretches
NEAR = 0.1  # of beta: how far Newton's method may go
SADDLE = -1e-9  # curvatures below it are no rounding of those of free directions, which are 0
MOVED = 1e-6  # relative: a direction that leaves the conditions and does move beta
ALIKE = 1e-9  # curvatures of one eigenspace
UNCLEAR = 1e-12  # a slack that rounding of the blocks can make
TOLD = 10.0  # times what is left of it: a slack that is told from 0
BEYOND = 1e-9  # relative violation of a margin that calls for its multiplier at the latest


@dataclass(frozen=True, eq=False)
class GroupMargin:
    """A stationary beta, with its multipliers.

    Attributes
    ----------
    beta
        (g,), the smallest of Z beta being 1.
    layers
        Balanced w_l with product beta, (L, g).
    multipliers
        a >= 0, (n,), with w_l = M(Z^T a) o (w_1, .., I at l, .., w_L) and sum a = ||w_l||^2.
    value
        sum_j m_j ||R_j(beta)||_{2/L}^{2/L} / g = sum a.
    gap
        L = 2: (value - lower bound) / value, by weak duality from a over its largest singular
        value. None for L > 2.
    stationarity
        The largest violation of the conditions on beta itself, relative: along the fixed-rank
        singular vectors of each block, signs of a, and margins.
    curvature
        The smallest eigenvalue of the second derivative along layers that keep the margins, in
        units of its value off the support, 1. Negative at a saddle.
    rate
        The exponent of the margin with which a flow's direction closes in.
    kappa
        L = 2: the largest singular value of an R_j(c) where R_j(beta) has none, over the largest.
    determined
        The smallest eigenvalue of the conditions' derivative that is none of a free direction,
        over the largest.
    moves
        By how much free directions move beta: 0 if it is the only point near.
    slack
        L = 2: 1 - the largest singular value of an R_j(c) where R_j(beta) has none. Negative where
        the point is none of least norm: its ranks are others.
    unclear
        How much of ``slack`` may be rounding, or what the last step leaves of c.
    error
        What the last step leaves of beta, relative, and what it misses of signs and margins over
        ``determined``.
    """

    beta: FloatArray
    layers: FloatArray
    multipliers: FloatArray
    value: float
    gap: float | None
    stationarity: float
    curvature: float
    rate: float
    kappa: float
    determined: float
    moves: float
    slack: float
    unclear: float
    error: float


def nuclear_max_margin(network: GroupConvolutionalNetwork, rows: FloatArray) -> GroupMargin | None:
    """min sum_j m_j ||R_j(beta)||_* / g s.t. Z beta >= 1, for two layers; None if none is found.

    Semidefinite cones, then Newton's method on the ranks and the points that they show.

    Parameters
    ----------
    network
        Two layers over a group.
    rows
        Z, (n, g): y_i x_i, separable.
    """
    margins = scaled(rows)
    if len(rows) == 1:
        return _held_by_one(network, margins, 0)
    found = least_nuclear(margins.rows, margins.targets, network.blocks)
    if found is None:
        return None
    share = found.a * margins.targets
    slack = margins.rows @ found.beta / margins.targets - 1.0
    active = np.flatnonzero(share > slack * share.sum())
    if active.size == 1:
        return _held_by_one(network, margins, int(active[0]))
    layers = _balanced(network, found.beta, found.a @ margins.rows)
    if not layers.any():  # the cones were solved to less than what tells ranks
        return None
    return _settled(network, margins, layers, np.maximum(found.a, 0.0), active)


def _held_by_one(
    network: GroupConvolutionalNetwork, margins: Margins, index: int
) -> GroupMargin | None:
    """The point's largest singular value decides, known to rounding: cones tell it to 1e-8."""
    row = margins.rows[index]
    part, steepest = steepest_part(network, row)
    height = float(row @ part)
    if not height > 0:
        return None
    a = np.zeros(len(margins.rows))
    a[index] = margins.targets[index] / steepest
    part = part * (margins.targets[index] / height)
    return _settled(
        network, margins, _balanced(network, part, row / steepest), a, np.array([index])
    )


def stationary_margin(
    network: GroupConvolutionalNetwork, rows: FloatArray, layers: FloatArray
) -> GroupMargin | None:
    """The stationary point, no saddle, to which late layers of a flow, (L, g), lead; or None.

    Newton's method where it stays near; else the layers go on as a flow does late, in log |w|:

        dw = (sum_i a_i d(Z beta)_i / dw - w) d log |w|,  a >= 0 of the nearest point to w,

    the fall of |w|^2 along the face of smallest margins.
    """
    margins = scaled(rows)
    reached = rows @ network.coefficients(tuple(layers))
    if not reached.min() > 0:
        return None
    layers, heights = _to_margin(network, margins, layers)
    pulls = np.exp(reached.min() - reached) / margins.targets  # of the rows made of one size
    share = float((pulls * margins.targets) @ heights)
    a = pulls * (float(np.square(layers[0]).sum()) / share)
    for _ in range(SLIDES):
        found = _settled(network, margins, layers, a, np.flatnonzero(a > CHARGED * a.max()))
        beta = network.coefficients(tuple(layers))
        if found is not None and found.curvature >= SADDLE:
            ahead = np.ldexp(found.beta, margins.exponent)
            if np.linalg.norm(ahead - beta) <= NEAR * np.linalg.norm(beta):
                return found
        for _ in range(STRETCH):
            layers, a = _slid(network, margins, layers)
    return None


def _to_margin(
    network: GroupConvolutionalNetwork, margins: Margins, layers: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The layers times a number that makes the smallest margin over its target 1; all of these."""
    heights = margins.rows @ network.coefficients(tuple(layers)) / margins.targets
    least = float(heights.min())
    return layers / least ** (1.0 / network.depth), heights / least


def _slid(
    network: GroupConvolutionalNetwork, margins: Margins, layers: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Layers a step later, and the multipliers on the way."""
    heights = margins.rows @ network.coefficients(tuple(layers)) / margins.targets
    active = np.flatnonzero(heights <= 1.0 + STEP)
    pulls = pulls_of(network, layers, margins.rows[active])
    size = float(np.linalg.norm(pulls, axis=0).max())
    held = nnls(pulls / size, layers.ravel())[0] / size
    a = np.zeros(len(heights))
    a[active] = held
    moved = layers + STEP * ((pulls @ held).reshape(layers.shape) - layers)
    return _to_margin(network, margins, moved)[0], a


def _balanced(
    network: GroupConvolutionalNetwork, beta: FloatArray, driver: FloatArray
) -> FloatArray:
    """w_1 and w_2 of equal singular values, without those that are the smaller beside 1 - s(c)."""
    layers = np.zeros((2, beta.size))
    parts = [np.linalg.svd(block.of(beta)) for block in network.blocks]
    largest = max(float(values[0]) for _, values, _ in parts)
    for block, (left, values, right) in zip(network.blocks, parts, strict=True):
        slack = 1.0 - np.linalg.svd(block.of(driver), compute_uv=False)
        roots = np.sqrt(np.where(values / largest > slack, values, 0.0))
        layers[0] += block.part((left * roots) @ left.T)
        layers[1] += block.part((left * roots) @ right)
    return layers


def _settled(
    network: GroupConvolutionalNetwork,
    margins: Margins,
    layers: FloatArray,
    a: FloatArray,
    active: IntArray,
) -> GroupMargin | None:
    """Signs and margins to rounding; to less where points are let go and taken up in a circle."""
    for small in (ROUNDED, BEYOND, CHARGED):
        found = _held_by(network, margins, layers, a, active, small)
        if found is not None:
            return _measured(network, margins, found)
    return None


def _held_by(
    network: GroupConvolutionalNetwork,
    margins: Margins,
    layers: FloatArray,
    a: FloatArray,
    active: IntArray,
    small: float,
) -> Polished | None:
    """Newton's method, with points let go whose multiplier is negative, and taken up as needed."""
    for _ in range(ROUNDS):
        if not active.size:
            return None
        found = newton(network, margins, layers, a, active)
        if found is None:
            return None
        negative = active[found.a[active] < -small * np.abs(found.a).max()]
        heights = margins.rows @ found.beta / margins.targets
        short = np.flatnonzero(heights < 1.0 - min(small, BEYOND))
        if not negative.size and not np.setdiff1d(short, active).size:
            return found
        active = np.union1d(np.setdiff1d(active, negative), short)
    return None


def _measured(network: GroupConvolutionalNetwork, margins: Margins, found: Polished) -> GroupMargin:
    """Signs, margins, singular values: everything that Newton's method does not ask for."""
    a = np.maximum(found.a, 0.0)
    driver = a @ margins.rows
    norm = schatten_sum(network, found.beta)
    stationarity, inside, steepest = on_blocks(network, found.layers, found.beta, driver)
    heights = margins.rows @ found.beta / margins.targets
    share = a * margins.targets
    complementarity = float((share * np.abs(heights - 1.0)).sum() / share.sum())
    short = max(0.0, 1.0 - float(heights.min()))
    gap = None
    if network.depth == 2:
        bound = float(share.sum()) / steepest
        gap = abs(norm - bound) / norm
    missed = worst_of(short, -float((found.a * margins.targets).min()) / float(share.sum()))
    curvature, rate = _near(network, margins.rows, found)
    kappa = inside / steepest
    beta = np.ldexp(found.beta, -margins.exponent)
    unit = 2.0 ** (-margins.exponent / network.depth)  # of the layers
    return GroupMargin(
        beta=beta,
        layers=found.layers * unit,
        multipliers=share * unit**2,
        value=norm * unit**2,
        gap=gap,
        stationarity=worst_of(stationarity, complementarity, short),
        curvature=curvature,
        rate=min(rate, 1.0 - kappa) if network.depth == 2 else rate,
        kappa=kappa,
        determined=found.determined,
        moves=found.moves,
        slack=1.0 - inside,
        unclear=max(UNCLEAR, TOLD * sqrt(beta.size) * found.driver_error),
        error=max(found.error, missed / found.determined if missed > ROUNDED else 0.0),
    )


def _near(
    network: GroupConvolutionalNetwork, rows: FloatArray, found: Polished
) -> tuple[float, float]:
    """The least curvature along layers that keep the margins, and the flow's closing rate.

    With log |w| for time, layers come back like exp(-mu time), mu an eigenvalue of 1 - D^2 c^T beta
    on the space tangent to the active margins, and the margin grows like exp(L time): beta closes
    in like margin^{-mu / L} along those eigenvectors that move it. Off the manifold of its ranks it
    takes a product of all layers, margin^{-(1 - kappa)} for L = 2 and margin^{-1} beyond.
    """
    active = np.flatnonzero(found.a)
    pulls = pulls_of(network, found.layers, rows[active])
    hessian = np.eye(len(pulls)) - network.second_derivative(tuple(found.layers), found.a @ rows)
    left, sizes, _ = np.linalg.svd(pulls)
    across = left[:, int((sizes > FREE * sizes[0]).sum()) :]
    if not across.shape[1]:
        return 1.0, 1.0
    curvatures, vectors = np.linalg.eigh(across.T @ hessian @ across)
    jacobian = network.coefficient_jacobian(tuple(found.layers))
    moved = jacobian @ (across @ vectors)
    cuts = np.flatnonzero(np.diff(curvatures) > ALIKE) + 1
    moving = [
        float(curvatures[group[0]])
        for group in np.split(np.arange(curvatures.size), cuts)
        if np.linalg.norm(moved[:, group]) > MOVED * np.linalg.norm(jacobian)
    ]
    return float(curvatures[0]), min([1.0, *(value / network.depth for value in moving)])
