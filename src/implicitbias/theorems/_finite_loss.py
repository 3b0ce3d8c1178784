"""The results on training that stops at a finite loss, which ``margin_path`` computes."""

from __future__ import annotations

import numpy as np

from implicitbias._verdicts import Verdict
from implicitbias.theorems import _assumptions as measured
from implicitbias.theorems import _pair_assumptions as pairs
from implicitbias.theorems._assumptions import needs, vanishing
from implicitbias.theorems._limit_problem import Nothing
from implicitbias.theorems._situation import Situation
from implicitbias.theorems._theorem import Theorem


@needs(measured.orthogonally_decomposable, measured.single_data_phase)
def real_in_phase(situation: Situation) -> Verdict:
    """The decoupled start is real in the data's phase."""
    return situation.reduction.start_verdict


@needs(measured.orthogonally_decomposable, measured.single_data_phase, real_in_phase)
def starts_at_zero(situation: Situation) -> Verdict:
    """beta(0) = 0, so that all margins begin at 0."""
    return vanishing(
        "beta(0) = 0",
        float(np.abs(situation.curves.t0).max(initial=0.0)),
        "at most the ratio of the smallest layer to the next",
    )


_FINITE_LOSS = (
    "stopped at the loss epsilon, as alpha -> infinity at a fixed mu = alpha^L / log(1 / epsilon), "
    "beta / log(1 / epsilon) tends to S^T rho, rho = argmin sum_j Psi_j^*(rho_j) s.t. margins >= 1 "
    "as long as its multipliers rise while mu falls"
)
_AT_LOSS = Nothing(
    "it is about training that stops: margin_path(network, problem, init, ratios) gives its limits"
)

# What ``margin_path`` computes.
FINITE_LOSS = (
    Theorem(
        "finite loss",
        "classification",
        _FINITE_LOSS,
        (
            measured.orthogonally_decomposable,
            measured.single_data_phase,
            real_in_phase,
            measured.some_layer_smallest,
            starts_at_zero,
        ),
        _AT_LOSS,
        "a DiagonalNetwork, an OrthogonalNetwork with real S and bases, or a ConvolutionalNetwork "
        "with full-length filters on even data, and a start such as "
        "Initialization.last_layer_zero(network, eta, scale)",
        "the dual flow, as Moroshko et al. (NeurIPS 2020) for u^D - v^D",
    ),
    Theorem(
        "finite loss, two-sided",
        "classification",
        _FINITE_LOSS,
        (pairs.two_sided, pairs.positive_pair, pairs.equal_pair),
        _AT_LOSS,
        "a TwoSidedDiagonalNetwork and Initialization([eta, eta], scale) with eta > 0",
        "Moroshko et al. (NeurIPS 2020)",
    ),
)
