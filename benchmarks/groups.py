"""Theorem 1 for convolutions over groups that are not abelian: the residual against the margin.

    python -m benchmarks.groups               # S_3 and D_4, two and three layers, about a minute
    python -m benchmarks.groups --seeds 2

Up to ``HANDOVER`` the flow is ``gradient_flow`` by the parameters. Beyond, where float64 no longer
resolves the margins that weigh the points, its direction goes on as the flow of a homogeneous
objective does: theta on the sphere, with weights w_i that stay softmax(-HANDOVER gamma_i / gamma),

    d theta / ds = g - <g, theta> theta,      g = sum_i w_i grad gamma_i(theta),
    d log margin / ds = L <g, theta>,

gradient ascent in the soft smallest margin of the direction. Linearised at its end, a deviation of
eigenvalue -mu falls like margin^{-kappa}, kappa = mu / (L <g, theta>). The last columns hold the
exponent measured where the residual falls from 1e-5 to 1e-7, and the smallest kappa.
"""

from __future__ import annotations

import argparse
import time
from itertools import product

import numpy as np
from scipy.integrate import Radau

from implicitbias import Classification, Initialization, TensorNetwork, gradient_flow, theorem_1

GENERATORS = {"S_3": [(1, 0, 2), (1, 2, 0)], "D_4": [(1, 2, 3, 0), (0, 3, 2, 1)]}
FIRST, HANDOVER = 1e3, 1e5
MARKS = (12, 30, 100, 1000)  # log10 of margins
HIGH, LOW, END = 1e-5, 1e-7, 1e-8
FARTHEST, STEPS = 10000 * np.log(10.0), 20000
STILL = 1e-7  # kappa of the symmetries, along which nothing moves
ACTIVE = 1e-4  # weight of a point that counts as support


def convolution(name, depth):
    """The network with beta = w_1 * .. * w_L over the group."""
    elements = [tuple(range(len(GENERATORS[name][0])))]
    waiting = list(elements)
    while waiting:
        known = waiting.pop()
        for generator in GENERATORS[name]:
            found = tuple(known[i] for i in generator)
            if found not in elements:
                elements.append(found)
                waiting.append(found)
    number = {element: index for index, element in enumerate(elements)}
    tensor = np.zeros((len(elements),) * (depth + 1))
    for factors in product(elements, repeat=depth):
        result = factors[0]
        for factor in factors[1:]:
            result = tuple(result[i] for i in factor)
        tensor[(*(number[factor] for factor in factors), number[result])] = 1.0
    return TensorNetwork(tensor)


class Direction:
    """The flow of theta = Theta / ||Theta||, with weights as at the hand-over."""

    def __init__(self, network, problem):
        self.network, self.depth = network, network.depth
        self.rows = problem.y[:, None] * problem.X

    def parts(self, theta):
        """gamma, grad gamma and the weights."""
        layers = self.network.unflatten(theta)
        gamma = self.rows @ self.network.coefficients(layers)
        weights = np.exp(HANDOVER * (1.0 - gamma / gamma.min()))
        gradients = self.rows @ self.network.coefficient_jacobian(layers)
        return layers, gamma, gradients, weights / weights.sum()

    def velocity(self, _, state):
        """Of (theta, log margin), up to the change of gamma."""
        _, _, gradients, weights = self.parts(state[:-1])
        pull = weights @ gradients
        growth = pull @ state[:-1]
        return np.append(pull - growth * state[:-1], self.depth * growth)

    def jacobian(self, _, state):
        """Of the velocity; that of the softmax at fixed gamma.min()."""
        theta = state[:-1]
        layers, gamma, gradients, weights = self.parts(theta)
        pull = weights @ gradients
        change = self.network.second_derivative(layers, weights @ self.rows)
        steep = HANDOVER / gamma.min()
        change = change - steep * gradients.T @ (weights[:, None] * (gradients - pull))
        growth = change.T @ theta + pull
        found = np.zeros((state.size, state.size))
        found[:-1, :-1] = change - np.outer(theta, growth) - (pull @ theta) * np.eye(theta.size)
        found[-1, :-1] = self.depth * growth
        return found

    def residual(self, theta):
        """max_l ||M(-u) o (u_1, .., I, .., u_L) - s u_l|| / s."""
        layers, _, _, weights = self.parts(theta)
        units = [layer / np.linalg.norm(layer) for layer in layers]
        pulled = self.network.layer_gradients(units, weights @ self.rows)
        value = float(pulled[0] @ units[0])
        return (
            max(np.linalg.norm(p - value * u) for p, u in zip(pulled, units, strict=True)) / value
        )

    def exponent(self, theta):
        """The smallest kappa along which the support's margins stay equal."""
        layers, _, gradients, weights = self.parts(theta)
        growth = weights @ gradients @ theta
        support = gradients[weights > ACTIVE]
        fixed = np.vstack([theta, support[1:] - support[0]])
        rank = np.linalg.matrix_rank(fixed)
        free = np.linalg.qr(fixed.T, mode="complete")[0][:, rank:]
        curvature = self.network.second_derivative(layers, weights @ self.rows)
        kappas = 1.0 / self.depth - np.linalg.eigvalsh(free.T @ curvature @ free) / (
            self.depth * growth
        )
        return float(kappas[np.abs(kappas) > STILL].min())

    def follow(self, theta, log_margin):
        """Log margins, residuals and the end."""
        state = np.append(theta, log_margin - np.log(self.parts(theta)[1].min()))
        solver = Radau(self.velocity, 0.0, state, np.inf, jac=self.jacobian, rtol=1e-9, atol=1e-12)
        heights, residuals = [log_margin], [self.residual(theta)]
        while residuals[-1] > END and heights[-1] < FARTHEST and len(heights) < STEPS:
            solver.step()
            theta = solver.y[:-1]
            heights.append(float(solver.y[-1] + np.log(self.parts(theta)[1].min())))
            residuals.append(self.residual(theta))
        return np.array(heights), np.array(residuals), theta


def measured(heights, residuals):
    """-d log residual / d log margin while it falls from HIGH to LOW; NaN if it does not."""
    passed = [np.flatnonzero(residuals > level)[-1] for level in (HIGH, LOW)]
    if passed[1] + 1 >= residuals.size:
        return np.nan
    marks = [
        np.interp(-np.log(level), -np.log(residuals[i : i + 2]), heights[i : i + 2])
        for level, i in zip((HIGH, LOW), passed, strict=True)
    ]
    return np.log(HIGH / LOW) / (marks[1] - marks[0])


def row(name, depth, seed):
    """One line of the table."""
    network = convolution(name, depth)
    rng = np.random.default_rng(seed)
    problem = Classification(rng.normal(size=(4, network.num_features)), [1, -1, 1, -1])
    init = Initialization.random(network, 0.5, seed=2)
    numbers = []
    for margin in (FIRST, HANDOVER):
        flow = gradient_flow(network, problem, init, until_margin=margin)
        numbers.append(theorem_1(network, problem, flow, max_entries=0).residual)
    theta = network.flatten(flow.final_parameters)
    direction = Direction(network, problem)
    heights, residuals, end = direction.follow(theta / np.linalg.norm(theta), np.log(HANDOVER))
    for mark in np.log(10.0) * np.array(MARKS):
        reached = mark <= heights[-1]
        logs = np.interp(mark, heights, np.log(residuals))
        numbers.append(np.exp(logs) if reached else np.nan)
    cells = "".join(f"{'' if np.isnan(one) else format(one, '.1e'):>9}" for one in numbers)
    slope, kappa = measured(heights, residuals), direction.exponent(end)
    return f"{name:>5}{depth:>3}{seed:>5}{cells}{slope:>10.4f}{kappa:>9.4f}"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6, help="data sets for each network")
    given = parser.parse_args()
    marks = "".join(f"{f'1e{power}':>9}" for power in (3, 5, *MARKS))
    print(f"group  L seed{marks}  exponent    kappa")
    began = time.process_time()
    for name, depth, seed in product(GENERATORS, (2, 3), range(given.seeds)):
        print(row(name, depth, seed), flush=True)
    print(f"blank: below {END:g}; {time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
