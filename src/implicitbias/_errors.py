"""Typed errors with their evidence, and the ways a flow can end."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any


class ImplicitBiasError(Exception):
    """Every error this package raises on purpose."""


class InvalidInputError(ImplicitBiasError, ValueError):
    """Malformed input: shapes, NaN, infinities, unknown names or labels."""


class InfeasibleProblemError(ImplicitBiasError):
    """Well-formed data without a solution: inconsistent regression, non-separable classes.

    Attributes
    ----------
    evidence
        The residual y - X X^+ y (regression), or a vector a >= 0, a != 0 with
        sum_i a_i y_i x_i = 0 (classification).
    rounding
        How far rounding may have moved the residual, (n,); None for classes.
    """

    def __init__(self, message: str, evidence: Any = None, rounding: Any = None) -> None:
        super().__init__(message)
        self.evidence = evidence
        self.rounding = rounding


class NoPredictionError(ImplicitBiasError):
    """No result of the theory covers the situation, or its limit could not be certified.

    Attributes
    ----------
    assumptions
        The verdicts that were measured, the failed one among them.
    certificate
        The certificate that missed its tolerance, or None.
    partial
        Where a path ran out of Newton steps: how far it came, as a Limit with the certificate that
        this point has for the limit asked for. Else None.
    """

    def __init__(
        self,
        message: str,
        assumptions: Sequence[Any] = (),
        certificate: Any = None,
        partial: Any = None,
    ) -> None:
        super().__init__(message)
        self.assumptions = tuple(assumptions)
        self.certificate = certificate
        self.partial = partial


class FolderInUseError(ImplicitBiasError):
    """Another sweep is at work in the folder."""


class PlanChangedError(ImplicitBiasError):
    """A folder was begun with another plan, or a data file is not what it was.

    Attributes
    ----------
    differences
        One sentence each.
    """

    def __init__(self, message: str, differences: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.differences = tuple(differences)


class CertificateWarning(UserWarning):
    """Part of a result could not be certified, and is NaN there."""


def reason_of(error: BaseException) -> str:
    """The first line of what another library says, or the name of its error: part of a sentence."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")


class Outcome(Enum):
    """How a flow ended; the value is the sentence a person reads."""

    RESIDUAL_REACHED = "the residual fell below until_residual"
    MARGIN_REACHED = "the margin reached until_margin"
    LOSS_REACHED = "the loss fell below until_loss"
    STATIONARY = "the flow came to rest at a stationary point with positive loss"
    TIME_REACHED = "the flow reached max_time"
    PRECISION_REACHED = "the flow stopped where float64 cannot resolve it further"
    UNSTABLE = "rounding decided where the flow went: this is not known to be its end"
    STOPPED_BY_CALLBACK = "the callback asked to stop"
    STEP_LIMIT = "stopped at the limit of steps or evaluations"
    DIVERGED = "the steps were too large, and the run left float64"
    GIVEN = "made elsewhere: only the end is known"
    FAILED = "the integrator failed"

    @property
    def converged(self) -> bool:
        """Whether training ended where its stopping rule wanted it."""
        return self in (Outcome.RESIDUAL_REACHED, Outcome.MARGIN_REACHED, Outcome.LOSS_REACHED)


def described(value: object) -> str:
    """What kind of value was given: "an int", "a list", "None"."""
    article = "an" if type(value).__name__[:1].lower() in "aeiou" else "a"
    return "None" if value is None else f"{article} {type(value).__name__}"
