"""Convolutions over groups: the parameters' flow held against the blocks' convex programme.

Theorem 2 and its relatives know nothing of groups that are not abelian; the row on an abelian one
says that both ways name one direction.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import permutations, product

import numpy as np

from implicitbias._arrays import IntArray
from implicitbias._closing import angle_between
from implicitbias.alignment import theorem_1
from implicitbias.initialization import Initialization
from implicitbias.networks import GroupConvolutionalNetwork
from implicitbias.problems import Classification
from implicitbias.theorems import decided_by_training, predict_limit
from implicitbias.verification._checks import Check, Measurement
from implicitbias.verification._classification import LATE, PARAMETERS, each_route, measured

TWO_LAYERS, MORE = "group convolution, two layers", "group convolution, more layers"
SEEDS = {TWO_LAYERS: 12, MORE: 12}  # of data whose flows come near by margin 1e8


def checks() -> tuple[Check, ...]:
    """Permutations of three, two and three layers; Z_2 x Z_4 by two results."""
    return (
        Check(TWO_LAYERS, "over the permutations of three, L = 2", "Gaussian", partial(_row, 2)),
        Check(MORE, "over the permutations of three, L = 3", "Gaussian", partial(_row, 3)),
        Check(TWO_LAYERS, "over Z_2 x Z_4, L = 2, by Theorem 2 as well", "Gaussian", abelian),
    )


def permutations_of_three() -> IntArray:
    """(a b)[i] = a[b[i]], elements in lexicographic order."""
    elements = list(permutations(range(3)))
    return np.array([[elements.index(tuple(a[i] for i in b)) for b in elements] for a in elements])


def two_by_four() -> IntArray:
    """Pairs (i mod 2, j mod 4), added."""
    pairs = np.array(list(product(range(2), range(4))))
    sums = (pairs[:, None] + pairs) % (2, 4)
    return np.asarray(sums @ (4, 1))


def _row(depth: int) -> Measurement:
    name = {2: TWO_LAYERS, 3: MORE}[depth]
    network = GroupConvolutionalNetwork(permutations_of_three(), depth)
    problem, init, settings = _drawn(network, SEEDS[name])
    comparisons = each_route(network, problem, init, PARAMETERS, LATE)
    found, flow = measured(problem, name, comparisons, settings), comparisons[-1].flow
    driver = theorem_1(network, problem, flow).direction_settled
    lowest = float(np.nanmin(flow.log_losses))
    return replace(found, assumptions=decided_by_training(found.assumptions, lowest, driver))


def abelian() -> Measurement:
    """Characters for Theorem 2, real blocks for the nuclear norm; the flow against the latter."""
    network = GroupConvolutionalNetwork(two_by_four(), 2)
    problem, init, settings = _drawn(network, 8)
    comparisons = each_route(network, problem, init, PARAMETERS, LATE)
    found = measured(problem, "Theorem 2", comparisons, settings)
    blocks = predict_limit(network, problem, init, theorem=TWO_LAYERS)
    apart = angle_between(blocks.coefficients, comparisons[0].limit.coefficients)
    worst = max(found.certificate, apart, blocks.certificate.worst)
    return replace(
        found, certificate=worst, note=f"{found.note}; the two predictions differ by {apart:.1e}"
    )


def _drawn(
    network: GroupConvolutionalNetwork, seed: int
) -> tuple[Classification, Initialization, dict[str, float]]:
    """Three points and random filters, the first one larger where there are two."""
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((3, network.num_features)), np.array([1.0, -1.0, 1.0])
    gap = 0.1 if network.depth == 2 else None
    init = Initialization.random(network, 0.5, seed=1, gap=gap)
    settings = {"depth": network.depth, "scale": 0.5, "seed of the data": seed}
    return Classification(X, y), init, settings
