"""Simulate: gradient flow in the parameters, or in the n dimensions of the dual."""

from implicitbias.flow._arguments import (
    LossName,
    check_tolerance,
    refuse_predictable_only,
    request,
)
from implicitbias.flow._budget import Callback
from implicitbias.flow._decoupled import has_dual_flow
from implicitbias.flow._gradient_flow import flow_of, flows_of, gradient_flow
from implicitbias.flow._result import Flow, FlowState, SlideReport, outcome_badge
from implicitbias.flow._to_margins import MarginFlows, margin_flows
from implicitbias.flow._towards import Towards
from implicitbias.flow.activation._result import ActivationFlow
from implicitbias.flow.classification._loss import MarginLoss

__all__ = [
    "ActivationFlow",
    "Callback",
    "Flow",
    "FlowState",
    "LossName",
    "MarginFlows",
    "MarginLoss",
    "SlideReport",
    "Towards",
    "check_tolerance",
    "flow_of",
    "flows_of",
    "gradient_flow",
    "has_dual_flow",
    "margin_flows",
    "outcome_badge",
    "refuse_predictable_only",
    "request",
]
