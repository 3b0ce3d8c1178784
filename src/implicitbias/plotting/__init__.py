"""Figures: data first, then a thin layer that draws on the axes it is given.

Every figure ``f(results, ax=...)`` has a twin that returns what is drawn as plain arrays in a
frozen dataclass. matplotlib is imported only when something is drawn.
"""

from implicitbias.plotting._alignment import AlignmentTraces, alignment, alignment_traces
from implicitbias.plotting._coordinates import (
    CoordinateTrace,
    coordinate_curves,
    coordinate_traces,
)
from implicitbias.plotting._interactive import InteractiveFigure, interactive
from implicitbias.plotting._loss_course import (
    LossCourseTraces,
    loss_course,
    loss_course_traces,
)
from implicitbias.plotting._margin_path import (
    MarginPathTraces,
    MarginRun,
    margin_path,
    margin_path_traces,
)
from implicitbias.plotting._potential import (
    LevelTrace,
    PotentialTrace,
    level_traces,
    levels,
    potential,
    potential_traces,
)
from implicitbias.plotting._saddle_path import (
    SaddlePathTraces,
    SaddleTrace,
    saddle_path,
    saddle_path_traces,
)
from implicitbias.plotting._scale_path import (
    CoefficientTrace,
    ScalePathTraces,
    scale_path,
    scale_path_traces,
)
from implicitbias.plotting._style import COLOURS, MARKERS, REST, STYLES
from implicitbias.plotting._summary import (
    SummaryTraces,
    certificate_summary,
    certificate_traces,
    drift_summary,
    drift_traces,
    summary,
)
from implicitbias.plotting._training import TrainingTrace, training, training_traces
from implicitbias.plotting._trajectories import (
    PathTrace,
    TrajectoryTraces,
    trajectories,
    trajectory_traces,
)

__all__ = [
    "COLOURS",
    "MARKERS",
    "REST",
    "STYLES",
    "AlignmentTraces",
    "CoefficientTrace",
    "CoordinateTrace",
    "InteractiveFigure",
    "LevelTrace",
    "LossCourseTraces",
    "MarginPathTraces",
    "MarginRun",
    "PathTrace",
    "PotentialTrace",
    "SaddlePathTraces",
    "SaddleTrace",
    "ScalePathTraces",
    "SummaryTraces",
    "TrainingTrace",
    "TrajectoryTraces",
    "alignment",
    "alignment_traces",
    "certificate_summary",
    "certificate_traces",
    "coordinate_curves",
    "coordinate_traces",
    "drift_summary",
    "drift_traces",
    "interactive",
    "level_traces",
    "levels",
    "loss_course",
    "loss_course_traces",
    "margin_path",
    "margin_path_traces",
    "potential",
    "potential_traces",
    "saddle_path",
    "saddle_path_traces",
    "scale_path",
    "scale_path_traces",
    "summary",
    "training",
    "training_traces",
    "trajectories",
    "trajectory_traces",
]
