"""Which sign the layers of an aligned start end with, where their sizes leave two ends.

With v = X^+ X W_1 u_2 in an orthonormal basis of the rows (z), s_l the later layers' sizes and
pi = prod_l s_l, K and k being X^T X and X^T y in that basis,

    z' = -pi g,  s_l' = -(pi / s_l) z^T g,  g = pi K z - k,

and 2 loss = |y|^2 - 2 pi z^T k + pi^2 z^T K z. Once the loss is below that of beta = 0, pi and z
never vanish again: the signs are those of the end, and training fits the data.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.integrate import LSODA

from implicitbias._arrays import FloatArray

BELOW = 0.99  # pi^2 z^T K z over 2 pi z^T k that counts as below 1
TOLERANCE = 1e-10
SMALLEST = 1e-18  # of a size, in units of the largest: what may still turn to the other sign
LONGEST = 1e6  # time, in units of the slower of the two drives
MOST_CALLS = 100_000
TURNED = 1e-3  # cos(z, k) sgn(pi) that counts as above 0, unless the end has less
TINY = float(np.finfo(float).tiny)
ARRIVED = 1e-3  # of |b|: what is left of the way


@dataclass(frozen=True, eq=False)
class SignFlow:
    """The flow of z and s from scale 1 sizes.

    Attributes
    ----------
    gram, pull
        K (r, r) and k (r,), each over its own norm.
    end
        K^{-1} k of these, (r,), which a gram matrix need not tell.
    seen, sizes
        z (r,) and s_l (L - 1,), over the largest of |z| and s_l.
    log_ratio
        log of how much larger pi K z is than k at the unit of the sizes.
    """

    gram: FloatArray
    pull: FloatArray
    end: FloatArray
    seen: FloatArray
    sizes: FloatArray
    log_ratio: float

    @property
    def strengths(self) -> tuple[float, float]:
        """Of pi K z and of k, the larger of them 1."""
        with np.errstate(under="ignore"):
            return float(np.exp(min(self.log_ratio, 0.0))), float(np.exp(min(-self.log_ratio, 0.0)))

    def excess(self, z: FloatArray, s: FloatArray) -> float:
        """(pi^2 z^T K z) / BELOW - 2 pi z^T k: negative where the loss is below that at 0."""
        own, pull = self.strengths
        product = float(np.prod(s))
        return own * product**2 * float(z @ self.gram @ z) / BELOW - 2.0 * pull * product * float(
            z @ self.pull
        )

    def slope(self, z: FloatArray, s: FloatArray) -> FloatArray:
        """g = pi K z - k."""
        own, pull = self.strengths
        return np.asarray(own * float(np.prod(s)) * (self.gram @ z) - pull * self.pull)

    def velocity(self, state: FloatArray) -> FloatArray:
        """z' and s'."""
        z, s = self.parts(state)
        product, slope = float(np.prod(s)), self.slope(z, s)
        others = np.array([np.prod(np.delete(s, index)) for index in range(s.size)])
        return np.concatenate([-product * slope, -others * float(z @ slope)])

    def parts(self, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        return state[: self.seen.size], state[self.seen.size :]


@dataclass(frozen=True)
class Signs:
    """What the flow decided.

    Attributes
    ----------
    product
        The sign of pi from there on.
    clearness
        The smallest sqrt(cos(z, k)^2 + min s_l^2 / |z|^2) on the way: 0 at a saddle.
    smallest
        The smallest max(|z|, |s|) on the way, over the largest at the start.
    """

    product: float
    clearness: float
    smallest: float


class _TooLongError(Exception):
    """More calls than are worth it."""


def decided_signs(flow: SignFlow) -> Signs | None:
    """Follow the flow until its loss is below that of beta = 0; None where that never happens."""
    turned = min(TURNED, 0.5 * float(flow.end @ flow.pull) / float(np.linalg.norm(flow.end)))

    def below(state: FloatArray) -> float:
        z, s = flow.parts(state)
        cosine = float(z @ flow.pull) / max(float(np.linalg.norm(z)), TINY)
        return float(min(-flow.excess(z, s), np.sign(np.prod(s)) * cosine - turned))

    states = _followed(flow, flow.velocity, np.concatenate([flow.seen, flow.sizes]), below)
    if states is None:
        return None
    z, s = states[: flow.seen.size], np.abs(states[flow.seen.size :])
    lengths = np.maximum(np.linalg.norm(z, axis=0), TINY)
    cosines = flow.pull @ z / lengths
    clearness = np.hypot(cosines, s.min(axis=0) / lengths)
    smallest = np.maximum(lengths, s.max(axis=0)).min()
    return Signs(float(np.sign(cosines[-1])), float(clearness.min()), float(smallest))


def turning(flow: SignFlow) -> float:
    """int |g| s_3 .. s_L dt up to the end: what is off the chain grows by at most its exponential.

    Rows q of [V; w^T] orthogonal to u_2 obey q' = -s_3 .. s_L [[0, g], [g^T, 0]] q. Infinite where
    the flow does not arrive.
    """
    own, pull = flow.strengths
    if own == 0.0:
        return float("inf")
    end = flow.end * (pull / own)
    size = float(np.linalg.norm(end))

    def velocity(state: FloatArray) -> FloatArray:
        z, s = flow.parts(state[:-1])
        rate = float(np.linalg.norm(flow.slope(z, s))) * abs(float(np.prod(s[1:])))
        return np.append(flow.velocity(state[:-1]), rate)

    def arrived(state: FloatArray) -> float:
        z, s = flow.parts(state[:-1])
        return ARRIVED * size - float(np.linalg.norm(np.prod(s) * z - end))

    start = np.concatenate([flow.seen, flow.sizes, [0.0]])
    states = _followed(flow, velocity, start, arrived)
    return float("inf") if states is None else float(states[-1, -1])


def _followed(
    flow: SignFlow,
    velocity: Callable[[FloatArray], FloatArray],
    start: FloatArray,
    event: Callable[[FloatArray], float],
) -> FloatArray | None:
    """The states up to the first step that ends with the event at 0 or above, one a column.

    None where none does.
    """
    if event(start) >= 0.0:
        return start[:, None]
    calls = 0

    def counted(_: float, state: FloatArray) -> FloatArray:
        nonlocal calls
        calls += 1
        if calls > MOST_CALLS:
            raise _TooLongError
        return velocity(state)

    slower, states = min(flow.strengths), [start]
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # LSODA's, on steps that fail
            solver = LSODA(
                counted,
                0.0,
                start,
                LONGEST / max(slower, LONGEST**-2),
                rtol=TOLERANCE,
                atol=SMALLEST * max(slower, SMALLEST),
            )
            while solver.status == "running":
                solver.step()
                states.append(solver.y)
                if solver.status != "failed" and event(states[-1]) >= 0.0:
                    return np.array(states).T
    except _TooLongError:
        pass
    return None
