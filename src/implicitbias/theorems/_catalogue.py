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
from implicitbias.theorems import _classification, _regression
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

_L1_OR_STATIONARY = (
    "beta tends in direction to S^T rho, rho the l1 max-margin point (L = 2) or a stationary point "
    "of min ||rho||_{2/L} s.t. margins >= 1 (L > 2)"
)
_TOP_SINGULAR = (
    "v_1 and v_2 tend in direction to U_1 eta and sign(y) U_2 eta in the space of M(x)'s largest "
    "singular value"
)

CLASSIFICATION = (
    Result(
        "Corollary 4",
        "classification",
        _TOP_SINGULAR + ", M(x) the shifts of x under the filter",
        (
            measured.two_layers,
            measured.convolutional,
            measured.single_point,
            measured.first_layer_larger,
        ),
        _classification.one_point_direction,
    ),
    Result(
        "Theorem 3",
        "classification",
        _TOP_SINGULAR,
        (measured.two_layers, measured.single_point, measured.first_layer_larger),
        _classification.one_point_direction,
    ),
    Result(
        "Corollary 1",
        "classification",
        "beta tends in direction to argmin ||z||_2 s.t. y_i x_i^T z >= 1",
        (measured.fully_connected, measured.moves_at_zero_loss, measured.loss_below_one),
        _classification.l2_limit,
        f"{YKM}; Ji and Telgarsky (NeurIPS 2020)",
    ),
    Result(
        "Corollary 2",
        "classification",
        _L1_OR_STATIONARY + ", S = I",
        (measured.diagonal, measured.last_layer_smaller),
        _classification.quasi_norm_limit,
    ),
    Result(
        "Corollary 3",
        "classification",
        _L1_OR_STATIONARY + ", S = d^{(L-1)/2} F",
        (measured.full_length_filters, measured.last_layer_smaller),
        _classification.quasi_norm_limit,
        f"{YKM}; Gunasekar, Lee, Soudry and Srebro (NeurIPS 2018)",
    ),
    Result(
        "Theorem 2",
        "classification",
        _L1_OR_STATIONARY,
        (measured.orthogonally_decomposable, measured.last_layer_smaller),
        _classification.quasi_norm_limit,
    ),
    Result(
        "beyond Theorem 2",
        "classification",
        _L1_OR_STATIONARY,
        (measured.orthogonally_decomposable, measured.some_layer_smallest),
        _classification.quasi_norm_limit,
        "the decoupled equations are symmetric in the layers, coordinate by coordinate",
    ),
    Result(
        "beyond Theorem 3",
        "classification",
        _TOP_SINGULAR,
        (measured.two_layers, measured.single_point, measured.top_space_moves),
        _classification.one_point_direction,
        "the exact flow of a two-layer network at one point",
    ),
)
