"""Which sign the layers of an aligned start end with, where their sizes leave two ends.

With v = X^+ X W_1 u_2 in an orthonormal basis of the rows (z), s_l the later layers' sizes and
pi = prod_l s_l, K and k being X^T X and X^T y in that basis,

    z' = -pi g,  s_l' = -(pi / s_l) z^T g,  g = pi K z - k,

and 2 loss = |y|^2 - 2 pi z^T k + pi^2 z^T K z. Once the loss is below that of beta = 0, pi and z
never vanish again: the signs are those of the end, and training fits the data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp

from implicitbias._arrays import FloatArray

BELOW = 0.99  # pi^2 z^T K z over 2 pi z^T k that counts as below 1
TOLERANCE = 1e-10
SMALLEST = 1e-18  # of a size, in units of the largest: what may still turn to the other sign
LONGEST = 1e6  # time, in units of the slower of the two drives
MOST_CALLS = 100_000


@dataclass(frozen=True, eq=False)
class SignFlow:
    """The flow of z and s from scale 1 sizes.

    Attributes
    ----------
    gram, pull
        K (r, r) and k (r,), each over its own norm.
    seen, sizes
        z (r,) and s_l (L - 1,), over the largest of |z| and s_l.
    log_ratio
        log of how much larger pi K z is than k at the unit of the sizes.
    """

    gram: FloatArray
    pull: FloatArray
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

    def velocity(self, state: FloatArray) -> FloatArray:
        """z' and s'."""
        z, s = self._parts(state)
        own, pull = self.strengths
        product = float(np.prod(s))
        slope = own * product * (self.gram @ z) - pull * self.pull
        others = np.array([np.prod(np.delete(s, index)) for index in range(s.size)])
        return np.concatenate([-product * slope, -others * float(z @ slope)])

    def _parts(self, state: FloatArray) -> tuple[FloatArray, FloatArray]:
        return state[: self.seen.size], state[self.seen.size :]


@dataclass(frozen=True)
class Signs:
    """What the flow decided.

    Attributes
    ----------
    product
        The sign of pi from there on.
    clearness
        The smaller of |cos(z, k)| where the loss fell below, and 1.
    smallest
        The smallest max(|z|, |s|) on the way, over the largest at the start.
    """

    product: float
    clearness: float
    smallest: float


class _TooLong(Exception):
    pass


def decided_signs(flow: SignFlow) -> Signs | None:
    """Follow the flow until its loss is below that of beta = 0; None where it does not come there."""
    start = np.concatenate([flow.seen, flow.sizes])
    calls = 0

    def velocity(_: float, state: FloatArray) -> FloatArray:
        nonlocal calls
        calls += 1
        if calls > MOST_CALLS:
            raise _TooLong
        return flow.velocity(state)

    def below(_: float, state: FloatArray) -> float:
        return -flow.excess(*flow._parts(state))

    below.terminal, below.direction = True, 1.0  # type: ignore[attr-defined]
    slower = min(flow.strengths)
    longest = LONGEST / max(slower, 1e-9)
    try:
        with np.errstate(all="ignore"):
            found = solve_ivp(
                velocity,
                (0.0, longest),
                start,
                method="LSODA",
                events=below,
                rtol=TOLERANCE,
                atol=SMALLEST * max(slower, 1e-100),
            )
    except _TooLong:
        return None
    if found.status != 1:
        return None
    states = found.y
    z, _ = flow._parts(states[:, -1])
    cosine = float(z @ flow.pull) / max(float(np.linalg.norm(z)), np.finfo(float).tiny)
    sizes = np.maximum(
        np.linalg.norm(states[: flow.seen.size], axis=0),
        np.abs(states[flow.seen.size :]).max(axis=0),
    )
    return Signs(float(np.sign(cosine)), abs(cosine), float(sizes.min()))
