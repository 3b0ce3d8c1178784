"""Linear algebra at a flow's end: how far it still has to go, and whether it has come to rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import EPS, FloatArray
from implicitbias._errors import Outcome

NEGLIGIBLE = 1e-8  # distance left over the largest ||Theta|| so far
NOISE = 10.0  # tolerances that an integrator's error may amount to
SOLVED = 0.1  # part of the residual that a Newton step may leave
ROUNDINGS = 50.0  # e-foldings from well below a rounding to an escape from a saddle


@dataclass(frozen=True)
class Rest:
    """A flow that moves no more, though its loss is positive.

    Attributes
    ----------
    outcome
        STATIONARY, or PRECISION_REACHED where it only seems to.
    how
        In words.
    remaining
        Relative distance it may still have to go.
    wait
        Time after which the verdict is final: what leads away from a saddle may be too faint to see
        in an eigenvector, but not to grow.
    """

    outcome: Outcome
    how: str
    remaining: float
    wait: float = 0.0


def newton_change(
    moved: FloatArray, jacobian: FloatArray, residual: FloatArray
) -> FloatArray | None:
    """J w for the shortest w with (X J) w = -r: where the linearised flow ends.

    Parameters
    ----------
    moved
        X J, (n, N).
    jacobian
        J = d beta / dz, (d, N).
    residual
        r, (n,).

    Returns
    -------
    array or None
        (d,), or None where X J is singular in the direction of r.
    """
    if not (np.isfinite(moved).all() and np.isfinite(residual).all()):
        return None
    top = float(np.abs(residual).max(initial=0.0))
    if top == 0.0:
        return np.zeros(len(jacobian))
    target = -residual / top
    step = np.linalg.lstsq(moved, target, rcond=None)[0]
    if np.linalg.norm(moved @ step - target) > SOLVED * np.linalg.norm(target):
        return None
    change: FloatArray = top * (jacobian @ step)
    return change


def rest_of(
    velocity: FloatArray,
    jacobian: FloatArray,
    size: float,
    *,
    noise: FloatArray,
    rounding: FloatArray | float,
) -> Rest | None:
    """Judge the velocity of a gradient flow along each eigenvector of its (symmetric) Jacobian.

    Along an eigenvector e with eigenvalue k the velocity a = e^T v is at rest when it is noise, or
    when k < 0, beyond what rounding leaves of it, and the distance left, |a| / |k|, is negligible.

    Parameters
    ----------
    velocity, jacobian
        dTheta/dt, (P,), and its derivative, (P, P).
    size
        The largest ||Theta|| so far.
    noise
        What the integrator's tolerance lets each entry of Theta be off by, (P,).
    rounding
        What rounding contributes to each entry of the velocity, (P,) or one number.
    """
    if not velocity.any():
        return Rest(Outcome.STATIONARY, "the velocity is exactly zero", 0.0)
    values, vectors = np.linalg.eigh(jacobian)
    rounding = np.broadcast_to(rounding, noise.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        speeds = np.abs(velocity @ vectors)
        off, lost = (np.sqrt(np.square(error) @ np.square(vectors)) for error in (noise, rounding))
        limits = NOISE * (np.abs(values) * off + lost)
    if not (np.isfinite(limits).all() and np.isfinite(speeds).all()):
        return None
    quiet = speeds <= limits
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 / 0 only where quiet
        distance = np.where(quiet | (values >= 0), 0.0, speeds / np.abs(values))
    unresolved = -EPS * len(values) * float(np.abs(values).max(initial=0.0))
    going = ~quiet & ((values >= unresolved) | (distance > NEGLIGIBLE * size))
    if going.any():
        return None
    away = values > NOISE * float(rounding.max()) / max(size, np.finfo(float).tiny)
    escapes = int(np.sum(away))
    kind = f"a saddle that {escapes} directions lead away from" if escapes else "a stationary point"
    left = float(distance.max(initial=0.0)) / size if size > 0 else 0.0
    wait = 0.0
    if escapes:
        top, faintest = float(values[away].max()), float(np.abs(velocity[velocity != 0.0]).min())
        logs = np.log(top) + np.log(size) - np.log(faintest)
        wait = (ROUNDINGS + max(0.0, float(logs))) / top
    return Rest(Outcome.STATIONARY, f"at rest at {kind}, {left:.1e} away", left, wait)
