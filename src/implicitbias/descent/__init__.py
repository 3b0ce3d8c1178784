"""Train with steps of finite size: gradient descent, its runs, and their effective starts."""

from implicitbias.descent._effective import EffectiveStart
from implicitbias.descent._gradient_descent import gradient_descent
from implicitbias.descent._recorder import DualRecorder
from implicitbias.descent._result import Run

__all__ = ["DualRecorder", "EffectiveStart", "Run", "gradient_descent"]
