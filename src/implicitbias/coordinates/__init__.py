"""One decoupled real coordinate as a scalar curve, and Lemma 4's functions."""

from implicitbias.coordinates import lemma4
from implicitbias.coordinates._curves import Curves
from implicitbias.coordinates._direct import Direct
from implicitbias.coordinates._joined import joined
from implicitbias.coordinates._points import Point
from implicitbias.coordinates._reduction import RealCoordinates, pairs, reduce_to_real
from implicitbias.coordinates._scalar_curves import ScalarCurves
from implicitbias.coordinates._two_sided_curves import TwoSidedCurves

__all__ = [
    "Curves",
    "Direct",
    "Point",
    "RealCoordinates",
    "ScalarCurves",
    "TwoSidedCurves",
    "joined",
    "lemma4",
    "pairs",
    "reduce_to_real",
]
