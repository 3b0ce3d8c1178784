"""
What the folds said
===================

Cross-validation chooses how small a start is, how deep the network, and when to stop. On data with
five features that matter among sixty and a little noise: the mean error on the folds left out, one
standard deviation of it, and the choice.
"""

import numpy as np
from matplotlib import pyplot as plt

from implicitbias.estimators import (
    FlowLimitRegressorCV,
    ScalePathDisplay,
    StoppedFlowRegressor,
    StopTimeDisplay,
)

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 60))
y = X[:, :5].sum(axis=1) + 0.5 * rng.standard_normal(40)

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10.5, 4), layout="constrained"
)
chosen = FlowLimitRegressorCV(depths=(2, 3), init_scales=25).fit(X, y)
ScalePathDisplay.from_estimator(chosen, ax=left)
stopped = StoppedFlowRegressor(init_scale=0.01).fit(X, y)
StopTimeDisplay.from_estimator(stopped, ax=right)
print(f"{chosen.depth_} layers from the scale {chosen.init_scale_:.2g}")
print(
    f"2 layers from the scale 0.01, stopped at t = {stopped.stop_time_:.2g}"
)
plt.show()
