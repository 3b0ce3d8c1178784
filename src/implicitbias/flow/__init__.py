"""Simulate: gradient flow in the parameters, or in the n dimensions of the dual."""

from implicitbias.flow._activation_result import ActivationFlow
from implicitbias.flow._gradient_flow import gradient_flow
from implicitbias.flow._reduction import has_dual_flow
from implicitbias.flow._result import Flow, FlowState, SlideReport

__all__ = ["ActivationFlow", "Flow", "FlowState", "SlideReport", "gradient_flow", "has_dual_flow"]
