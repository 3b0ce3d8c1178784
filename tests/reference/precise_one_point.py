"""Two layers and one data point: v(nu) = exp(nu [[0, M], [M^T, 0]]) v(0), in ball arithmetic.

M = M(x) is made from the dense data tensor (k_1, k_2, d) and x in rationals. Regression: the root
nu of v_1^T M v_2 = y, which is increasing in nu. Classification: nu to +-infinity.
"""

from __future__ import annotations

import numpy as np
from flint import arb, arb_mat, ctx, fmpq

from reference.precise_curves import digits, middle, rational
from reference.precise_potential import NoReferenceError, to_float

SETTLED = 30


def _generator(tensor: np.ndarray, x: np.ndarray) -> list[list[fmpq]]:
    first, second, _ = tensor.shape
    size = first + second
    table = [[fmpq(0)] * size for _ in range(size)]
    for a in range(first):
        for b in range(second):
            value = sum(
                (rational(t) * rational(c) for t, c in zip(tensor[a, b], x, strict=True)), fmpq(0)
            )
            table[a][first + b] = table[first + b][a] = value
    return table


def _beta(tensor: np.ndarray, state: list[arb]) -> list[arb]:
    first, second, width = tensor.shape
    return [
        sum(
            (
                arb(rational(tensor[a, b, e])) * state[a] * state[first + b]
                for a in range(first)
                for b in range(second)
                if tensor[a, b, e]
            ),
            arb(0),
        )
        for e in range(width)
    ]


def _start(layers, scale: float = 1.0) -> list[arb]:
    return [arb(rational(value)) * arb(rational(scale)) for layer in layers for value in layer]


def limit(
    tensor: np.ndarray, x: np.ndarray, layers, y: float, scale: float, precision: int = 120
) -> list[float]:
    """beta where x^T beta = y."""
    with digits(precision):
        table = _generator(tensor, x)
        size = max(abs(to_float(arb(v))) for row in table for v in row)
        if size == 0:
            raise NoReferenceError("M(x) = 0")
        matrix, start = arb_mat(table), arb_mat([[value] for value in _start(layers, scale)])
        points = [arb(rational(value)) for value in x]
        goal = arb(rational(y))

        def at(nu: arb) -> tuple[arb, list[arb]]:
            moved = ((matrix * nu).exp() * start).mid()
            beta = _beta(tensor, [moved[i, 0] for i in range(moved.nrows())])
            return middle(sum((a * b for a, b in zip(points, beta, strict=True)), arb(0))), beta

        first, beta = at(arb(0))
        if first == goal:
            return [to_float(each) for each in beta]
        side = 1 if first < goal else -1
        low, high, step = arb(0), None, arb(1) / size / 64
        for _ in range(40):
            if (at(side * step)[0] - goal) * side >= 0:
                high = step
                break
            low, step = step, step * 2
        if high is None:
            raise NoReferenceError("y is never reached")
        for _ in range(int(3.4 * precision)):
            mid = middle((low + high) / 2)
            if (at(side * mid)[0] - goal) * side >= 0:
                high = mid
            else:
                low = mid
            if high - low <= arb(2) ** (-ctx.prec // 2) * high:
                break
        return [to_float(each) for each in at(side * high)[1]]


def direction(tensor: np.ndarray, x: np.ndarray, layers, label: float) -> list[float]:
    """beta as nu tends to label times infinity, up to a factor."""
    with digits(400):
        table = _generator(tensor, x)
        size = max(abs(to_float(arb(v))) for row in table for v in row)
        if size == 0:
            raise NoReferenceError("M(x) = 0")
        power = (arb_mat(table) * (arb(label) / arb(rational(size)))).exp().mid()
        start = arb_mat([[value] for value in _start(layers)])
        before: list[arb] | None = None
        for number in range(120):
            moved = (power * start).mid()
            state = [moved[i, 0] for i in range(moved.nrows())]
            largest = max(abs(value) for value in state)
            if largest < arb(10) ** -100:
                raise NoReferenceError("the top singular space does not move")
            state = [value / largest for value in state]
            beta = _beta(tensor, state)
            if before is not None:
                change = max(abs(a - b) for a, b in zip(beta, before, strict=True))
                if change < arb(10) ** -SETTLED and number > 5:
                    return [to_float(middle(value)) for value in beta]
            before = beta
            power = power * power
            scale = max(abs(power[i, j]) for i in range(len(state)) for j in range(len(state)))
            power = (power * (1 / middle(scale))).mid()
        raise NoReferenceError("the direction does not settle")
