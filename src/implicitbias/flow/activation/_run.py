"""gradient_flow with an activation: the parameters, whatever the loss."""

from __future__ import annotations

from implicitbias._setting import Setting
from implicitbias.flow._arguments import Request
from implicitbias.flow._result import Flow
from implicitbias.flow.activation._classification import ActivationMargins
from implicitbias.flow.activation._regression import ActivationRegression
from implicitbias.flow.activation._result import ActivationFlow
from implicitbias.flow.classification._loss import MarginLoss
from implicitbias.flow.classification._run import margin_flow
from implicitbias.flow.regression._run import run
from implicitbias.networks import Activation
from implicitbias.problems import Regression


def activation_flow(setting: Setting, activation: Activation, request: Request) -> ActivationFlow:
    """Run the parameters of a network with an activation."""
    network, problem = setting.network, setting.problem
    start, tol = setting.init.parameters(), request.rtol
    system: ActivationRegression | ActivationMargins
    if isinstance(problem, Regression):
        system = ActivationRegression(network, problem, activation, start, tol)
        flow = run(system, request)
    else:
        loss = MarginLoss(request.loss)
        system = ActivationMargins(network, problem, activation, loss, start, tol)
        flow = margin_flow(system, request)
    model = system.model
    return _result(flow, model.activation, conserves=model.conserves)


def _result(flow: Flow, activation: Activation, *, conserves: bool) -> ActivationFlow:
    """A flow whose "coefficients" are predictions, under their own name."""
    return ActivationFlow(
        activation,
        flow.coefficients,
        flow.final_parameters,
        flow.times,
        flow.log_times,
        flow.log_losses,
        flow.residual,
        flow.margins,
        flow.log_margins,
        flow.drift if conserves else float("nan"),
        flow.outcome,
        flow.message,
        flow.method,
        flow.num_steps,
        flow.num_evaluations,
        flow.seconds,
        flow.parameters,
    )
