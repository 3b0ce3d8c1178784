"""The limits of the regression results, assembled from the situation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.linalg import cho_solve, qr, solve_triangular

from implicitbias._arrays import FloatArray, Parameters, is_sparse, rows_times
from implicitbias._errors import NoPredictionError
from implicitbias._verdicts import Verdict
from implicitbias.limits import (
    MAX_CORRECTIONS,
    Certificate,
    Limit,
    OnePoint,
    PathError,
    PotentialProblem,
    PotentialState,
    certify,
    relative_residual,
    seen_from,
    solve,
    solve_one_point,
)
from implicitbias.problems._rows import UnitRows
from implicitbias.theorems._situation import Situation

Verdicts = tuple[Verdict, ...]
MAX_DENSE = 1 << 18  # entries of sparse rows that are made dense, for the sake of their units
CORRECTIONS = 3  # of seminormal equations: each wins the digits that one solve keeps


def potential_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Theorem 5 and beyond, at the initialization's own scale."""
    try:
        problem, state = solve(situation.potential)
    except PathError as error:
        raise NoPredictionError(
            f"{name} applies, but its limit problem could not be solved: {error}. The initial "
            f"scale is exp({situation.init.log_scale:.4g}); try a scale closer to 1.",
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
        problem = replace(problem, curves=problem.actual_curves, log_excess=0.0)
    kept = ~situation.reach.forced
    certificate, nu = Certificate(0.0, 0.0, error=0.0), state.nu
    if kept.any():
        certified = certify(problem, state, corrections)
        state, certificate, nu = certified.state, certified.certificate, certified.nu
    state = replace(state, t=reduction.level(problem.curves, state.t, kept))
    real_rho = np.zeros(situation.curves.size)
    real_rho[kept] = problem.curves.rho(state.t)
    imaginary = np.zeros(situation.curves.size)
    imaginary[kept] = problem.actual_curves.imaginary
    rho = reduction.spectrum(real_rho, imaginary)
    coefficients = np.ascontiguousarray(decomposition.coefficients(rho).real)
    if not np.isfinite(coefficients).all():
        raise NoPredictionError(
            f"{name} applies, but the limit's coefficients do not fit float64: the start is at "
            f"scale exp({situation.init.log_scale:.4g}).",
            verdicts,
        )
    return Limit(
        coefficients,
        "point",
        name,
        Certificate(
            relative_residual(situation.problem.X, coefficients, situation.problem.y),
            certificate.gap,
            gap_kind=certificate.gap_kind,
            error=certificate.error,
        ),
        verdicts,
        _layers(situation, problem, state),
        rho,
        nu if np.isfinite(nu).all() else None,
        num_iterations=state.iterations,
    )


def _layers(
    situation: Situation, problem: PotentialProblem, state: PotentialState
) -> Parameters | None:
    """The limits of the layers, or None where they overflow."""
    moving, t = problem.actual_curves, state.t
    if problem.log_excess != 0.0 and problem.target.any():
        rho = problem.curves.rho(t)
        with np.errstate(divide="ignore"):
            t = moving.t_from_rho(np.sign(rho), np.log(np.abs(rho)))
    change = 0.0
    if moving.size:
        change = float(moving.log_unit[0] - situation.potential.curves.log_unit[0])
    curves, forced = situation.curves.shifted(change), situation.reach.forced
    log_scale = situation.init.log_scale + change
    if forced.any():
        # Locked coordinates that tend to 0 end where Q does: t = -inf or +inf.
        everywhere = curves.t_from_rho(np.zeros(curves.size), np.full(curves.size, -np.inf))
        everywhere[~forced] = t
        t = everywhere
    layers = situation.reduction.layers(curves.layers(t))
    with np.errstate(over="ignore"):
        start = [np.asarray(v) * np.exp(log_scale) for v in situation.init.directions]
    if not all(np.isfinite(values).all() for values in (layers, *start)):
        return None
    return situation.decomposition.parameters(layers, remainder_of=start)


def one_point_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """Theorem 6 in closed form; the certificate re-measures it on the returned layers."""
    svd = situation.one_point
    log_scale = situation.init.log_scale
    one = OnePoint(svd.values, svd.first, svd.second, svd.target, log_scale)
    nu = solve_one_point(one)
    if nu is None:
        raise NoPredictionError(
            f"{name}: no time of the flow reaches y = {svd.target:g}; every singular coordinate "
            "keeps its sign. Start with |U_1^T vbar_1| different from |U_2^T vbar_2|.",
            verdicts,
        )
    start = [np.ravel(layer) for layer in situation.start_parameters]
    moved = one.layers(nu)
    parameters = tuple(
        (basis @ new + (old - basis @ (basis.T @ old))).reshape(shape)
        for basis, new, old, shape in zip(
            (svd.left, svd.right), moved, start, situation.network.parameter_shapes, strict=True
        )
    )
    coefficients = situation.network.coefficients(parameters)
    residual = relative_residual(situation.problem.X, coefficients, situation.problem.y)
    clocks = _clock_spread(situation, parameters, nu)
    return Limit(
        coefficients,
        "point",
        name,
        Certificate(residual, kkt_residual=clocks),
        verdicts,
        parameters,
        moved[0] * moved[1],
        np.array([nu]),
    )


def _clock_spread(situation: Situation, parameters: tuple[FloatArray, ...], nu: float) -> float:
    """How far the returned layers are from one common clock: max_j |a_j' - a_j(nu)| relative.

    (a +- b) e^{-+ nu s} must be the start's (a +- b), coordinate by coordinate.
    """
    svd, scale = situation.one_point, np.exp(situation.init.log_scale)
    first = svd.left.T @ np.ravel(parameters[0])
    second = svd.right.T @ np.ravel(parameters[1])
    up = (first + second) - scale * np.exp(nu * svd.values) * (svd.first + svd.second)
    down = (first - second) - scale * np.exp(-nu * svd.values) * (svd.first - svd.second)
    size = float(np.max(np.abs(first)) + np.max(np.abs(second)))
    return float(max(np.abs(up).max(), np.abs(down).max())) / size if size > 0 else 0.0


def minimum_norm_limit(situation: Situation, name: str, verdicts: Verdicts) -> Limit:
    """X^+ y, and the part of the start that training never moves there."""
    X, y = situation.problem.X, situation.problem.y
    first = situation.start_parameters[0]
    rows = situation.rows
    if is_sparse(rows) and rows.shape[0] * rows.shape[1] > MAX_DENSE:
        coefficients, unreached, outside = _minimum_norm_sparse(situation, first)
    else:
        dense = rows.toarray() if is_sparse(rows) else rows
        coefficients, unreached, outside = _minimum_norm_dense(dense, situation.targets, first)
    size = float(np.linalg.norm(coefficients))
    return Limit(
        coefficients,
        "small-scale limit",
        name,
        Certificate(
            relative_residual(X, coefficients, y),
            kkt_residual=float(np.linalg.norm(outside)) / size if size > 0 else 0.0,
        ),
        verdicts,
        unreached=unreached,
        note="Reached as the scale tends to 0; at this scale the distance is the norm of "
        "`unreached` times the later layers at the end of training.",
    )


def _minimum_norm_dense(
    rows: FloatArray, targets: FloatArray, first: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The solution, and what the rows' span misses of ``first`` and of the solution itself.

    Householder QR of X^T with features in decreasing order of size and points pivoted, which keeps
    the digits of features in small units (Cox and Higham, 1998).
    """
    order = np.argsort(-np.abs(rows).max(axis=0), kind="stable")
    basis, triangle, points = qr(rows[:, order].T, mode="economic", pivoting=True)
    coefficients, missing = np.zeros(rows.shape[1]), targets
    for _ in range(2):
        coefficients[order] += basis @ solve_triangular(triangle, missing[points], trans="T")
        missing = targets - rows @ coefficients

    def outside(vectors: FloatArray) -> FloatArray:
        left = vectors.copy()
        left[order] -= basis @ (basis.T @ vectors[order])
        return left

    return coefficients, outside(first), outside(coefficients)


def _minimum_norm_sparse(
    situation: Situation, first: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The solution, and what the rows' span misses of ``first`` and of the solution itself.

    Seminormal equations in n dimensions, corrected: no array of n times d.
    """
    units = UnitRows(situation.rows)
    lengths = np.ldexp(units.norms, units.exponents)
    rows = rows_times(situation.rows, 1.0 / lengths)
    triangle = np.linalg.qr(units.block(slice(None)).T, mode="r")

    def shortest(targets: FloatArray) -> FloatArray:
        missing, found = targets, np.zeros((rows.shape[1], *targets.shape[1:]))
        for _ in range(CORRECTIONS):
            found = found + rows.T @ cho_solve((triangle, False), missing)
            missing = targets - rows @ found
        return found

    coefficients = shortest(situation.targets / lengths)
    return (
        coefficients,
        first - shortest(rows @ first),
        coefficients - shortest(rows @ coefficients),
    )
