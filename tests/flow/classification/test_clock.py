"""Times within a step: integrals of exp(b), against quadrature in high precision."""

import mpmath
import numpy as np
import pytest

from implicitbias.flow.classification._clock import Clock

PARTS = np.array([1e-3, 0.2, 0.5, 0.83, 1.0])
CURVES = {
    "flat": lambda x, _: 0.0 * x + 3.0,
    "gentle": lambda x, _: 0.2 * x - 0.1 * x**2,
    "falling": lambda x, _: 1.0 / (0.3 + x),
    "rising": lambda x, m: 20.0 * m.exp(0.3 * x),
    "steep": lambda x, _: 1e3 / (1.5 - x),
    "steeper": lambda x, _: 1e6 * (1.0 + 0.05 * x + 0.001 * x**2),
    "over four decades": lambda x, m: m.exp(10.0 * x),
    "down": lambda x, _: -4e3 * x - 100.0 * x**2,
    "turning at once": lambda x, _: 60.0 * (x - 1.0) + 1e3 * x * (x - 1.0) ** 2,
    "turning": lambda x, _: 1e6 * x * (x - 1.0) ** 2 + 5e4 * x,
    "a bend": lambda x, m: -40.0 * m.sqrt((x - 0.3) ** 2 + 1e-6),
}
COARSE = {("a bend", 2): 2e-5, ("over four decades", 2): 1e-7}  # begun as a parabola


def exact(b, part):
    """log int_0^part exp(b) with 30 digits, the integrand divided by its largest value."""
    with mpmath.workdps(30):
        ends = mpmath.mpf(part)
        breaks = [0, *(ends * (1 - mpmath.mpf(2) ** -k) for k in range(1, 30)), ends]
        breaks += [ends * mpmath.mpf(2) ** -k for k in range(1, 30)]
        breaks += [mpmath.mpf("0.3")] if part > 0.3 else []
        breaks = sorted(set(map(mpmath.mpf, breaks)))
        top = max(b(x, mpmath) for x in breaks)
        return float(
            top + mpmath.log(mpmath.quad(lambda x: mpmath.exp(b(x, mpmath) - top), breaks))
        )


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("degree", [2, 8])
def test_times_within_a_step(name, degree):
    b = CURVES[name]
    clock = Clock(lambda x: b(x, np), float(b(0.0, np)), float(b(1.0, np)), degree, -np.inf)
    expected = np.array([exact(b, part) for part in PARTS])
    found, tolerance = clock.log_elapsed(PARTS), COARSE.get((name, degree), 1e-8)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert np.all(np.diff(found) >= 0.0)


def test_what_adds_nothing_to_the_time_is_not_looked_at_closely():
    looks = []
    late = Clock(lambda x: looks.append(x) or np.sin(50.0 * x), 0.0, float(np.sin(50.0)), 8, 60.0)
    assert len(looks) == 1 and len(late.pieces) == 1
    early = Clock(lambda x: np.sin(50.0 * x), 0.0, float(np.sin(50.0)), 8, -np.inf)
    assert len(early.pieces) > 4


def test_nothing_moves():
    clock = Clock(lambda x: np.full(x.size, np.inf), np.inf, np.inf, 2, 0.0)
    assert clock.log_elapsed(np.array([1.0]))[0] > 1e100


@pytest.mark.parametrize("degree", [2, 8])
@pytest.mark.parametrize("size", [1.0, 1e-5])
def test_rounding_of_b_is_not_followed(degree, size):
    rounding = np.random.default_rng(7)
    looks = []

    def b(x):
        looks.append(x)
        return 3.0 - 2.0 * x + size * rounding.normal(size=x.size)

    clock = Clock(b, 3.0, 1.0, degree, -np.inf)
    assert len(clock.pieces) <= 16 and len(looks) <= 48
    expected = np.log(np.expm1(2.0) / 2.0) + 1.0
    np.testing.assert_allclose(clock.log_elapsed(np.array([1.0])), expected, atol=size)


@pytest.mark.parametrize("size", [1e12, 1e14, 1e16, 1e100])
def test_curves_beyond_the_digits_of_floats(size):
    """Bends are rounding there, and nothing to follow."""
    for seed in range(20):
        series = size * np.random.default_rng(seed).standard_normal(5)

        def b(x, series=series):
            return np.polynomial.chebyshev.chebval(2.0 * np.asarray(x) - 1.0, series)

        clock = Clock(b, float(b(0.0)), float(b(1.0)), 8, 0.0)
        found = clock.log_elapsed(PARTS)
        top = [b(np.linspace(0.0, part, 20001)).max() for part in PARTS]
        np.testing.assert_allclose(found, top, rtol=1e-5, atol=1e-5 * size)


@pytest.mark.parametrize("top", [1e13, 1e15])
def test_slopes_beyond_the_digits_of_the_parts_of_a_step(top):
    """b = 1e13 e^{400 x}, say: a last bit of x moves it by more than 1."""
    looks = []

    def b(x):
        looks.append(x)
        return top * np.exp(400.0 * (np.asarray(x) - 1.0))

    clock = Clock(b, float(b(0.0)), float(b(1.0)), 8, 0.0)
    found = clock.log_elapsed(np.array([0.9, 1.0]))
    np.testing.assert_allclose(found, b(np.array([0.9, 1.0])), rtol=1e-6, atol=1.0)
    assert sum(np.size(x) for x in looks) < 1000
