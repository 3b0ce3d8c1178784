"""What a user may write, in lists, tables and arrays: it runs, and a strict mypy accepts it.

``docs/snippets.py`` checks the types, ``tests/test_package.py`` runs it.
"""

import numpy as np
import pandas as pd
import scipy.sparse

import implicitbias as ib

ROWS = [[1.0, 2.0, 0.5, -1.0], [0.0, 1.0, 1.0, 2.0]]
STACK = np.ones((3, 4))


def problems() -> list[ib.Regression | ib.Classification]:
    """Return the same points from every container."""
    return [
        ib.Regression([[1.0, 2.0]], [1.0]),
        ib.Regression(((1, 2), (3, 4)), (1, 2)),
        ib.Regression(np.array(ROWS, dtype=np.float32), range(2)),
        ib.Regression(pd.DataFrame(ROWS), pd.Series([1.0, 2.0])),
        ib.Regression(scipy.sparse.csr_array(ROWS), [1.0, 2.0]),
        ib.Classification(ROWS, ["a", "b"]),
        ib.Classification(ROWS, [True, False]),
        ib.Classification(np.array(ROWS), np.array([1, -1])),
    ]


def losses() -> list[float]:
    """Return losses of predictions given as lists."""
    regression, classification = ib.Regression(ROWS, [1, 2]), ib.Classification(ROWS, [1, -1])
    residual: np.ndarray = classification.residual((1, 2))
    return [regression.loss([1, 2]), classification.log_loss([1, 2]), float(residual.sum())]


def networks() -> list[ib.Network]:
    """Return networks from lists and from arrays."""
    return [
        ib.DiagonalNetwork(4, 3),
        ib.FullyConnectedNetwork(np.array([4, 3, 2])),
        ib.FullyConnectedNetwork([4, 3]),
        ib.ConvolutionalNetwork(4, np.array([4, 4])),
        ib.TensorNetwork([[[1, 2, 3, 4], [4, 3, 2, 1]]]),
        ib.OrthogonalNetwork(np.eye(4), np.stack([np.eye(4)] * 2)),
    ]


def layers() -> list[float]:
    """Return numbers of layers given as lists, stacked, or one by one."""
    network = ib.DiagonalNetwork(num_features=4, depth=3)
    init = ib.Initialization(STACK, scale=0.1)
    nested = ib.Initialization([[1, 2, 3, 4]] * 3, 1)
    return [
        float(network.coefficients(STACK).sum()),
        float(network.coefficients(layer for layer in STACK).sum()),
        float(network.predict([[1] * 4] * 3, ROWS).sum()),
        float(network.flatten(nested.directions).sum()),
        init.scale,
        float(ib.multilinear_multiply([[1, 2], [3, 4]], np.stack([np.eye(2)] * 2)).sum()),
    ]


def paths() -> list[ib.LimitPath]:
    """Return paths over scales in a tuple and in an array of whole numbers."""
    network, problem = ib.DiagonalNetwork(4, 3), ib.Regression(ROWS, [1.0, 2.0])
    return [
        ib.limit_path(network, problem, STACK, (0, 0.1, 1)),
        ib.limit_path(network, problem, [[1.0] * 4] * 2 + [[0.0] * 4], np.array([1, 2])),
    ]


CALLS = (problems, losses, networks, layers, paths)
