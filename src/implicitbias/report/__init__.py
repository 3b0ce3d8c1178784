"""Reports: a table on the terminal, JSON, one self-contained page, and files on disk."""

from implicitbias._files import replacing
from implicitbias.report._figures import FIGURES, ReportFigure, new_figure, plain_style
from implicitbias.report._files import (
    ARRAYS,
    FILES,
    MANIFEST,
    PAGE,
    as_json,
    save,
    save_page,
)
from implicitbias.report._output import OWN, ForeignFilesError, output_directory
from implicitbias.report._page import page
from implicitbias.report._table import LEGEND, WIDTH, lines, notes, table

__all__ = [
    "ARRAYS",
    "FIGURES",
    "FILES",
    "LEGEND",
    "MANIFEST",
    "OWN",
    "PAGE",
    "WIDTH",
    "ForeignFilesError",
    "ReportFigure",
    "as_json",
    "lines",
    "new_figure",
    "notes",
    "output_directory",
    "page",
    "plain_style",
    "replacing",
    "save",
    "save_page",
    "table",
]
