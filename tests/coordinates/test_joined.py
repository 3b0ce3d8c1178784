"""Curves put together: the numbers of every part, at a scale of its own."""

import numpy as np
import pytest

from implicitbias.coordinates import Curves, TwoSidedCurves, joined

NAMES = ("equal", "random", "two-sided")


def parts_of(name):
    """Three curves of four coordinates each."""
    rng = np.random.default_rng(0)
    if name == "two-sided":
        starts = rng.uniform(0.5, 2.0, (3, 2, 4))
        return [TwoSidedCurves.from_start(start, 2.5, 0.1) for start in starts]
    starts = rng.standard_normal((3, 3, 4))
    if name == "equal":
        starts[:, 1], starts[:, 2] = starts[:, 0], 0.0
    return [Curves.from_start(start, 0.3) for start in starts]


@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_that_of_a_part(name):
    rng = np.random.default_rng(6)
    parts = parts_of(name)
    changes = np.array([0.5, -1.0, 2.0])
    whole = joined(parts).shifted(np.repeat(changes, 4))
    assert whole.equal == (name == "equal")
    t = rng.standard_normal(12)
    for method in ("rho", "u", "log_u_slope", "log_rho_slope", "layers", "slack"):
        expected = [
            getattr(part.shifted(change), method)(at)
            for part, change, at in zip(parts, changes, t.reshape(3, 4), strict=True)
        ]
        found = getattr(whole, method)(t)
        np.testing.assert_allclose(found, np.concatenate(expected, axis=-1), rtol=1e-13)


def test_one_part_is_itself():
    part = parts_of("random")[0]
    assert joined([part]) is part
