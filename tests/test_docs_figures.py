"""What the pages say of their figures to those who do not see them."""

import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import implicitbias as ib
from implicitbias import plotting

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    with matplotlib.rc_context({"backend": "Agg"}):
        import figures

        yield figures
        plt.close("all")
    sys.modules.pop("figures")


def test_panels_axes_and_curves_are_named(figures):
    figure, (left, right) = plt.subplots(1, 2)
    left.semilogx([1, 2], [1, 2], label=r"L = 3, $\alpha$ = 0.1")
    left.set(title="L = 2", xlabel=r"scale $\alpha$", ylabel=r"$\|\beta(t) - \beta^*\|$")
    left.legend()
    figure.colorbar(right.imshow(np.eye(2)), ax=right)
    assert figures.describe(figure) == (
        "Figure of 2 panels; panel 1: L = 2, |beta(t) - beta^*| against scale alpha (logarithmic), "
        "drawn: L = 3, alpha = 0.1; panel 2: an image."
    )


def test_long_legends_are_cut(figures):
    figure, ax = plt.subplots()
    for rank in range(11):
        ax.plot([0, 1], [rank, 1], label=f"curve {rank}")
    figure.legend(loc="outside lower center")
    assert figures.describe(figure).endswith("curve 7, and 3 more.")


def test_a_figure_of_ours_is_described(figures):
    problem = ib.datasets.gaussian(4, 6, seed=0)
    network = ib.DiagonalNetwork(6, 2)
    path = ib.limit_path(network, problem, [np.ones(6), np.zeros(6)], np.geomspace(1e-2, 10, 5))
    ax = plotting.scale_path(path)
    text = figures.describe(ax.figure)
    assert "scale alpha" in text and "(logarithmic)" in text
    assert not set("$\\{}\n") & set(text)


def test_the_text_takes_the_place_of_the_file_name(figures, monkeypatch):
    scrapers = pytest.importorskip("sphinx_gallery.scrapers")
    saved = ".. image-sg:: a.png\n   :alt: plot 01\n   :class: one\n"
    monkeypatch.setattr(scrapers, "matplotlib_scraper", lambda *_: saved)
    plt.figure().subplots().set_xlabel("time")
    found = figures.scraper(None, None, None)
    assert found.splitlines()[1] == "   :alt: Figure; values against time."
