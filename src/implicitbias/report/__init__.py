"""Reports: a table on the terminal, JSON, one self-contained page, and files on disk."""

from implicitbias.report._figures import FIGURES, ReportFigure, new_figure
from implicitbias.report._files import (
    ARRAYS,
    MANIFEST,
    PAGE,
    as_json,
    closing_as_json,
    output_directory,
    replacing,
    save,
    save_page,
)
from implicitbias.report._page import page
from implicitbias.report._table import notes, table

__all__ = [
    "ARRAYS",
    "FIGURES",
    "MANIFEST",
    "PAGE",
    "ReportFigure",
    "as_json",
    "closing_as_json",
    "new_figure",
    "notes",
    "output_directory",
    "page",
    "replacing",
    "save",
    "save_page",
    "table",
]
