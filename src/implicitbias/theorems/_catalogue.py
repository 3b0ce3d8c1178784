"""The results as data: what each assumes, and which limit it names.

Adding a theorem adds one entry here, at most one predicate in ``_assumptions`` and at most one
limit problem in ``limits``. Entries are tried in order; the first whose assumptions none fail
speaks. Those that a user registers (``_registry``) are tried after all of these.
"""

from __future__ import annotations

from implicitbias.theorems import _aligned, _classification, _groups, _regression
from implicitbias.theorems import _aligned_assumptions as chains
from implicitbias.theorems import _assumptions as measured
from implicitbias.theorems import _connected_assumptions as connected
from implicitbias.theorems import _fit_assumptions as fits
from implicitbias.theorems import _pair_assumptions as pairs
from implicitbias.theorems import _saddle_assumptions as saddles
from implicitbias.theorems._least_squares import LeastSquares
from implicitbias.theorems._limit_problem import ClosedForm, Nothing, SmallScale
from implicitbias.theorems._potential import Potential
from implicitbias.theorems._theorem import YKM, Task, Theorem

_ONE_POINT = (
    "any network of two layers, a single data point, and a start whose first layer is the larger "
    "in the SVD of M(x), such as Initialization.last_layer_zero(network, direction, scale)"
)


_LAWRENCE = "Lawrence, Georgiev, Dienes and Kiani (ICML 2022)"

_potential = Potential()
_least_squares = LeastSquares(_potential)
_one_point = ClosedForm(_regression.one_point_limit)
_top_singular = ClosedForm(_classification.one_point_direction)
_quasi_norm = ClosedForm(_classification.quasi_norm_limit)

_LEAST_SQUARES = (
    "beta tends to S^T rho, rho = argmin sum_j Psi_j^*(rho_j) s.t. X S^T rho = the least-squares "
    "fit of y under the start's signs"
)
_BREGMAN = "Alvarez, Bolte and Brahic (SICON 2004), for the dual flow's Bregman divergence"

REGRESSION = (
    Theorem(
        "Corollary 5",
        "regression",
        "beta tends to argmin alpha^2 sum_j wbar_j^2 H_L(z_j / (alpha |wbar_j|)^L) s.t. X z = y",
        (
            measured.diagonal,
            measured.equal_first_layers,
            measured.zero_last_layer,
            measured.bounded_below,
        ),
        _potential,
        "a DiagonalNetwork and Initialization.last_layer_zero(network, wbar, scale) without a "
        "zero in wbar",
    ),
    Theorem(
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
        _potential,
        "a ConvolutionalNetwork whose filters all have length d, even data (x[k] = x[-k mod d]), "
        "and Initialization.last_layer_zero(network, wbar, scale) with wbar even, F wbar nowhere 0",
        f"{YKM}; the factor d^{{-(L-1)/2}} is missing in print",
    ),
    Theorem(
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
        _potential,
        "a DiagonalNetwork, or an OrthogonalNetwork with real S and bases, and "
        "Initialization.last_layer_zero(network, eta, scale) with no entry of eta 0",
    ),
    Theorem(
        "Theorem 6",
        "regression",
        "v_1 tends to alpha U_1 (a cosh(nu s) + b sinh(nu s)) + alpha (I - U_1 U_1^T) vbar_1, "
        "v_2 alike with a and b exchanged, nu = g^{-1}(y / alpha^2)",
        (measured.two_layers, measured.single_point, measured.first_layer_larger),
        _one_point,
        _ONE_POINT,
        f"{YKM}; the second bracket mended",
    ),
    Theorem(
        "beyond Theorem 5",
        "regression",
        "beta tends to S^T rho, rho = argmin sum_j Psi_j^*(rho_j) s.t. X S^T rho = y",
        (
            measured.orthogonally_decomposable,
            measured.single_data_phase,
            measured.real_start,
            measured.reachable_signs,
        ),
        _potential,
        "a network with an orthogonal decomposition (DiagonalNetwork, OrthogonalNetwork, "
        "ConvolutionalNetwork with full-length filters on a single point or on even data), and a "
        "start off the coordinate planes, such as Initialization.random(network, scale)",
        "the dual flow: gradient flow of a convex potential in n dimensions",
    ),
    Theorem(
        "beyond Theorem 6",
        "regression",
        "Theorem 6's closed form without its condition on the start, where g reaches y / alpha^2",
        (measured.two_layers, measured.single_point, measured.one_point_reachable),
        _one_point,
        "a network of two layers, a single data point, and Initialization.random(network, scale)",
        "the dual flow of a two-layer network at one point",
    ),
    Theorem(
        "beyond Theorem 5, least squares",
        "regression",
        _LEAST_SQUARES,
        (
            measured.orthogonally_decomposable,
            measured.single_data_phase,
            measured.real_start,
            fits.unreachable_signs,
            fits.exact_ties,
            fits.strict_fit,
        ),
        _least_squares,
        "a DiagonalNetwork from layers that are equal, or of which two are 0, in coordinates whose "
        "signs do not reach the targets",
        _BREGMAN,
    ),
    Theorem(
        "two-sided, from u = v",
        "regression",
        "beta tends to argmin alpha^2 sum_j eta_j^2 q_D(z_j / (alpha eta_j)^D) s.t. X z = y, "
        "u(0) = v(0) = alpha eta",
        (pairs.two_sided, pairs.positive_pair, pairs.equal_pair),
        _potential,
        "a TwoSidedDiagonalNetwork and Initialization([eta, eta], scale) with eta > 0",
        "Woodworth et al. (COLT 2020), Theorems 1 and 3",
    ),
    Theorem(
        "two-sided, from every start",
        "regression",
        "beta tends to argmin sum_j Psi_j^*(z_j) s.t. X z = y, Psi_j' = u_j^D - v_j^D along its "
        "clock",
        (pairs.two_sided, pairs.positive_pair, pairs.pairs_reach),
        _potential,
        "a TwoSidedDiagonalNetwork and Initialization([u, v], scale) with u, v >= 0",
        "Azulay et al. (ICML 2021) for D = 2; the dual flow for other D",
    ),
    Theorem(
        "two-sided, least squares",
        "regression",
        _LEAST_SQUARES,
        (pairs.two_sided, pairs.positive_pair, fits.pairs_unreachable, fits.pairs_fit),
        _least_squares,
        "a TwoSidedDiagonalNetwork from u, v >= 0 with zeros, on targets that the signs these keep "
        "do not reach",
        _BREGMAN,
    ),
    Theorem(
        "fully connected, aligned layers",
        "regression",
        "beta tends to X^+ y + s_2 .. s_L (I - X^+ X) W_1 u_2, s_l^2 - |v|^2 conserved, "
        "|v| s_2 .. s_L = |X^+ y|",
        (
            measured.fully_connected,
            chains.aligned_layers,
            chains.signs_are_known,
            chains.chain_is_kept,
        ),
        ClosedForm(_aligned.aligned_limit, _aligned.minimum_norm_point),
        "a FullyConnectedNetwork from balanced layers, Initialization(network.balanced(layers), "
        "scale), or with one hidden unit a layer",
        "the conserved matrices and what data do not see; Saxe, McClelland and Ganguli (ICLR 2014)",
    ),
    Theorem(
        "fully connected, small scale",
        "regression",
        "as alpha -> 0 beta tends to X^T (X X^T)^{-1} y; at every scale the distance is "
        "||alpha (I - X^+ X) Wbar_1 W_2 ... w_L|| at the end of training",
        (measured.fully_connected, chains.leaves_zero),
        SmallScale(_regression.minimum_norm_limit),
        "a FullyConnectedNetwork from a small Initialization.random(network, scale)",
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
_TOP_LEADS = measured.first_layer_larger, measured.top_space_moves

CLASSIFICATION = (
    Theorem(
        "Corollary 4",
        "classification",
        _TOP_SINGULAR + ", M(x) the shifts of x under the filter",
        (measured.two_layers, measured.convolutional, measured.single_point, *_TOP_LEADS),
        _top_singular,
        "a ConvolutionalNetwork of two layers, a single data point, and "
        "Initialization.last_layer_zero(network, direction, scale)",
    ),
    Theorem(
        "Theorem 3",
        "classification",
        _TOP_SINGULAR,
        (measured.two_layers, measured.single_point, *_TOP_LEADS),
        _top_singular,
        _ONE_POINT,
    ),
    Theorem(
        "Corollary 1",
        "classification",
        "beta tends in direction to argmin ||z||_2 s.t. y_i x_i^T z >= 1",
        (
            measured.fully_connected,
            measured.moves_at_zero_loss,
            connected.away_from_saddles,
            measured.loss_below_one,
        ),
        ClosedForm(_classification.l2_limit),
        "a FullyConnectedNetwork and linearly separable data, from any start off 0 whose training "
        "loss falls below 1",
        f"{YKM}; Ji and Telgarsky (NeurIPS 2020)",
    ),
    Theorem(
        "Corollary 2",
        "classification",
        _L1_OR_STATIONARY + ", S = I",
        (measured.diagonal, measured.last_layer_smaller),
        _quasi_norm,
        "a DiagonalNetwork and Initialization.random(network, scale, seed, gap=0.1)",
    ),
    Theorem(
        "Corollary 3",
        "classification",
        _L1_OR_STATIONARY + ", S = d^{(L-1)/2} F",
        (measured.full_length_filters, measured.last_layer_smaller),
        _quasi_norm,
        "a ConvolutionalNetwork whose filters all have length d, and "
        "Initialization.random(network, scale, seed, gap=0.1)",
        f"{YKM}; Gunasekar, Lee, Soudry and Srebro (NeurIPS 2018)",
    ),
    Theorem(
        "Theorem 2",
        "classification",
        _L1_OR_STATIONARY,
        (measured.orthogonally_decomposable, measured.last_layer_smaller),
        _quasi_norm,
        "a DiagonalNetwork, an OrthogonalNetwork or a ConvolutionalNetwork with full-length "
        "filters, and Initialization.random(network, scale, seed, gap=0.1)",
    ),
    Theorem(
        "beyond Theorem 2",
        "classification",
        _L1_OR_STATIONARY,
        (measured.orthogonally_decomposable, measured.some_layer_smallest),
        _quasi_norm,
        "a DiagonalNetwork, an OrthogonalNetwork or a ConvolutionalNetwork with full-length "
        "filters, and Initialization.random(network, scale)",
        "the decoupled equations are symmetric in the layers, coordinate by coordinate",
    ),
    Theorem(
        "beyond Theorem 2, locked signs",
        "classification",
        _L1_OR_STATIONARY + ", among the rho whose locked coordinates keep their signs",
        (
            measured.orthogonally_decomposable,
            measured.single_data_phase,
            measured.real_start,
            measured.separating_signs,
        ),
        _quasi_norm,
        "a DiagonalNetwork on features and their negatives, [X, -X], from equal layers",
        "the dual flow: a coordinate whose two smallest layers are equal cannot cross 0",
    ),
    Theorem(
        "two-sided, max margin",
        "classification",
        "beta tends in direction to the l1 max-margin point (D = 2) or a stationary point of "
        "min ||z||_{2/D} s.t. margins >= 1 (D > 2)",
        (pairs.two_sided, pairs.positive_pair, pairs.pairs_separate),
        _quasi_norm,
        "a TwoSidedDiagonalNetwork and Initialization([u, v], scale) with u, v >= 0, such as ones",
        "Lyu and Li (ICLR 2020) and the dual flow; Moroshko et al. (NeurIPS 2020)",
    ),
    Theorem(
        "beyond Theorem 3",
        "classification",
        _TOP_SINGULAR,
        (measured.two_layers, measured.single_point, measured.top_space_moves),
        _top_singular,
        "a network of two layers, a single data point, and Initialization.random(network, scale)",
        "the exact flow of a two-layer network at one point",
    ),
    Theorem(
        "group convolution, two layers",
        "classification",
        "beta tends in direction to argmin sum_j m_j ||R_j(z)||_* s.t. y_i x_i^T z >= 1, R_j the "
        "group's irreducible representations",
        (
            _groups.group_convolutional,
            measured.two_layers,
            _groups.definite_blocks,
            measured.driver_converges,
        ),
        ClosedForm(_groups.nuclear_limit),
        "a GroupConvolutionalNetwork of two layers and Initialization.random(network, scale, seed, "
        "gap=0.1)",
        f"{_LAWRENCE}, for stationary points; the least of them by the flow of contractions",
    ),
    Theorem(
        "group convolution, more layers",
        "classification",
        "beta tends in direction to a stationary point of sum_j m_j ||R_j(z)||_{S,2/L}^{2/L} s.t. "
        "y_i x_i^T z >= 1, R_j the group's irreducible representations",
        (
            _groups.group_convolutional,
            _groups.more_layers,
            measured.moves_at_zero_loss,
            measured.loss_below_one,
            measured.driver_converges,
        ),
        ClosedForm(_groups.schatten_limit),
        "a GroupConvolutionalNetwork of more than two layers, from a start whose training loss "
        "falls below 1",
        _LAWRENCE,
    ),
)

SADDLES: tuple[tuple[Task, str], ...] = (
    ("regression", "the least squares on the coordinates whose clocks have run out"),
    (
        "classification",
        "the least loss on those whose clocks have run out, until they separate points",
    ),
)

# Results that name no limit of their own; ``explain`` lists them.
FOUNDATIONS = (
    Theorem(
        "Lemma 4",
        "regression",
        "p' = p^{L-2} q, q' = p^{L-1}, p(0) = 1, q(0) = 0 has a solution on (-c_L, c_L), and "
        "h_L = p^{L-1} q is odd, increasing and onto",
        (measured.scalar_solution,),
        Nothing("it is about the scalar functions of lemma4, which Theorem 5 uses"),
        "any network: the functions behind Theorem 5 are in lemma4",
        needs_solution=False,
    ),
    Theorem(
        "Theorem 1",
        "classification",
        "v_1, .., v_L tend in direction to singular vectors of M(-u), u the limit direction of "
        "X^T r",
        (measured.loss_below_one, measured.driver_converges),
        Nothing(
            "u is known only after training; then theorem_1(network, problem, flow) measures it at "
            "the flow's end"
        ),
        "any network and linearly separable data, from a start whose training loss falls below 1",
    ),
    *(
        Theorem(
            f"Saddles, {task}",
            task,
            "as alpha -> 0, beta jumps from saddle to saddle, in time over log(1/alpha) (L = 2) or "
            f"alpha^{{-(L - 2)}}: {where}",
            (saddles.decouples, saddles.one_phase, saddles.growing_start),
            Nothing(
                "it is about the way there: saddle_path(network, problem, init) gives all saddles"
            ),
            "a network that decouples in real clocks (DiagonalNetwork, TwoSidedDiagonalNetwork, "
            "OrthogonalNetwork, full-length filters on even data), and a start off 0",
            "Pesme and Flammarion (NeurIPS 2023), Berthier (JMLR 2023); other depths derived alike",
            needs_solution=False,
        )
        for task, where in SADDLES
    ),
)
