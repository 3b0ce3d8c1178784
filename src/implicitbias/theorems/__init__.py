"""The catalogue of results, and the predictions it makes."""

from implicitbias.theorems._explain import Explanation, Finding, explain
from implicitbias.theorems._path import LimitPath, limit_at_end, limit_path, rough_limit_path
from implicitbias.theorems._predict import applicable, predict_limit, predicted, require_applicable
from implicitbias.theorems._sensitivity import Sensitivity, sensitivity
from implicitbias.theorems._situation import Situation, refuse_sparse, situation_of

__all__ = [
    "Explanation",
    "Finding",
    "LimitPath",
    "Sensitivity",
    "Situation",
    "applicable",
    "explain",
    "limit_at_end",
    "limit_path",
    "predict_limit",
    "predicted",
    "refuse_sparse",
    "require_applicable",
    "rough_limit_path",
    "sensitivity",
    "situation_of",
]
