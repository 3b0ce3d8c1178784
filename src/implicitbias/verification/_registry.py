"""All rows in the order of the table. A new group of rows is one more line here."""

from implicitbias.verification import _lemma4, _regression, _woodworth
from implicitbias.verification._checks import Check

CHECKS: tuple[Check, ...] = (
    *_lemma4.checks(),
    *_regression.checks(),
    *_woodworth.checks(),
)
