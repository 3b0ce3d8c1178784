"""One figure of every function of ``implicitbias.plotting``."""

import numpy as np
from matplotlib.figure import Figure

import implicitbias as ib
from implicitbias import plotting

NAMES = ("</script><b>", "$x_2$ & price in \\$")  # of flows


def drawn():
    """Axes by name."""
    line, cone = (
        ib.Regression([[1.0, 2.0]], [2.0]),
        ib.Classification([[1.0, 2.0], [2.0, 2.5]], [1, 1]),
    )
    network, ones = ib.DiagonalNetwork(2, 2), [np.ones(2), np.zeros(2)]
    starts = [ib.Initialization(ones, scale=scale) for scale in (0.1, 1.0)]
    flows = [ib.gradient_flow(network, line, start) for start in starts]
    limits = [ib.predict_limit(network, line, start) for start in starts]
    wide = ib.datasets.gaussian(3, 9, seed=1)
    nine = ib.DiagonalNetwork(9, 2)
    path = ib.limit_path(
        nine, wide, [np.ones(9), np.zeros(9)], [0.0, *np.geomspace(1e-2, 10, 5), np.inf]
    )
    saddles = ib.saddle_path(nine, wide, ib.Initialization([np.ones(9), np.zeros(9)], scale=1e-3))
    begin = ib.Initialization.random(network, 0.5, seed=1)
    classifying = [
        ib.gradient_flow(network, cone, begin, until_margin=margin, route="parameters")
        for margin in (1e2, 1e4)
    ]
    direction = ib.predict_limit(network, cone, begin)
    last = classifying[-1]
    run = plotting.MarginRun(
        "L = 2", last.directions, last.log_margins, direction.coefficients, 1.0
    )
    makers = {
        "scale_path": lambda ax: plotting.scale_path(
            path, flows=[(1.0, path.coefficients[3])], ax=ax
        ),
        "trajectories": lambda ax: plotting.trajectories(
            line, flows, limits=limits, names=NAMES, ax=ax
        ),
        "directions": lambda ax: plotting.trajectories(cone, [last], limits=[direction], ax=ax),
        "training": lambda ax: plotting.training(flows, names=NAMES, ax=ax),
        "angle": lambda ax: plotting.training(flows, "angle", limits=limits, ax=ax),
        "margin_path": lambda ax: plotting.margin_path([run], ax=ax),
        "loss_course": lambda ax: plotting.loss_course([last], [direction], ax=ax),
        "potential": lambda ax: plotting.potential((2, 3), ax=ax),
        "levels": lambda ax: plotting.levels(3, [0.03, 3.0], ax=ax),
        "coordinate_curves": lambda ax: plotting.coordinate_curves(
            {"a": [1, 0], "b": [1, 0.5, 0.2]}, ax=ax
        ),
        "saddle_path": lambda ax: plotting.saddle_path(saddles, ax=ax),
        "alignment": lambda ax: plotting.alignment(network, cone, classifying, ax=ax),
        "certificates": lambda ax: plotting.certificate_summary(limits, names=NAMES, ax=ax),
        "drift": lambda ax: plotting.drift_summary(flows, ax=ax),
    }
    return {name: make(Figure().subplots()) for name, make in makers.items()}
