"""Which l1 max-margin point a two-layer flow ends at where points off the margin decide, too.

A point off the margin pulls along the face for a while, and no formula undoes it. The dual flow is
followed until such points have no weight left: from there on the face's entropy, with the layers
of that time for weights, names the end (``limits._margin_tie``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray, worst_of
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.features import Features
from implicitbias.flow import Flow, flows_of, request
from implicitbias.initialization import Initialization
from implicitbias.limits import MaxMargin, OptimalFace, on_face
from implicitbias.networks import DiagonalNetwork, TwoSidedDiagonalNetwork
from implicitbias.problems import Classification
from implicitbias.theorems._situation import Situation, kept_signs

Verdicts = tuple[Verdict, ...]
LATE, FAR, LARGEST_LOG_MARGIN = 16.0, 25.0, 1000.0  # log margins where flows are read off
CLOSE, FURTHEST = 5.0, 1e4  # where such as close in slowly are seen to have done so
BEFORE_SLIDING = 34.0  # beyond it margins differ by less than rounding, and steps are dear
CLOSING = 0.3  # a fall by e^{-0.3}, half of what kappa promises, is no standstill
LATE_STEPS = 1700, 800  # the slowest seen takes over 1500; where rows differ in length by 1e4
POINTS = 45.0  # fewer steps where factors of n rows take the time
FINE = (1e-11, 1e-10)  # their tolerance; the second where rounding stops the first
LARGEST = 1 << 20  # entries of sparse data that a late flow may make dense
STILL, NEAR = 1e-6, 1e-3  # by how much a reading may change, and be ahead of the flow
LARGEST_EXPONENT = 600.0
WEIGHTLESS = 40.0  # a point this far above the smallest margin pulls e^{-40} as much


def by_late_flow(
    situation: Situation,
    rows: Features,
    found: MaxMargin,
    face: OptimalFace,
    coefficients: Callable[[FloatArray], FloatArray],
    note: str,
    verdicts: Verdicts,
) -> tuple[MaxMargin, Verdicts, str]:
    """The point of least entropy seen from a late flow, which has seen every point's early pull.

    Read off at one margin with two tolerances, and far on, where the flow itself must be near.
    """
    moves, _ = kept_signs(situation)
    ends, directions, idle = [], [], np.inf

    def read(log_margin: float, tolerances: Sequence[float | None]) -> None:
        nonlocal idle
        layers, direction, above = _late_layers(situation, log_margin, tolerances, verdicts)
        layers = layers[:, moves][:, face.columns]
        ends.append(face.end(situation.reduction.log_weights(layers, face.signs)))
        require_found(ends[-1].error, verdicts)
        directions.append(direction)
        off = face.above[ends[-1].multipliers == 0.0]
        idle = min(idle, float(above[off].min(initial=np.inf)))

    far = LATE + min(FAR / max(1.0 - face.kappa, 1e-3), LARGEST_LOG_MARGIN)
    if situation.problem.features.is_array:
        _late_flow(situation, min(far, BEFORE_SLIDING), on_the_way=(LATE,))
    read(LATE, (None,))
    read(LATE, FINE)
    rough, fine = ends
    size = float(np.linalg.norm(fine.t))
    error = float(np.linalg.norm(rough.t - fine.t)) / size
    found = on_face(rows, found, face, fine.t, worst_of(error, fine.error))
    whole = np.zeros(moves.size)
    whole[moves] = found.rho
    beta = coefficients(whole)
    for log_margin in (min(far, BEFORE_SLIDING), far):
        read(log_margin, (None,))
        moved = float(np.linalg.norm(ends[-1].t - fine.t)) / size
        before, apart = (
            float(np.linalg.norm(one - beta) / np.linalg.norm(beta)) for one in directions[-2:]
        )
        closing = 0.5 * (1.0 - face.kappa) * (log_margin - LATE)
        near = apart <= NEAR or (closing >= CLOSING and apart <= before * np.exp(-closing))
        done = idle >= WEIGHTLESS and moved <= STILL and near
        if done or log_margin == far:
            break
    if not done and idle >= WEIGHTLESS and moved <= STILL and far == LATE + LARGEST_LOG_MARGIN:
        log_margin = LATE + min(CLOSE / max(1.0 - face.kappa, 1e-9), FURTHEST)
        far_off = _late_direction(situation, log_margin)
        apart = float(np.linalg.norm(far_off - beta) / np.linalg.norm(beta))
        done = apart <= NEAR
    verdict = Verdict(
        "the flow is done with the points off the margin, and near its end",
        "holds" if done else "fails",
        apart,
        f"how far off its direction is at log margin {log_margin:.0f}; points off the margin are "
        f"{idle:.2g} above it, and the point it leads to moved by {moved:.1e} since {LATE:.0f}",
    )
    if not done:
        raise NoPredictionError(
            "several l1 max-margin points have the same norm, and the flow does not settle which "
            f"one it ends at: {verdict}. Follow it: gradient_flow(network, problem, init, "
            "until_log_margin=...).",
            (*verdicts, face.tie, verdict),
        )
    text = f"{note}, and points off the margin that pulled early on do too: by the dual flow."
    return found, (face.tie, verdict), text


def require_found(error: float, verdicts: Verdicts) -> None:
    if not np.isfinite(error):
        raise NoPredictionError(
            "several l1 max-margin points have nearly the same norm, and the one that the flow "
            "ends at was not found. Rescale points or features of very different sizes, or merge "
            "those that are nearly equal.",
            verdicts,
        )


def _late_layers(
    situation: Situation, log_margin: float, tolerances: Sequence[float | None], verdicts: Verdicts
) -> tuple[NumericArray, FloatArray, FloatArray]:
    """The turned layers q_l of a late flow, its direction, and margins beyond the smallest.

    Later for large starts.
    """
    if not situation.problem.features.is_array:
        return _late_sparse_layers(situation, log_margin, tolerances, verdicts)
    for rtol in tolerances:
        flow = _late_flow(situation, log_margin, rtol)
        if flow.outcome.converged:
            break
    direction, logs = flow.final_direction, flow.log_margins
    layers = flow.final_parameters if flow.outcome.converged else None
    if layers is None or direction is None or logs is None:
        raise NoPredictionError(
            "several l1 max-margin points have the same norm, and the flow that decides among them "
            f"stopped early: {flow.message}",
            verdicts,
        )
    turned, gauge = situation.decomposition.coordinates(layers), situation.reduction.gauge
    margins = situation.problem.y * (situation.problem.X @ direction)
    reached = np.exp(min(float(logs[-1]), LARGEST_EXPONENT))  # beta itself need not fit float64
    above = reached * (margins / margins.min() - 1.0)
    return turned if gauge is None else turned / gauge, direction, above


def _late_flow(
    situation: Situation,
    log_margin: float,
    rtol: float | None = None,
    on_the_way: tuple[float, ...] = (),
) -> Flow:
    """The flow to so late a margin; what it finds ``on_the_way`` is there for who asks later."""
    known: dict[float, Flow] = situation.derived.setdefault("late flows", {})
    size = situation.init.log_scale + np.log(np.abs(situation.coordinates).max())
    lengths = situation.problem.features.row_norms()
    apart = bool(lengths.max() > 1e4 * lengths.min())  # such flows are stiff, their steps dear
    later = max(0.0, 2.0 * float(size))
    if rtol is None and log_margin + later in known:
        return known[log_margin + later]
    asked = request(
        situation.problem,
        until_log_margin=log_margin + later,
        rtol=rtol,
        max_steps=int(LATE_STEPS[apart] / (1.0 + (len(situation.problem.y) / POINTS) ** 3)),
    )
    flows = flows_of(situation, asked, [margin + later for margin in on_the_way])
    if rtol is None:
        known.update(flows)
    return flows[log_margin + later]


def _late_direction(situation: Situation, log_margin: float) -> FloatArray:
    """The direction alone, (d,), where layers do not fit float64; NaN if the flow stopped early."""
    found = None
    if situation.problem.features.is_array:
        flow = _late_flow(situation, log_margin)
        found = flow.final_direction if flow.outcome.converged else None
    return np.full(situation.problem.num_features, np.nan) if found is None else found


def _late_sparse_layers(
    situation: Situation, log_margin: float, tolerances: Sequence[float | None], verdicts: Verdicts
) -> tuple[NumericArray, FloatArray, FloatArray]:
    """The same of sparse data: the flow of the features that have entries, the others stay."""
    problem, init = situation.problem, situation.init
    used = np.flatnonzero(problem.features.largest(0))
    if used.size * len(problem.y) > LARGEST:
        raise NoPredictionError(
            "several l1 max-margin points have the same norm, and the flow that decides among them "
            f"is too large: {len(problem.y)} points, {used.size} features with entries. Give "
            "features that are equal only once.",
            verdicts,
        )
    two_sided = situation.reduction.power is not None
    family = TwoSidedDiagonalNetwork if two_sided else DiagonalNetwork
    small = replace(
        situation,
        network=family(num_features=used.size, depth=2),
        problem=Classification(problem.features.columns(used), problem.y),
        init=Initialization([layer[used] for layer in init.directions], log_scale=init.log_scale),
    )
    found, turned, above = _late_layers(small, log_margin, tolerances, verdicts)
    layers, direction = situation.coordinates.copy(), np.zeros(problem.num_features)
    layers[:, used], direction[used] = found, turned
    return layers, direction, above
