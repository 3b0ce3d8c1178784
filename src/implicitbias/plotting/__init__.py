"""Figures: data first, then a thin layer that draws on the axes it is given.

Every figure ``f(results, ax=...)`` has a twin ``f_traces(results)`` that returns what is drawn as
plain arrays. matplotlib is imported only when something is drawn.
"""

from implicitbias.plotting._margin_path import (
    MarginPathTraces,
    MarginRun,
    margin_path,
    margin_path_traces,
)
from implicitbias.plotting._scale_path import (
    COLOURS,
    REST,
    STYLES,
    CoefficientTrace,
    ScalePathTraces,
    scale_path,
    scale_path_traces,
)

__all__ = [
    "COLOURS",
    "REST",
    "STYLES",
    "CoefficientTrace",
    "MarginPathTraces",
    "MarginRun",
    "ScalePathTraces",
    "margin_path",
    "margin_path_traces",
    "scale_path",
    "scale_path_traces",
]
