"""Saved points: never too many, log-spaced, whatever the end."""

import numpy as np
import pytest

from implicitbias.flow.regression._record import DENSEST, Recorder, TimesRecorder


@pytest.mark.parametrize("num_points", [2, 3, 4, 17, 200])
@pytest.mark.parametrize("decades", [0.01, 1, 7.3, 60])
def test_points_are_log_spaced_and_fill_half_of_the_room(num_points, decades):
    recorder, end = Recorder(1e-9, num_points), 1e-9 * 10.0**decades
    for step in np.geomspace(1e-10, end, 57):
        for due in recorder.due(step):
            recorder.add(due, np.array([due]), -due)
    times, coefficients, log_losses = recorder.arrays(
        ((0.0, np.zeros(1), 0.0), (end, np.array([end]), -end))
    )
    assert len(times) <= num_points
    np.testing.assert_array_equal(coefficients[:, 0], times)
    np.testing.assert_array_equal(log_losses, -times)
    assert (times[0], times[-1]) == (0.0, end)
    if len(times) > 3:
        ratios = np.diff(np.log10(times[1:-1])) * DENSEST
        np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
        assert np.log2(ratios[0]) == pytest.approx(round(np.log2(ratios[0])), abs=1e-9)
    if decades * DENSEST > num_points > 4:
        assert len(times) >= (num_points - 2) // 2


def test_given_times_are_saved_as_far_as_the_flow_goes():
    recorder = TimesRecorder(np.array([0.5, 1.0, 4.0]))
    for end in (0.75, 2.0):
        for due in recorder.due(end):
            recorder.add(due, np.array([due]), -due)
    times, coefficients, log_losses = recorder.arrays(
        ((0.0, np.zeros(1), 0.0), (2.0, np.array([2.0]), -2.0))
    )
    np.testing.assert_array_equal(times, [0.0, 0.5, 1.0, 2.0])
    np.testing.assert_array_equal(coefficients[:, 0], times)
    np.testing.assert_array_equal(log_losses, -times)
