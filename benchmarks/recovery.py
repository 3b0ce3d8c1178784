"""How well limits recover a sparse signal: excess risk against the scale of the start and n.

The design of Woodworth et al. (COLT 2020): d = 1000 normal features, five coefficients of
1/sqrt(5), noise of variance 0.01. For networks of two and three layers the excess risk
||beta - beta*||^2 of the limit, which interpolates the noise, beside the Lasso and ridge regression
with their penalties chosen by cross-validation.

    python -m benchmarks.recovery recovery.png
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LassoCV, RidgeCV
from threadpoolctl import threadpool_limits

from implicitbias import datasets
from implicitbias.estimators import flow_limit_path

D, NONZERO, NOISE = 1000, 5, 0.1
POINTS = (30, 50, 75, 100, 150, 250)
DEPTHS = (2, 3)
SCALES = np.geomspace(1e-6, 3.0, 14)
SEEDS = (0, 1, 2)
SHOWN = (50, 100, 250)  # points of the curves along the scale


@dataclass(frozen=True)
class Risks:
    """Excess risks, averaged over the seeds.

    Attributes
    ----------
    limits
        (depths, points, scales).
    lasso, ridge
        (points,).
    """

    limits: np.ndarray
    lasso: np.ndarray
    ridge: np.ndarray


def run(points: tuple[int, ...] = POINTS, seeds: tuple[int, ...] = SEEDS) -> Risks:
    """Fit everything."""
    truth = np.zeros(D)
    truth[:NONZERO] = 1 / np.sqrt(NONZERO)
    limits = np.zeros((len(seeds), len(DEPTHS), len(points), len(SCALES)))
    rivals = np.zeros((len(seeds), 2, len(points)))
    for s, seed in enumerate(seeds):
        for i, n in enumerate(points):
            problem = datasets.sparse(n, D, NONZERO, seed, noise=NOISE)
            for k, depth in enumerate(DEPTHS):
                _, coefs, _ = flow_limit_path(problem.X, problem.y, depth=depth, init_scales=SCALES)
                limits[s, k, i] = np.sum((coefs.T - truth) ** 2, axis=1)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                models = (
                    LassoCV(fit_intercept=False),
                    RidgeCV(np.geomspace(1e-3, 1e5, 60), fit_intercept=False),
                )
                for r, model in enumerate(models):
                    beta = model.fit(problem.X, problem.y).coef_
                    rivals[s, r, i] = np.sum((beta - truth) ** 2)
    return Risks(limits.mean(axis=0), *rivals.mean(axis=0))


def draw(risks: Risks, file: Path) -> None:
    """One panel a depth along the scale, and one along n."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    axes = figure.subplots(1, 3, sharey=True)
    colours = {n: f"C{k}" for k, n in enumerate(SHOWN)}
    for ax, depth, along in zip(axes, DEPTHS, risks.limits, strict=False):
        for n, colour in colours.items():
            i = POINTS.index(n)
            ax.loglog(SCALES, along[i], "o-", ms=3, color=colour, label=f"n = {n}")
            ax.axhline(risks.lasso[i], color=colour, ls="--", lw=1)
            ax.axhline(risks.ridge[i], color=colour, ls=":", lw=1)
        ax.set(title=f"L = {depth}", xlabel="scale of the initialization")
    axes[0].set_ylabel("excess risk")
    axes[0].legend(title="dashed: LassoCV, dotted: RidgeCV", fontsize="small")
    ax = axes[2]
    chosen = [(0, 0), (0, len(SCALES) // 2), (1, len(SCALES) // 2), (0, -1)]
    for k, j in chosen:
        label = f"L = {DEPTHS[k]}, scale {SCALES[j]:.2g}"
        ax.loglog(POINTS, risks.limits[k, :, j], "o-", ms=3, label=label)
    ax.loglog(POINTS, risks.lasso, "k--", label="LassoCV")
    ax.loglog(POINTS, risks.ridge, "k:", label="RidgeCV")
    ax.set(title="along n", xlabel="points n")
    ax.set_xticks(POINTS, [str(n) for n in POINTS])
    ax.minorticks_off()
    ax.legend(fontsize="small", loc="lower left")
    figure.savefig(file, dpi=130)


def main() -> None:
    """Print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figure", type=Path)
    figure = parser.parse_args().figure
    with threadpool_limits(limits=1):
        risks = run()
    print(f"excess risk, mean of {len(SEEDS)} draws\n")
    titles = ["smallest", "1e-3", "largest"]
    places = [0, int(np.argmin(np.abs(np.log(SCALES / 1e-3)))), len(SCALES) - 1]
    print(f"{'n':>5}" + "".join(f"{f'L={L} {t}':>15}" for L in DEPTHS for t in titles), end="")
    print(f"{'LassoCV':>10}{'RidgeCV':>10}")
    for i, n in enumerate(POINTS):
        cells = "".join(f"{risks.limits[k, i, j]:15.4f}" for k in (0, 1) for j in places)
        print(f"{n:5}{cells}{risks.lasso[i]:10.4f}{risks.ridge[i]:10.4f}")
    draw(risks, figure)


if __name__ == "__main__":
    main()
