"""Rows of reports that were never run."""

from implicitbias.verification import Check, Measurement, Row

LONG = "full-length convolution, L = 3, scale 0.3, with a name that is longer than most"
BRACKETS = "[rho]_j^2 >= lambda"


def row(result="Corollary 6", **changes):
    values = {"error": 1.5e-12, "certificate": 2e-15, "shape": (20, 64)} | changes
    return Row(Check(result, LONG, "digits", None), Measurement(**values), 0.25)


FAILED = Row(Check("Theorem 6", "random", "Gaussian", None), None, 0.1, "ValueError: no luck")
