"""Classification flow by the definition: dense tensors, dv_l/dt = -grad_l sum_i exp(-margin_i)."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp


def flow_to_margin(tensor, rows, layers, margin, *, logistic=False):
    """Time, layers and beta where the smallest margin is reached."""
    return _flow_until(tensor, rows, layers, lambda margins: margins.min() - margin, logistic)


def flow_to_loss(tensor, rows, layers, loss, *, logistic=False):
    """The same where the summed loss has fallen to ``loss``."""

    def left(margins):
        losses = np.log1p(np.exp(-margins)) if logistic else np.exp(-margins)
        return np.log(loss) - np.log(losses.sum())

    return _flow_until(tensor, rows, layers, left, logistic)


def coefficients_at(tensor, rows, layers, times):
    """beta at the given times of the exponential loss, (T, d)."""
    cuts = np.cumsum([layer.size for layer in layers])[:-1]
    solution = solve_ivp(
        _velocity(tensor, rows, cuts, False),
        (0.0, float(times[-1])),
        np.concatenate(layers),
        method="DOP853",
        t_eval=times,
        rtol=1e-12,
        atol=1e-14,
    )
    return np.array([_contract(tensor, np.split(state, cuts)) for state in solution.y.T])


def _flow_until(tensor, rows, layers, left, logistic):
    """Time, layers and beta where a function of the margins has risen to 0.

    Parameters
    ----------
    tensor
        T (k_1, .., k_L, d) with beta_i = T[j_1, .., j_L, i] v_1[j_1] .. v_L[j_L].
    rows
        y_i x_i, (n, d).
    layers
        v_l(0), flat.
    """
    cuts = np.cumsum([layer.size for layer in layers])[:-1]
    per_point = np.tensordot(tensor, rows, axes=(-1, 1))  # (k_1, .., k_L, n)

    def arrived(_, state):
        return left(_contract(per_point, np.split(state, cuts)))

    arrived.terminal = True
    solution = solve_ivp(
        _velocity(tensor, rows, cuts, logistic),
        (0.0, 1e30),
        np.concatenate(layers),
        method="DOP853",
        events=arrived,
        rtol=1e-12,
        atol=1e-14,
    )
    parts = np.split(solution.y[:, -1], cuts)
    return float(solution.t[-1]), parts, _contract(tensor, parts)


def _velocity(tensor, rows, cuts, logistic):
    """dTheta/dt of the flattened layers."""
    per_point = np.tensordot(tensor, rows, axes=(-1, 1))

    def velocity(_, state):
        parts = np.split(state, cuts)
        margins = _contract(per_point, parts)
        pulls = 1 / (1 + np.exp(margins)) if logistic else np.exp(-margins)
        pulled = per_point @ pulls
        return np.concatenate([_all_but_one(pulled, parts, index) for index in range(len(parts))])

    return velocity


def _contract(array, parts):
    """Contract the leading modes with the layers."""
    for part in parts:
        array = np.tensordot(part, array, axes=(0, 0))
    return array


def _all_but_one(array, parts, index):
    for part in reversed(parts[index + 1 :]):
        array = array @ part
    for part in parts[:index]:
        array = np.tensordot(part, array, axes=(0, 0))
    return array
