"""The point of least entropy of a face, built so that it is known."""

import numpy as np
import pytest

from implicitbias.limits.margin._entropy import least_entropy


def _face(seed, apart):
    """B_=, B_>, the end t and a point inside; the last rows of B_> are tight at t alone."""
    rng = np.random.default_rng(seed)
    s, equals, tight, loose = 6, 2, 1, 2
    t = np.exp(rng.normal(size=s))
    rows = rng.normal(size=(equals + tight, s))
    rows[0] = 1.0  # on a face of l1 max-margin points sum t is constant
    rows[1:] = rows[0] + apart * rows[1:]  # near-parallel where that is small
    rows /= (rows @ t)[:, None]
    idle = rng.normal(size=(loose, s))
    idle /= (idle @ t)[:, None] / 2.0
    above = np.vstack([idle, rows[equals:]])
    inward = np.linalg.lstsq(rows, np.eye(len(rows))[-1], rcond=None)[0]
    start = t + 0.1 * inward / np.abs(inward / t).max()
    multipliers = np.concatenate([np.zeros(loose), rng.uniform(0.5, 2.0, size=tight)])
    omega = np.log(t) - above.T @ multipliers
    return rows[:equals], above, omega, start, t, multipliers


@pytest.mark.parametrize("apart", [1.0, 1e-3])
@pytest.mark.parametrize("size", [0.0, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("seed", range(5))
def test_weights_that_the_equations_take_up_do_not_move_it(seed, size, apart):
    """omega and omega + B_=^T c have one end: late flows bring c as large as their log margin."""
    equal, above, omega, start, t, multipliers = _face(seed, apart)
    shift = np.random.default_rng(seed).normal(size=len(equal))
    moved = equal.T @ shift
    moved *= size / np.abs(moved).max()
    found = least_entropy(equal, above, omega + moved, start)
    rounding = 1e-13 * (1.0 + size) / apart
    np.testing.assert_allclose(found.t, t, rtol=rounding)
    assert np.array_equal(found.multipliers > 0, multipliers > 0)
    assert found.error < 1e-13


def test_a_late_flow_of_near_parallel_points():
    """Weights of a flow at log margin 34; two equations and a tight row leave one point."""
    equal = np.array([[0.0, 0.0, 1000.0], [2.0, 2.0, -999.0]])
    above = np.array([[-2.0, 1.0, 1002.0], [-2.0, 0.0, 1002.0]])
    omega = np.array([28.62918005, 35.38462994, 25.95206631])
    start = np.array([3.33444426e-04, 9.99166556e-01, 1e-03])
    for shift in np.geomspace(1e-14, 1e-8, 25):
        found = least_entropy(equal, above, omega * (1.0 + shift), start)
        np.testing.assert_allclose(found.t, [0.001, 0.9985, 0.001], rtol=1e-13)
        assert found.error < 1e-14
