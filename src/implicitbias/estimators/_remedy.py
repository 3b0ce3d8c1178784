"""What a warning says where a limit is certified less well than was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, Parameters
from implicitbias.estimators._end import End
from implicitbias.features import as_features
from implicitbias.flow import Flow
from implicitbias.networks import Network

APART = 1e3  # sizes of columns, and scales of start and answer, that far apart cost digits
LOOSEST = 1e-2  # tolerance that may still be of use


def shortfall(end: End, tol: float, remedies: list[str]) -> str:
    """Say how far the certificate is from tol, and what can be done about it, in sentences."""
    known = f"certified to {end.worst:.1e} only" if np.isfinite(end.worst) else "not certified"
    if isinstance(end.result, Flow):
        known += " (simulated: no result of the theory predicts it)"
    if end.worst <= LOOSEST:
        remedies = [*remedies, f"Allow tol={_rounded_up(end.worst):.0e}."]
    advice = " Or: ".join(remedies) or "Its numbers are in limit_."
    return f"the limit is {known}; tol asks for {tol:.1e}. {advice}"


def better_data(X: Any) -> list[str]:
    """Standardised features, if their sizes are far apart."""
    spread = _spread(X)
    if not spread > APART:
        return []
    return [
        f"Standardise the features, whose sizes are {spread:.0e} apart (sklearn.preprocessing."
        "StandardScaler; which chooses another limit where several fit)."
    ]


def better_scale(
    network: Network, directions: Parameters, scale: float, coefficients: FloatArray
) -> list[str]:
    """A scale nearer to where start and answer are of one size, if they are not."""
    if network.family == "fully connected":  # the start is without effect
        return []
    size = np.abs(coefficients).max(initial=0.0)
    start = np.abs(directions[0][directions[0] != 0])
    if not start.size or not size > 0:
        return []
    with np.errstate(divide="ignore"):
        logarithm = network.degree * np.log(scale * np.median(start)) - np.log(size)
    if abs(logarithm) <= np.log(APART):
        return []
    return [f"Take a {'larger' if logarithm < 0 else 'smaller'} init_scale."]


def _spread(X: Any) -> float:
    """The largest over the smallest size of a column that is not zero."""
    sizes = as_features(X).largest(0)
    sizes = sizes[sizes > 0]
    with np.errstate(over="ignore"):
        return float(sizes.max() / sizes.min()) if sizes.size else 1.0


def _rounded_up(number: float) -> float:
    """The next power of ten."""
    return float(10.0 ** np.ceil(np.log10(number)))
