"""The assumptions of the theory's results, each measured into a verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from implicitbias._arrays import NumericArray
from implicitbias._errors import InvalidInputError
from implicitbias._results import contents, types_of
from implicitbias._types import misfits
from implicitbias._verdicts import Status, Verdict
from implicitbias.coordinates.lemma4 import existence_time
from implicitbias.limits import OnePoint, separable_with_signs, solve_one_point
from implicitbias.problems import Classification
from implicitbias.theorems._rounded_start import zeros_held, zeros_told
from implicitbias.theorems._situation import Situation, kept_signs

Predicate = Callable[[Situation], Verdict]
_needs: dict[Predicate, tuple[Predicate, ...]] = {}

FALLS_BELOW_ONE = "the training loss falls below 1"
DRIVER_CONVERGES = "X^T r converges in direction"
ROUNDING = 1e-12  # relative defects below this are rounding
TOLD = 10.0  # times its rounding: a length that is told from 0


def needs(*others: Predicate) -> Callable[[Predicate], Predicate]:
    """Say which assumptions must not have failed for this one to have a meaning."""

    def of(predicate: Predicate) -> Predicate:
        _needs[predicate] = others
        return predicate

    return of


def needs_of(predicate: Predicate) -> tuple[Predicate, ...]:
    """The assumptions that must not have failed for this one to have a meaning."""
    return _needs.get(predicate, ())


def title(predicate: Predicate) -> str:
    """What a predicate asserts: the first line of its docstring."""
    return str(predicate.__doc__).strip().splitlines()[0].removesuffix(".")


def verdict_of(predicate: Predicate, situation: Situation) -> Verdict:
    """The verdict of a predicate, which may be a user's.

    Raises
    ------
    InvalidInputError
        It returned something else.
    """
    try:
        verdict: object = predicate(situation)
    except Exception as error:  # which of many, and whose
        error.add_note(f"Raised while the assumption {title(predicate)!r} was measured.")
        raise
    if not isinstance(verdict, Verdict):
        raise InvalidInputError(
            f"the assumption {title(predicate)!r} was measured as a {type(verdict).__name__}; "
            "expected a Verdict."
        )
    wrong = misfits(contents(verdict), types_of(Verdict))
    if wrong:
        raise InvalidInputError(
            f"the assumption {title(predicate)!r} was measured as a Verdict whose {wrong[0]} is "
            f"{getattr(verdict, wrong[0])!r}, which is not of the type that it has."
        )
    return verdict


def vanishing(assumption: str, defect: float, detail: str) -> Verdict:
    """Verdict that a relative defect is zero up to rounding."""
    status: Status = (
        "holds" if defect <= ROUNDING else "undecided" if defect <= 100 * ROUNDING else "fails"
    )
    return Verdict(assumption, status, defect, detail)


def positive(assumption: str, value: float, size: float, detail: str) -> Verdict:
    """Verdict that ``value`` > 0, undecided where it is rounding of ``size``."""
    status: Status = "holds" if value > ROUNDING * size else "undecided" if value > 0 else "fails"
    return Verdict(assumption, status, value, detail)


def counted(assumption: str, value: float, holds: bool, detail: str = "") -> Verdict:
    """Verdict on a whole number, such as a depth or a rank."""
    return Verdict(assumption, "holds" if holds else "fails", float(value), detail)


def of_family(situation: Situation, family: str, assumption: str) -> Verdict:
    """Verdict that the network belongs to a family."""
    holds = situation.network.family == family
    return counted(assumption, float(holds), holds, f"it is a {type(situation.network).__name__}")


def _size(array: NumericArray) -> float:
    return float(np.abs(array).max(initial=0.0))


def orthogonally_decomposable(situation: Situation) -> Verdict:
    """Assumption 1, an orthogonally decomposable data tensor."""
    if not situation.network.is_multilinear:
        return counted(title(orthogonally_decomposable), 0.0, False, _no_tensor(situation))
    return situation.decomposition.verdict


def _no_tensor(situation: Situation) -> str:
    return f"a {type(situation.network).__name__} is not linear in its layers: no data tensor"


@needs(orthogonally_decomposable)
def real_decomposition(situation: Situation) -> Verdict:
    """S and all U_l are real."""
    real = situation.decomposition.is_real
    detail = "real" if real else "complex"
    return counted("S and U_1, .., U_L are real", 0.0 if real else 1.0, real, f"they are {detail}")


@needs(orthogonally_decomposable)
def single_data_phase(situation: Situation) -> Verdict:
    """[S x_i]_j share a phase over the points."""
    return situation.reduction.data_verdict


@needs(orthogonally_decomposable, single_data_phase)
def real_start(situation: Situation) -> Verdict:
    """The decoupled start is real in the data's phase, or its imaginary part is carried along."""
    verdict = situation.reduction.start_verdict
    if verdict.holds or not situation.reduction.reduces:
        return verdict
    turning = int(situation.curves.turning.sum())
    return Verdict(
        f"{verdict.assumption}, or its products keep their imaginary part",
        "holds",
        verdict.value,
        f"{verdict.detail}; it stays in {turning} of {situation.curves.size} coordinates",
    )


@needs(orthogonally_decomposable)
def equal_first_layers(situation: Situation) -> Verdict:
    """vbar_l = U_l eta with one eta for all l < L."""
    layers = situation.coordinates
    first = layers[0]
    defect = max((_size(layer - first) for layer in layers[1:-1]), default=0.0)
    outside = _outside(situation)
    return vanishing(
        "vbar_l = U_l eta with the same eta for every l < L",
        max(defect, outside) / max(_size(first), np.finfo(float).tiny),
        "the largest deviation relative to |eta|",
    )


def _outside(situation: Situation) -> float:
    """The largest entry of the first layers outside the range of conj(U_l)."""
    decomposition, directions = situation.decomposition, situation.init.directions
    if all(layer.size == decomposition.size for layer in directions):
        return 0.0
    inside = decomposition.parameters(situation.coordinates)
    return max(
        _size(given - kept) for given, kept in zip(directions[:-1], inside[:-1], strict=True)
    )


def zero_last_layer(situation: Situation) -> Verdict:
    """vbar_L = 0."""
    largest = max(_size(layer) for layer in situation.init.directions)
    return vanishing(
        "vbar_L = 0",
        _size(situation.init.directions[-1]) / max(largest, np.finfo(float).tiny),
        "the last layer relative to the largest",
    )


@needs(orthogonally_decomposable)
def bounded_below(situation: Situation) -> Verdict:
    """eta_j^2 >= lambda > 0 for all j."""
    squares = np.abs(situation.coordinates[0]) ** 2
    return positive(
        "eta_j^2 >= lambda > 0 for all j", float(squares.min()), float(squares.max()), "lambda"
    )


def even_data(situation: Situation) -> Verdict:
    """x_i[k] = x_i[-k mod d] for every point."""
    rows = situation.problem.X
    sizes = np.abs(rows).max(axis=1)
    odd = np.abs(rows - rows[:, -np.arange(rows.shape[1])]).max(axis=1)
    return vanishing(
        "all x_i are even",
        float((odd / np.where(sizes > 0.0, sizes, 1.0)).max()),
        "the largest odd part of a point, relative to it",
    )


def full_length_filters(situation: Situation) -> Verdict:
    """The network is convolutional and k_1 = ... = k_L = d."""
    network, text = situation.network, "all filters have full length d"
    convolution = of_family(situation, "convolutional", text)
    if convolution.fails:
        return convolution
    return counted(text, min(network.layer_sizes), network.is_fourier, "the shortest filter")


@needs(full_length_filters)
def even_start(situation: Situation) -> Verdict:
    """wbar is even, so that F wbar is real."""
    first = situation.init.directions[0]
    return vanishing(
        "wbar is even",
        _size(first - first[-np.arange(first.size)]) / max(_size(first), np.finfo(float).tiny),
        "the largest odd part relative to |wbar|",
    )


def diagonal(situation: Situation) -> Verdict:
    """The network is diagonal."""
    return of_family(situation, "diagonal", "the network is diagonal")


@needs(orthogonally_decomposable, single_data_phase, real_start)
def reachable_signs(situation: Situation) -> Verdict:
    """Some interpolator has the signs that the locked coordinates keep."""
    curves, found = situation.curves, situation.reach
    detail = f"{int(curves.locked.sum())} of {curves.size} coordinates keep their sign"
    if curves.dead.any():
        detail += f", {zeros_told(situation)}"
    driven = int(np.sum(found.forced & ~curves.dead))
    if found.holds and driven:
        detail += f", {driven} of them tend to 0 because every interpolator is 0 there"
    return Verdict(
        "an interpolator with the start's signs exists",
        zeros_held(situation) if found.holds else "fails",
        found.residual,
        f"the smallest residual; {detail}",
    )


def two_layers(situation: Situation) -> Verdict:
    """The network has two layers, L = 2."""
    depth, tensor = situation.network.depth, situation.network.is_multilinear
    detail = "L" if tensor else _no_tensor(situation)
    return counted("the network has two layers", depth, tensor and depth == 2, detail)


def single_point(situation: Situation) -> Verdict:
    """There is a single data point, all rows of X being multiples of one, and M(x) is not 0."""
    rank = situation.problem.rank
    known = not situation.problem.features.is_sparse and situation.network.is_multilinear
    if rank == 1 and known and situation.network.depth == 2 and not situation.one_point.values.size:
        detail = "the largest singular value: no parameters give the point an output"
        return counted("there is a single data point with M(x) != 0", 0.0, False, detail)
    return counted("there is a single data point", rank, rank == 1, "rank of X")


@needs(two_layers, single_point)
def one_point_reachable(situation: Situation) -> Verdict:
    """g takes the value y / alpha^2."""
    svd = situation.one_point
    one = OnePoint(svd.values, svd.first, svd.second, svd.target, situation.init.log_scale)
    holds = solve_one_point(one) is not None
    return counted("g reaches y / alpha^2", float(svd.target), holds, "y")


@needs(two_layers, single_point)
def first_layer_larger(situation: Situation) -> Verdict:
    """[U_1^T vbar_1]_j^2 - [U_2^T vbar_2]_j^2 >= lambda > 0, in some basis of tied values."""
    svd = situation.one_point
    differences = svd.first**2 - svd.second**2
    worst = min(float(np.mean(differences[group])) for group in svd.groups)
    return positive(
        "[U_1^T vbar_1]_j^2 - [U_2^T vbar_2]_j^2 >= lambda > 0 for all j",
        worst,
        float(max(_size(svd.first), _size(svd.second)) ** 2),
        "lambda, averaged over tied singular values",
    )


def _classification(situation: Situation) -> Classification:
    if not isinstance(situation.problem, Classification):
        raise InvalidInputError("this assumption is about a Classification problem.")
    return situation.problem


@needs(orthogonally_decomposable)
def last_layer_smaller(situation: Situation) -> Verdict:
    """|[U_l^T vbar_l]_j|^2 - |[U_L^T vbar_L]_j|^2 >= lambda > 0 for l < L and all j."""
    squares = np.abs(situation.coordinates) ** 2
    return positive(
        "|[U_l^T vbar_l]_j|^2 - |[U_L^T vbar_L]_j|^2 >= lambda > 0 for l < L and all j",
        float((squares[:-1] - squares[-1]).min()),
        float(squares.max()),
        "lambda",
    )


@needs(orthogonally_decomposable)
def some_layer_smallest(situation: Situation) -> Verdict:
    """In each coordinate one layer is smaller than all others by lambda > 0.

    The decoupled equations do not change when layers trade places in one coordinate, so Theorem 2
    holds with "the smallest layer" for "the last".
    """
    squares = np.sort(np.abs(situation.coordinates) ** 2, axis=0)
    return positive(
        "in each coordinate one layer is smaller than all others by lambda > 0",
        float((squares[1] - squares[0]).min()),
        float(squares.max()),
        "lambda",
    )


@needs(orthogonally_decomposable, single_data_phase, real_start)
def separating_signs(situation: Situation) -> Verdict:
    """Some separating rho has the signs that locked coordinates keep."""
    problem, curves = _classification(situation), situation.curves
    moves, signs = kept_signs(situation)
    rows = situation.reduction.features.scaled(problem.y, None).taken(moves)
    found = separable_with_signs(rows, np.zeros(rows.shape[1]) if signs is None else signs)
    if not curves.dead.any():
        return found
    status = zeros_held(situation) if found.holds else found.status
    return replace(found, status=status, detail=f"{found.detail}; {zeros_told(situation)}")


def convolutional(situation: Situation) -> Verdict:
    """The network is convolutional."""
    return of_family(situation, "convolutional", "the network is convolutional")


@needs(two_layers, single_point)
def top_space_moves(situation: Situation) -> Verdict:
    """a + sign(y) b has a part in the space of the largest singular value."""
    svd = situation.one_point
    size, noise = _size(svd.driven), svd.rounding
    moving = size * float(np.linalg.norm(svd.driven / size)) if size else 0.0
    told = moving > TOLD * noise
    detail = "its length" if told or moving == 0.0 else f"its length, rounded by {noise:.1g}"
    return Verdict(
        "U_1^T vbar_1 + sign(y) U_2^T vbar_2 has a part in the top singular space",
        "holds" if told else "fails",
        moving,
        detail,
    )


def loss_below_one(situation: Situation) -> Verdict:
    """L(Theta(t_0)) < 1 for some t_0: measured at the start, undecided where it is above."""
    beta = situation.network.coefficients(situation.init.directions)
    outputs = situation.problem.features @ beta  # at scale 1
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        log_sizes = np.log(np.abs(outputs)) + situation.network.degree * situation.init.log_scale
        outputs = np.sign(outputs) * np.exp(np.minimum(log_sizes, 700.0))
    log_loss = _classification(situation).log_loss(outputs)
    return Verdict(
        FALLS_BELOW_ONE,
        "holds" if log_loss < 0 else "undecided",
        float(np.exp(min(log_loss, 700.0))),
        "the loss at the start" + ("" if log_loss < 0 else "; training decides"),
    )


def driver_converges(situation: Situation) -> Verdict:
    """X^T r converges in direction: known beforehand for a single point only."""
    driven = situation.problem.features.scaled(situation.problem.y, None)
    rank = situation.problem.rank
    alone = rank == 1 and bool((driven @ driven.rows([0]).toarray()[0] > 0).all())
    return Verdict(
        DRIVER_CONVERGES,
        "holds" if alone else "undecided",
        float(rank),
        "rank of X" + ("" if alone else "; training decides"),
    )


def scalar_solution(situation: Situation) -> Verdict:
    """p' = p^{L-2} q, q' = p^{L-1} has a solution on (-c_L, c_L)."""
    if situation.network.depth % 1 != 0:
        return counted("the depth L is at least 2", situation.network.depth, False, "no whole L")
    limit = existence_time(int(situation.network.depth))
    return counted("the depth L is at least 2", situation.network.depth, True, f"c_L = {limit:.6g}")


def fully_connected(situation: Situation) -> Verdict:
    """The network is fully connected."""
    return of_family(situation, "fully connected", "the network is fully connected")


def moves_at_zero_loss(situation: Situation) -> Verdict:
    """The start is not a saddle: some layer moves unless the loss is zero already."""
    largest = max(_size(layer) for layer in situation.init.directions)
    return positive("the start is not Theta = 0", largest, largest, "the largest entry")
