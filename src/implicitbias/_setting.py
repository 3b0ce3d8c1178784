"""A network, a problem and a start that fit together, with their decoupled coordinates, once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._fit import check_fit
from implicitbias.coordinates import RealCoordinates, reduce_to_real
from implicitbias.features import Features, as_features
from implicitbias.initialization import Initialization
from implicitbias.networks import Network, OrthogonalDecomposition
from implicitbias.problems import Classification, Regression


@dataclass(frozen=True)
class DualCoordinates:
    """The orthogonal decomposition of a network and the real form of its coordinates.

    Attributes
    ----------
    decomposition
        S and U_l; the dual flow needs its verdict to hold.
    reduction
        Z = X S^T and p(0) with their phases taken out, and whether that succeeded.
    """

    decomposition: OrthogonalDecomposition
    reduction: RealCoordinates

    @property
    def exact(self) -> bool:
        """Whether the dual flow is the network's flow."""
        return self.decomposition.verdict.holds and self.reduction.exact

    @property
    def reduces(self) -> bool:
        """The same for a regression, whose dual flow carries constant imaginary parts along."""
        return self.decomposition.verdict.holds and self.reduction.reduces

    @property
    def why_not(self) -> str:
        """The verdicts that do not hold."""
        verdicts = [self.decomposition.verdict, self.reduction.data_verdict]
        if self.reduction.reduces:  # else no phase to be real in
            verdicts.append(self.reduction.start_verdict)
        return "; ".join(str(verdict) for verdict in verdicts if not verdict.holds)


@dataclass(frozen=True)
class Setting:
    """What is trained, on what, from where; the derived quantities are computed on demand."""

    network: Network
    problem: Regression | Classification
    init: Initialization

    @cached_property
    def derived(self) -> dict[str, Any]:
        """What others derived from the three, and want to find again."""
        return {}

    @cached_property
    def rows(self) -> Features:
        """Independent rows of X (regression), or all of them (classification)."""
        problem = self.problem
        if isinstance(problem, Classification) or problem.rank == problem.num_points:
            return problem.features
        return problem.features.rows(problem.rows)

    @cached_property
    def targets(self) -> FloatArray:
        """The entries of y that belong to ``rows``."""
        if isinstance(self.problem, Classification):
            return self.problem.y
        return np.ascontiguousarray(self.problem.y[self.problem.rows])

    @property
    def decomposition(self) -> OrthogonalDecomposition:
        """The network's orthogonal decomposition, with its verdict."""
        return self.network.orthogonal_decomposition()

    @cached_property
    def coordinates(self) -> NumericArray:
        """p_l = U_l^T vbar_l, shape (L, m), in units of the scale."""
        return self.decomposition.coordinates(self.init.directions)

    @cached_property
    def reduction(self) -> RealCoordinates:
        """The decoupled coordinates as real ones, or as real as they are, with the defects."""
        return reduce_to_real(self.decomposition.transformed(self.rows), self.coordinates)

    @cached_property
    def start_is_exact(self) -> bool:
        """Whether ties of the layers in these coordinates are ties of the layers given."""
        exact = self.decomposition.projects_exactly(self.init.directions)
        return exact and not self.reduction.turned

    @cached_property
    def rows_are_exact(self) -> bool:
        """Whether ties of the columns in these coordinates are ties of the data given."""
        exact = self.decomposition.transforms_exactly(self.rows)
        return exact and not self.reduction.turned

    def decoupled(self, X: FloatArray) -> DualCoordinates:
        """The coordinates for data X, (n, d): the problem's own rows, or combinations of them."""
        if X is self.rows.given:
            return DualCoordinates(self.decomposition, self.reduction)
        reduction = reduce_to_real(self.decomposition.transformed(as_features(X)), self.coordinates)
        return DualCoordinates(self.decomposition, reduction)

    @cached_property
    def has_dual_flow(self) -> bool:
        """Whether the coordinates decouple in real clocks."""
        if not self.decomposition.verdict.holds:
            return False
        coordinates = self.decoupled(self.problem.X)
        regression = isinstance(self.problem, Regression)
        return coordinates.reduces if regression else coordinates.exact


def setting_of(network: Network, problem: Regression | Classification, init: Any) -> Setting:
    """The three, if they belong together.

    Raises
    ------
    InvalidInputError
        As ``check_fit``.
    """
    check_fit(network, problem, init)
    return Setting(network, problem, init)
