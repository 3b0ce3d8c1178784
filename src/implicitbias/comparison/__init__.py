"""Where flow and limit are held against each other."""

from implicitbias.comparison._compare import compare
from implicitbias.comparison._result import Comparison
from implicitbias.comparison._verify import verify

__all__ = ["Comparison", "compare", "verify"]
