"""Alternative texts of the gallery's figures, read off the figures: they cannot go stale."""

import re

from matplotlib import pyplot as plt

SYMBOLS = {r"\|": "|", r"\ge": ">=", r"\le": "<=", r"\to": "to", r"\infty": "infinity", r"\,": " "}
MOST = 8  # curves that are named


def describe(figure):
    """Return what a figure shows: its panels, their axes, and what the legend names."""
    panels = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    parts = [_panel(ax) for ax in panels]
    told = [f"panel {k}: {part}" for k, part in enumerate(parts, 1)] if len(parts) > 1 else parts
    start = f"Figure of {len(parts)} panels; " if len(parts) > 1 else "Figure; "
    names = [name for legend in figure.legends for name in _names(legend)]
    return start + "; ".join(told + ([f"drawn: {_listed(names)}"] if names else [])) + "."


def _panel(ax):
    found = []
    title = " ".join(filter(None, (ax.get_title(loc) for loc in ("left", "center", "right"))))
    if title:
        found.append(plain(title))
    if ax.images:
        found.append("an image")
    x = _axis(ax.get_xlabel(), ax.get_xscale())
    y = _axis(ax.get_ylabel(), ax.get_yscale())
    if y or x:
        found.append(f"{y or 'values'} against {x or 'place'}")
    legend = ax.get_legend()
    if legend is not None:
        found.append(f"drawn: {_listed(_names(legend))}")
    return ", ".join(found) or "a drawing"


def _axis(label, scale):
    return plain(label) + (" (logarithmic)" if label and scale in ("log", "symlog") else "")


def _names(legend):
    return [plain(text.get_text()) for text in legend.get_texts() if text.get_text()]


def _listed(names):
    more = [f"and {len(names) - MOST} more"] if len(names) > MOST else []
    return ", ".join([*names[:MOST], *more])


def plain(text):
    """Return a label without the marks of TeX, on one line."""
    text = " ".join(text.split())
    for mark, word in SYMBOLS.items():
        text = re.sub(re.escape(mark) + r"(?![a-zA-Z])", word, text)
    text = re.sub(r"\\(?:mathrm|mathcal|bar|hat|dot|ddot|text|rm)\b\s*", "", text)
    return re.sub(r"[$\\{}]", "", text).strip()


def scraper(block, block_vars, gallery_conf):
    """Save the figures of a block as sphinx-gallery does, with texts for who cannot see them."""
    from sphinx_gallery.scrapers import matplotlib_scraper

    texts = iter([describe(plt.figure(number)) for number in plt.get_fignums()])
    lines = matplotlib_scraper(block, block_vars, gallery_conf).splitlines()
    return "\n".join(
        re.sub(r":alt:.*", lambda _: f":alt: {next(texts)}", line) if ":alt:" in line else line
        for line in lines
    )
