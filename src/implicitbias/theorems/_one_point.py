"""A two-layer network at one point, in the singular coordinates of M(x)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from implicitbias._arrays import EPS, FloatArray, IntArray, Parameters, stable_norm
from implicitbias.networks import Network, PointMaps


@dataclass(frozen=True, eq=False)
class OnePointSVD:
    """The two-layer network at one point (x, y) in its singular coordinates.

    Attributes
    ----------
    values
        s > 0, descending, (m,).
    first, second
        U_1^T vbar_1 and U_2^T vbar_2, (m,).
    target
        y.
    tied, project, lift
        Of M(x), see ``PointSVD``.
    exact
        Whether first and second are not rounded.
    sizes
        |vbar_1| and |vbar_2|, whose rounding is that of first and second, however small these are.
    """

    values: FloatArray
    first: FloatArray
    second: FloatArray
    target: float
    tied: float
    exact: bool
    project: PointMaps
    lift: PointMaps
    sizes: FloatArray

    @property
    def groups(self) -> list[IntArray]:
        """Indices of singular values that agree."""
        cuts = np.flatnonzero(-np.diff(self.values) > self.tied * self.values[0]) + 1
        return np.split(np.arange(self.values.size), cuts)

    @property
    def driven(self) -> FloatArray:
        """a + sign(y) b in the space of the largest singular value: what grows the fastest."""
        return np.asarray((self.first + np.sign(self.target) * self.second)[self.groups[0]])

    @property
    def turned(self) -> float:
        """The angle by which rounding turns that space: eps s_1 / (s_1 - s_2), if computed."""
        top = self.groups[0].size
        if self.tied == 0.0 or top == self.values.size:
            return 0.0
        return EPS * float(self.values[0] / (self.values[0] - self.values[top]))

    @property
    def rounding(self) -> float:
        """How far rounding moves ``driven``: 0 where the coordinates are exact."""
        return 0.0 if self.exact else float(self.sizes.max()) * (EPS + self.turned)

    def layers(self, first: FloatArray, second: FloatArray) -> Parameters:
        """U_1 c_1 and U_2 c_2, flat."""
        return self.lift[0](first), self.lift[1](second)


def one_point_svd(
    network: Network, x: FloatArray, target: float, directions: Parameters
) -> OnePointSVD:
    """The SVD of M(x), x of shape (d,), with the start's singular coordinates."""
    svd = network.point_svd(x)
    layers = [np.ravel(layer) for layer in directions]
    first, second = (each(layer) for each, layer in zip(svd.project, layers, strict=True))
    sizes = np.array([stable_norm(layer) for layer in layers])
    exact = svd.exact(directions)
    return OnePointSVD(
        svd.values, first, second, target, svd.tied, exact, svd.project, svd.lift, sizes
    )
