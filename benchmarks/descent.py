"""Gradient descent: where its runs end against their effective starts, and steps a second.

Random runs of diagonal, orthogonal and even convolutional networks, L = 2..6, and of two-sided
ones, D = 2, 2.5, 3, 3.7, 4, 5, 6; n <= 30, d <= 100: batches, label noise, constant steps,
schedules up to 0.9 of the largest stable step.

    python -m benchmarks.descent effective [--fitted 1000] [--first-seed 0]
    python -m benchmarks.descent speed
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

import implicitbias as ib

Task = tuple[ib.Network, ib.Regression, ib.Initialization]
FAMILIES = ["diagonal", "orthogonal", "convolutional", "two-sided"]
POWERS = [2, 2.5, 3, 3.7, 4, 5, 6]
FITS = 1e-11  # residual of a run whose end is held against a limit
TOLERANCE = 1e-10


def drawn(rng: np.random.Generator) -> Task:
    """A network with decoupled coordinates, at most d / 2 points, and a start of size one."""
    depth, d = int(rng.integers(2, 7)), int(rng.integers(4, 101))
    n = int(rng.integers(1, min(30, d // 2) + 1))
    layers = [rng.uniform(0.4, 1.1, d) * rng.choice([-1, 1], d) for _ in range(depth)]
    X, beta = rng.normal(size=(n, d)) / np.sqrt(d), rng.normal(size=d)
    family = rng.choice(FAMILIES)
    if family == "two-sided":
        network = ib.TwoSidedDiagonalNetwork(d, float(rng.choice(POWERS)))
        pair = [np.abs(layer) for layer in layers[:2]]
        pair[1] = pair[0] if rng.random() < 0.5 else pair[1]
        return network, ib.Regression(X, X @ beta), _start(pair)
    if family == "diagonal":
        return ib.DiagonalNetwork(d, depth), ib.Regression(X, X @ beta), _start(layers)
    if family == "orthogonal":
        turns = [np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(depth + 1)]
        network = ib.OrthogonalNetwork(turns[-1], turns[:-1])
        turned = [turn @ layer for turn, layer in zip(turns, layers, strict=False)]
        return network, ib.Regression(X, X @ beta), _start(turned)
    even = [(layer + layer[-np.arange(d)]) / 2 for layer in layers]
    filters = [np.fft.fft(layer, norm="ortho").real for layer in even]
    X = (X + X[:, -np.arange(d)]) / 2
    X /= d ** ((depth - 1) / 2)
    problem = ib.Regression(X, X @ beta * d ** ((depth - 1) / 2))
    return ib.ConvolutionalNetwork(d, (d,) * depth), problem, _start(filters)


def _start(layers: list[np.ndarray]) -> ib.Initialization:
    return ib.Initialization(layers, scale=1.0)


def ended(rng: np.random.Generator, task: Task, seed: int) -> ib.Run:
    """A run with random steps, as fast as they go without leaving float64."""
    problem = task[1]
    pilot = ib.gradient_descent(*task, step=0.01, until_residual=1e-2, max_steps=3000)
    size = int(rng.integers(1, problem.num_points + 1)) if rng.random() < 0.5 else None
    noise = 0.1 * np.abs(problem.y).max() if rng.random() < 0.5 else 0.0
    top = 0.9 * pilot.largest_stable_step * rng.uniform(0.2, 1.0)
    top *= 1.0 if size is None else size / problem.num_points
    schedules: list[Callable[[float], Callable[[int], float]]] = [
        lambda step: lambda k: step,
        lambda step: lambda k: step * (1.0 + np.cos(0.01 * k)) / 2.0 + 0.1 * step,
        lambda step: lambda k: step * min(1.0, (k + 1) / 50),
    ]
    schedule = schedules[int(rng.integers(3))]
    replacement = bool(rng.random() < 0.5)
    for step in top * 0.5 ** np.arange(6):
        run = ib.gradient_descent(
            *task,
            step=schedule(float(step)),
            label_noise=np.full(100, noise),
            batch_size=size,
            replacement=replacement,
            seed=seed,
            max_steps=30_000,
        )
        if run.outcome is not ib.Outcome.DIVERGED:
            break
    return run


@dataclass
class Tally:
    """What became of the runs, and how far those that fit are from their predictions."""

    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    errors: dict[int, float] = field(default_factory=dict)
    away: list[float] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def add(self, seed: int) -> None:
        """Draw, train, predict and compare."""
        rng = np.random.default_rng(seed)
        network, problem, init = task = drawn(rng)
        run = ended(rng, task, seed)
        fits = run.residual <= FITS
        self.outcomes[f"{run.outcome.name}{'' if fits else ', not fitted'}"] += 1
        if not fits:
            return
        try:
            limit = ib.predict_limit(network, problem, run.effective_start).coefficients
            own = ib.predict_limit(network, problem, init).coefficients
        except ib.NoPredictionError as error:
            self.refusals[type(network).__name__] += 1
            print(f"seed {seed}: {network!r:.60}, refused: {error}")
            return
        end = run.final_coefficients
        self.families[type(network).__name__] += 1
        self.errors[seed] = float(np.abs(end - limit).max() / np.abs(limit).max())
        self.away.append(float(np.abs(end - own).max() / np.abs(own).max()))
        self.steps.append(run.num_steps)
        if self.errors[seed] > TOLERANCE:
            print(f"seed {seed}: {network!r:.60}, error {self.errors[seed]:.1e}, {run.message}")

    def show(self) -> None:
        """Print all of it."""
        for counts in (self.outcomes, self.refusals, self.families):
            print(", ".join(f"{name}: {number}" for name, number in sorted(counts.items())))
        fitted = len(self.errors) + self.refusals.total()
        print(
            f"{self.outcomes.total()} runs, {fitted} that fit, of which {self.refusals.total()} "
            f"were refused; {np.median(self.steps):.0f} steps (median), {max(self.steps)} at most"
        )
        errors = np.array(list(self.errors.values()))
        print(f"effective start: error worst {errors.max():.1e}, median {np.median(errors):.1e}")
        worst = sorted(self.errors, key=lambda seed: -self.errors[seed])[:5]
        print("worst seeds: " + ", ".join(f"{seed} ({self.errors[seed]:.1e})" for seed in worst))
        print(f"the true start: worst {max(self.away):.1e}, median {np.median(self.away):.1e}")


def effective_errors(fitted: int, first: int) -> bool:
    """Errors of ``predict_limit(run.effective_start)`` until so many runs have fitted the data."""
    tally = Tally()
    for seed in itertools.count(first):
        if len(tally.errors) >= fitted:
            break
        tally.add(seed)
    tally.show()
    return max(tally.errors.values()) <= TOLERANCE


def _torch_loop(task: Task, step: float, count: int, runs: int) -> float:
    """CPU seconds of the same loop in PyTorch, float64, all runs as one batch of layers."""
    import torch

    _, problem, init = task
    X, y = torch.tensor(problem.X), torch.tensor(problem.y)
    layers = [
        torch.tensor(np.repeat(layer[None], runs, axis=0), requires_grad=True)
        for layer in init.parameters()
    ]
    optimizer = torch.optim.SGD(layers, lr=step)
    began = time.process_time()
    for _ in range(count):
        optimizer.zero_grad()
        beta = layers[0]
        for layer in layers[1:]:
            beta = beta * layer
        loss = 0.5 * ((beta @ X.T - y) ** 2).sum()
        loss.backward()
        optimizer.step()
    return time.process_time() - began


def speed() -> None:
    """Steps a CPU second, n = 100, d = 1000, L = 3: one run and 64, alternating with PyTorch."""
    rng = np.random.default_rng(0)
    n, d, depth = 100, 1000, 3
    X, beta = rng.normal(size=(n, d)) / np.sqrt(d), rng.normal(size=d)
    layers = [rng.uniform(0.5, 1.0, d) for _ in range(depth)]
    task = ib.DiagonalNetwork(d, depth), ib.Regression(X, X @ beta), _start(layers)
    try:
        import torch

        torch.set_num_threads(1)
    except ImportError:
        torch = None
    for runs, count in ((1, 2000), (64, 100)):
        own, other = [], []
        for _ in range(5):
            began = time.process_time()
            ib.gradient_descent(
                task[0],
                task[1],
                [task[2]] * runs,
                step=1e-3,
                until_residual=1e-300,
                max_steps=count,
                num_points=2,
            )
            own.append(runs * count / (time.process_time() - began))
            if torch is not None:
                other.append(runs * count / _torch_loop(task, 1e-3, count, runs))
        text = f"{runs} runs: {np.median(own):.0f} steps a CPU second"
        print(text + (f", PyTorch {np.median(other):.0f}" if other else ""))


def main() -> int:
    """Print errors or speeds; 1 where an error is too large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["effective", "speed"])
    parser.add_argument("--fitted", type=int, default=1000, help="runs to hold against predictions")
    parser.add_argument("--first-seed", type=int, default=0)
    asked = parser.parse_args()
    if asked.what == "speed":
        speed()
        return 0
    return 0 if effective_errors(asked.fitted, asked.first_seed) else 1


if __name__ == "__main__":
    raise SystemExit(main())
