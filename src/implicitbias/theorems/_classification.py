"""The limit directions of the classification results, assembled from the situation."""

from __future__ import annotations

from functools import partial

import numpy as np

from implicitbias._arrays import EPS, BoolArray, FloatArray, NumericArray, Parameters, worst_of
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.features import Dense, Features, as_features
from implicitbias.flow import margin_flows
from implicitbias.limits import (
    KKT,
    Certificate,
    Groups,
    Limit,
    MaxMargin,
    conjugate_groups,
    exactly,
    fourier_groups,
    l1_max_margin,
    l2_max_margin,
    moved_by_rounding,
    on_face,
    optimal_face,
    smallest_margin,
    stationary_point,
    twin_groups,
    with_least_kappa,
)
from implicitbias.theorems._late_flow import by_late_flow, require_found
from implicitbias.theorems._loss_rates import (
    chain_closing,
    chain_shares,
    chain_squares,
    coordinate_shares,
    coordinate_squares,
    equal_shares,
    loss_rate,
)
from implicitbias.theorems._near_ties import require_true_ties
from implicitbias.theorems._rounded_start import require_no_smaller
from implicitbias.theorems._situation import ROUNDED, Situation, kept_signs
from implicitbias.theorems._top_space import require_told

Verdicts = tuple[Verdict, ...]
NOISE = 10.0  # roundings up to which a KKT residual is one
SYMMETRIC = 1e-12  # part of a saddle's falling directions that is rounding
BASIN_MARGIN = 1e6  # where the flow's direction is read off to choose among stationary points


def scaled_to_margin(situation: Situation, beta: FloatArray) -> FloatArray:
    """beta scaled so that min_i y_i x_i^T beta = 1.

    Raises
    ------
    NoPredictionError
        Rounded to float64, beta no longer separates: its terms are too large for its margins.
    """
    margin = smallest_margin(situation.problem.features.scaled(situation.problem.y, None), beta)
    if not margin > 0:
        raise NoPredictionError(
            "the limit direction was found, but no float64 vector near it separates the points: "
            "terms of y_i x_i^T beta are more than 1e15 times their sum. Subtract offsets from the "
            "features, or merge those that are nearly equal."
        )
    return beta / margin


def certificate_of(situation: Situation, beta: FloatArray, kkt: KKT, error: float) -> Certificate:
    """The violation of the margins by the returned beta, the KKT residual and the angle.

    A margin of 1 that is what is left of far larger terms is measured by those: no float64 beta
    keeps it better. A residual beyond its rounding is a wrong support, which the angle cannot see.
    """
    X, y = situation.problem.features, situation.problem.y
    short = (1.0 - y * (X @ beta)) / np.maximum(1.0, X.absolute(beta))
    feasibility = worst_of(0.0, float(short.max()))
    if kkt.worst > NOISE * kkt.rounding:
        return Certificate(feasibility, kkt_residual=kkt.worst, error=worst_of(error, kkt.worst))
    terms = max(1.0, kkt.rounding / EPS)
    return Certificate(feasibility, kkt_residual=kkt.worst / terms, error=error)


def _angle(
    situation: Situation,
    rho: NumericArray,
    correction: NumericArray | None,
    moved: NumericArray | None,
) -> float:
    """The parts of changes of rho in beta = S^T rho, relative to beta, and the rounding of that.

    ``correction`` is what the solver left, the columns of ``moved`` what rounded rows may do.
    """
    if correction is None:
        return float("inf")
    beta, change = (_beta(situation, each) for each in (rho, correction))
    size, left = float(np.linalg.norm(beta)), float(np.linalg.norm(change))
    if moved is not None:
        left += worst_of(*(float(np.linalg.norm(_beta(situation, each))) for each in moved.T))
    if situation.decomposition.is_identity:
        return worst_of(left / size, EPS)
    terms = float((situation.decomposition.lengths * np.abs(rho)).max())
    return worst_of(left / size, EPS * max(1.0, terms / size))


def _moved(
    situation: Situation,
    rows: Features,
    groups: Groups | None,
    point: tuple[NumericArray, FloatArray],
    moves: BoolArray | None = None,
) -> NumericArray | None:
    """What the rounding of X S^T does to rho, (m, draws); None where it is exact."""
    if situation.rows_are_exact:
        return None
    kept = np.ones(rows.shape[1], dtype=bool) if moves is None else moves
    rho, a = point
    unit = ROUNDED + situation.decomposition.residual
    rounding = unit * situation.problem.features.row_norms(), situation.decomposition.lengths[kept]
    exponent = 2.0 / situation.network.degree
    some = moved_by_rounding(rows.taken(kept), groups, rho[kept], a, exponent, rounding)
    changes = np.zeros((kept.size, some.shape[1]), dtype=some.dtype)
    changes[kept] = some
    return changes


def l2_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Corollary 1: the l2 max-margin direction."""
    problem = situation.problem
    found = l2_max_margin(problem.features.scaled(problem.y, None))
    beta = scaled_to_margin(situation, np.asarray(found.rho))
    shares = chain_shares(situation, beta, found.multipliers)
    return Limit(
        beta,
        "direction",
        name,
        certificate_of(situation, beta, found.kkt, found.error),
        verdicts,
        dual=found.multipliers,
        rate=chain_closing(situation, shares),
        loss_rate=loss_rate(situation, chain_squares(situation, beta), shares),
    )


def _real(situation: Situation) -> bool:
    """Whether the decoupled coordinates are as good as real in the limit."""
    reduction = situation.reduction
    return reduction.exact or (situation.network.depth == 2 and reduction.reduces)


def _margin_rows(situation: Situation) -> tuple[Features, Groups | None]:
    """y_i x_i^T S^T (real where the coordinates reduce), and how complex ones make beta real."""
    y = situation.problem.y
    if _real(situation):
        return situation.reduction.features.scaled(y, None), None
    rows = Dense(y[:, None] * situation.decomposition.features(situation.problem.X))
    if situation.network.is_fourier:
        return rows, fourier_groups(situation.network.num_features)
    return rows, conjugate_groups(situation.decomposition.S)


def _beta(situation: Situation, rho: NumericArray) -> FloatArray:
    if _real(situation):
        rho = situation.reduction.spectrum(rho)
    return np.ascontiguousarray(situation.decomposition.coefficients(rho).real)


def _coefficients(situation: Situation, rho: NumericArray) -> FloatArray:
    return scaled_to_margin(situation, _beta(situation, rho))


def quasi_norm_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Theorem 2: the l1 direction for two layers, the flow's stationary point for more."""
    if situation.network.depth == 2:
        return _l1_limit(situation, name, verdicts)
    rows, groups = _margin_rows(situation)
    rows = rows.dense()
    if groups is None:  # what is equal stays equal, though unequal points have smaller norms
        groups = twin_groups(*situation.reduction.twins)
    start = _flow_spectrum(situation, verdicts)
    point = stationary_point(rows, situation.network.depth, start, groups)
    if point.same_basin.fails:
        raise NoPredictionError(
            f"{name} applies, but the flow's direction at margin {BASIN_MARGIN:.0e} does not "
            f"settle which stationary point it ends at: {point.same_basin}. Follow it further: "
            "gradient_flow(network, problem, init, until_margin=...).",
            (*verdicts, point.same_basin),
        )
    if point.leaving > SYMMETRIC:
        raise NoPredictionError(
            f"{name} applies, but at margin {BASIN_MARGIN:.0e} the flow passes by a stationary "
            f"point that is no minimum (curvature {point.curvature:.2g}), and leaves it later: its "
            f"part along falling directions is {point.leaving:.1e}. Follow it further: "
            "gradient_flow(network, problem, init, until_margin=...).",
            verdicts,
        )
    beta = _coefficients(situation, point.rho)
    moved = _moved(situation, rows, groups, (point.rho, point.multipliers))
    error = _angle(situation, point.rho, point.correction, moved)
    return Limit(
        beta,
        "stationary direction",
        name,
        certificate_of(situation, beta, point.kkt, error),
        (*verdicts, point.same_basin),
        spectrum=point.rho,
        dual=point.multipliers,
        rate=point.rate,
        loss_rate=loss_rate(
            situation,
            coordinate_squares(situation, point.rho),
            coordinate_shares(situation, beta, as_features(rows), point.rho, point.multipliers),
        ),
        note=f"{point.kind} (curvature {point.curvature:.3g}) with ||rho||_{{2/L}} = "
        f"{point.value:.6g}; the flow's direction at margin {BASIN_MARGIN:.0e} decided among the "
        "stationary points.",
    )


def _l1_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """The l1 max-margin direction; where it is one of several, the one that the start leads to."""
    rows, groups = _margin_rows(situation)
    moves = np.ones(rows.shape[1], dtype=bool)
    signs, note = None, ""
    if groups is None:
        moves, signs = kept_signs(situation)
    found = l1_max_margin(rows.taken(moves), groups=groups, signs=signs)
    if groups is None:
        require_no_smaller(situation, rows, found, moves, verdicts)
    if groups is None and found.alone:
        found = with_least_kappa(rows.taken(moves), found)
    elif groups is None:
        found, more, note = _on_the_face(situation, rows.taken(moves), found, verdicts)
        verdicts = (*verdicts, *more)
    elif found.unique is not None and found.unique.fails:
        raise NoPredictionError(
            f"{name} applies, but several l1 max-margin points have the same norm, and complex "
            f"coordinates turn on their way, so that no formula names the flow's: {found.unique}. "
            "Its direction: gradient_flow(network, problem, init).",
            (*verdicts, found.unique),
        )
    elif found.unique is not None and not found.unique.holds:
        verdicts = (*verdicts, found.unique)
    if not (groups is None and found.alone):
        require_true_ties(situation, rows.taken(moves), moves, found, verdicts)
    rho, left = np.zeros((2, moves.size), dtype=found.rho.dtype)
    rho[moves], left[moves] = found.rho, found.correction
    beta = _coefficients(situation, rho)
    moved = _moved(situation, rows, groups, (rho, found.multipliers), moves)
    shares = coordinate_shares(situation, beta, rows, rho, found.multipliers)
    told = groups is None or shares.entropy_error == 0.0  # else kappa is of some multipliers
    return Limit(
        beta,
        "direction",
        name,
        certificate_of(situation, beta, found.kkt, _angle(situation, rho, left, moved)),
        verdicts,
        spectrum=rho,
        dual=found.multipliers,
        rate=found.rate if told else None,
        loss_rate=loss_rate(situation, coordinate_squares(situation, rho), shares),
        note=note or f"kappa = {found.kappa:.4g}, the largest correlation off the support.",
    )


def _on_the_face(
    situation: Situation,
    rows: Features,
    found: MaxMargin,
    verdicts: Verdicts,
) -> tuple[MaxMargin, Verdicts, str]:
    """The l1 max-margin point of least entropy, with what it assumes and a note."""
    exact = situation.rows_are_exact
    found, tight = exactly(rows, found) if exact else (found, None)
    if tight is not None and found.unique is not None and found.unique.holds:
        return with_least_kappa(rows, found), (), ""
    face = optimal_face(rows, found, exact=exact, tight=tight)
    if face.dimension == 0:
        t, error = face.only()
        require_found(error, verdicts)
        return on_face(rows, found, face, t, error), (face.tie,), ""
    moves, _ = kept_signs(situation)
    start = situation.reduction.start[:, moves]
    note = f"The start decides on a face of {face.dimension} dimensions of l1 max-margin points"
    if not face.leaves_traces:
        weights = situation.reduction.log_weights(start[:, face.columns], face.signs)
        ended = face.end(weights)
        require_found(ended.error, verdicts)
        return on_face(rows, found, face, ended.t, ended.error), (face.tie,), f"{note}."
    return by_late_flow(
        situation, rows, found, face, partial(_coefficients, situation), note, verdicts
    )


def _flow_spectrum(situation: Situation, verdicts: Verdicts) -> NumericArray:
    """rho of the flow at a late margin, in the coordinates of ``_margin_rows``."""
    size = situation.init.log_scale + np.log(np.abs(situation.coordinates).max())
    late = float(np.log(BASIN_MARGIN) + max(0.0, situation.network.degree * size))
    flow = margin_flows(situation).to(late)
    if flow.final_parameters is None or not flow.outcome.converged:
        raise NoPredictionError(
            "for L > 2 the flow decides which stationary point is reached, and it stopped early: "
            f"{flow.message}",
            verdicts,
        )
    layers = situation.decomposition.coordinates(flow.final_parameters)
    rho = situation.reduction.shape_of(layers)
    if not situation.reduction.exact:
        return rho
    phases = situation.reduction.phases
    turned: NumericArray = rho if phases is None else phases.conj() * rho
    real: FloatArray = np.ascontiguousarray(turned.real)
    return real


def one_point_direction(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Theorem 3: both layers tend to the top singular space, along a + sign(y) b."""
    require_told(situation, verdicts)
    svd = situation.one_point
    sign = float(np.sign(svd.target))
    top = svd.groups[0]
    moving, size = svd.driven, float(np.abs(svd.driven).max())
    eta = np.zeros(svd.values.size)
    moving = moving / size
    eta[top] = moving / np.linalg.norm(moving)
    shapes = situation.network.parameter_shapes
    parameters: Parameters = tuple(
        layer.reshape(shape)
        for layer, shape in zip(svd.layers(eta, sign * eta), shapes, strict=True)
    )
    unit = situation.network.coefficients(parameters)
    beta = scaled_to_margin(situation, unit)
    stretch = float(np.linalg.norm(beta) / np.linalg.norm(unit))  # ||v_l||^2 at margin 1
    note = ""
    if top.size > 1:
        note = f"The top singular value is {top.size}-fold: the start decides within its space."
    return Limit(
        beta,
        "direction",
        name,
        Certificate(
            worst_of(
                0.0, 1.0 - float((situation.problem.y * (situation.problem.features @ beta)).min())
            ),
            kkt_residual=_singular_residual(situation, parameters, sign),
            error=EPS + svd.turned + svd.rounding / size,
        ),
        verdicts,
        parameters=parameters,
        rate=_closing_rate(situation, top.size),
        loss_rate=loss_rate(situation, 2.0 * abs(stretch), equal_shares(situation, beta)),
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
    moving = svd.layers(svd.first, svd.second)
    kept = max(np.abs(v - part).max() for v, part in zip(layers, moving, strict=True))
    return 0.5 if kept > 1e-12 * max(np.abs(v).max() for v in layers) else 1.0


def _singular_residual(situation: Situation, parameters: Parameters, sign: float) -> float:
    """max_l ||M(yx) o (.., I at l, ..) - s u_l|| / s with s the *largest* singular value."""
    svd = situation.one_point
    gradients = situation.network.layer_gradients(
        parameters, sign * situation.rows.rows([0]).toarray()[0]
    )
    value = float(svd.values[0])
    return worst_of(
        *(
            float(np.linalg.norm(gradient - value * layer)) / value
            for gradient, layer in zip(gradients, parameters, strict=True)
        )
    )
