"""The limit directions of the classification results, assembled from the situation."""

from __future__ import annotations

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray, Parameters, rows_times
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.flow import gradient_flow
from implicitbias.limits import (
    KKT,
    Certificate,
    Groups,
    Limit,
    conjugate_groups,
    fourier_groups,
    l1_max_margin,
    l2_max_margin,
    stationary_point,
)
from implicitbias.networks import ConvolutionalNetwork
from implicitbias.theorems._assumptions import tied_groups
from implicitbias.theorems._situation import Situation

Verdicts = tuple[Verdict, ...]
BASIN_MARGIN = 1e6  # where the flow's direction is read off to choose among stationary points


def scaled_to_margin(situation: Situation, beta: FloatArray) -> FloatArray:
    """Beta scaled so that min_i y_i x_i^T beta = 1."""
    margin = float((situation.problem.y * (situation.problem.X @ beta)).min())
    return beta / margin


def certificate_of(situation: Situation, beta: FloatArray, kkt: KKT) -> Certificate:
    """The violation of the margins by the returned beta, and the KKT residual."""
    margins = situation.problem.y * (situation.problem.X @ beta)
    return Certificate(max(0.0, 1.0 - float(margins.min())), kkt_residual=kkt.worst)


def l2_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Corollary 1: the l2 max-margin direction."""
    problem = situation.problem
    found = l2_max_margin(rows_times(problem.X, problem.y))
    beta = scaled_to_margin(situation, np.asarray(found.rho))
    return Limit(
        beta,
        "direction",
        name,
        certificate_of(situation, beta, found.kkt),
        verdicts,
        dual=found.multipliers,
        rate=1.0 / situation.network.depth,
    )


def _margin_rows(situation: Situation) -> tuple[NumericArray, Groups | None]:
    """y_i x_i^T S^T (real where the coordinates reduce), and how complex ones make beta real."""
    y = situation.problem.y
    if situation.reduction.exact:
        return rows_times(situation.reduction.features, y), None
    rows = y[:, None] * situation.decomposition.features(situation.problem.X)
    if isinstance(situation.network, ConvolutionalNetwork):
        return rows, fourier_groups(situation.network.num_features)
    return rows, conjugate_groups(situation.decomposition.S)


def _coefficients(situation: Situation, rho: NumericArray) -> FloatArray:
    if situation.reduction.exact:
        rho = situation.reduction.spectrum(rho)
    beta = situation.decomposition.coefficients(rho).real
    return scaled_to_margin(situation, np.ascontiguousarray(beta))


def quasi_norm_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Theorem 2: the l1 direction for two layers, the flow's stationary point for more."""
    rows, groups = _margin_rows(situation)
    if situation.network.depth == 2:
        found = l1_max_margin(rows, groups=groups)
        beta = _coefficients(situation, found.rho)
        note = f"kappa = {found.kappa:.4g}."
        if found.unique is not None and not found.unique.holds:
            note = f"{found.unique}; the flow may end at another point of the same norm."
        return Limit(
            beta,
            "direction",
            name,
            certificate_of(situation, beta, found.kkt),
            verdicts,
            spectrum=found.rho,
            dual=found.multipliers,
            rate=found.rate,
            note=note,
        )
    start = _flow_spectrum(situation, verdicts)
    point = stationary_point(rows, situation.network.depth, start, groups)
    if point.same_basin.fails:
        raise NoPredictionError(
            f"{name} applies, but the flow's direction at margin {BASIN_MARGIN:.0e} does not "
            f"settle which stationary point it ends at: {point.same_basin}. Follow it further: "
            "gradient_flow(network, problem, init, until_margin=...).",
            (*verdicts, point.same_basin),
        )
    beta = _coefficients(situation, point.rho)
    return Limit(
        beta,
        "stationary direction",
        name,
        certificate_of(situation, beta, point.kkt),
        (*verdicts, point.same_basin),
        spectrum=point.rho,
        dual=point.multipliers,
        rate=point.rate,
        note=f"{point.kind} (curvature {point.curvature:.3g}) with ||rho||_{{2/L}} = "
        f"{point.value:.6g}; the flow's direction at margin {BASIN_MARGIN:.0e} decided among the "
        "stationary points.",
    )


def _flow_spectrum(situation: Situation, verdicts: Verdicts) -> NumericArray:
    """Rho of the flow at a late margin, in the coordinates of ``_margin_rows``."""
    flow = gradient_flow(
        situation.network, situation.problem, situation.init, until_margin=BASIN_MARGIN
    )
    if flow.final_parameters is None or not flow.outcome.converged:
        raise NoPredictionError(
            "for L > 2 the flow decides which stationary point is reached, and it stopped early: "
            f"{flow.message}",
            verdicts,
        )
    layers = situation.decomposition.coordinates(flow.final_parameters)
    rho: NumericArray = np.prod(layers / np.abs(layers).max(axis=1, keepdims=True), axis=0)
    if not situation.reduction.exact:
        return rho
    phases = situation.reduction.phases
    turned: NumericArray = rho if phases is None else phases.conj() * rho
    real: FloatArray = np.ascontiguousarray(turned.real)
    return real


def one_point_direction(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Theorem 3: both layers tend to the top singular space, along a + sign(y) b."""
    svd = situation.one_point
    sign = float(np.sign(svd.target))
    top = tied_groups(svd.values)[0]
    eta = (svd.first + sign * svd.second)[top]
    eta = eta / np.linalg.norm(eta)
    shapes = situation.network.parameter_shapes
    parameters: Parameters = (
        (svd.left[:, top] @ eta).reshape(shapes[0]),
        (sign * (svd.right[:, top] @ eta)).reshape(shapes[1]),
    )
    beta = scaled_to_margin(situation, situation.network.coefficients(parameters))
    note = ""
    if top.size > 1:
        note = f"The top singular value is {top.size}-fold: the start decides within its space."
    return Limit(
        beta,
        "direction",
        name,
        Certificate(
            max(0.0, 1.0 - float((situation.problem.y * (situation.problem.X @ beta)).min())),
            kkt_residual=_singular_residual(situation, parameters, sign),
        ),
        verdicts,
        parameters=parameters,
        rate=_closing_rate(situation, top.size),
        note=note,
    )


def _closing_rate(situation: Situation, num_top: int) -> float:
    """(1 - s_2 / s_1) / 2: layers grow like e^{s nu}, the margin like e^{2 s_1 nu}.

    Twice that where the network is decomposable: only squares e^{2 s_2 nu} enter beta there. Where
    all values are tied, s_2 = 0 stands for the part of the start that never moves, if there
    is one, and s_2 = -s_1 for the decaying halves e^{-s nu} otherwise.
    """
    svd = situation.one_point
    if num_top < svd.values.size:
        mixing = 1.0 if situation.decomposition.verdict.holds else 2.0
        return float(1.0 - svd.values[num_top] / svd.values[0]) / mixing
    layers = [np.ravel(layer) for layer in situation.init.directions]
    moving = (svd.left @ svd.first, svd.right @ svd.second)
    kept = max(np.abs(v - part).max() for v, part in zip(layers, moving, strict=True))
    return 0.5 if kept > 1e-12 * max(np.abs(v).max() for v in layers) else 1.0


def _singular_residual(situation: Situation, parameters: Parameters, sign: float) -> float:
    """max_l ||M(yx) o (.., I at l, ..) - s u_l|| / s with s the *largest* singular value."""
    svd = situation.one_point
    gradients = situation.network.layer_gradients(parameters, sign * situation.rows[0])
    value = float(svd.values[0])
    return max(
        float(np.linalg.norm(gradient - value * layer)) / value
        for gradient, layer in zip(gradients, parameters, strict=True)
    )
