"""Radau IIA of order 13: its tableau, its order, its damping, what it conserves, how it fails."""

import numpy as np
import pytest

from implicitbias.flow.integrators._radau import (
    STAGES,
    LowRankRadau,
    each,
    interpolation,
    symmetric,
    tableau,
)


def solver(velocity, factor, start, *, tol=1e-7, first_step=1e-3, bound=np.inf):
    return LowRankRadau(
        each(velocity),
        np.asarray(start, dtype=float),
        bound,
        first_step=first_step,
        factors=symmetric(each(factor)),
        tol=tol,
        sizes=np.full(len(start), 1e-3),
    )


def two_weights(y):
    """-grad of (u v - 1)^2 / 2."""
    u, v = y
    return -(u * v - 1.0) * np.array([v, u])


def two_weights_factor(y):
    return np.array([[y[1], y[0]]])


def run(integrator, until=np.inf, max_steps=2000):
    for _ in range(max_steps):
        integrator.step()
        if integrator.status != "running" or integrator.t >= until:
            return
    raise AssertionError("too many steps")


def test_quadrature_and_collocation_conditions():
    nodes, matrix, top = tableau()
    for power in range(2 * STAGES - 1):
        assert matrix[-1] @ nodes**power == pytest.approx(1 / (power + 1), rel=1e-13)
    for power in range(STAGES):
        expected = nodes ** (power + 1) / (power + 1)
        np.testing.assert_allclose(matrix @ nodes**power, expected, rtol=1e-12, atol=1e-16)
    assert abs(top @ nodes ** (STAGES - 2)) < 1e-10
    assert abs(top @ nodes ** (STAGES - 1)) > 1e-4


def test_interpolation_is_exact_for_polynomials_through_the_start():
    nodes, points = tableau()[0], np.array([0.0, 0.123, 0.7, 1.0, 1.6])
    for power in range(1, STAGES + 1):
        np.testing.assert_allclose(
            interpolation(points) @ nodes**power, points**power, rtol=1e-11, atol=1e-13
        )
    np.testing.assert_allclose(interpolation(nodes), np.eye(STAGES), atol=1e-14)


def test_one_step_has_order_thirteen():
    def end(h, substeps):
        y = np.array([2.0, 0.1])
        for _ in range(substeps):
            integrator = solver(two_weights, two_weights_factor, y, tol=1e3)
            y = y + integrator._solve(h / substeps)[0][-1]
        return y

    exact = end(0.6, 16)
    coarse, fine = (np.abs(end(0.6, k) - exact).max() for k in (1, 2))
    assert fine < 1e-9
    assert np.log2(coarse / fine) > 11.0


def test_stiff_directions_are_damped_and_slow_ones_followed():
    data = np.array([[1e5, 0.0], [0.0, 1.0]])
    integrator = solver(lambda y: -data.T @ (data @ y), lambda y: data, [1.0, 1.0], bound=3.0)
    steps = 0
    while integrator.status == "running":
        integrator.step()
        steps += 1
    assert integrator.t == 3.0
    assert integrator.y[1] == pytest.approx(np.exp(-3.0), rel=1e-11)
    assert abs(integrator.y[0]) < 1e-12
    assert steps < 150


def test_conserved_quantity_is_kept_to_rounding_at_loose_tolerance():
    integrator = solver(two_weights, two_weights_factor, [3.0, 1e-3], tol=1e-5)
    run(integrator, until=100.0)
    kept = integrator.y[0] ** 2 - integrator.y[1] ** 2
    assert kept == pytest.approx(9.0 - 1e-6, rel=1e-14)
    assert np.prod(integrator.y) == pytest.approx(1.0, rel=1e-13)


def test_dense_output_between_steps():
    # u = v: u^2 = 1 / (1 + c e^{-2t})
    integrator = solver(two_weights, two_weights_factor, [0.1, 0.1], tol=1e-9)
    while integrator.t < 4.0:
        integrator.step()
        middle = 0.3 * integrator.t_old + 0.7 * integrator.t
        exact = 1 / np.sqrt(1 + (1 / 0.01 - 1) * np.exp(-2 * middle))
        dense = integrator.dense_output()
        np.testing.assert_allclose(dense(middle), exact, rtol=1e-9)
        np.testing.assert_allclose(dense(np.array([middle, middle]))[:, 1], exact, rtol=1e-9)


def test_an_undefined_velocity_fails_instead_of_looping():
    def velocity(y):
        return np.full(2, np.nan) if y[0] > 1.2 else np.ones(2)

    integrator = solver(velocity, two_weights_factor, [1.0, 1.0])
    run(integrator)
    assert integrator.status == "failed"
    assert integrator.y[0] <= 1.2 + 1e-12
