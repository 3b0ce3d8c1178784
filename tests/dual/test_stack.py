"""Newton systems of many members: those of each, and which of them are mild."""

import numpy as np

from implicitbias.dual import Slopes, StackSystem, mild_system
from implicitbias.features import Dense, Stack

COUNT, N, M = 18, 4, 9


def slopes(count, width, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-width, width, (count, M)) for _ in range(3)]


def test_every_member_is_solved_as_alone():
    rng = np.random.default_rng(7)
    features = [Dense(rng.standard_normal((N, M)))] * COUNT
    log_rho, log_u, log_a = slopes(COUNT, 2.0)
    system = StackSystem.at(Stack.of(features), np.arange(COUNT), log_rho, log_u, log_a)
    assert system.sound.all()
    target, mismatch = rng.standard_normal((COUNT, N)), rng.standard_normal((COUNT, M))
    dt, dnu = system.at_scales(np.full(COUNT, 0.7)).solve(Stack.of(features), target, mismatch)
    plain, _ = system.solve(Stack.of(features), target, None)
    for b in range(COUNT):
        alone = mild_system(features[b], Slopes(log_rho[b], log_u[b], log_a[b]))
        assert np.allclose(alone.solve(target[b], np.zeros(M))[0], plain[b])
        scaled = alone.at_scale(0.7).solve(target[b], mismatch[b])
        assert np.allclose(scaled[0], dt[b])
        assert np.allclose(scaled[1], dnu[b])


def test_members_that_are_not_mild_are_told_apart():
    rng = np.random.default_rng(8)
    good, nearly = rng.standard_normal((N, M)), rng.standard_normal((N, M))
    nearly[1] = nearly[0] * (1.0 + 1e-9)
    stack = Stack.of([Dense(each) for each in (good, nearly, 0.0 * good, good, good)])
    log_rho, log_u, log_a = slopes(5, 1.0)
    log_rho[3, 0] += 50.0  # weights too far apart
    log_u[4] -= 20.0  # a clock at its end
    system = StackSystem.at(stack, np.arange(5), log_rho, log_u, log_a)
    assert system.sound.tolist() == [True, False, False, False, False]


def test_some_members_can_be_factored_anew():
    rng = np.random.default_rng(9)
    stack = Stack.of([Dense(rng.standard_normal((N, M))) for _ in range(COUNT)])
    first, second = slopes(COUNT, 1.0), slopes(COUNT, 1.0, seed=1)
    system = StackSystem.at(stack, np.arange(COUNT), *first)
    whole = StackSystem.at(stack, np.arange(COUNT), *second)
    some = np.array([4, 11])
    system.put(some, StackSystem.at(stack, some, *(each[some] for each in second)))
    assert np.allclose(system.inverse[some], whole.inverse[some])
    assert not np.allclose(system.inverse[0], whole.inverse[0])
    assert np.allclose(system.take(some).log_top, whole.log_top[some])
