"""The results as data: what each assumes, and which limit it names.

Adding a theorem adds one entry here, at most one predicate in ``_assumptions`` and at most one
limit problem in ``limits``. Entries are tried in order; the first whose assumptions none fail
speaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from implicitbias._verdicts import Verdict
from implicitbias.limits import Limit
from implicitbias.theorems import _assumptions as measured
from implicitbias.theorems import _regression
from implicitbias.theorems._situation import Situation

Task = Literal["regression", "classification"]
Predicate = Callable[[Situation], Verdict]
YKM = "Yun, Krishnan and Mobahi (ICLR 2021)"


@dataclass(frozen=True)
class Result:
    """One theorem: its name, what it assumes and the limit it names.

    Attributes
    ----------
    name
        As limits carry it, such as "Corollary 5".
    task
        "regression" or "classification".
    statement
        The conclusion in one line.
    assumptions
        Measured in order; the first that fails ends the measuring, since later ones may need it.
    limit
        Solves the limit problem for a situation in which no assumption failed.
    source
        Where it is proved.
    """

    name: str
    task: Task
    statement: str
    assumptions: tuple[Predicate, ...]
    limit: Callable[[Situation, str, tuple[Verdict, ...]], Limit]
    source: str = YKM

    def measure(self, situation: Situation) -> tuple[Verdict, ...]:
        """The verdicts up to the first failure."""
        verdicts: list[Verdict] = []
        for predicate in self.assumptions:
            verdicts.append(predicate(situation))
            if verdicts[-1].fails:
                break
        return tuple(verdicts)


REGRESSION = (
    Result(
        "Corollary 5",
        "regression",
        "beta tends to argmin alpha^2 sum_j wbar_j^2 H_L(z_j / (alpha |wbar_j|)^L) s.t. X z = y",
        (
            measured.diagonal,
            measured.equal_first_layers,
            measured.zero_last_layer,
            measured.bounded_below,
        ),
        _regression.potential_limit,
    ),
    Result(
        "Corollary 6",
        "regression",
        "beta tends to the even argmin alpha^2 sum_j eta_j^2 "
        "H_L(d^{-(L-1)/2} [F z]_j / (alpha |eta_j|)^L) s.t. X z = y, eta = F wbar",
        (
            measured.full_length_filters,
            measured.even_data,
            measured.even_start,
            measured.equal_first_layers,
            measured.zero_last_layer,
            measured.bounded_below,
        ),
        _regression.potential_limit,
        f"{YKM}; the factor d^{{-(L-1)/2}} is missing in print",
    ),
    Result(
        "Theorem 5",
        "regression",
        "beta tends to S^T rho, rho = argmin alpha^2 sum_j eta_j^2 "
        "H_L(rho_j / (alpha |eta_j|)^L) s.t. X S^T rho = y",
        (
            measured.orthogonally_decomposable,
            measured.real_decomposition,
            measured.equal_first_layers,
            measured.zero_last_layer,
            measured.bounded_below,
        ),
        _regression.potential_limit,
    ),
    Result(
        "Theorem 6",
        "regression",
        "v_1 tends to alpha U_1 (a cosh(nu s) + b sinh(nu s)) + alpha (I - U_1 U_1^T) vbar_1, "
        "v_2 alike with a and b exchanged, nu = g^{-1}(y / alpha^2)",
        (measured.two_layers, measured.single_point, measured.first_layer_larger),
        _regression.one_point_limit,
        f"{YKM}; the second bracket mended",
    ),
    Result(
        "beyond Theorem 5",
        "regression",
        "beta tends to S^T rho, rho = argmin sum_j Psi_j^*(rho_j) s.t. X S^T rho = y",
        (
            measured.orthogonally_decomposable,
            measured.single_data_phase,
            measured.real_start,
            measured.reachable_signs,
        ),
        _regression.potential_limit,
        "the dual flow: gradient flow of a convex potential in n dimensions",
    ),
    Result(
        "beyond Theorem 6",
        "regression",
        "Theorem 6's closed form without its condition on the start, where g reaches y / alpha^2",
        (measured.two_layers, measured.single_point, measured.one_point_reachable),
        _regression.one_point_limit,
        "the dual flow of a two-layer network at one point",
    ),
    Result(
        "fully connected, small scale",
        "regression",
        "as alpha -> 0 beta tends to X^T (X X^T)^{-1} y; at every scale the distance is "
        "||alpha (I - X^+ X) Wbar_1 W_2 ... w_L|| at the end of training",
        (measured.fully_connected, measured.moves_at_zero_loss),
        _regression.minimum_norm_limit,
        f"{YKM}, section 5; the identity is exact at every scale",
    ),
)
