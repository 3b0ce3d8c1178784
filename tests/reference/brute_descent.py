"""Gradient descent by the definition: one run, one point after the other, explicit gradients.

Every family has beta(layers) and the gradients of c^T beta(layers); both take complex layers, so
that complex steps through them give exact Hessians.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def diagonal(layers, c):
    beta = np.prod(layers, axis=0)
    return beta, [c * np.prod(np.delete(layers, at, axis=0), axis=0) for at in range(len(layers))]


def fully_connected(layers, c):
    tails = [layers[-1]]  # W_l ... w_L
    for layer in layers[-2::-1]:
        tails.insert(0, layer @ tails[0])
    heads, gradients = c, []  # (W_1 ... W_{l-1})^T c
    for at, layer in enumerate(layers[:-1]):
        gradients.append(np.outer(heads, tails[at + 1]))
        heads = layer.T @ heads
    return tails[0], [*gradients, heads]


def convolutional(layers, c):
    d = len(layers[-1])

    def convolved(parts):
        found = np.eye(d)[0]
        for part in parts:
            found = found[shifts[:, : len(part)]] @ part
        return found

    gradients, shifts = [], np.subtract.outer(np.arange(d), np.arange(d)) % d
    for at, layer in enumerate(layers):
        others = convolved([*layers[:at], *layers[at + 1 :]])
        gradients.append(c @ others[shifts[:, : len(layer)]])
    return convolved(layers), gradients


FAMILIES = {
    "diagonal": diagonal,
    "fully connected": fully_connected,
    "convolutional": convolutional,
}


@dataclass
class Descended:
    """All layers Theta_0 .. Theta_K, each a list, and nu = -sum_k gamma_k r_k."""

    layers: list
    dual: np.ndarray

    def stacked(self, at):
        """Layer ``at`` of every step, (K + 1, ...)."""
        return np.array([layers[at] for layers in self.layers])


def descend(
    family,
    layers,
    X,
    y,
    steps,
    *,
    loss="squared",
    batches=None,
    shifts=None,
    momentum=0.0,
    mean=False,
    over_loss=False,
):
    """Theta_{k+1} = Theta_k - gamma_k v_k, v_k = mu v_{k-1} + grad L_k.

    Parameters
    ----------
    steps
        gamma_k, (K,).
    batches
        The points of each step, weighted with n / b; all of them if None.
    shifts
        What is added to the targets of those points.
    """
    function, n = FAMILIES[family], len(y)
    now = [np.array(layer, dtype=float) for layer in layers]
    velocity = [np.zeros_like(layer) for layer in now]
    path, dual = [now], np.zeros(n)
    for k, step in enumerate(steps):
        points = range(n) if batches is None else batches[k]
        beta, _ = function(now, np.zeros(X.shape[1]))
        pulls, total = np.zeros(n), 0.0
        for place, i in enumerate(points):
            shift = 0.0 if shifts is None else shifts[k][place]
            value, slope = one_loss(loss, X[i] @ beta, y[i] + shift)
            weight = n / len(points) / (n if mean else 1)
            pulls[i] += weight * slope
            total += weight * value
        if over_loss:
            pulls /= total
        _, gradients = function(now, pulls @ X)
        velocity = [momentum * old + new for old, new in zip(velocity, gradients, strict=True)]
        now = [layer - step * v for layer, v in zip(now, velocity, strict=True)]
        path.append(now)
        dual -= step * pulls
    return Descended(path, dual)


def one_loss(loss, output, target):
    """l(f) and dl/df at one point."""
    if loss == "squared":
        return 0.5 * (output - target) ** 2, output - target
    margin = target * output
    if loss == "exponential":
        return np.exp(-margin), -target * np.exp(-margin)
    return np.log1p(np.exp(-margin)), -target / (1.0 + np.exp(margin))


def hessian(family, layers, X, y, *, loss="squared", mean=False, small=1e-30):
    """The Hessian of the loss in all parameters, by complex steps through its gradient."""
    function = FAMILIES[family]
    sizes = [np.shape(layer) for layer in layers]
    ends = np.cumsum([np.size(layer) for layer in layers])[:-1]
    at = np.concatenate([np.ravel(layer) for layer in layers])

    def gradient(theta):
        parts = [p.reshape(s) for p, s in zip(np.split(theta, ends), sizes, strict=True)]
        beta, _ = function(parts, np.zeros(X.shape[1]))
        slopes = np.array([one_loss(loss, row @ beta, t)[1] for row, t in zip(X, y, strict=True)])
        _, gradients = function(parts, slopes @ X)
        return np.concatenate([each.ravel() for each in gradients]) / (len(y) if mean else 1)

    columns = [gradient(at + 1j * small * e).imag / small for e in np.eye(at.size)]
    return np.array(columns).T
