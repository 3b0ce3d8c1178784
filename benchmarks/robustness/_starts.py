"""Starts by kind, in decoupled coordinates (L, m), and scales."""

from __future__ import annotations

import numpy as np

Array = np.ndarray
KINDS = {
    "last layer zero, ones": 0.2,
    "last layer zero, simple": 0.14,
    "last layer zero, random": 0.14,
    "random": 0.16,
    "random integers": 0.06,
    "equal layers, ones": 0.06,
    "equal layers": 0.07,
    "some locked": 0.05,
    "some dead": 0.04,
    "nearly equal layers": 0.02,
    "fits already": 0.06,
}


def draw_layers(rng: np.random.Generator, depth: int, width: int) -> tuple[str, list[Array]]:
    """A kind of start and its directions."""
    kind = str(rng.choice(list(KINDS), p=np.array(list(KINDS.values())) / sum(KINDS.values())))
    layers = rng.standard_normal((depth, width))
    if kind.startswith("last layer zero"):
        eta = np.ones(width)
        if kind.endswith("simple"):
            eta = rng.choice([0.5, 1.0, 2.0, -1.0, 3.0], width)
        elif kind.endswith("random"):
            eta = rng.uniform(0.1, 2, width) * rng.choice([-1.0, 1.0], width)
        layers[:-1], layers[-1] = eta, 0.0
    elif kind == "random integers":
        layers = rng.integers(-3, 4, (depth, width)).astype(float)
    elif kind == "equal layers, ones":
        layers[:] = 1.0
    elif kind == "equal layers":
        layers[:] = rng.uniform(0.3, 3, width) * rng.choice([-1.0, 1.0], width)
    elif kind == "some locked":
        locked = rng.random(width) < 0.5
        layers[-1, locked] = layers[0, locked]
    elif kind == "some dead":
        dead = rng.random(width) < 0.3
        layers[:, dead] *= np.arange(depth)[:, None] >= 2
        layers[-1] *= ~dead
    elif kind == "nearly equal layers":
        layers[:] = layers[0]
        layers[-1] *= 1 + 10.0 ** -rng.uniform(3, 15)
    return kind, [np.array(layer) for layer in layers]


def draw_scale(rng: np.random.Generator) -> tuple[str, float]:
    """A scale and its class."""
    kind = str(
        rng.choice(["moderate", "small", "tiny", "large", "extreme"], p=[0.4, 0.25, 0.1, 0.1, 0.15])
    )
    low, high = {
        "moderate": (-3, 1),
        "small": (-9, -3),
        "tiny": (-30, -9),
        "large": (1, 6),
        "extreme": (-300, 300),
    }[kind]
    power = rng.uniform(low, high)
    return kind, float(10.0 ** (np.round(power) if rng.random() < 0.5 else power))
