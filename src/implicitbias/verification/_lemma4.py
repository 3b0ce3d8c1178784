"""Lemma 4 against routes that share nothing with ``implicitbias.lemma4``."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import lemma4
from implicitbias.verification._checks import Check, Measurement

DEPTHS = (2, 3, 4, 5, 6, 10)
LAST_TIME = {2: 5.0}  # where the solution exists for ever; else FRACTION of its existence time
FRACTION = 0.9
CLOSED_FORM_TIMES = {2: 20.0, 3: 1.57, 4: 0.9999}
TABLE = {  # by depth: h_L^{-1}(1), H_L(1)
    2: (0.7218177376, 0.4128007432),
    3: (0.5987667053, 0.3659810893),
    4: (0.5248885987, 0.3347498141),
    5: (0.4740538425, 0.3116948639),
}
TABLE_ROUNDING = 5.1e-11
EXISTENCE = {2: np.inf, 3: np.pi / 2, 4: 1.0, 5: np.pi / 4}


def checks() -> tuple[Check, ...]:
    """The rows on Lemma 4."""
    return (
        Check(
            "Lemma 4",
            "one coordinate, L = " + ", ".join(map(str, DEPTHS)),
            "ODE integrated by DOP853",
            against_integration,
        ),
        Check(
            "Lemma 4",
            "one coordinate, L = 2, 3, 4, 5",
            "closed forms and tabulated values",
            against_closed_forms,
        ),
    )


def against_integration() -> Measurement:
    """p, q, h, h^{-1}, H against the integrated ODE, G' = t h'(t) giving G(t) = H(h(t))."""
    errors: list[float] = []
    defects: list[float] = []
    arrays: dict[str, FloatArray] = {}
    for depth in DEPTHS:
        last = LAST_TIME.get(depth, FRACTION * lemma4.existence_time(depth))
        times = np.linspace(last / 40, last, 40)
        p, q, primitive = _integrated(depth, times)
        h = p ** (depth - 1) * q
        errors += _errors(depth, times, p, q, h, primitive)
        defects.append(_defect(depth, times))
        arrays[f"integrated (t, p, q, H) for L = {depth}"] = np.array([times, p, q, primitive])
    return Measurement(max(errors), max(defects), arrays=arrays)


def against_closed_forms() -> Measurement:
    """The solutions in elementary functions for L = 2, 3, 4; the values at 1; existence times."""
    errors: list[float] = []
    defects: list[float] = []
    for depth, last in CLOSED_FORM_TIMES.items():
        times = np.linspace(last / 50, last, 50)
        errors += _errors(depth, times, *_elementary(depth, times))
        defects.append(_defect(depth, times))
    for depth, known in TABLE.items():
        found = lemma4.h_inverse(1.0, depth), lemma4.H(1.0, depth)
        errors += [
            max(abs(float(value) - rounded) - TABLE_ROUNDING, 0.0) / rounded
            for value, rounded in zip(found, known, strict=True)
        ]
    for depth, end in EXISTENCE.items():
        predicted = lemma4.existence_time(depth)
        errors.append(0.0 if predicted == end else abs(predicted - end) / end)
    return Measurement(max(errors), max(defects))


def _integrated(depth: int, times: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    def velocity(t: float, state: FloatArray) -> list[float]:
        p, q, _ = state
        dp, dq = p ** (depth - 2) * q, p ** (depth - 1)
        dh = (depth - 1) * p ** (depth - 2) * dp * q + p ** (depth - 1) * dq
        return [dp, dq, t * dh]

    solution = solve_ivp(
        velocity, (0.0, times[-1]), [1.0, 0.0, 0.0], "DOP853", times, rtol=1e-13, atol=1e-16
    )
    p, q, primitive = solution.y
    return p, q, primitive


def _elementary(depth: int, t: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """p, q, h and H(h) at t; H(h(t)) = t h(t) - int_0^t h."""
    if depth == 2:
        p, q = np.cosh(t), np.sinh(t)
        h, integral = np.sinh(2 * t) / 2, np.sinh(t) ** 2 / 2
    elif depth == 3:
        p, q = 1 / np.cos(t), np.tan(t)
        h, integral = np.sin(t) / np.cos(t) ** 3, np.tan(t) ** 2 / 2
    else:
        room = (1 - t) * (1 + t)
        p, q = 1 / np.sqrt(room), t / np.sqrt(room)
        h, integral = t / room**2, t**2 / (2 * room)
    return p, q, h, t * h - integral


def _errors(
    depth: int,
    t: FloatArray,
    p: FloatArray,
    q: FloatArray,
    h: FloatArray,
    primitive: FloatArray,
) -> list[float]:
    pairs = (
        (lemma4.p(t, depth), p),
        (lemma4.q(t, depth), q),
        (lemma4.h(t, depth), h),
        (lemma4.h_inverse(h, depth), t),
        (lemma4.H(h, depth), primitive),
    )
    return [float(np.max(np.abs(found - known) / known)) for found, known in pairs]


def _defect(depth: int, t: FloatArray) -> float:
    """The conserved p^2 - q^2 = 1, relative to p^2."""
    p, q = lemma4.p(t, depth), lemma4.q(t, depth)
    return float(np.max(np.abs(p**2 - q**2 - 1) / p**2))
