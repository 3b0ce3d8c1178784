"""What a user may write, in lists, tables and arrays: it runs, and a strict mypy accepts it.

``docs/snippets.py`` checks the types, ``tests/test_package.py`` runs it.
"""

import importlib.util

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


def margins() -> list[ib.MarginPath]:
    """Return paths at finite loss, from lists, of a start and of its directions."""
    network, problem = ib.TwoSidedDiagonalNetwork(4, 2.5), ib.Classification(ROWS, [1, -1])
    init = ib.Initialization([[1.0] * 4] * 2, scale=0.5)
    return [
        ib.margin_path(network, problem, init, (0, 0.1)),
        ib.margin_path(network, problem, init.directions, [1], certified_to=1e-6),
    ]


def saddles() -> list[ib.SaddlePath]:
    """Return saddles from directions in lists, stacked and as an Initialization."""
    network, problem = ib.DiagonalNetwork(4, 3), ib.Regression(ROWS, [1.0, 2.0])
    init = ib.Initialization.last_layer_zero(network, [1, 2, 3, 4], scale=0.1)
    paths = [ib.saddle_path(network, problem, init, max_jumps=9)]
    paths.append(ib.saddle_path(network, problem, [[1.0] * 4] * 2 + [[0.0] * 4]))
    paths[0].coefficients_at([0, 1])
    return paths


def descents() -> list[ib.Run]:
    """Return runs with every option, of one start and of lists of them."""
    network = ib.DiagonalNetwork(num_features=4, depth=3)
    problem, classes = ib.Regression(ROWS, [1.0, 2.0]), ib.Classification(ROWS, [1, -1])
    init = ib.Initialization(STACK, scale=0.5)

    def stop(state: ib.FlowState) -> bool:
        return state.num_steps > 40 and state.residual < 1e-3

    one: ib.Run = ib.gradient_descent(
        network,
        problem,
        init,
        step=lambda k: 0.02 / (1 + k),
        batch_size=1,
        replacement=True,
        label_noise=np.array([0.1, 0.0]),
        momentum=0.5,
        seed=3,
        reduction="mean",
        until_residual=1e-6,
        until_loss=1e-9,
        max_steps=50,
        times=[0, 10, 50],
        callback=stop,
    )
    rectified: ib.Run = ib.gradient_descent(
        ib.FullyConnectedNetwork((4, 3)),
        problem,
        ib.Initialization.random(ib.FullyConnectedNetwork((4, 3)), 0.1),
        step=0.01,
        activation="relu",
        max_steps=5,
        num_points=3,
    )
    margin: ib.Run = ib.gradient_descent(
        network,
        classes,
        init,
        step=np.full(20, 0.05),
        over_loss=True,
        loss="logistic",
        until_margin=2.0,
    )
    many: list[ib.Run] = []
    many += ib.gradient_descent(network, problem, [init, init], step=[0.01, 0.02], max_steps=5)
    many += ib.gradient_descent(network, problem, init, step=0.01, seed=[1, 2], max_steps=5)
    many += ib.gradient_descent(
        network, problem, (init,), step=[lambda k: 0.01], seed=np.arange(1), max_steps=5
    )
    return [one, rectified, margin, *many]


def ends_of_runs() -> list[float]:
    """Return what runs say, made here and elsewhere."""
    network, problem = ib.DiagonalNetwork(4, 2), ib.Regression(ROWS, [1.0, 2.0])
    init = ib.Initialization([[1.0, 0.9, 1.1, 1.0], [0.1] * 4], scale=1.0)
    run = ib.gradient_descent(network, problem, init, step=0.01)
    recorder = ib.DualRecorder(problem.num_points)
    recorder.add([0.0, 0.0], 0.01)
    recorder.add(np.zeros((1, 1)), 0.01, [1])
    recorder.add((0.0,), 0.01, np.array([0]))
    dual: np.ndarray = recorder.dual
    made = [
        ib.Run.from_weights(network, problem, [init, init.parameters()], recorder),
        ib.Run.from_weights(
            network,
            problem,
            [[[1, 1, 1, 1], [0.1] * 4], STACK[:2]],
            dual,
            steps=(0, 3),
            reduction="mean",
            obstacle="momentum 0.9",
        ),
        ib.Run.from_weights(network, problem, [init, {"a": STACK[0], "b": STACK[1]}], [0, 0]),
    ]
    effective: ib.EffectiveStart = run.effective
    start: ib.Initialization = run.effective_start
    limit: ib.Limit = ib.predict_limit(network, problem, start)
    comparison: ib.Comparison = ib.compare(run, limit)
    reason: str = made[1].effective.reason
    assert effective.scales is not None and effective.offset_factors is not None and reason
    steps: np.ndarray = run.steps
    return [
        float(effective.scales.max()),
        float(effective.offset_factors.min()),
        comparison.error,
        run.sharpness,
        run.largest_stable_step,
        run.drift,
        run.residual,
        float(steps[run.best]),
        float(run.fits),
        *(each.residual for each in made),
        ib.compare(run.final_coefficients, limit).error,
    ]


def two_sided() -> list[float]:
    """Return numbers of u^D - v^D, for scalars and for arrays."""
    network = ib.TwoSidedDiagonalNetwork(4, 2.5)
    problem = ib.Regression(ROWS, [1.0, 2.0])
    limit = ib.predict_limit(network, problem, ib.Initialization(np.ones((2, 4)), 0.1))
    values = ib.two_sided.h([0.1, -0.2], 3), ib.two_sided.q(np.array([1.0, 2.0]), 2)
    return [
        float(ib.two_sided.h(0.1, 2.5)),
        float(ib.two_sided.h_inverse(1.0, 3)),
        *(float(np.sum(value)) for value in values),
        float(limit.coefficients.sum()),
    ]


def modules() -> list[float]:
    """Return numbers of networks that went to PyTorch and back, where it is installed."""
    network = ib.DiagonalNetwork(4, 2)
    if importlib.util.find_spec("torch") is None:
        return [0.0]
    module = ib.to_torch(network, [[1, 2, 3, 4], np.ones(4)])
    found, parameters = ib.from_torch(module, num_features=4)
    init = ib.Initialization.from_weights(network, module.state_dict(), layout="torch")
    return [float(found.coefficients(parameters).sum()), init.scale]


CALLS = (
    *(problems, losses, networks, layers, paths, saddles),
    *(descents, ends_of_runs, two_sided, modules),
)
