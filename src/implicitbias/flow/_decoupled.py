"""Whether a network, a problem and a start have real decoupled coordinates, and what they reach.

A locked coordinate keeps the sign of rho_j, a dead one rho_j = 0, every other takes any value. The
dual flow is that of a convex function, so that it ends at positive loss exactly where no rho of
these signs fits the data: a flow that only seems to rest, on rows 1e-9 apart or from a start whose
rho underflows, has not ended.
"""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray
from implicitbias._nonnegative import nnls
from implicitbias._setting import setting_of
from implicitbias.coordinates import ScalarCurves
from implicitbias.initialization import Initialization
from implicitbias.networks import Network
from implicitbias.problems import Classification, Regression

CONSISTENT = 1e-9


def has_dual_flow(
    network: Network, problem: Regression | Classification, init: Initialization
) -> bool:
    """Whether ``gradient_flow(..., route="dual")`` exists: decoupled coordinates in real clocks."""
    return setting_of(network, problem, init).has_dual_flow


def orientations(curves: ScalarCurves) -> FloatArray:
    """The sign that rho keeps, (m,): -1 where locked negative, else 1; also where it underflows."""
    ones = np.ones(curves.size)
    unreachable = np.isnan(curves.t_from_rho(ones, 0.0 * ones))  # rho = 1
    return np.where(curves.locked & unreachable, -1.0, 1.0)


def fits(features: FloatArray, target: FloatArray, curves: ScalarCurves) -> bool:
    """Whether Z rho = y for some rho of the right signs, by nonnegative least squares.

    Parameters
    ----------
    features, target
        Z, (n, m) of rank n, and y, (n,).
    curves
        The m coordinates.
    """
    size = float(np.abs(target).max(initial=0.0))
    if size == 0.0 or not (curves.locked.any() or curves.dead.any()):
        return True
    columns = features * orientations(curves)
    free = ~(curves.locked | curves.dead)
    columns = np.hstack([columns[:, ~curves.dead], -columns[:, free]])
    lengths = np.abs(columns).max(axis=0, initial=0.0)
    columns = columns[:, lengths > 0.0] / lengths[lengths > 0.0]
    if not columns.shape[1]:
        return False
    left = float(nnls(columns, target / size)[1])
    return left <= CONSISTENT * float(np.linalg.norm(target / size))


def separates(features: FloatArray, curves: ScalarCurves) -> bool:
    """Whether Z rho > 0 for some rho of the right signs; also where float64 proves neither.

    Signs are points of their own: rho_j > 0 is a margin, and may be as small as one likes.

    Parameters
    ----------
    features
        Rows y_i x_i^T S^T of a separable problem, (n, m).
    curves
        The m coordinates.
    """
    if not (curves.locked.any() or curves.dead.any()):
        return True
    signs = np.diag(orientations(curves))[curves.locked]
    points = np.vstack([features, signs])[:, ~curves.dead]
    if not points.shape[1]:
        return False
    return not Classification(points, np.ones(len(points))).separability().verdict.fails
