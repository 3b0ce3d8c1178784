"""A measured yes, no or cannot tell."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["holds", "fails", "undecided"]
CERTIFIED = 1e-8  # the largest certificate that counts as certified, unless the caller says


@dataclass(frozen=True)
class Verdict:
    """One assumption, measured.

    Attributes
    ----------
    assumption
        What is asserted, in the theory's words.
    status
        "holds", "fails" or "undecided" (float64 cannot tell).
    value
        The measured number the status rests on.
    detail
        What the number is, and where it was found.
    """

    assumption: str
    status: Status
    value: float
    detail: str = ""

    def __str__(self) -> str:
        text = f"{self.status}: {self.assumption} ({self.value:.3g})"
        return f"{text}; {self.detail}" if self.detail else text

    def to_dict(self) -> dict[str, Any]:
        """What ``json.dumps`` takes."""
        return {
            "assumption": self.assumption,
            "status": self.status,
            "value": finite_or_text(self.value),
            "detail": self.detail,
        }

    @property
    def holds(self) -> bool:
        """Whether the assumption was measured to hold."""
        return self.status == "holds"

    @property
    def fails(self) -> bool:
        """Whether the assumption was measured to fail."""
        return self.status == "fails"


def finite_or_text(value: float) -> float | str:
    """A number; "inf", "-inf" or "nan" where JSON has none."""
    return float(value) if math.isfinite(value) else str(float(value))
