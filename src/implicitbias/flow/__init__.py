"""Simulate: gradient flow in the parameters, or in the n dimensions of the dual."""

from implicitbias.flow._arguments import check_tolerance, request
from implicitbias.flow._decoupled import has_dual_flow
from implicitbias.flow._gradient_flow import flow_of, gradient_flow
from implicitbias.flow._result import Flow, FlowState, SlideReport
from implicitbias.flow._to_margins import MarginFlows, margin_flows
from implicitbias.flow.activation._result import ActivationFlow

__all__ = [
    "ActivationFlow",
    "Flow",
    "FlowState",
    "MarginFlows",
    "SlideReport",
    "check_tolerance",
    "flow_of",
    "gradient_flow",
    "has_dual_flow",
    "margin_flows",
    "request",
]
