"""The catalogue of results, and the predictions it makes."""

from implicitbias.theorems._after_training import decided_by_training
from implicitbias.theorems._explain import Explanation, Finding, explain
from implicitbias.theorems._limit_problem import ClosedForm, LimitProblem
from implicitbias.theorems._limits import LimitPaths, Limits, Refusal
from implicitbias.theorems._many import limit_paths, predict_limits
from implicitbias.theorems._margin_path import MarginPath, margin_path
from implicitbias.theorems._path import LimitPath, limit_at_end, limit_path, rough_limit_path
from implicitbias.theorems._predict import (
    applicable,
    predict_limit,
    predicted,
    require_applicable,
    sensitivity,
)
from implicitbias.theorems._registry import register_theorem, unregister_theorem
from implicitbias.theorems._saddle_path import SaddlePath
from implicitbias.theorems._saddles import saddle_path
from implicitbias.theorems._sensitivity import Sensitivity
from implicitbias.theorems._situation import Situation, refuse_sparse, situation_of
from implicitbias.theorems._theorem import Theorem

__all__ = [
    "ClosedForm",
    "Explanation",
    "Finding",
    "LimitPath",
    "LimitPaths",
    "LimitProblem",
    "Limits",
    "MarginPath",
    "Refusal",
    "SaddlePath",
    "Sensitivity",
    "Situation",
    "Theorem",
    "applicable",
    "decided_by_training",
    "explain",
    "limit_at_end",
    "limit_path",
    "limit_paths",
    "margin_path",
    "predict_limit",
    "predict_limits",
    "predicted",
    "refuse_sparse",
    "register_theorem",
    "require_applicable",
    "rough_limit_path",
    "saddle_path",
    "sensitivity",
    "situation_of",
    "unregister_theorem",
]
