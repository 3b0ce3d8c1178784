"""Gradient descent: where its runs end against their effective starts, and steps a second.

Random runs of diagonal, orthogonal and even convolutional networks, L = 2..6, n <= 30, d <= 100:
batches, label noise, constant steps, schedules up to 0.9 of the largest stable step.

    python -m benchmarks.descent [COUNT]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

import implicitbias as ib

Task = tuple[ib.Network, ib.Regression, ib.Initialization]


def drawn(rng: np.random.Generator) -> Task:
    """A network with decoupled coordinates, at most d / 2 points, and a start of size one."""
    depth, d = int(rng.integers(2, 7)), int(rng.integers(4, 101))
    n = int(rng.integers(1, min(30, d // 2) + 1))
    layers = [rng.uniform(0.4, 1.1, d) * rng.choice([-1, 1], d) for _ in range(depth)]
    X, beta = rng.normal(size=(n, d)) / np.sqrt(d), rng.normal(size=d)
    family = rng.choice(["diagonal", "orthogonal", "convolutional"])
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


def effective_errors(seeds: range) -> None:
    """The error of ``predict_limit(run.effective_start)`` over random runs that fit the data."""
    outcomes: Counter[str] = Counter()
    errors, away, steps = [], [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        network, problem, init = task = drawn(rng)
        run = ended(rng, task, seed)
        outcomes[run.outcome.name] += 1
        if run.residual > 1e-11:
            continue
        if run.effective.parameters is None:  # steps far too large, said by name
            outcomes["without an effective start"] += 1
            continue
        limit = ib.predict_limit(network, problem, run.effective_start).coefficients
        own = ib.predict_limit(network, problem, init).coefficients
        end = run.final_coefficients
        errors.append(np.abs(end - limit).max() / np.abs(limit).max())
        away.append(np.abs(end - own).max() / np.abs(own).max())
        steps.append(run.num_steps)
        if errors[-1] > 1e-10:
            print(f"seed {seed}: {network!r:.60}, error {errors[-1]:.1e}, {run.message}")
    print(", ".join(f"{name} {number}" for name, number in sorted(outcomes.items())))
    print(
        f"{len(errors)} runs that fit, {np.median(steps):.0f} steps (median), {max(steps)} at most"
    )
    print(f"effective start: error worst {max(errors):.1e}, median {np.median(errors):.1e}")
    print(f"the flow from the true start: worst {max(away):.1e}, median {np.median(away):.1e}")


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
    """Print errors and speeds."""
    effective_errors(range(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
    speed()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
