"""A measured yes, no or cannot tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from implicitbias._html import Badge, Mark
from implicitbias._results import Record

Status = Literal["holds", "fails", "undecided"]
MARKS: dict[Status, Mark] = {"holds": "good", "fails": "bad", "undecided": "open"}
CERTIFIED = 1e-8  # the largest certificate that counts as certified, unless the caller says


@dataclass(frozen=True, repr=False)
class Verdict(Record):
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
    _one_line: ClassVar[bool] = True

    def __str__(self) -> str:
        text = f"{self.status}: {self.assumption} ({self.value:.3g})"
        return f"{text}; {self.detail}" if self.detail else text

    def _badge(self) -> Badge:
        return Badge(self.status, MARKS[self.status])

    @property
    def holds(self) -> bool:
        """Whether the assumption was measured to hold."""
        return self.status == "holds"

    @property
    def fails(self) -> bool:
        """Whether the assumption was measured to fail."""
        return self.status == "fails"
