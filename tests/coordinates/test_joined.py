"""Curves put together: the numbers of every part, at a scale of its own."""

import numpy as np
import pytest

from implicitbias.coordinates import Curves, TwoSidedCurves, joined

RNG = np.random.default_rng(0)
PARTS = {
    "equal": [Curves.from_start(np.array([w, w, 0.0 * w]), 0.3)
              for w in RNG.uniform(0.5, 2.0, (3, 4))],
    "random": [Curves.from_start(RNG.standard_normal((3, 4)), -0.2) for _ in range(3)],
    "two-sided": [TwoSidedCurves.from_start(RNG.uniform(0.5, 2.0, (2, 4)), 2.5, 0.1)
                  for _ in range(3)],
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_every_number_is_that_of_a_part(name):
    parts = PARTS[name]
    changes = np.array([0.5, -1.0, 2.0])
    whole = joined(parts).shifted(np.repeat(changes, 4))
    assert whole.equal == (name == "equal")
    t = RNG.standard_normal(12)
    for method in ("rho", "u", "log_u_slope", "log_rho_slope", "layers", "slack"):
        expected = [
            getattr(part.shifted(change), method)(at)
            for part, change, at in zip(parts, changes, t.reshape(3, 4), strict=True)
        ]
        found = getattr(whole, method)(t)
        np.testing.assert_allclose(found, np.concatenate(expected, axis=-1), rtol=1e-13)


def test_one_part_is_itself():
    part = PARTS["random"][0]
    assert joined([part]) is part
