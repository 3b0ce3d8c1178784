"""The effective start of a run: its end, carried back along the network's curves by its clock.

In decoupled coordinates a step of gradient descent is p_l <- p_l - gamma g prod_{m != l} p_m with
one g = (Z^T r)_j for all layers. It multiplies every offset p_l^2 - p_L^2 by a factor and moves the
clock s = Z^T nu by -gamma g: whatever the steps, the end lies on the flow's curve of the same clock
from another start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray, Parameters
from implicitbias._errors import NoPredictionError
from implicitbias._results import Record
from implicitbias._setting import DualCoordinates, Setting
from implicitbias.coordinates import ScalarCurves
from implicitbias.descent._consistency import misses

if TYPE_CHECKING:
    from implicitbias.descent._trained import Trained

CHECK = (
    "Check that every step was recorded once, before optimizer.step(), with the step size that the "
    "optimizer took then and the batch's indices in its order, and that nothing else moved the "
    "layers: momentum, Adam, weight decay or clipping (obstacle='Adam' tells it). Steps that turn "
    "an offset over twice look the same: try smaller ones"
)
INSTEAD = "gradient_flow and predict_limit say what flows do; compare measures how far the run is."


@dataclass(frozen=True, eq=False, repr=False)
class EffectiveStart(Record):
    """Where a gradient flow must start to pass through a run's end at the run's clock.

    Attributes
    ----------
    parameters
        The layers; None where no identity gives them.
    offset_factors
        By what the steps have multiplied p_l^2 - q^2, q the start's smallest layer of a coordinate
        and l the others in their order, (L - 1, m); of u^D - v^D alpha^2, alpha^{2-D} the mean of
        u^{2-D} and v^{2-D} or alpha^2 = u v, (1, d). NaN where the start had no offset.
    scales
        The start's scale times prod_l |factor_l|^{1 / (2 L - 2)}, l over the factors, (m,).
    reason
        Why there is none.
    """

    parameters: Parameters | None
    offset_factors: FloatArray | None
    scales: FloatArray | None
    reason: str = ""

    def _short(self) -> str:
        if self.scales is None:
            return self.reason
        known = self.scales[np.isfinite(self.scales)]
        if not known.size:
            return "no coordinate had an offset"
        return f"scales {known.min():.6g} to {known.max():.6g} in {self.scales.size} coordinates"


def effective_start(trained: Trained, end: Parameters, dual: FloatArray | None) -> EffectiveStart:
    """The effective start of a run by its end and nu; with a reason where there is none."""
    try:
        return _carried_back(trained, end, dual)
    except NoPredictionError as error:
        return EffectiveStart(None, None, None, str(error))


def _carried_back(trained: Trained, end: Parameters, dual: FloatArray | None) -> EffectiveStart:
    setting = Setting(trained.network, trained.problem, trained.init)
    holds = setting.decomposition.verdict.holds
    coordinates = setting.decoupled(trained.problem.X) if holds else None
    decoupled = coordinates is not None and coordinates.exact
    if trained.obstacle:
        raise _refused(trained.obstacle)
    if not decoupled and not (setting.network.depth == 2 and trained.problem.rank == 1):
        why = setting.decomposition.verdict if coordinates is None else coordinates.why_not
        raise _refused(
            "steps of finite size keep an identity where layers decouple in real clocks, or for "
            f"two layers and one point; {why}"
        )
    if dual is None:
        raise _refused("nu = -sum_k gamma_k dL/df was not recorded; DualRecorder does it")
    before = setting.init.parameters()
    if coordinates is None or not coordinates.exact:
        return _one_point(trained, before, end, dual)
    ends = _real(coordinates, end)
    power = coordinates.reduction.power
    if power is not None and power % 2.0 != 0.0 and (ends < 0.0).any():
        raise _refused(
            f"it ended at {ends.min():.3g} in u or v, and for D = {power:g}, not an even number, "
            "no flow from u, v >= 0 passes there. Try smaller steps"
        )
    reduction = replace(coordinates.reduction, start=ends)
    curves = reduction.curves(0.0)
    start = _layers_at(curves, -(reduction.features.T @ dual))
    _refuse_unreachable(trained, start)
    parameters = setting.decomposition.parameters(reduction.layers(start), remainder_of=end)
    begins = _real(coordinates, before)
    if power is None:
        return _measured(trained, parameters, begins, start, ends)
    begun = coordinates.reduction.curves(trained.init.log_scale)
    with np.errstate(over="ignore"):
        factors = np.exp(2.0 * (curves.log_unit - begun.log_unit))
    factors[begun.locked | begun.dead] = np.nan
    _refuse_inconsistent(trained, misses(begins, start, ends, power, factors[None]))
    return EffectiveStart(parameters, factors[None], trained.init.scale * np.sqrt(factors))


def _refused(why: str) -> NoPredictionError:
    return NoPredictionError(f"this run has no effective start: {why}. {INSTEAD}")


def _real(coordinates: DualCoordinates, layers: Parameters) -> FloatArray:
    """The layers q_l in the real coordinates of the start, (L, m)."""
    p: NumericArray = coordinates.decomposition.coordinates(layers)
    gauge = coordinates.reduction.gauge
    return np.ascontiguousarray((p if gauge is None else p * gauge.conj()).real)


def _layers_at(curves: ScalarCurves, s: FloatArray) -> FloatArray:
    """The layers at the clock s, (L, m); NaN where no curve gets there."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        du = s * np.exp((curves.depth - 2) * curves.log_unit)
        return np.asarray(curves.layers(curves.t0 + curves.t_increment(curves.t0, du)))


def _refuse_unreachable(trained: Trained, start: FloatArray) -> None:
    lost = np.flatnonzero(~np.isfinite(start).all(axis=0))
    if lost.size:
        raise _refused(
            f"{lost.size} of {start.shape[1]} coordinates, the first of them {lost[0]}, ended "
            "where no flow of the run's clock passes: its steps were too large, or took layers "
            f"below what float64 holds. {CHECK if trained.elsewhere else 'Try smaller steps'}"
        )


def _refuse_inconsistent(trained: Trained, missed: FloatArray) -> None:
    """Refuse the dual of a loop elsewhere that is not of gradient descent to this end."""
    worst = int(missed.argmax()) if missed.size else 0
    if not trained.elsewhere or not missed.size or not missed[worst] > 1.0:
        return
    raise _refused(
        f"carried back by the recorded dual, coordinate {worst} misses the start by "
        f"{missed[worst]:.3g} times what steps of finite size explain, and so do "
        f"{np.count_nonzero(missed > 1.0) - 1} of the other {missed.size - 1}. {CHECK}"
    )


def _one_point(
    trained: Trained, before: Parameters, end: Parameters, dual: FloatArray
) -> EffectiveStart:
    """(a +- b) e^{-+ nu s} in the singular coordinates of M(x), all points c_i x."""
    network, X = trained.network, trained.problem.X
    x = X[np.argmax(np.abs(X).max(axis=1))]
    size = float(np.abs(x).max())
    clock = float(dual @ ((X / size) @ (x / size))) / float((x / size) @ (x / size))
    svd = network.point_svd(x)
    first, second = (each(np.ravel(v)) for each, v in zip(svd.project, end, strict=True))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        up = (first + second) * np.exp(-clock * svd.values) / 2.0
        down = (first - second) * np.exp(clock * svd.values) / 2.0
    start = np.array([up + down, up - down])
    _refuse_unreachable(trained, start)
    parameters = tuple(
        (np.ravel(v) + lift(new - old)).reshape(np.shape(v))
        for v, lift, new, old in zip(end, svd.lift, start, (first, second), strict=True)
    )
    kept = np.array([each(np.ravel(v)) for each, v in zip(svd.project, before, strict=True)])
    return _measured(trained, parameters, kept, start, np.array([first, second]))


def _measured(
    trained: Trained,
    parameters: Parameters,
    before: FloatArray,
    after: FloatArray,
    end: FloatArray,
) -> EffectiveStart:
    """The effective start with the factors of its offsets, from coordinates (L, m)."""
    order = np.argsort(np.abs(before), axis=0, kind="stable")
    old, new = (_offsets(np.take_along_axis(p, order, axis=0)) for p in (before, after))
    with np.errstate(divide="ignore", invalid="ignore"):
        factors = np.where(old > 0.0, new / old, np.nan)
    _refuse_inconsistent(trained, misses(before, after, end, None, factors))
    scales = trained.init.scale * np.prod(np.abs(factors) ** (0.5 / len(factors)), axis=0)
    return EffectiveStart(parameters, factors, scales)


def _offsets(layers: FloatArray) -> FloatArray:
    """p_l^2 - q^2 without cancellation, q the first, (L - 1, m)."""
    return np.asarray((layers[1:] - layers[0]) * (layers[1:] + layers[0]))
