"""The high-precision reference against values known by hand, by symmetry and by other routes."""

import mpmath as mp
import numpy as np
import pytest
from flint import arb

from reference import dual_newton, precise_faces, stored
from reference.precise_curves import Coordinate, digits
from reference.precise_potential import NoReferenceError, limit
from reference.scalar_curves import ScalarCurve

WIND = ([[1, 1, 1], [3, 0, 1]], [3, 3])


def last_zero(eta, depth):
    return [list(eta)] * (depth - 1) + [[0] * len(eta)]


@pytest.mark.parametrize("scale", [1e-6, 1e-12, 1e-300])
def test_wind_antun_and_hansens_tie(scale):
    found = limit(*WIND, last_zero([1, 1, 1], 4), scale)
    np.testing.assert_allclose(found, [0.660189, 1.320377, 1.019434], atol=1e-6)


def test_a_tie_of_unequal_weights():
    found = limit([[1, 2]], [2], last_zero([1, 0.5], 3), 1e-20)
    np.testing.assert_allclose(found, [1.6, 0.2], rtol=1e-12)


@pytest.mark.parametrize(
    ("depth", "scale", "expected"),
    [
        (3, 0.1, (0.0052636275, 0.4973681863)),
        (3, 1.0, (0.1982670626, 0.4008664687)),
        (4, 0.1, (0.0003440537, 0.4998279731)),
        (4, 1e6, (0.2, 0.4)),
    ],
)
def test_two_sided_models(depth, scale, expected):
    doubled = np.array(limit([[1, 2, -1, -2]], [1], [[1] * 4] * depth, scale))
    atol = 1e-9 + 1e-15 * scale**depth
    np.testing.assert_allclose(doubled[:2] - doubled[2:], expected, atol=atol)


def test_two_layers_from_a_moderate_start():
    start = [[np.sqrt(0.5)] * 3, [0] * 3]
    found = limit([[1, 2, -1], [0.5, -1, 1]], [1, 0.5], start, 1.0)
    np.testing.assert_allclose(found, [0.9149482442, 0.1275776337, 0.1701035116], atol=1e-10)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_newton_in_the_dual_agrees(depth):
    rng = np.random.default_rng(depth)
    Z, y, eta = rng.normal(size=(2, 5)), rng.normal(size=2), rng.uniform(0.5, 2, 5)
    expected = dual_newton.limit(Z, y, eta, 0.05, depth)
    found = limit(Z, y, last_zero(eta, depth), 0.05)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


LAYERS = [
    [1.0, 0.5, 0.0],
    [1.0, -0.7, 0.3, 2.0],
    [1.0, 1.0, 1.0, -1.0, 1.0],
    [1e-3, 2.0, 1e-3, 1.5],
    [1e-3, 2.0, -1e-3, 1e-3, 40.0, 1.5],
    [3.0, 1e-9, 1.0, 2e-9, 1.0],
]


@pytest.mark.parametrize("layers", LAYERS, ids=str)
@pytest.mark.parametrize("t", [-3.0, 0.01, 6.0])
def test_curves_are_the_integrals(layers, t):
    curve = Coordinate(layers)
    with digits(70), mp.workdps(70):
        at = curve.start_t() + arb(t)
        point = curve.point(at.mid())
        slow = ScalarCurve(layers)
        q = mp.mpf(curve.layer(at).mid().str(60, radius=False))
        clock = curve.base(point.side) + point.part
        assert float(point.rho) == pytest.approx(float(slow.rho(q)), rel=1e-14)
        assert float(clock) == pytest.approx(float(slow.clock(q)), rel=1e-14)
        step = arb("1e-20")
        ahead = curve.point((at + step).mid())
        slope = (curve.base(ahead.side) + ahead.part - clock) / step
        assert float(slope) == pytest.approx(float(point.s_slope), rel=1e-12)


def test_no_answer_is_said_to_be_none():
    with pytest.raises(NoReferenceError, match="the signs that the start"):
        limit([[1.0, 2.0]], [-1.0], [[1.0, 1.0]] * 2, 1.0)
    with pytest.raises(NoReferenceError, match="contradict"):
        limit([[1.0, 2.0], [2.0, 4.0]], [1.0, 3.0], last_zero([1, 1], 2), 1.0)


@pytest.mark.parametrize("seed", range(12))
def test_the_end_at_scale_0_is_where_small_scales_tend(seed):
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, 8))
    n = int(rng.integers(1, 4))
    d = int(rng.integers(n + 1, 8))
    Z = rng.integers(-2, 3, (n, d))
    y = Z @ (rng.integers(-2, 3, d) * (rng.random(d) < 0.4))
    layers = rng.integers(-4, 5, (depth, d)) / 2.0
    if seed % 2:
        layers[:-1], layers[-1] = layers[0], 0
    end = precise_faces.small_end(Z, y, layers)
    np.testing.assert_allclose(limit(Z, y, layers, 1e-300), end, rtol=1e-12, atol=1e-12)


def test_directions_of_two_layers_on_a_face():
    zeros = [0] * 5
    found, tied = precise_faces.l1_direction([[1, 1, 0], [0, 0, 1]], [[1, 2, 1], zeros[:3]])
    assert tied
    np.testing.assert_allclose(found, [0.2, 0.8, 1.0], rtol=1e-14)
    rows = [[-1, 0, 1, 1, 0], [0, 0, 0, -1, 1]]
    found, tied = precise_faces.l1_direction(rows, [[1, 2, 1, 3, 3], zeros])
    np.testing.assert_allclose(found, [-0.5, 0.0, 0.5, 0.0, 1.0], rtol=1e-14)
    found, tied = precise_faces.l1_direction([[1, 0], [1, 3]], [[1, 1], [0, 0]])
    assert not tied
    np.testing.assert_allclose(found, [1.0, 0.0])


def test_ends_in_exact_arithmetic():
    assert precise_faces.l2_direction([[1, 1, 0], [0, 0, 1]]) == [0.5, 0.5, 1.0]
    assert precise_faces.minimum_norm([[3, 4], [6, 8]], [50, 100]) == [6.0, 8.0]
    assert precise_faces.large_end([[1, 2]], [10], [[1, 0.5], [1, 0.5], [0, 0]]) == [8.0, 1.0]


@pytest.mark.parametrize("layers", [(1.0, 1.5, 0.0), (1.0, 1e40, 2, 0)])
@pytest.mark.parametrize(("t", "dt"), [(-50.0, 90.0), (-1.0, -80.0)])
def test_stored_integrals_are_those_that_are_computed(layers, t, dt):
    """Some of those that tests/coordinates/test_clock.py asks for."""
    with mp.workdps(30):
        curve = ScalarCurve(layers)
        ends = curve.smallest_layer(t), curve.smallest_layer(t + dt)
        kept = stored.known()[stored.question("_between", [*curve.offsets, *ends])]
        computed = ScalarCurve.between.__wrapped__(curve, *ends)
        assert abs(mp.mpf(kept) / computed - 1) < mp.mpf(10) ** -28
