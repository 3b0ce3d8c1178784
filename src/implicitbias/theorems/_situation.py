"""Everything the theorems ask of a network, a problem and an initialization, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from implicitbias._arrays import (
    EPS,
    BoolArray,
    FloatArray,
    IntArray,
    Parameters,
    positive_int,
    stable_norm,
)
from implicitbias._errors import InvalidInputError
from implicitbias._fit import check_fit
from implicitbias._memory import refuse_beyond_memory
from implicitbias._setting import Setting
from implicitbias.coordinates import ScalarCurves
from implicitbias.features import Dense, Features, Lost, limit_bytes
from implicitbias.initialization import Initialization
from implicitbias.limits import (
    MAX_ITERATIONS,
    EndPoint,
    GrownSizes,
    OnePoint,
    PotentialProblem,
    Reachable,
    Seen,
    SignedFit,
    grown_sizes,
    least_l2_end,
    reachable,
    signed_fit,
)
from implicitbias.networks import Network
from implicitbias.problems import (
    Classification,
    Regression,
    refuse_extreme_units,
    refuse_sizes_beyond,
)
from implicitbias.theorems._aligned_chain import AlignedChain, RowSpace, aligned_chain
from implicitbias.theorems._one_point import OnePointSVD, one_point_svd

ROUNDED = 2 * EPS  # of |x_i| |S_j|: an entry of X S^T
EXTREME = 460  # exponents of 2 above which squares of data may not fit float64
SCALE_FREE = {  # kept at other scales
    *("rows", "targets", "coordinates", "reduction", "one_point"),
    *("rows_are_exact", "start_is_exact", "signed_fit"),
    *("row_space", "aligned", "least"),
}
TARGET_FREE = {"rows", "coordinates", "reduction", "rows_are_exact", "start_is_exact", "curves"}
FAR = 3.0  # |log scale| above which the scale may be what makes a problem hard


@dataclass(frozen=True)
class Situation(Setting):
    """What is trained, on what, from where; what theorems ask of it is computed on demand."""

    max_iterations: int = MAX_ITERATIONS
    fit: SignedFit | None = None  # whose targets the problem has, in place of those out of reach

    def at_scale(self, scale: float | None) -> Situation:
        """The same from another scale in (0, inf); from this one if None."""
        if scale is None or scale == self.init.scale:
            return self
        there = replace(self, init=Initialization(self.init.directions, scale=scale))
        known = {name: value for name, value in vars(self).items() if name in SCALE_FREE}
        there.__dict__.update(known)
        return there

    def on(self, problem: Regression) -> Situation:
        """The same start on other targets of the same rows of the same X."""
        there = replace(self, problem=problem)
        there.__dict__.update({k: v for k, v in vars(self).items() if k in TARGET_FREE})
        return there

    @cached_property
    def curves(self) -> ScalarCurves:
        """The scalar curves of the coordinates, at the initialization's scale."""
        return self.reduction.curves(self.init.log_scale)

    @cached_property
    def ties_are_given(self) -> bool:
        """Whether layers that tie in coordinates, or vanish there, do so whatever is rounded.

        Besides coordinates that are not rounded: one layer twice, up to its sign, on one basis.
        """
        if self.start_is_exact:
            return True
        bases = self.decomposition.bases if not self.network.is_fourier else None
        layers = [np.ravel(layer) for layer in self.init.directions]
        return any(
            (bases is None or np.array_equal(bases[i], bases[j]))
            and (np.array_equal(layers[i], layers[j]) or np.array_equal(layers[i], -layers[j]))
            for i in range(len(layers))
            for j in range(i)
        )

    @property
    def easier(self) -> str:
        """What would be easier to solve than this, as the end of a sentence."""
        if isinstance(self.problem, Regression) and abs(self.init.log_scale) > FAR:
            return f"a scale closer to 1 than exp({self.init.log_scale:.4g})"
        return "features and targets in units that make them of one size"

    @cached_property
    def reach(self) -> Reachable:
        """Whether locked signs allow an interpolator, and which coordinates they force to 0.

        Of sparse data, features without an entry are set aside too: nothing moves them.
        """
        curves = self.curves
        if self.fit is not None:
            return Reachable(0.0, self.fit.forced)
        if self.rows.is_sparse:
            if curves.locked.any() or curves.dead.any() or curves.t0.any():
                raise InvalidInputError(
                    "with sparse data every coordinate must cross from rho(0) = 0: start with "
                    "nonzero first layers and a zero last one (of two-sided networks, from equal u "
                    "and v), or pass X.toarray()."
                )
            return Reachable(0.0, self.rows.largest(0) == 0.0)
        if curves.locked.any() or curves.dead.any():
            self.rows.refuse_whole("a start whose coordinates keep their sign or stay at 0")
        found = reachable(self.reduction.features, self.targets, self.curves)
        return Reachable(0.0, np.ones_like(found.forced)) if self._only_zero(found) else found

    @cached_property
    def signed_fit(self) -> SignedFit:
        """The least-squares fit of all points under the signs that locked coordinates keep.

        Raises
        ------
        RuntimeError
            It ran out of iterations.
        """
        problem, decomposition, rounding = self.problem, self.decomposition, None
        reduction = self.decoupled(problem.X).reduction
        if not self.rows_are_exact:
            unit = ROUNDED + decomposition.residual + reduction.data_verdict.value
            rounding = unit * problem.features.row_norms(), decomposition.lengths
        return signed_fit(
            reduction.features, problem.y, reduction.curves(self.init.log_scale), rounding
        )

    def fitting(self, targets: FloatArray) -> Situation:
        """The same on other targets of the fit, (n,), with the coordinates 0 that it forces to 0.

        Of independent rows: what is fitted contradicts itself on the others by its rounding.
        """
        problem = Regression(self.rows, targets[self.problem.rows])
        there = replace(self, problem=problem, fit=self.signed_fit)
        there.__dict__["signed_fit"] = self.signed_fit
        return there

    def _only_zero(self, found: Reachable) -> bool:
        """Whether y = 0 and as many rows as coordinates leave nothing but 0, some locked."""
        kept, count = ~found.forced, int((~found.forced).sum())
        if self.targets.any() or self.targets.size < count:
            return False
        if not (self.curves.locked & kept).any():
            return False
        rank = Regression(self.reduction.features.taken(kept), self.targets).rank
        return rank == count

    @cached_property
    def potential(self) -> PotentialProblem:
        """min sum_j Psi_j^*(rho_j) s.t. Z rho = y over the coordinates that are not forced to 0."""
        features, kept = self.reduction.features, ~self.reach.forced
        every = np.arange(len(self.targets))
        if kept.all():
            return self.potential_of(features, self.targets, kept, every)
        if not kept.any():
            return PotentialProblem(Dense(np.zeros((0, 0))), np.zeros(0), self.curves.take(kept))
        features = features.taken(kept)
        if self.rows.is_sparse or not every.size:
            return self.potential_of(features, self.targets, kept, every)
        # what was fitted is consistent but for its rounding
        consistent = self.targets if self.fit is None else np.zeros_like(self.targets)
        rest = Regression(features, consistent)
        rows = rest.features.rows(rest.rows)
        return self.potential_of(rows, self.targets[rest.rows], kept, rest.rows)

    def on_all_points(self) -> Situation:
        """The same with all points for rows, dependent or not: the loss is a sum over all."""
        there = replace(self)
        there.__dict__.update(rows=self.problem.features, targets=self.problem.y)
        return there

    def potential_on(self, kept: BoolArray, fitted: FloatArray) -> PotentialProblem:
        """min sum_j Psi_j^*(rho_j) s.t. Z rho = what these coordinates alone fit, (n,)."""
        features = self.reduction.features.taken(kept).dense()
        rest = Regression(features, np.zeros_like(fitted))  # only its rows count
        rows = rest.features.rows(rest.rows)
        return self.potential_of(rows, fitted[rest.rows], kept, rest.rows)

    @property
    def lost(self) -> Lost | None:
        """What rounding took from ``rows`` and ``targets`` before they were given."""
        if not isinstance(self.problem, Regression) or self.problem.lost is None:
            return None
        every = self.rows is self.problem.features
        return self.problem.lost.of(slice(None) if every else self.problem.rows, slice(None))

    def potential_of(
        self, features: Features, targets: FloatArray, kept: BoolArray, rows: IntArray
    ) -> PotentialProblem:
        """min sum_j Psi_j^*(rho_j) s.t. Z rho = y on some rows and coordinates of Z."""
        decomposition, rounding = self.decomposition, None
        if not self.rows_are_exact:
            unit = ROUNDED + decomposition.residual + self.reduction.data_verdict.value
            rounding = unit * self.rows.row_norms()[rows], decomposition.lengths[kept]
        start = self.reduction.start[:, kept]
        return PotentialProblem(
            features,
            targets,
            self.curves if kept.all() else self.reduction.curves(self.init.log_scale, kept),
            max_iterations=self.max_iterations,
            start=start if self.rows_are_exact and self.start_is_exact else None,
            rounding=rounding,
            rough_start=None
            if self.start_is_exact
            else (start, self.reduction.start_error(decomposition.residual)),
            seen=None if decomposition.is_identity else self._seen(kept),
            lost=self.lost.of(rows, kept) if self.lost and decomposition.is_identity else None,
        ).with_even_rows()

    def _seen(self, kept: BoolArray) -> Seen:
        """beta of the coordinates ``kept``."""

        def coefficients(rho: FloatArray, imaginary: FloatArray | None) -> FloatArray:
            whole = np.zeros((2, kept.size))
            whole[0, kept] = rho
            if imaginary is not None:
                whole[1, kept] = imaginary
            return self.coefficients(*whole)

        def of_each(moved: FloatArray) -> FloatArray:
            whole = np.zeros((len(moved), kept.size))
            whole[:, kept] = moved
            return np.asarray(decomposition.coefficients_of_each(reduction.spectrum(whole)).real)

        decomposition, reduction = self.decomposition, self.reduction
        return Seen(coefficients, decomposition.residual, of_each)

    def coefficients(self, rho: FloatArray, imaginary: FloatArray | None = None) -> FloatArray:
        """beta = S^T rho, (d,), of coordinates in the real phases of the reduction."""
        spectrum = self.reduction.spectrum(rho, imaginary)
        return np.ascontiguousarray(self.decomposition.coefficients(spectrum).real)

    @cached_property
    def start_parameters(self) -> Parameters:
        """Theta(0)."""
        return self.init.parameters()

    @cached_property
    def row_space(self) -> RowSpace:
        """The span of the data."""
        return RowSpace(self.rows)

    @cached_property
    def aligned(self) -> AlignedChain:
        """The chain of singular vectors of a fully connected network's layers, at scale 1."""
        return aligned_chain(self.row_space, self.init.directions)

    @cached_property
    def least(self) -> EndPoint:
        """X^+ y, with its dual point and certificate."""
        return least_l2_end(self.rows, self.targets, self.lost)

    @cached_property
    def grown(self) -> GrownSizes:
        """The sizes of aligned layers at the end of training."""
        with np.errstate(divide="ignore"):
            log_target = float(np.log(stable_norm(self.least.rho)))
        log_scale = self.init.log_scale + self.aligned.log_unit
        return grown_sizes(self.aligned.start_sizes, log_scale, log_target)

    @property
    def is_one_point(self) -> bool:
        """Whether all points are multiples of one."""
        return self.problem.rank == 1

    @cached_property
    def one_point(self) -> OnePointSVD:
        """The SVD of M(x) for the one point; only for two layers and rank 1."""
        if self.network.depth != 2 or not self.is_one_point:
            raise InvalidInputError("the SVD of M(x) needs two layers and a single point.")
        if self.rows.is_sparse:
            verb = "the SVD of M(x), asked for where all points are multiples of one,"
            refuse_sparse(self, verb)
        directions = self.init.directions
        return one_point_svd(
            self.network, self.rows.rows([0]).toarray()[0], float(self.targets[0]), directions
        )

    @property
    def one_point_problem(self) -> OnePoint:
        """Theorem 6's equation for the clock."""
        svd = self.one_point
        return OnePoint(svd.values, svd.first, svd.second, svd.target, self.init.log_scale)


def in_moderate_units(situation: Situation) -> tuple[Situation, int]:
    """The same flow of classification on X 2^{-e}, and e: not 0 where squares of X do not fit.

    From a start whose layers are 2^{e/L} times as large: margins are the same for ever, in another
    clock, and beta is 2^e times as large.
    """
    X = situation.problem.features
    exponent = int(np.frexp(float(X.largest(0).max()))[1])
    if abs(exponent) < EXTREME:
        return situation, 0
    init = situation.init
    log_scale = init.log_scale + exponent * float(np.log(2.0)) / situation.network.degree
    return replace(
        situation,
        problem=Classification(X.shifted(np.full(len(X), -exponent)), situation.problem.y),
        init=Initialization(init.directions, log_scale=log_scale),
    ), exponent


def kept_signs(situation: Situation) -> tuple[BoolArray, FloatArray | None]:
    """Which coordinates ever move, and the signs that those of them with equal layers keep."""
    curves = situation.curves
    moves = ~curves.dead
    if not curves.locked.any():
        return moves, None
    return moves, np.where(curves.locked, curves.orientation, 0.0)[moves]


def refuse_sparse(situation: Situation, verb: str) -> None:
    """Refuse sparse data where whole matrices are formed.

    Raises
    ------
    InvalidInputError
        X is sparse.
    """
    if not situation.problem.features.is_array:
        raise InvalidInputError(
            f"X is {situation.problem.features.named}; {verb} needs a dense array, predict_limit "
            "and limit_path take both. Pass X.toarray()."
        )


def situation_of(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    max_iterations: int = MAX_ITERATIONS,
) -> Situation:
    """Check that the three fit together.

    Raises
    ------
    InvalidInputError
        Something else than a network, a problem or an initialization was given, or their sizes
        differ.
    """
    check_fit(network, problem, init)
    if not problem.features.is_array:
        _check_sparse(network, problem)
    refuse_extreme_units(problem)
    directions = np.concatenate([np.ravel(np.abs(layer)) for layer in init.directions])
    refuse_sizes_beyond(directions, "the initial directions", 1e-300, 1e100)
    if isinstance(problem, Regression):
        features = problem.features
        refuse_beyond_memory(
            limit_bytes(features),
            f"a limit of {features.shape[0]} points and {features.shape[1]} features",
            "Take fewer of them, or a machine with more.",
        )
    return Situation(network, problem, init, positive_int(max_iterations, "max_iterations"))


def _check_sparse(network: Network, problem: Regression | Classification) -> None:
    """Refuse networks whose limits on sparse data would need dense work in d dimensions."""
    if not network.takes_sparse:
        raise InvalidInputError(
            f"X is {problem.features.named} and {network!r} would mix its columns; data in "
            "blocks and sparse data are for diagonal, two-sided and fully connected networks. Pass "
            "X.toarray()."
        )
    several = network.degree > 2 and network.decoupling().verdict.holds
    if isinstance(problem, Classification) and several:
        raise InvalidInputError(
            f"X is {problem.features.named}, and classification by more than two layers takes "
            f"dense arrays: {network!r} has several limit directions, among which only a "
            "simulation decides. Choose depth 2, or pass "
            "X.toarray() without the features that have no entry: they stay at 0 in the limit "
            "direction."
        )
