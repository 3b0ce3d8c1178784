"""An example of every public result, made as users make them; and whether two hold the same."""

from functools import cache

import numpy as np

import implicitbias as ib
from implicitbias._closing import Closing
from implicitbias._results import contents, is_result
from implicitbias.networks import DenseDecomposition

TITLES = (  # known before any is made: the tests of each have its title
    "Activation",
    "ActivationFlow relu",
    "ActivationFlow own",
    "Candidate",
    "Certificate",
    "Closing",
    "LossCourse",
    "LossRate",
    "Comparison point",
    "Comparison direction",
    "DenseDecomposition",
    "EffectiveStart",
    "EffectiveStart none",
    "Explanation regression",
    "Explanation classification",
    "Finding",
    "Flow dual",
    "Flow slide",
    "FlowState",
    "FourierDecomposition",
    "IdentityDecomposition",
    "LayerAlignment",
    "LeastNorm",
    "Limit point",
    "Limit direction",
    "Limit complex",
    "LimitPath",
    "LimitPaths",
    "Limits",
    "Refusal",
    "MarginPath",
    "Run",
    "Run relu",
    "SaddlePath regression",
    "SaddlePath classification",
    "SelectionDecomposition",
    "Sensitivity",
    "Sensitivity other start",
    "Separability",
    "Separability fails",
    "SimulatedLimit",
    "SimulatedLimit activation",
    "SingularVectors",
    "SingularVectors complex",
    "SlideReport",
    "Theorem1",
    "Verdict",
)
RNG_SEED = 5
SEPARABLE = np.array([[1.0, 0.5, 0.2], [-0.3, 1.0, 0.4], [0.6, -0.2, 1.0]])


def _regression():
    rng = np.random.default_rng(RNG_SEED)
    X = rng.normal(size=(3, 6))
    return ib.Regression(X, X @ rng.normal(size=6))


@cache
def examples():
    """Results by a title that begins with the name of their type."""
    network, problem = ib.DiagonalNetwork(6, 3), _regression()
    init = ib.Initialization.last_layer_zero(network, np.ones(6), 0.1)
    point = ib.Regression(problem.X[:1], problem.y[:1])
    classes = ib.Classification(SEPARABLE, [1, -1, 1])
    two = ib.DiagonalNetwork(3, 2)
    start = ib.Initialization.random(two, 0.1, seed=1, gap=0.5)
    states = []
    flow = ib.gradient_flow(network, problem, init, callback=states.append)
    slide = ib.gradient_flow(two, classes, start, until_log_margin=200.0)
    wave = ib.ConvolutionalNetwork(6, (6, 6))
    everywhere = ib.Initialization.random(wave, 0.3, seed=2)
    dense = ib.FullyConnectedNetwork((3, 4, 2))
    from_random = ib.Initialization.random(dense, 0.5, seed=3)
    trained = ib.gradient_flow(dense, classes, from_random, until_margin=1e3)
    theorem_1 = ib.theorem_1(dense, classes, trained)
    explained = ib.explain(network, problem, init)
    simulated = ib.simulate_limit(dense, classes, from_random, until_margin=1e3)
    bent = ib.gradient_flow(dense, classes, from_random, activation="relu", max_time=1.0)
    run = ib.gradient_descent(network, problem, init, step=0.02, max_steps=50, num_points=5)
    heavy = ib.gradient_descent(
        dense, classes, from_random, step=0.02, momentum=0.5, activation="relu", max_steps=9
    )
    own = (lambda z: 2.0 * z, lambda z: np.full_like(z, 2.0))
    tensors = ib.tensor_singular_vectors(np.arange(8.0).reshape(2, 2, 2))
    turned = ib.tensor_singular_vectors(np.array([[1.0, 2.0j], [3.0, 4.0]]))
    verified = ib.verify(two, classes, start)
    random_start = ib.Initialization.random(network, 0.5, seed=4)
    limit = ib.predict_limit(network, problem, init)
    return {
        "Activation": bent.activation,
        "ActivationFlow relu": bent,
        "ActivationFlow own": ib.gradient_flow(
            dense, classes, from_random, activation=own, max_time=1.0
        ),
        "Candidate": theorem_1.candidates[0],
        "Certificate": ib.Certificate(1e-17, None, np.nan, error=np.inf),
        "Closing": Closing(1e-3, 0.5, True, 0.5, delay=-0.0),
        "LossCourse": verified.losses[0],
        "LossRate": verified.limit.loss_rate,
        "Comparison point": ib.verify(network, problem, init),
        "Comparison direction": verified,
        "DenseDecomposition": ib.OrthogonalNetwork(
            np.eye(3), [np.eye(3)] * 2
        ).orthogonal_decomposition(),
        "EffectiveStart": run.effective,
        "EffectiveStart none": heavy.effective,
        "Explanation regression": explained,
        "Explanation classification": ib.explain(two, classes, start),
        "Finding": explained.findings[0],
        "Flow dual": flow,
        "Flow slide": slide,
        "FlowState": states[-1],
        "FourierDecomposition": wave.orthogonal_decomposition(),
        "IdentityDecomposition": network.orthogonal_decomposition(),
        "LayerAlignment": ib.layer_alignment(dense, trained.final_parameters),
        "LeastNorm": simulated.references[0],
        "Limit point": ib.predict_limit(network, problem, init),
        "Limit direction": verified.limit,
        "Limit complex": ib.predict_limit(wave, point, everywhere),
        "LimitPath": ib.limit_path(network, problem, init, [np.inf, 1.0, 1e-3, 0.0]),
        "LimitPaths": ib.limit_paths(network, problem, init, [1.0, 0.1]),
        "Limits": ib.predict_limits(network, problem, [init, init]),
        "Refusal": ib.Refusal(
            1, "NoPredictionError", "no result applies", limit.assumptions, limit.certificate
        ),
        "MarginPath": ib.margin_path(two, classes, [[1.0] * 3, [0.0] * 3], [np.inf, 0.1, 0.0]),
        "Run": run,
        "Run relu": heavy,
        "SaddlePath regression": ib.saddle_path(network, problem, init),
        "SaddlePath classification": ib.saddle_path(two, classes, start),
        "SelectionDecomposition": dense.orthogonal_decomposition(),
        "Sensitivity": ib.sensitivity(network, problem, init),
        "Sensitivity other start": ib.sensitivity(network, problem, random_start),
        "Separability": classes.separability(),
        "Separability fails": ib.Classification([[1.0], [1.0]], [1, -1]).separability(),
        "SimulatedLimit": simulated,
        "SimulatedLimit activation": ib.simulate_limit(
            dense, classes, from_random, activation="tanh", max_time=1.0
        ),
        "SingularVectors": tensors[0],
        "SingularVectors complex": turned[0],
        "SlideReport": slide.slide,
        "Theorem1": theorem_1,
        "Verdict": ib.Verdict("<b>alpha & omega</b>", "undecided", float("nan"), "'\"<script>"),
    }


# Numbers that are easily lost, where results have numbers.
HARD = np.array([np.nan, -np.nan, np.inf, -np.inf, -0.0, 5e-324, 1.7e308, 0.1])


def hard_cases():
    """Results with every kind of number in their arrays and fields."""
    for number in HARD.tolist():
        yield ib.Verdict("a", "holds", number)
    certificate = ib.Certificate(float("nan"), -0.0, 5e-324, error=-float("inf"))
    layers = (HARD, HARD.reshape(2, 4).T, np.zeros((0, 3)), np.array(3.0), HARD[::2])
    turned = np.stack([HARD, HARD[::-1]], axis=1).view(np.complex128)[:, 0]
    yield ib.Limit(HARD, "point", "Theorem 5", certificate, parameters=layers)
    yield ib.Limit(HARD, "point", "", certificate, spectrum=turned, note="\ud800\n")
    verdict = ib.Verdict("a", "fails", -0.0)
    yield DenseDecomposition(((2,), (3, 1)), 0.0, verdict, np.eye(2) * 1j, (np.eye(2),) * 2)


def same(one, other):
    """Whether two hold the same, bit for bit."""
    if is_result(one):
        first, second = contents(one), contents(other)
        alike = type(one) is type(other) and list(first) == list(second)
        return alike and all(same(first[name], second[name]) for name in first)
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.dtype == other.dtype
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if isinstance(one, (tuple, list)):
        alike = type(one) is type(other) and len(one) == len(other)
        return alike and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (float, complex)):
        return np.array(one).tobytes() == np.array(other, dtype=type(one)).tobytes()
    return one is other or (type(one) is type(other) and one == other)
