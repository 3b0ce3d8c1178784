"""The dual problem behind decomposable networks: value, gradient, Hessian, solves; size n."""

from implicitbias.dual._newton import (
    NewtonSystem,
    Slopes,
    mild_system,
    newton_system,
    sharpened_system,
    weighted_gram,
)
from implicitbias.dual._oracle import DualOracle
from implicitbias.dual._rows import Rows, as_given
from implicitbias.dual._stack import StackSystem

__all__ = [
    "DualOracle",
    "NewtonSystem",
    "Rows",
    "Slopes",
    "StackSystem",
    "as_given",
    "mild_system",
    "newton_system",
    "sharpened_system",
    "weighted_gram",
]
