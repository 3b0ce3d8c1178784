"""Whether small layers leave the saddle at 0 of a fully connected network, and how narrowly.

Near 0 the flow is that of N(Theta) = q^T W_2 .. w_L, q = W_1^T k / |k|, k = X^T y, homogeneous of
degree L: the direction of Theta ascends N on the sphere. Where N becomes positive, Theta blows up
and its direction tends to the one positive critical value, of balanced layers of rank one.

For L = 2 the flow is linear: q + w_2 grows and q - w_2 decays.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.integrate import RK45

from implicitbias._arrays import FloatArray, Parameters

TOLERANCE = 1e-10
SMALLEST = 1e-15  # of an entry, in units of a layer
ABOVE = 1e-4  # N over its largest value that counts as positive
STUCK = 1e-7  # of the gradient at the start: what is taken for a saddle
MOST_STEPS = 2_000
POWERS = 5  # steps towards a norm


@dataclass(frozen=True)
class Escape:
    """What small layers do.

    Attributes
    ----------
    escapes
        Whether N becomes positive.
    clearness
        For L = 2 |q + w_2| / |(q, w_2)|. Else the largest over the layers of what of N's gradient
        the norms of the others leave, and where N < 0 at the start times how small its part along
        the sphere becomes on the way: 0 at a saddle.
    """

    escapes: bool
    clearness: float


def escape(layers: Parameters) -> Escape:
    """Follow q (d_2,), W_2, .., w_L (d_L,)."""
    largest = max(float(np.abs(layer).max()) for layer in layers)
    if largest == 0.0:
        return Escape(False, 0.0)
    if len(layers) == 2:
        state = np.stack(layers) / largest
        clearness = float(np.linalg.norm(state.sum(axis=0)) / np.linalg.norm(state))
        return Escape(clearness > 0.0, clearness)
    ascent = _Ascent([layer.shape for layer in layers])
    state = np.concatenate([layer.ravel() for layer in layers])
    state = state / np.abs(state).max()
    state = state * (len(layers) ** 0.5 / float(np.linalg.norm(state)))
    clearness = ascent.clearness(state)
    if ascent.value(state) >= 0.0 or clearness == 0.0:
        return Escape(clearness > 0.0, clearness)
    whole = float(np.linalg.norm(ascent.gradient(state)))
    start = float(np.linalg.norm(ascent.velocity(0.0, state)))
    least, solver = start, RK45(ascent.velocity, 0.0, state, np.inf, rtol=TOLERANCE, atol=SMALLEST)
    escapes = False
    for _ in range(MOST_STEPS):
        if solver.status != "running" or least <= STUCK * start or escapes:
            break
        solver.step()
        least = min(least, float(np.linalg.norm(solver.f)))
        escapes = ascent.value(solver.y) >= ABOVE
    return Escape(escapes, clearness * least / whole)


@dataclass(frozen=True)
class _Ascent:
    """N on layers of these shapes, in a sphere on which its largest value is 1."""

    shapes: list[tuple[int, ...]]

    def parts(self, state: FloatArray) -> list[FloatArray]:
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes)])
        pieces = (state[a:b] for a, b in pairwise(ends))
        return [piece.reshape(shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def value(self, state: FloatArray) -> float:
        row, *middle, last = self.parts(state)
        for layer in middle:
            row = row @ layer
        return float(row @ last)

    def gradient(self, state: FloatArray) -> FloatArray:
        first, *middle, last = self.parts(state)
        rows, columns = [first], [last]
        for layer in middle:
            rows.append(rows[-1] @ layer)
        for layer in middle[::-1]:
            columns.append(layer @ columns[-1])
        columns.reverse()  # W_2 .. w_L, .., w_L
        inner = [np.outer(*pair).ravel() for pair in zip(rows, columns[1:], strict=False)]
        return np.concatenate([columns[0], *inner, rows[-1]])

    def velocity(self, _: float, state: FloatArray) -> FloatArray:
        """The gradient along the sphere."""
        gradient = self.gradient(state)
        along = float(gradient @ state) / float(state @ state)
        return np.asarray(gradient - along * state)

    def clearness(self, state: FloatArray) -> float:
        """max_l |dN/dW_l| / prod_{m != l} |W_m|_2, with 0/0 = 0."""
        pulls = [float(np.linalg.norm(part)) for part in self.parts(self.gradient(state))]
        norms = np.array([_largest_singular_value(layer) for layer in self.parts(state)])
        others = [float(np.prod(np.delete(norms, index))) for index in range(norms.size)]
        return max(
            pull / other if other > 0.0 else 0.0 for pull, other in zip(pulls, others, strict=True)
        )


def _largest_singular_value(layer: FloatArray) -> float:
    """From below, to a factor near 1: at least the length of the longest row."""
    if layer.ndim == 1:
        return float(np.linalg.norm(layer))
    vector = layer[int(np.argmax(np.linalg.norm(layer, axis=1)))]
    for _ in range(POWERS):
        size = float(np.linalg.norm(vector))
        if size == 0.0:
            return 0.0
        image = layer @ (vector / size)
        vector = layer.T @ image
    return float(np.linalg.norm(image))
