"""Starts of every kind for decoupled coordinates, and how to compare with mpmath."""

import warnings

import mpmath as mp
import numpy as np
from hypothesis import strategies as st

from implicitbias.coordinates import Curves
from reference.scalar_curves import ScalarCurve

EPS = float(np.finfo(np.float64).eps)
KINDS = ("equal", "zero", "generic", "close", "locked")


def start_layers(rng, depth, kind, spread=0.5):
    """One coordinate's layers, (L,); ``spread`` is in powers of ten."""
    sizes = 10.0 ** rng.uniform(-spread, spread, depth)
    layers = sizes * rng.choice([-1.0, 1.0], depth)
    order = np.argsort(sizes)
    smallest, following = order[0], order[1]
    if kind == "equal":
        layers[:] = layers[0]
        layers[-1] *= rng.choice([0.0, 0.3, -0.9, 1 - 1e-9])
    elif kind == "zero":
        layers[smallest] = 0.0
    elif kind == "close":
        layers[smallest] = sizes[following] * (1 - 10.0 ** rng.uniform(-14, -1))
    elif kind == "locked":
        count = rng.integers(1, depth)
        layers[order[1 : count + 1]] = np.copysign(sizes[smallest], layers[order[1 : count + 1]])
    elif kind == "dead":
        layers[smallest] = layers[following] = 0.0
    return layers


def single(layers, log_scale=0.0):
    """One coordinate as curves and as its reference."""
    return Curves.from_start(layers[:, None], log_scale), ScalarCurve(layers, log_scale)


def one(value):
    return np.array([float(value)])


def error(value, reference):
    """Relative error of a float (or a one-entry array) against mpmath; absolute at 0."""
    value = mp.mpf(float(np.asarray(value).item()))
    return float(abs(value - reference) / (abs(reference) if reference else 1))


def log_error(log_value, reference):
    """Error of a logarithm against that of a positive mpmath number, over 1 + |log|."""
    log = mp.log(reference)
    return error(log_value, log) * float(abs(log)) / (1 + float(abs(log)))


@st.composite
def coordinates(draw, kinds=(*KINDS, "dead"), depths=(2, 3, 4, 5, 6), size=6, spread=1.0):
    """Layers (L, m) of mixed kinds."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    depth = draw(st.sampled_from(depths))
    picks = [draw(st.sampled_from(kinds)) for _ in range(size)]
    return np.stack([start_layers(rng, depth, kind, spread) for kind in picks], axis=1)


def steps(draw_seed, size, width):
    """Random steps (m,)."""
    return np.random.default_rng(draw_seed).uniform(-width, width, size)


def warnings_of(curves):
    """Every warning that asking curves everything provokes, impossible questions included."""
    ones = np.ones(curves.size)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for t in (curves.t0, 30 * ones, -800 * ones, 1e6 * ones, np.inf * ones, np.nan * ones):
            for name in (
                "rho",
                "log_rho_slope",
                "u",
                "log_u_slope",
                "slack",
                "layers",
                "potential",
            ):
                getattr(curves, name)(t)
            curves.conjugate(t), curves.t_from_u(t), curves.t_from_rho(np.sign(t), t)
        for dt in (0.0, 1e-300, -0.1, 30.0, -1e3, 1e6):
            for method in (curves.u_increment, curves.u_remainder):
                method(3 * ones, dt * ones), method(3 * ones, dt * ones, relative=True)
            curves.t_increment(curves.t0, dt * ones), curves.divergence(curves.t0, dt * ones)
        for s in (0.0, 1e-300, -1e300, 1.0, np.inf, np.nan):
            for name in ("psi", "psi_slope", "potential_of_s", "conjugate_of_rho"):
                getattr(curves, name)(s * ones)
    return [str(one.message) for one in caught]
