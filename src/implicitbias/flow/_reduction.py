"""Whether a network, a problem and a start have real decoupled coordinates, and which."""

from __future__ import annotations

from dataclasses import dataclass

from implicitbias._arrays import FloatArray
from implicitbias.coordinates import RealCoordinates, reduce_to_real
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


def dual_coordinates(network: Network, X: FloatArray, init: Initialization) -> DualCoordinates:
    """Decompose the network and take the phases out of the data X, (n, d), and the start."""
    decomposition = network.orthogonal_decomposition()
    start = decomposition.coordinates(init.directions)
    return DualCoordinates(decomposition, reduce_to_real(decomposition.features(X), start))


def has_dual_flow(
    network: Network, problem: Regression | Classification, init: Initialization
) -> bool:
    """Whether ``gradient_flow(..., route="dual")`` exists: decoupled coordinates in real clocks."""
    coordinates = dual_coordinates(network, problem.X, init)
    return coordinates.reduces if isinstance(problem, Regression) else coordinates.exact
