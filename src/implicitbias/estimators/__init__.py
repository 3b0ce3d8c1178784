"""Limits of gradient flow as scikit-learn estimators."""

from implicitbias.estimators._classifier import FlowLimitClassifier
from implicitbias.estimators._classifier_cv import FlowLimitClassifierCV
from implicitbias.estimators._cv import FlowLimitRegressorCV
from implicitbias.estimators._displays import ScalePathDisplay, StopTimeDisplay
from implicitbias.estimators._path import flow_limit_path
from implicitbias.estimators._regressor import FlowLimitRegressor
from implicitbias.estimators._stopped import StoppedFlowRegressor

__all__ = [
    "FlowLimitClassifier",
    "FlowLimitClassifierCV",
    "FlowLimitRegressor",
    "FlowLimitRegressorCV",
    "ScalePathDisplay",
    "StopTimeDisplay",
    "StoppedFlowRegressor",
    "flow_limit_path",
]
