"""Where training ends, without training: limit problems, closed forms and certificates."""

from implicitbias.limits._aligned import GrownSizes, grown_sizes
from implicitbias.limits._aligned_signs import SignFlow, Signs, decided_signs, turning
from implicitbias.limits._escape import Escape, escape
from implicitbias.limits._interpolators import (
    least_l1_interpolator,
    least_l2_end,
    least_l2_interpolator,
    only_interpolator,
)
from implicitbias.limits._limit import (
    Certificate,
    Limit,
    relative_difference,
    relative_residual,
)
from implicitbias.limits._loss_rate import LossRate
from implicitbias.limits._one_point import OnePoint, solve_one_point
from implicitbias.limits._shares import Shares, late_shares
from implicitbias.limits.finite_loss._active_points import PivotError
from implicitbias.limits.finite_loss._path import MarginSolver
from implicitbias.limits.finite_loss._point import MarginPoint, MarginPotential
from implicitbias.limits.groups._ranks import schatten_sum
from implicitbias.limits.groups._stationary import (
    LEADS,
    GroupMargin,
    nuclear_max_margin,
    stationary_margin,
)
from implicitbias.limits.margin._convex import MaxMargin, l1_max_margin, l2_max_margin
from implicitbias.limits.margin._entropy import Entropy
from implicitbias.limits.margin._exact import smallest_margin
from implicitbias.limits.margin._faces import UNIQUE
from implicitbias.limits.margin._groups import (
    Groups,
    conjugate_groups,
    fourier_groups,
    twin_groups,
)
from implicitbias.limits.margin._kkt import KKT
from implicitbias.limits.margin._near import exactly
from implicitbias.limits.margin._quasi_norm import (
    StationaryPoint,
    globally_optimal,
    many_starts,
    stationary_point,
)
from implicitbias.limits.margin._rounded_rows import moved_by_rounding
from implicitbias.limits.margin._signs import separable_with_signs
from implicitbias.limits.margin._tie import OptimalFace, on_face, optimal_face, with_least_kappa
from implicitbias.limits.potential._certify import certify, seen_from
from implicitbias.limits.potential._ends import EndPoint, large_scale_end, small_scale_end
from implicitbias.limits.potential._path import rescale, solve
from implicitbias.limits.potential._problem import (
    MAX_ITERATIONS,
    PathError,
    PotentialProblem,
    PotentialState,
    at_actual_scale,
)
from implicitbias.limits.potential._reachable import Reachable, reachable
from implicitbias.limits.potential._refine import MAX_CORRECTIONS
from implicitbias.limits.potential._rough_path import rough_path
from implicitbias.limits.potential._seen import Seen
from implicitbias.limits.potential._sensitivity import PotentialSensitivity
from implicitbias.limits.potential._signed_fit import STRICT, SignedFit, signed_fit
from implicitbias.limits.potential._stack import PotentialStack, stack_kind
from implicitbias.limits.potential._stack_certify import StackSolution, certify_stack
from implicitbias.limits.potential._stack_path import Arrived, follow_stack
from implicitbias.limits.saddles._cone import NoRestError, Rest, SquaredLoss
from implicitbias.limits.saddles._exponential import ExponentialLoss
from implicitbias.limits.saddles._walk import Saddle, Walk, Walked
from implicitbias.limits.singular._vectors import (
    SingularVectors,
    singular_residual_of_network,
    singular_vectors_near,
    tensor_singular_error,
    tensor_singular_residual,
    tensor_singular_vectors,
)

__all__ = [
    "KKT",
    "LEADS",
    "MAX_CORRECTIONS",
    "MAX_ITERATIONS",
    "STRICT",
    "UNIQUE",
    "Arrived",
    "Certificate",
    "EndPoint",
    "Entropy",
    "Escape",
    "ExponentialLoss",
    "GroupMargin",
    "Groups",
    "GrownSizes",
    "Limit",
    "LossRate",
    "MarginPoint",
    "MarginPotential",
    "MarginSolver",
    "MaxMargin",
    "NoRestError",
    "OnePoint",
    "OptimalFace",
    "PathError",
    "PivotError",
    "PotentialProblem",
    "PotentialSensitivity",
    "PotentialStack",
    "PotentialState",
    "Reachable",
    "Rest",
    "Saddle",
    "Seen",
    "Shares",
    "SignFlow",
    "SignedFit",
    "Signs",
    "SingularVectors",
    "SquaredLoss",
    "StackSolution",
    "StationaryPoint",
    "Walk",
    "Walked",
    "at_actual_scale",
    "certify",
    "certify_stack",
    "conjugate_groups",
    "decided_signs",
    "escape",
    "exactly",
    "follow_stack",
    "fourier_groups",
    "globally_optimal",
    "grown_sizes",
    "l1_max_margin",
    "l2_max_margin",
    "large_scale_end",
    "late_shares",
    "least_l1_interpolator",
    "least_l2_end",
    "least_l2_interpolator",
    "many_starts",
    "moved_by_rounding",
    "nuclear_max_margin",
    "on_face",
    "only_interpolator",
    "optimal_face",
    "reachable",
    "relative_difference",
    "relative_residual",
    "rescale",
    "rough_path",
    "schatten_sum",
    "seen_from",
    "separable_with_signs",
    "signed_fit",
    "singular_residual_of_network",
    "singular_vectors_near",
    "small_scale_end",
    "smallest_margin",
    "solve",
    "solve_one_point",
    "stack_kind",
    "stationary_margin",
    "stationary_point",
    "tensor_singular_error",
    "tensor_singular_residual",
    "tensor_singular_vectors",
    "turning",
    "twin_groups",
    "with_least_kappa",
]
