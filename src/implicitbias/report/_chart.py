"""One small inline figure a row: the prediction as bars, where the flow ended as rings."""

from __future__ import annotations

from html import escape

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias.verification import Measurement

SHOWN = 48  # coefficients, the largest
ROOM = 1.1  # a ring further out than this many largest bars stands at the rim
WIDTH, HEIGHT, LEFT, RADIUS = 640, 130, 10, 3.2


def chart(found: Measurement) -> str:
    """Return a figure in the colours of the page, or "" where nothing was compared.

    Bars are the predicted coefficients, largest first; rings are those of the flow, both relative
    to the largest one.
    """
    limit, flow = found.arrays.get("limit"), found.arrays.get("flow")
    if limit is None or flow is None or limit.ndim != 1 or limit.shape != flow.shape:
        return ""
    size = float(np.abs(limit).max())
    if not (size > 0 and np.isfinite(size)):
        return ""
    order = np.argsort(-np.abs(limit), kind="stable")[:SHOWN]
    what = (
        f"the {order.size} largest of {limit.size}" if limit.size > SHOWN else f"all {limit.size}"
    )
    return _svg(limit[order] / size, flow[order] / size, what)


def _svg(bars: FloatArray, rings: FloatArray, what: str) -> str:
    step = (WIDTH - 2 * LEFT) / len(bars)
    x = LEFT + step * (np.arange(len(bars)) + 0.5)
    middle, half = HEIGHT / 2, (HEIGHT / 2 - RADIUS - 1) / ROOM
    tops = middle - half * bars
    ends = middle - half * np.clip(rings, -ROOM, ROOM)
    stems = "".join(f"M{a:.1f} {middle:.1f}V{b:.1f}" for a, b in zip(x, tops, strict=True))
    arcs = "".join(
        f"M{a - RADIUS:.1f} {b:.1f}a{RADIUS} {RADIUS} 0 1 0 {2 * RADIUS} 0"
        f"a{RADIUS} {RADIUS} 0 1 0 {-2 * RADIUS} 0"
        for a, b in zip(x, ends, strict=True)
    )
    label = f"coefficients, {what}, largest first: predicted (bars) and reached by the flow (rings)"
    box = f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}"'
    return (
        f'<svg class="chart" {box}>'
        f'<path class="axis" d="M{LEFT} {middle:.1f}H{WIDTH - LEFT}"/>'
        f'<path class="bar" d="{stems}"/><path class="ring" d="{arcs}"/>'
        f'</svg><p class="quiet">{escape(label[0].upper() + label[1:])}.</p>'
    )
