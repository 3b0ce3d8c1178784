"""What training decides, once it has ended."""

import numpy as np

from implicitbias import Classification, FullyConnectedNetwork, Initialization, predict_limit
from implicitbias._verdicts import Verdict
from implicitbias.flow import gradient_flow
from implicitbias.theorems import decided_by_training


def test_the_loss_is_undecided_before_and_holds_after():
    problem = Classification(np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([1, -1]))
    network = FullyConnectedNetwork((2, 2))
    init = Initialization.random(network, 0.1, seed=1)
    verdicts = predict_limit(network, problem, init).assumptions
    (open_,) = (one for one in verdicts if one.status == "undecided")
    assert "loss" in open_.assumption
    assert decided_by_training(verdicts, 0.5) == verdicts
    lowest = float(gradient_flow(network, problem, init, until_margin=10.0).log_losses.min())
    after = decided_by_training(verdicts, lowest)
    assert [one.holds for one in after] == [True] * len(verdicts)
    (decided,) = (one for one in after if one not in verdicts)
    assert (decided.assumption, decided.value) == (open_.assumption, lowest)


def test_the_direction_of_the_driver_is_what_was_measured():
    open_ = Verdict("X^T r converges in direction", "undecided", 3.0, "rank of X")
    measured = Verdict("the direction of X^T r converges", "holds", 1e-4, "radians")
    assert decided_by_training([open_], np.nan) == (open_,)
    assert decided_by_training([open_], np.nan, measured) == (measured,)
    known = Verdict("X^T r converges in direction", "holds", 1.0, "rank of X")
    assert decided_by_training([known], np.nan, measured) == (known,)
