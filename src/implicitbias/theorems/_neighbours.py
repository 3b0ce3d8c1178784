"""Results beside the limits: ties among least points, label noise, momentum.

They say what decides, or what runs of finite steps tend to; ``explain`` lists them.
"""

from __future__ import annotations

from implicitbias._errors import InvalidInputError, NoPredictionError
from implicitbias._verdicts import Status, Verdict
from implicitbias.limits import l1_max_margin
from implicitbias.problems import Classification
from implicitbias.theorems import _assumptions as measured
from implicitbias.theorems import _saddle_assumptions as saddles
from implicitbias.theorems._assumptions import counted, needs
from implicitbias.theorems._limit_problem import Nothing
from implicitbias.theorems._situation import Situation, kept_signs
from implicitbias.theorems._theorem import Theorem

_DECOUPLED = (saddles.decouples, saddles.one_phase, saddles.growing_start)
_NETWORKS = (
    "a network that decouples in real clocks (DiagonalNetwork, TwoSidedDiagonalNetwork, "
    "OrthogonalNetwork, full-length filters on even data), and a start off 0"
)
SEVERAL = "several points have the least l1 norm with margins >= 1"


def degree_two(situation: Situation) -> Verdict:
    """The network is of degree 2: two layers, or u^2 - v^2."""
    degree = situation.network.degree
    return counted("the network is of degree 2", degree, degree == 2.0, "L, or D of u^D - v^D")


@needs(*_DECOUPLED, degree_two)
def several_directions(situation: Situation) -> Verdict:
    """Several points have the least l1 norm with margins >= 1."""
    problem = situation.problem
    if not isinstance(problem, Classification):
        raise InvalidInputError("this assumption is about a Classification problem.")
    if problem.separability().verdict.fails:
        return counted(SEVERAL, 0.0, False, "no point separates the classes")
    moves, signs = kept_signs(situation)
    rows = situation.reduction.features.scaled(problem.y, None).taken(moves)
    try:
        found = l1_max_margin(rows, signs=signs)
    except NoPredictionError as error:
        return Verdict(SEVERAL, "undecided", float("nan"), str(error))
    detail = "kappa of one of them: 1 where another coordinate may take its place"
    status: Status = "fails" if found.alone else "holds"
    if found.unique is not None and found.unique.status == "undecided":
        status = "undecided"
    return Verdict(SEVERAL, status, float(found.kappa or 0.0), detail)


NEIGHBOURS = (
    Theorem(
        "ties at scale 0",
        "regression",
        "as alpha -> 0, of several points of least weighted l1 norm beta tends to the one with the "
        "least sum_j |rho_j| (log |rho_j| - 2 log |eta_j|) (L = 2), or the largest "
        "sum_j |rho_j|^{2/L} (L > 2)",
        _DECOUPLED,
        Nothing("it is about the end of the path: limit_path(network, problem, init, [0.0])"),
        _NETWORKS,
        "the next order of the scalar curves; Wind, Antun and Hansen (2023) for their examples",
    ),
    Theorem(
        "ties of max margins",
        "classification",
        "of several l1 max-margin points beta tends in direction to the one with the least "
        "sum_j |rho_j| (log |rho_j| - 2 log |eta_j|), eta_j^2 the offsets once points off the "
        "margin pull no more",
        (*_DECOUPLED, degree_two, several_directions),
        Nothing(
            "it decides within the results on l1 max-margin directions, whose limit "
            "predict_limit gives"
        ),
        "two layers that decouple in real clocks (DiagonalNetwork, TwoSidedDiagonalNetwork), and "
        "data in which features are equal, or may take each other's place",
        "the conserved clocks along the face of these points",
    ),
    Theorem(
        "label noise",
        "regression",
        "as the steps gamma -> 0, with noise for a time of order 1 / gamma, beta tends to the "
        "flow's limit from offsets c_l exp(-gamma int g^2 prod_{m != l, L} p_m^2 dt), g = Z^T r",
        (measured.orthogonally_decomposable, measured.single_data_phase, measured.real_start),
        Nothing(
            "the integral is the run's own: run = gradient_descent(..., label_noise=...), then "
            "predict_limit(network, problem, run.effective_start)"
        ),
        "a network with an orthogonal decomposition and real clocks (DiagonalNetwork, "
        "OrthogonalNetwork, full-length filters on even data), and a real start",
        "Pesme et al. (NeurIPS 2021) and HaoChen et al. (COLT 2021) for two layers; every depth by "
        "the offset law",
    ),
    Theorem(
        "momentum",
        "regression",
        "as the steps gamma -> 0 at a fixed momentum mu, heavy ball tends to the flow in the time "
        "k gamma / (1 - mu), and beta to its limit; gamma / (1 - mu)^2 decides how near, about",
        _DECOUPLED,
        Nothing(
            "no identity holds for its finite steps: hold gradient_descent(..., momentum=...) "
            "against the flow's limit by compare"
        ),
        _NETWORKS,
        "Kovachki and Stuart (JMLR 2021); Papazov, Pesme and Flammarion (AISTATS 2024)",
    ),
)
