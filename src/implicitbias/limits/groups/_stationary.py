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
from typing import NamedTuple

import numpy as np

from implicitbias._arrays import EPS, FloatArray, IntArray, worst_of
from implicitbias._nonnegative import nnls
from implicitbias.limits.groups._cones import least_nuclear
from implicitbias.limits.groups._exact import exact_residuals
from implicitbias.networks import GroupConvolutionalNetwork

LEADS = "the flow's direction has come near to the stationary point"
ROUNDED = 64 * EPS  # of the largest: singular values that are none
FREE = 1e-9  # relative; eigenvalues of the conditions' derivative that are zero
STEPS = 40
LOST = 1e-3  # a norm of beta below which its margins cannot be near 1
ROUNDS = 20  # of changes to the set of points that hold the margins
STEP = 0.05  # of log |w|, and of the margins' heights that count as smallest
STRETCH, SLIDES = 25, 60  # steps between two calls of Newton's method, and stretches
NEAR = 0.1  # of beta: how far Newton's method may go
SADDLE = -1e-9  # curvatures below it are no rounding of those of free directions, which are 0
SETTLED = 8 * EPS
CHARGED = 1e-6  # part of the largest multiplier
MOVED = 1e-6  # relative: a direction that leaves the conditions and does move beta
ALIKE = 1e-9  # curvatures of one eigenspace
BEYOND = 1e-9  # relative violation of a margin that calls for its multiplier


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
    error
        What the last step leaves of beta, relative.
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
    error: float


class _Margins(NamedTuple):
    """Rows over powers of 2 that make them of one size, with the targets that this gives them."""

    rows: FloatArray
    targets: FloatArray
    exponent: int  # beta is 2^-exponent times what has these margins


class _Polished(NamedTuple):
    layers: FloatArray
    a: FloatArray
    beta: FloatArray
    error: float
    determined: float
    moves: float


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
    margins = _scaled(rows)
    found = least_nuclear(margins.rows, margins.targets, network.blocks)
    if found is None:
        return None
    share = found.a * margins.targets
    slack = margins.rows @ found.beta / margins.targets - 1.0
    active = np.flatnonzero(share > slack * share.sum())
    layers = _balanced(network, found.beta, found.a @ margins.rows)
    if not layers.any():  # the cones were solved to less than what tells ranks
        return None
    return _settled(network, margins, layers, np.maximum(found.a, 0.0), active)


def stationary_margin(
    network: GroupConvolutionalNetwork, rows: FloatArray, layers: FloatArray
) -> GroupMargin | None:
    """The stationary point, no saddle, to which late layers of a flow, (L, g), lead; or None.

    Newton's method where it stays near; else the layers go on as a flow does late, in log |w|:

        dw = (sum_i a_i d(Z beta)_i / dw - w) d log |w|,  a >= 0 of the nearest point to w,

    the fall of |w|^2 along the face of smallest margins.
    """
    margins = _scaled(rows)
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
    network: GroupConvolutionalNetwork, margins: _Margins, layers: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The layers times a number that makes the smallest margin over its target 1; all of these."""
    heights = margins.rows @ network.coefficients(tuple(layers)) / margins.targets
    least = float(heights.min())
    return layers / least ** (1.0 / network.depth), heights / least


def _slid(
    network: GroupConvolutionalNetwork, margins: _Margins, layers: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Layers a step later, and the multipliers on the way."""
    heights = margins.rows @ network.coefficients(tuple(layers)) / margins.targets
    active = np.flatnonzero(heights <= 1.0 + STEP)
    pulls = _pulls(network, layers, margins.rows[active])
    size = float(np.linalg.norm(pulls, axis=0).max())
    held = nnls(pulls / size, layers.ravel())[0] / size
    a = np.zeros(len(heights))
    a[active] = held
    moved = layers + STEP * ((pulls @ held).reshape(layers.shape) - layers)
    return _to_margin(network, margins, moved)[0], a


def _scaled(rows: FloatArray) -> _Margins:
    exponents = np.frexp(np.linalg.norm(rows, axis=1))[1]
    least = int(exponents.min())
    return _Margins(np.ldexp(rows, -exponents[:, None]), np.ldexp(1.0, least - exponents), least)


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


def _pulls(network: GroupConvolutionalNetwork, layers: FloatArray, rows: FloatArray) -> FloatArray:
    """Derivatives of all margins by the layers, (L g, n)."""
    return np.asarray((rows @ network.coefficient_jacobian(tuple(layers))).T)


def _settled(
    network: GroupConvolutionalNetwork,
    margins: _Margins,
    layers: FloatArray,
    a: FloatArray,
    active: IntArray,
) -> GroupMargin | None:
    """Newton's method, with points let go whose multiplier is negative, and taken up as needed."""
    for _ in range(ROUNDS):
        if not active.size:
            return None
        found = _newton(network, margins, layers, a, active)
        if found is None:
            return None
        negative = active[found.a[active] < -CHARGED * np.abs(found.a).max()]
        heights = margins.rows @ found.beta / margins.targets
        short = np.flatnonzero(heights < 1.0 - BEYOND)
        if not negative.size and not np.setdiff1d(short, active).size:
            return _measured(network, margins, found)
        active = np.union1d(np.setdiff1d(active, negative), short)
    return None


def _newton(
    network: GroupConvolutionalNetwork,
    margins: _Margins,
    layers: FloatArray,
    a: FloatArray,
    active: IntArray,
) -> _Polished | None:
    rows, targets = margins.rows[active], margins.targets[active]
    held, before = a[active], np.inf
    for _ in range(STEPS):
        left = exact_residuals(network, layers, held, rows, targets)
        size = float(np.linalg.norm(left.beta))
        if size < LOST:  # rows are of about unit length, and one margin is 1
            return None
        values, vectors = np.linalg.eigh(_derivative(network, layers, held, rows))
        kept = np.abs(values) > FREE * np.abs(values).max()
        residual = np.concatenate([left.layers.ravel(), left.margins])
        step = -vectors[:, kept] @ ((vectors[:, kept].T @ residual) / values[kept])
        jacobian = network.coefficient_jacobian(tuple(layers))
        change = jacobian @ step[: layers.size]
        error = float(np.linalg.norm(change)) / size
        if not np.isfinite(error) or error > 1e3:
            return None
        if error <= SETTLED or (error >= 0.5 * before and error <= np.sqrt(EPS)):
            free = jacobian @ vectors[: layers.size, ~kept]
            moves = np.linalg.norm(free, axis=0) * np.linalg.norm(layers)
            whole = np.zeros_like(a)
            whole[active] = held
            return _Polished(
                layers,
                whole,
                left.beta,
                max(error, EPS),
                float(np.abs(values[kept]).min() / np.abs(values).max()),
                float(moves.max(initial=0.0)) / size,
            )
        before = error
        layers = layers + step[: layers.size].reshape(layers.shape)
        held = held + step[layers.size :]
    return None


def _derivative(
    network: GroupConvolutionalNetwork, layers: FloatArray, held: FloatArray, rows: FloatArray
) -> FloatArray:
    """Of the residuals by (w, a): [[1 - D^2 c^T beta, -P], [-P^T, 0]]."""
    pulls = _pulls(network, layers, rows)
    size, count = pulls.shape
    whole = np.zeros((size + count, size + count))
    whole[:size, :size] = np.eye(size) - network.second_derivative(tuple(layers), held @ rows)
    whole[:size, size:] = -pulls
    whole[size:, :size] = -pulls.T
    return whole


def _measured(
    network: GroupConvolutionalNetwork, margins: _Margins, found: _Polished
) -> GroupMargin:
    """Signs, margins, singular values: everything that Newton's method does not ask for."""
    a = np.maximum(found.a, 0.0)
    driver = a @ margins.rows
    norm = schatten_sum(network, found.beta)
    stationarity, kappa, steepest = _on_blocks(network, found.beta, driver)
    heights = margins.rows @ found.beta / margins.targets
    share = a * margins.targets
    complementarity = float((share * np.abs(heights - 1.0)).sum() / share.sum())
    short = max(0.0, 1.0 - float(heights.min()))
    gap = None
    if network.depth == 2:
        bound = float(share.sum()) / steepest
        gap = abs(norm - bound) / norm
    curvature, rate = _near(network, margins.rows, found)
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
        error=found.error,
    )


def schatten_sum(network: GroupConvolutionalNetwork, beta: FloatArray) -> float:
    """sum_j m_j ||R_j(beta)||_{2/L}^{2/L} / g, the least of sum_l |w_l|^2 / L with product beta."""
    parts = [np.linalg.svd(block.of(beta), compute_uv=False) for block in network.blocks]
    noise = ROUNDED * max(float(values[0]) for values in parts)
    total = 0.0
    for block, values in zip(network.blocks, parts, strict=True):
        powers = values[values > noise] ** (2.0 / network.depth)
        total += block.multiplicity * float(powers.sum())
    return total / beta.size


def _on_blocks(
    network: GroupConvolutionalNetwork, beta: FloatArray, driver: FloatArray
) -> tuple[float, float, float]:
    """The violation on the blocks, kappa, and the largest singular value of R_j(c).

    R_j(beta) = U S V^T of its rank asks for U^T R_j(c) = S^{2/L - 1} V^T, and the same from the
    right; for L = 2 no singular value of R_j(c) may be above 1 either.
    """
    exponent = 2.0 / network.depth
    parts = [np.linalg.svd(block.of(beta)) for block in network.blocks]
    largest = max(float(values[0]) for _, values, _ in parts)
    worst, inside, steepest = 0.0, 0.0, 0.0
    for block, (left, values, right) in zip(network.blocks, parts, strict=True):
        pull = block.of(driver)
        rank = int((values > CHARGED * largest).sum())
        u, v = left[:, :rank], right[:rank]
        slopes = values[:rank] ** (exponent - 1.0)
        if rank:
            across = u.T @ pull - slopes[:, None] * v
            down = pull @ v.T - u * slopes
            size = float(slopes.max())
            worst = worst_of(worst, np.abs(across).max() / size, np.abs(down).max() / size)
        steepest = max(steepest, float(np.linalg.norm(pull, 2)))
        rest = pull - u @ (u.T @ pull)
        inside = max(inside, float(np.linalg.norm(rest - (rest @ v.T) @ v, 2)))
    if network.depth == 2:
        worst = max(worst, steepest - 1.0)
    return worst, inside / steepest, steepest


def _near(
    network: GroupConvolutionalNetwork, rows: FloatArray, found: _Polished
) -> tuple[float, float]:
    """The least curvature along layers that keep the margins, and the flow's closing rate.

    With log |w| for time, layers come back like exp(-mu time), mu an eigenvalue of 1 - D^2 c^T beta
    on the space tangent to the active margins, and the margin grows like exp(L time): beta closes
    in like margin^{-mu / L} along those eigenvectors that move it. Off the manifold of its ranks it
    takes a product of all layers, margin^{-(1 - kappa)} for L = 2 and margin^{-1} beyond.
    """
    active = np.flatnonzero(found.a)
    pulls = _pulls(network, found.layers, rows[active])
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
