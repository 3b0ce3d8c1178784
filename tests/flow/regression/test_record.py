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
            recorder.add(due, f"at {due}")
    times = np.array(recorder.times)
    assert len(times) <= num_points - 2
    assert recorder.points == [f"at {time}" for time in recorder.times]
    assert np.all((recorder.first <= times) & (times < end))
    if len(times) > 1:
        ratios = np.diff(np.log10(times)) * DENSEST
        np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
        assert np.log2(ratios[0]) == pytest.approx(round(np.log2(ratios[0])), abs=1e-9)
    if decades * DENSEST > num_points > 4:
        assert len(times) >= (num_points - 2) // 2 - 1


def test_given_times_are_saved_as_far_as_the_flow_goes():
    recorder = TimesRecorder(np.array([0.5, 1.0, 4.0]))
    for end in (0.75, 2.0):
        for due in recorder.due(end):
            recorder.add(due, f"at {due}")
    assert recorder.times == [0.5, 1.0]
    assert recorder.points == ["at 0.5", "at 1.0"]
    assert recorder.next_due == 4.0
