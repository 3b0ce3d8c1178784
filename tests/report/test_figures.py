"""The figure of two-dimensional problems: one start for all networks, whole reports only."""

import numpy as np
import pytest

from helpers.reports import row
from implicitbias.report import _figures, _plane
from implicitbias.verification import Report


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_all_networks_start_at_the_same_coefficients(depth):
    for network, directions in _plane.start(depth).values():
        layers = [0.7 * direction for direction in directions]
        beta = network.coefficients(layers)
        np.testing.assert_allclose(beta, 0.7**depth * _plane.LAST_LAYER, atol=1e-15)


def test_the_plane_is_drawn_for_whole_reports_only(tmp_path, monkeypatch):
    monkeypatch.setattr(_plane, "SCALES", (1.0,))
    monkeypatch.setattr(_plane, "DEPTHS", (2,))
    part, whole = Report((row("Corollary 5"),)), Report((row("Corollary 5"), row("Corollary 2")))
    assert not _figures.draw_plane(part, tmp_path / "part.png")
    assert not list(tmp_path.iterdir())
    assert _figures.draw_plane(whole, tmp_path / "whole.png")
    assert (tmp_path / "whole.png").read_bytes().startswith(b"\x89PNG")
