"""The flow of the chain: whose sign it decides, and where it says that it cannot."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from implicitbias.limits import SignFlow, decided_signs, turning

SEEDS = range(5)


def flow_of(seed, ratio=0.0, sizes=(0.2,)):
    rng = np.random.default_rng(seed)
    across = rng.standard_normal((3, 5))
    gram, pull = across @ across.T, rng.standard_normal(3)
    gram, pull = gram / np.linalg.norm(gram), pull / np.linalg.norm(pull)
    return SignFlow(
        gram,
        pull,
        np.linalg.solve(gram, pull),
        rng.standard_normal(3),
        np.array(sizes),
        ratio,
    )


@pytest.mark.parametrize("ratio", [-3.0, 2.0])
@pytest.mark.parametrize("sizes", [(0.2,), (0.1, 1.3)])
def test_signs_and_turning_are_those_of_a_long_integration(ratio, sizes):
    both = set()
    for seed in SEEDS:
        flow = flow_of(seed, ratio, sizes)

        def velocity(_, state, flow=flow):
            z, s = flow.parts(state[:-1])
            rate = np.linalg.norm(flow.slope(z, s)) * np.prod(s[1:])
            return np.append(flow.velocity(state[:-1]), rate)

        start = np.concatenate([flow.seen, flow.sizes, [0.0]])
        end = solve_ivp(velocity, (0.0, 3e4), start, method="LSODA", rtol=1e-8, atol=1e-11).y[:, -1]
        sign = np.sign(np.prod(flow.parts(end[:-1])[1]))
        found = decided_signs(flow)
        assert found.product == sign
        assert 0.0 < found.clearness <= 2.0
        assert turning(flow) <= end[-1] * (1.0 + 1e-5)
        assert turning(flow) == pytest.approx(end[-1], abs=0.2 + 0.05 * end[-1])
        both.add(sign)
    assert both == {-1.0, 1.0}


def test_an_end_at_the_saddle_is_none():
    pull = np.array([1.0, 0.0])
    flow = SignFlow(np.eye(2) / 2**0.5, pull, 2**0.5 * pull, -pull, np.ones(1), -1.0)
    assert decided_signs(flow) is None


def test_no_ratio_is_too_large_for_it():
    assert decided_signs(flow_of(1, -2000.0)).product in (-1.0, 1.0)
    assert turning(flow_of(1, -2000.0)) == np.inf
