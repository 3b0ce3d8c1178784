"""Every result of the theory, simulated and predicted: the rows of ``implicitbias verify``."""

from implicitbias.verification._checks import (
    AGREEMENT,
    Check,
    Measurement,
    Report,
    Row,
    run_check,
    run_checks,
    select,
)
from implicitbias.verification._registry import CHECKS

__all__ = [
    "AGREEMENT",
    "CHECKS",
    "Check",
    "Measurement",
    "Report",
    "Row",
    "run_check",
    "run_checks",
    "select",
]
