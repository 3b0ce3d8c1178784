"""All rows in the order of the table. A new group of rows is one more line here."""

from implicitbias.verification import (
    _classification,
    _descent,
    _directions,
    _finite_loss,
    _groups,
    _lemma4,
    _loss_rates,
    _regression,
    _saddles,
    _theorem_1,
    _two_sided,
    _woodworth,
)
from implicitbias.verification._checks import Check

CHECKS: tuple[Check, ...] = (
    *_lemma4.checks(),
    *_regression.checks(),
    *_woodworth.checks(),
    *_two_sided.checks(),
    *_theorem_1.checks(),
    *_classification.checks(),
    *_directions.checks(),
    *_groups.checks(),
    *_finite_loss.checks(),
    *_loss_rates.checks(),
    *_descent.checks(),
    *_saddles.checks(),
)
