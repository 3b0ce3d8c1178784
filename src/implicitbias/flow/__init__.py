"""Simulate: gradient flow in the parameters, or in the n dimensions of the dual."""

from implicitbias.flow._decoupled import has_dual_flow
from implicitbias.flow._gradient_flow import gradient_flow
from implicitbias.flow._result import Flow, FlowState, SlideReport
from implicitbias.flow.activation._result import ActivationFlow

__all__ = ["ActivationFlow", "Flow", "FlowState", "SlideReport", "gradient_flow", "has_dual_flow"]
