"""Wrong input, each kind with the part of its text by which a user knows what to do."""

import numpy as np
import pytest
import scipy.sparse

from implicitbias._errors import InfeasibleProblemError, InvalidInputError
from implicitbias.features import Dense
from implicitbias.initialization import Initialization
from implicitbias.networks import (
    Activation,
    ConvolutionalNetwork,
    DiagonalNetwork,
    FullyConnectedNetwork,
    OrthogonalNetwork,
    TensorNetwork,
    layer_alignment,
    multilinear_multiply,
)
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import predict_limit

X = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]])
Y = np.array([1.0, -1.0])
NET = DiagonalNetwork(num_features=3, depth=2)
DEEP = FullyConnectedNetwork((3, 2, 4))
V = [np.ones(3), np.ones(3)]
NAN = [[1.0, np.nan, 2.0], [0.0, 1.0, 1.0]]


def masked():
    return np.ma.masked_array(X, mask=[[0, 1, 0], [0, 0, 0]])


PROBLEMS = {
    "X one-dimensional": (lambda: Regression([1.0, 2.0], Y), "np.reshape(X, (1, -1))"),
    "X a number": (lambda: Regression(3.0, Y), "expected (n, d)"),
    "X three-dimensional": (lambda: Regression(np.ones((2, 2, 2)), Y), "expected shape (any, any)"),
    "X ragged": (lambda: Regression([[1, 2], [3]], Y), "not a rectangular array"),
    "X empty": (lambda: Regression(np.ones((0, 3)), []), "at least one point and one feature"),
    "X without features": (lambda: Regression(np.ones((2, 0)), Y), "X has shape (2, 0)"),
    "X with NaN": (lambda: Regression(NAN, Y), "X contains nan at index (0, 1)"),
    "X infinite": (lambda: Regression(np.full((2, 3), np.inf), Y), "Impute or drop"),
    "X complex": (lambda: Regression(X + 1j, Y), "X is complex; expected real numbers"),
    "X text": (lambda: Regression([["a", "b"], ["c", "d"]], Y), "Encode text"),
    "X of objects": (lambda: Regression(np.array([[None, 1]] * 2), Y), "dtype object"),
    "y sparse": (lambda: Regression(X, scipy.sparse.csr_array(Y[:, None])), "Pass y.toarray()"),
    "X masked": (lambda: Regression(masked(), Y), "masked array with 1 masked"),
    "X features with NaN": (lambda: Regression(Dense(np.array(NAN)), Y), "nan at index (0, 1)"),
    "X complex features": (lambda: Classification(Dense(X + 1j), Y), "X is complex; expected"),
    "X a type": (lambda: Regression(Dense, Y), "X is of type ABCMeta"),
    "y features": (lambda: Regression(X, Dense(Y[:, None])), "y is an implicitbias Dense"),
    "X a string": (lambda: Regression("data.csv", Y), "expected (n, d)"),
    "y ragged": (lambda: Regression(X, [[1], [1, 2]]), "y is not a rectangular array"),
    "y too short": (lambda: Regression(X, [1.0]), "X has 2 rows"),
    "y a column": (lambda: Regression(X, Y[:, None]), "Pass np.ravel(y)"),
    "y a table": (lambda: Regression(X, np.ones((2, 2))), "One number a row of X"),
    "y with NaN": (lambda: Regression(X, [1.0, np.nan]), "y contains nan at index 1"),
    "y text": (lambda: Regression(X, ["a", "b"]), "y has dtype <U1, which is not numeric"),
    "y complex": (lambda: Regression(X, Y + 1j), "y is complex"),
    "targets contradict": (lambda: Regression([[1, 0], [1, 0]], [1, 2]), "add features, drop"),
    "zero row": (lambda: Regression([[0, 0], [1, 0]], [1, 2]), "row 0 of X is zero, which forces"),
    "predictions": (lambda: Regression(X, Y).loss([1.0]), "predictions have shape (1,)"),
    "labels too short": (lambda: Classification(X, [1]), "from the same split of the data"),
    "labels a column": (lambda: Classification(X, Y[:, None]), "Pass np.ravel(y)"),
    "one label": (lambda: Classification(X, [7, 7]), "Only the labels -1 and +1 say"),
    "one string": (lambda: Classification(X, ["a", "a"]), "the single label a; expected two"),
    "three labels": (lambda: Classification(np.eye(3), [0, 1, 2]), "the rest: np.asarray(y) == 0."),
    "targets as labels": (lambda: Classification(np.eye(3), [0.5, 1, 2]), "use Regression(X, y)"),
    "label missing": (lambda: Classification(X, [1.0, np.nan]), "every point needs a label"),
    "label None": (lambda: Classification(X, ["a", None]), "y contains None at index 1"),
    "labels mixed": (lambda: Classification(X, np.array(["a", 1], object)), "types int, str"),
    "labels complex": (lambda: Classification(X, [1j, -1]), "numbers, booleans or strings"),
    "labels ragged": (lambda: Classification(X, [[1], [1, 2]]), "y is not a rectangular array"),
    "not separable": (
        lambda: (
            Classification(X, [1, -1])
            and Classification([[1], [2], [3]], [1, -1, 1]).require_separable()
        ),
        "sum_i a_i y_i x_i = 0",
    ),
}

NETWORKS = {
    "no features": (lambda: DiagonalNetwork(0, 2), "num_features is 0"),
    "one layer": (lambda: DiagonalNetwork(3, 1), "depth is 1; expected a whole number >= 2"),
    "depth a float": (lambda: DiagonalNetwork(3, 2.0), "depth is 2.0; expected a whole number"),
    "depth a bool": (lambda: DiagonalNetwork(3, True), "depth is True"),
    "filter too long": (lambda: ConvolutionalNetwork(3, (4, 3)), "filter_sizes"),
    "last filter short": (lambda: ConvolutionalNetwork(3, (3, 2)), "filter_sizes"),
    "one width": (lambda: FullyConnectedNetwork((3,)), "widths"),
    "tensor a matrix": (lambda: TensorNetwork(np.ones((2, 2))), "expected at least 3"),
    "bases not orthonormal": (
        lambda: OrthogonalNetwork(np.eye(2), [2 * np.eye(2)] * 2),
        "not orthonormal",
    ),
    "S rank-deficient": (
        lambda: OrthogonalNetwork(np.ones((2, 2)), [np.eye(2)] * 2),
        "full column rank 2",
    ),
    "einsum without an input": (
        lambda: TensorNetwork.from_einsum("ab,b->", (2, 3), (3,)),
        "does not use the index 'x'",
    ),
    "einsum of other sizes": (
        lambda: TensorNetwork.from_einsum("ax,a->", (2, 3), (4,)),
        "has size 2 in an earlier operand and 4",
    ),
    "function not linear": (
        lambda: TensorNetwork.from_callable(lambda x, v, w: x @ (v * w) + 1, 2, [2, 2]),
        "a constant term or an activation is not",
    ),
    "alignment of a diagonal network": (
        lambda: layer_alignment(NET, V),
        "about fully connected networks",
    ),
    "parameters of one layer": (lambda: NET.coefficients([np.ones(3)]), "expects (3,), (3,)"),
    "layer of wrong length": (
        lambda: NET.coefficients([np.ones(3), np.ones(2)]),
        "parameters have shapes (3,), (2,)",
    ),
    "inputs of wrong width": (lambda: NET.predict(V, np.ones((2, 4))), "expected shape (any, 3)"),
    "inputs with NaN": (lambda: NET.predict(V, NAN), "X contains nan"),
    "multiply": (
        lambda: multilinear_multiply(np.ones((2, 3)), [np.ones(2), np.ones(4)]),
        "entry 2",
    ),
}

INITIALIZATIONS = {
    "no scale": (lambda: Initialization(V), "got neither of scale and log_scale"),
    "both scales": (lambda: Initialization(V, 1.0, log_scale=0.0), "got both"),
    "scale zero": (lambda: Initialization(V, 0), "give it to limit_path"),
    "scale infinite": (lambda: Initialization(V, np.inf), "tends to infinity"),
    "scale negative": (
        lambda: Initialization(V, -1.0),
        "scale is -1; expected a finite number > 0",
    ),
    "scale NaN": (lambda: Initialization(V, np.nan), "scale is nan"),
    "scale text": (lambda: Initialization(V, "0.1"), "scale is '0.1'"),
    "log_scale infinite": (
        lambda: Initialization(V, log_scale=-np.inf),
        "log_scale is -inf; expected a finite",
    ),
    "log_scale huge": (lambda: Initialization(V, log_scale=10**400), "expected a finite number"),
    "log_scale an array": (lambda: Initialization(V, log_scale=[0.0]), "log_scale is [0.0]"),
    "directions a number": (lambda: Initialization(1.0, 1.0), "one a layer"),
    "one direction": (lambda: Initialization([np.ones(3)], 1.0), "at least 2 arrays"),
    "direction empty": (lambda: Initialization([np.ones(3), []], 1.0), "layer 2, has shape (0,)"),
    "direction with NaN": (
        lambda: Initialization([np.ones(3), [np.nan]], 1.0),
        "directions, layer 2, contains nan",
    ),
    "direction ragged": (lambda: Initialization([V[0], [[1], [1, 2]]], 1.0), "rectangular"),
    "direction complex": (lambda: Initialization([V[0], V[1] * 1j], 1.0), "is complex"),
    "too few layers": (lambda: Initialization(V, 1.0).check(DEEP), "has 2 layers; FullyConn"),
    "layer of other shape": (
        lambda: Initialization(V, 1.0).check(DiagonalNetwork(4, 2)),
        "layer 1, has shape (3,); DiagonalNetwork(num_features=4, depth=2) expects (4,)",
    ),
    "overflow": (lambda: Initialization(V, log_scale=1e4).parameters(), "layer 1 of the init"),
    "underflow": (lambda: Initialization(V, log_scale=-1e300).parameters(), "underflows float64"),
    "one direction for unlike layers": (
        lambda: Initialization.last_layer_zero(DEEP, np.ones(3), 1.0),
        "a list of 2 arrays of shapes (3, 2), (2, 4)",
    ),
    "direction of wrong length": (
        lambda: Initialization.last_layer_zero(NET, np.ones(4), 1.0),
        "direction has shape (4,); expected shape (3",
    ),
    "too many first layers": (
        lambda: Initialization.last_layer_zero(NET, [V[0], V[1]], 1.0),
        "direction is a list of 2 layers",
    ),
    "eta of wrong length": (
        lambda: Initialization.last_layer_zero(
            OrthogonalNetwork(np.eye(2), [np.eye(2)] * 2), np.ones(3), 1.0
        ),
        "one number for each row of S",
    ),
    "seed negative": (lambda: Initialization.random(NET, 1.0, -1), "seed is -1"),
    "seed a float": (lambda: Initialization.random(NET, 1.0, 0.5), "seed is 0.5"),
    "gap zero": (lambda: Initialization.random(NET, 1.0, 0, gap=0.0), "gap is 0"),
    "gap without coordinates": (
        lambda: Initialization.random(DEEP, 1.0, 0, gap=0.1),
        "gap needs the coordinates of an orthogonal decomposition",
    ),
}

ACTIVATIONS = {
    "activation unknown": (lambda: NET.predict(V, X, "sigmoid"), "one of 'relu', 'leaky_relu'"),
    "activation a number": (lambda: NET.predict(V, X, 3), "an elementwise function"),
    "activation not elementwise": (lambda: NET.predict(V, X, np.sum), "of shape ()"),
    "derivative wrong": (lambda: Activation(np.sin, np.sin), "differences of the function give"),
}

CASES = [*ACTIVATIONS.items(), *PROBLEMS.items(), *NETWORKS.items(), *INITIALIZATIONS.items()]


@pytest.mark.parametrize(("call", "text"), [case for _, case in CASES], ids=[n for n, _ in CASES])
def test_refused_with_a_useful_text(call, text):
    with pytest.raises((InvalidInputError, InfeasibleProblemError)) as caught:
        call()
    message = str(caught.value)
    assert text in message
    assert len(message) > 25
    assert message.endswith((".", ")"))
    assert not any(word in message for word in ("0x", "object at", "Traceback", "<class"))


def test_there_are_enough_kinds():
    assert len(CASES) >= 25


def test_the_errors_are_value_errors_or_carry_evidence():
    assert issubclass(InvalidInputError, ValueError)
    with pytest.raises(InfeasibleProblemError) as caught:
        Regression([[1, 0], [1, 0]], [1, 2])
    np.testing.assert_allclose(caught.value.evidence, [-0.5, 0.5], rtol=1e-15)


def test_articles_fit_the_names():
    network, problem = DiagonalNetwork(2, 2), Regression([[1.0, 2.0]], [1.0])
    with pytest.raises(InvalidInputError, match="expected an Initialization"):
        predict_limit(network, problem, [[1.0, 1.0]] * 2)


def test_what_cannot_be_read_is_not_called_ragged():
    class Refusing:
        """Like a tensor of PyTorch that requires grad."""

        def __array__(self, *args, **kwargs):
            raise RuntimeError("Use tensor.detach().numpy() instead.")

    with pytest.raises(InvalidInputError, match=r"cannot be read as an array \(Use tensor\.detach"):
        Regression([[1.0, 2.0]], Refusing())
    with pytest.raises(InvalidInputError, match=r"X cannot be read as an array \(Use tensor"):
        Regression(Refusing(), [1.0])
