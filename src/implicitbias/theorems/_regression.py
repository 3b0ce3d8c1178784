"""The limits of the regression results, assembled from the situation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import cho_solve

from implicitbias._arrays import EPS, FloatArray, Parameters, stable_norm, worst_of
from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.coordinates import ScalarCurves
from implicitbias.features import Features
from implicitbias.limits import (
    MAX_CORRECTIONS,
    Certificate,
    Limit,
    PathError,
    PotentialProblem,
    PotentialState,
    at_actual_scale,
    certify,
    least_l2_end,
    only_interpolator,
    relative_residual,
    seen_from,
    solve,
    solve_one_point,
)
from implicitbias.problems import UnitRows
from implicitbias.theorems._limit_problem import require_finite
from implicitbias.theorems._rounded_start import (
    changed_by_rounding,
    left_out,
    one_point_start_change,
    whole_layers,
)
from implicitbias.theorems._situation import Situation

Verdicts = tuple[Verdict, ...]
UNMET = 1e-6
MOVES = 10.0  # times its rounding: a start that is not 0
SETTLED = 1e-13  # errors of beta that are not worth a solve in balls
SMALL_SCALE = 0.1  # distances above this share of the end are not of a small scale
REST = "X without the rows that others nearly give, such as one row of a centred table"
CORRECTIONS = 3  # of seminormal equations: each wins the digits that one solve keeps


def potential_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Theorem 5 and beyond, at the initialization's own scale."""
    try:
        problem, state = solve(situation.potential)
    except PathError as error:
        easier = REST if "dependent" in str(error) else situation.easier
        raise NoPredictionError(
            f"{name} applies, but its limit problem could not be solved: {error}. Try {easier}.",
            verdicts,
            partial=_how_far(situation, error, name, verdicts),
        ) from None
    return assemble_potential(situation, problem, state, name, verdicts)


def _how_far(situation: Situation, error: PathError, name: str, verdicts: Verdicts) -> Limit | None:
    """Where a path that ran out of steps stood: its rho, measured at the scale asked for."""
    if error.curves is None:
        return None
    state = seen_from(situation.potential, error.curves, error.state)
    if state is None:
        return None
    return replace(
        assemble_potential(situation, situation.potential, state, name, verdicts, 0),
        note=f"Not the limit: {error}, and this is how far they led.",
    )


def assemble_potential(
    situation: Situation,
    problem: PotentialProblem,
    state: PotentialState,
    name: str,
    verdicts: Verdicts,
    corrections: int = MAX_CORRECTIONS,
) -> Limit:
    """Coefficients, layers and certificate of a solved potential problem."""
    reduction, decomposition = situation.reduction, situation.decomposition
    if not problem.target.any():  # t does not depend on the scale, rho does
        problem, state = at_actual_scale(problem, state)
    kept = ~situation.reach.forced
    certificate, nu = Certificate(0.0, 0.0, error=0.0), state.nu
    if kept.any():
        certified = certify(problem, state, corrections)
        state, certificate = certified.state, certified.certificate
        nu = problem.dual_as_given(certified.nu)
        del certified
    state = replace(state, system=None, t=reduction.level(problem.curves, state.t, kept))
    real_rho = np.zeros(situation.curves.size)
    real_rho[kept] = problem.curves.rho(state.t)
    imaginary = np.zeros(situation.curves.size)
    imaginary[kept] = problem.actual_curves.imaginary
    with np.errstate(over="ignore", invalid="ignore"):
        rho = reduction.spectrum(real_rho, imaginary)
        coefficients = np.ascontiguousarray(decomposition.coefficients(rho).real)
    require_finite(coefficients, situation, name, verdicts)
    gap, error = certificate.gap or 0.0, certificate.error
    if error is not None:
        if not kept.all() or decomposition.residual > 0.0:
            change = _further(situation, problem)
            there = situation.at_scale(
                np.exp(situation.init.log_scale + change) if change else None
            )
            error += changed_by_rounding(there, real_rho, coefficients)
            error += left_out(there, coefficients)
        only, gap, error = only_solution(situation, coefficients, gap, error)
        if only is not coefficients and decomposition.is_identity:
            state, rho = replace(state, t=_t_from_rho(problem.curves, only[kept])), only
        coefficients = only
    try:
        layers = _layers(situation, problem, state)
    except InvalidInputError:  # not real: what rounding left of a conjugate pair grew apart
        layers, error = None, np.inf
    return Limit(
        coefficients,
        "point",
        name,
        Certificate(
            relative_residual(situation.problem.features, coefficients, situation.problem.y),
            gap,
            gap_kind=certificate.gap_kind,
            error=error,
        ),
        verdicts,
        layers,
        rho,
        nu if np.isfinite(nu).all() else None,
        num_iterations=state.iterations,
    )


def only_solution(
    situation: Situation, coefficients: FloatArray, gap: float, error: float
) -> tuple[FloatArray, float, float]:
    """X^{-1} y where X is square, its gap of 0 (no other point is feasible), and its error.

    As given where no better is known than the given sum of coordinates.
    """
    if len(situation.targets) < coefficients.size:
        return coefficients, gap, error
    if situation.decomposition.is_identity:
        given = (
            error > SETTLED
            and situation.lost is None
            and situation.fit is None
            and situation.rows.is_array
        )
        free = given and not situation.reach.forced.any()
        only = only_interpolator(situation.rows.toarray(), situation.targets) if free else None
        return (coefficients, gap, error) if only is None else (only, 0.0, EPS)
    try:
        end = least_l2_end(situation.rows, situation.targets)
    except NoPredictionError:
        return coefficients, gap, error
    return (end.rho, 0.0, end.error) if end.error < error else (coefficients, gap, error)


def _further(situation: Situation, problem: PotentialProblem) -> float:
    """How far, in log alpha, a problem on the situation's path is from the situation itself."""
    there, own = problem.actual_curves.log_unit, situation.potential.curves.log_unit
    return float(there[0] - own[0]) if there.size else 0.0


def _t_from_rho(curves: ScalarCurves, rho: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return curves.t_from_rho(np.sign(rho), np.log(np.abs(rho)))


def _layers(
    situation: Situation, problem: PotentialProblem, state: PotentialState
) -> Parameters | None:
    """The limits of the layers, or None where they overflow."""
    moving, t = problem.actual_curves, state.t
    if problem.log_excess != 0.0 and problem.target.any():
        t = _t_from_rho(moving, problem.curves.rho(t))
    change = _further(situation, problem)
    curves, forced = situation.curves.shifted(change), situation.reach.forced
    log_scale = situation.init.log_scale + change
    if forced.any():
        # Locked coordinates that tend to 0 end where Q does: t = -inf or +inf.
        everywhere = curves.t_from_rho(np.zeros(curves.size), np.full(curves.size, -np.inf))
        everywhere[~forced] = t
        t = everywhere
    layers = situation.reduction.layers(curves.layers(t))
    with np.errstate(over="ignore", invalid="ignore"):  # 0 inf of a zero layer
        start = [np.asarray(v) * np.exp(log_scale) for v in situation.init.directions]
    if not all(np.isfinite(values).all() for values in (layers, *start)):
        return None
    return situation.decomposition.parameters(layers, remainder_of=start)


def one_point_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Theorem 6 in closed form; the certificate re-measures it on the returned layers."""
    svd, one = situation.one_point, situation.one_point_problem
    nu = solve_one_point(one)
    if nu is None:
        raise NoPredictionError(
            f"{name}: no time of the flow reaches y = {svd.target:g}; every singular coordinate "
            "keeps its sign. Start with |U_1^T vbar_1| different from |U_2^T vbar_2|.",
            verdicts,
        )
    moved = one.layers(nu)
    coefficients = np.array([np.nan])
    if np.isfinite(moved).all():
        with np.errstate(over="ignore", invalid="ignore"):
            parameters = whole_layers(situation, moved)
            coefficients = situation.network.coefficients(parameters)
    require_finite(coefficients, situation, name, verdicts, "layers or coefficients")
    error = _one_point_error(situation, coefficients, moved, nu)
    starts = max(np.abs(svd.first).max(), np.abs(svd.second).max())
    if coefficients.size == 1 and starts > MOVES * svd.rounding:
        end = least_l2_end(situation.rows, situation.targets)
        coefficients, error = end.rho, end.error  # y / x, which layers' products need not resolve
    residual = worst_of(
        relative_residual(situation.problem.features, coefficients, situation.problem.y),
        _unmet(situation, coefficients),
    )
    return Limit(
        coefficients,
        "point",
        name,
        Certificate(residual, kkt_residual=_clock_spread(situation, parameters, nu), error=error),
        verdicts,
        parameters,
        moved[0] * moved[1],
        np.array([nu]),
    )


def _unmet(situation: Situation, coefficients: FloatArray) -> float:
    """|x^T beta - y| / |y| where that is a millionth or more, rounding or not; else 0.

    Coefficients 1e10 times what they add up to are right to rounding, and yet no interpolator.
    """
    target = situation.targets[:1]
    missing = situation.rows.rows([0]).precise.residual(coefficients, target)
    size = float(np.abs(target[0]))
    ratio = float(np.abs(missing[0])) / size if size > 0.0 else 0.0
    return ratio if ratio > UNMET else 0.0


def _one_point_error(
    situation: Situation, coefficients: FloatArray, moved: tuple[FloatArray, FloatArray], nu: float
) -> float:
    """|d beta| / |beta| for the step of the clock that the residual asks for.

    d(x^T beta)/d nu = sum_j s_j^2 (v_1j^2 + v_2j^2), dv_1 = s v_2 d nu, dv_2 = s v_1 d nu.
    """
    svd, size = situation.one_point, float(np.abs(coefficients).max(initial=0.0))
    if size == 0.0:
        return 0.0
    missing = situation.rows.rows([0]).precise.residual(coefficients, situation.targets[:1])[0]
    first, second = moved
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        growth = np.sum((svd.values * first) ** 2 + (svd.values * second) ** 2)
        step = float(np.float64(missing) / growth) if missing else 0.0
        network, rest = situation.network, whole_layers(situation, moved)
        change = whole_layers(
            situation, (svd.values * second * step, svd.values * first * step), resting=False
        )
        slope = network.coefficients((change[0], rest[1])) + network.coefficients(
            (rest[0], change[1])
        )
        error = float(np.abs(slope).max()) / size
    started = one_point_start_change(situation, coefficients, moved, nu) / size
    started += EPS * (4.0 + 2.0 * max(situation.init.log_scale, 0.0))  # what no clock makes up for
    return error + started + (EPS * abs(nu) * float(svd.values.max()) if missing else 0.0)


def _clock_spread(situation: Situation, parameters: tuple[FloatArray, ...], nu: float) -> float:
    """How far the returned layers are from one common clock: max_j |a_j' - a_j(nu)| relative.

    (a +- b) e^{-+ nu s} must be the start's (a +- b), coordinate by coordinate.
    """
    svd, log_scale = situation.one_point, situation.init.log_scale
    first, second = (
        project(np.ravel(layer)) for project, layer in zip(svd.project, parameters, strict=True)
    )
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        up = (first + second) - np.exp(log_scale + nu * svd.values) * (svd.first + svd.second)
        down = (first - second) - np.exp(log_scale - nu * svd.values) * (svd.first - svd.second)
    size = float(np.max(np.abs(first)) + np.max(np.abs(second)))
    return float(max(np.abs(up).max(), np.abs(down).max())) / size if size > 0 else 0.0


def minimum_norm_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """X^+ y, and the part of the start that training never moves there."""
    X, y = situation.problem.features, situation.problem.y
    end = least_l2_end(situation.rows, situation.targets, situation.lost)
    unreached = _unreached(situation.rows, situation.start_parameters[0])
    return Limit(
        end.rho,
        "small-scale limit",
        name,
        Certificate(relative_residual(X, end.rho, y), end.gap, error=end.error),
        verdicts,
        unreached=unreached,
        dual=end.nu,
        note=_distance(unreached, end.rho, situation),
    )


def _distance(unreached: FloatArray, end: FloatArray, situation: Situation) -> str:
    """How far from X^+ y training ends.

    By ``unreached`` times the later layers at the end, whose product has the norm
    |X^+ y|^{(L-1)/L} (1 + O(alpha^2)): differences of W_l^T W_l and W_{l+1} W_{l+1}^T are
    conserved, so all layers end with one singular value |X^+ y|^{1/L} and others of order alpha.
    """
    if not np.any(situation.init.directions[0]):
        return "Reached at every scale: the start has no part that training never moves."
    size = stable_norm(end)
    if size == 0.0:
        return "Reached as the scale tends to 0."
    most = float(np.abs(unreached).max())
    with np.errstate(over="ignore"):
        part = most * float(np.linalg.norm(unreached / most, 2)) if most > 0.0 else 0.0
        share = part * size ** (-1.0 / situation.network.depth)
    text = (
        f"Reached as the scale tends to 0. At this scale the end is at most {share:.2g} of its "
        "size away, to leading order: ||unreached||_2 / |beta|^{1/L}."
    )
    return text if share <= SMALL_SCALE else f"{text} This scale is not small: simulate."


def _unreached(rows: Features, first: FloatArray) -> FloatArray:
    """(I - X^+ X) W_1, (d, d_2); of sparse rows by corrected seminormal equations."""
    if rows.is_array:
        basis = np.linalg.qr(rows.toarray().T)[0]
        return np.asarray(first - basis @ (basis.T @ first))
    units = UnitRows(rows)
    unit_rows = rows.scaled(1.0 / np.ldexp(units.norms, units.exponents), None)
    triangle = np.linalg.qr(units.block(slice(None)).T, mode="r")
    left = first
    for _ in range(CORRECTIONS):
        left = left - unit_rows.T @ cho_solve((triangle, False), unit_rows @ left)
    return np.asarray(left)
