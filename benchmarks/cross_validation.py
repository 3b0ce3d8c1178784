"""FlowLimitRegressorCV beside one LassoCV on the same folds: CPU seconds.

50 scales, 3 depths and 5 folds on 100 points and 1000 features of the sparse design.

    python -m benchmarks.cross_validation
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.linear_model import LassoCV
from sklearn.model_selection import KFold
from threadpoolctl import threadpool_limits

from implicitbias import datasets
from implicitbias.estimators import FlowLimitRegressorCV

N, D, SCALES, DEPTHS = 100, 1000, 50, (2, 3, 4)
REPEATS = 3


def main() -> None:
    """Time both in turn, the best of several runs each."""
    problem = datasets.sparse(N, D, 5, seed=0, noise=0.1)
    folds = KFold(5)
    ours = FlowLimitRegressorCV(depths=DEPTHS, init_scales=SCALES, cv=folds)
    lasso = LassoCV(cv=folds)
    best = {"FlowLimitRegressorCV": np.inf, "LassoCV": np.inf}
    with threadpool_limits(limits=1):
        for _ in range(REPEATS):
            for name, model in zip(best, (ours, lasso), strict=True):
                began = time.process_time()
                model.fit(problem.X, problem.y)
                best[name] = min(best[name], time.process_time() - began)
    for name, seconds in best.items():
        print(f"{name:24}{seconds:8.3f} CPU s")
    print(f"ratio {best['FlowLimitRegressorCV'] / best['LassoCV']:.1f}")
    print(f"chosen: depth {ours.depth_}, scale {ours.init_scale_:.2g}; ", end="")
    print(f"mean squared error {ours.mse_path_.mean(axis=-1).min():.4f}, ", end="")
    print(f"LassoCV {lasso.mse_path_.mean(axis=-1).min():.4f}")


if __name__ == "__main__":
    main()
