"""How much of a clock is left at the start: to all digits, however near its end that is."""

import numpy as np
import pytest

from implicitbias.coordinates import Curves, TwoSidedCurves


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("gap", [1e-3, 1e-7, 1e-11])
def test_starts_near_an_end(side, gap):
    """Two smallest layers that nearly agree: half the range less u(t_0) would lose eps / gap."""
    layers = np.array([[side * 0.6], [0.6 * (1.0 + gap)], [0.9], [1.1], [0.8]])
    curves = Curves.from_start(layers, 0.0)
    below, above = curves.clock_lengths()
    near, far = (above, below) if side > 0 else (below, above)
    np.testing.assert_array_equal(near, curves.slack(curves.t0))
    low, high = curves.u_limits()
    np.testing.assert_allclose(near + far, high - low, rtol=1e-15)


def test_starts_in_the_middle_have_both_halves():
    for curves in (
        Curves.from_start([[0.0], [0.7], [0.9]], 0.0),
        TwoSidedCurves.from_start(np.array([[1.0], [1.0]]), 3.0, 0.0),
    ):
        below, above = curves.clock_lengths()
        np.testing.assert_array_equal(below, above)


def test_two_sided_starts_near_an_end():
    curves = TwoSidedCurves.from_start(np.array([[1e3], [1e-3]]), 4.0, 0.0)
    _, above = curves.clock_lengths()
    np.testing.assert_array_equal(above, curves.slack(curves.t0))
