"""What is learned: data and a loss, with the evidence that a solution exists."""

from implicitbias.problems._classification import Classification
from implicitbias.problems._columns import Columns, Combination, columns_of, spreads
from implicitbias.problems._evidence import SignedRows
from implicitbias.problems._exact import exact_rank
from implicitbias.problems._intercept import Equations, equations, reachable_part
from implicitbias.problems._labels import distinct_labels, label_array
from implicitbias.problems._offsets import Offsets
from implicitbias.problems._regression import Regression
from implicitbias.problems._rows import UnitRows
from implicitbias.problems._separability import Separability, decide
from implicitbias.problems._standardised import standardised
from implicitbias.problems._units import refuse_extreme_units, refuse_sizes_beyond

__all__ = [
    "Classification",
    "Columns",
    "Combination",
    "Equations",
    "Offsets",
    "Regression",
    "Separability",
    "SignedRows",
    "UnitRows",
    "columns_of",
    "decide",
    "distinct_labels",
    "equations",
    "exact_rank",
    "label_array",
    "reachable_part",
    "refuse_extreme_units",
    "refuse_sizes_beyond",
    "spreads",
    "standardised",
]
