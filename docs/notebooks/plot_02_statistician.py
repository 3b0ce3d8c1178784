"""
A statistician: from a table to an answer
=========================================

Which coefficients does early-stopped or endless training choose, and how would you use that on a
table of your own? The data: forty patients of the diabetes study, ten measurements, and a score of
how the disease went on.
"""

import numpy as np
from matplotlib import pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from implicitbias.estimators import FlowLimitRegressor, StoppedFlowRegressor

table = load_diabetes(as_frame=True, scaled=False).frame.sample(
    40, random_state=0
)
X, y = table.drop(columns="target"), table["target"].to_numpy()
table.describe().loc[["min", "mean", "max"]].round(1)

# %%
# Look first
# ----------
#
# On the command line, ``implicitbias data table.csv --target y`` tells types, missing values,
# collinear columns, ranks and what would be refused. The same facts of this table: more rows than
# columns, so that no coefficients fit exactly, and training ends at least squares whatever the
# network.

centred = (X - X.mean()).to_numpy()
print(
    f"{len(y)} rows, {X.shape[1]} columns, rank {np.linalg.matrix_rank(centred)}"
)
print(
    f"R squared of least squares: {LinearRegression().fit(X, y).score(X, y):.3f}"
)

# %%
# With all products of two measurements there are 65 columns and 40 rows. Now many coefficients
# fit, and the scale of the start decides between a dense and a sparse answer. Columns are
# standardised, since the answer depends on units.

wide = (PolynomialFeatures(2, include_bias=False), StandardScaler())
Z = make_pipeline(*wide).fit_transform(X)
print(Z.shape)
for scale in (100.0, 1.0, 0.01):
    model = FlowLimitRegressor(init_scale=scale).fit(Z, y)
    size = np.abs(model.coef_)
    print(
        f"scale {scale:>6g}: sum of sizes {size.sum():9.2f}, length {np.linalg.norm(size):8.2f}, "
        f"{np.sum(size > 1e-3 * size.max())} coefficients above a thousandth of the largest"
    )

# %%
# Stop early
# ----------
#
# To interpolate noise is seldom wise. ``StoppedFlowRegressor`` follows the flow and chooses where
# to stop by cross-validation. It is a scikit-learn estimator: pipelines, grids and scores work.

stopped = StoppedFlowRegressor(init_scale=0.1, cv=5).fit(Z, y)
print(f"stopped at t = {stopped.stop_time_:.3g}")

figure, ax = plt.subplots(figsize=(6.5, 3.6), layout="constrained")
labels, values = (
    ["interpolate", "stop early", "least squares, 10 columns"],
    [],
)
for steps in (
    (*wide, FlowLimitRegressor(init_scale=0.1)),
    (*wide, StoppedFlowRegressor(init_scale=0.1, cv=5)),
    (LinearRegression(),),
):  # columns are standardised anew in every fold
    model = make_pipeline(*steps)
    values.append(
        cross_val_score(
            model, X, y, cv=5, scoring="neg_root_mean_squared_error"
        )
    )
ax.boxplot([-each for each in values], tick_labels=labels)
ax.set_ylabel("root mean squared error\non held-out patients")
ax.set_yscale("log")
plt.show()
for label, each in zip(labels, values, strict=True):
    print(f"{label:<26} {-each.mean():8.1f} +- {each.std():.1f}")
