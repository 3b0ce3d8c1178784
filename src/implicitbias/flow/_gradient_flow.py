"""gradient_flow: train for ever, in continuous time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack, overload

from implicitbias._names import renamed
from implicitbias._setting import Setting, setting_of
from implicitbias._threads import threads_for
from implicitbias.flow._arguments import (
    LossName,
    Request,
    Route,
    check_activation,
    refuse_predictable_only,
    request,
)
from implicitbias.flow._budget import Callback
from implicitbias.flow._result import Flow
from implicitbias.flow.activation._result import ActivationFlow
from implicitbias.flow.activation._run import activation_flow
from implicitbias.flow.classification._run import classification_flow, flows_on_the_way
from implicitbias.flow.regression._run import regression_flow
from implicitbias.initialization import Initialization
from implicitbias.networks import AnyActivation, Network
from implicitbias.problems import Classification, Regression


class Options(TypedDict, total=False):
    """The options that do not decide what is returned, for type checkers."""

    route: Route
    until_residual: float
    until_change: float
    until_margin: float
    until_log_margin: float | None
    until_loss: float | None
    until_log_loss: float | None
    loss: LossName
    max_time: float | None
    max_steps: int | None
    rtol: float | None
    num_points: int
    times: Any
    save_parameters: bool
    callback: Callback | None


@overload
def gradient_flow(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    activation: None = ...,
    **options: Unpack[Options],
) -> Flow: ...


@overload
def gradient_flow(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    activation: AnyActivation,
    **options: Unpack[Options],
) -> ActivationFlow: ...


@renamed(tol="rtol")
def gradient_flow(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    route: Route = "auto",
    until_residual: float = 1e-10,
    until_change: float = 1e-11,
    until_margin: float = 1e6,
    until_log_margin: float | None = None,
    until_loss: float | None = None,
    until_log_loss: float | None = None,
    loss: LossName = "exponential",
    activation: AnyActivation | None = None,
    max_time: float | None = None,
    max_steps: int | None = None,
    rtol: float | None = None,
    num_points: int = 200,
    times: Any = None,
    save_parameters: bool = False,
    callback: Callback | None = None,
) -> Flow | ActivationFlow:
    """Simulate dTheta/dt = -grad L(Theta) from Theta(0) until the data are fitted.

    Regression is followed to its end point, classification, where beta grows for ever, to a margin.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where.
    route
        "parameters" integrates the layers, for any network, knowing nothing of the theory. "dual"
        integrates the n-dimensional flow d nu/dt = y - X S^T psi(S X^T nu), the same trajectory at
        a cost that does not depend on the depth, where the network has decoupled coordinates in
        real clocks. "fourier", for regression, integrates the spectra of full-length filters,
        whatever the data. "auto" takes the dual where it exists, then the spectra where they are
        faster, then the parameters; the last also where the dual ends at the floor of float64
        (deep networks at small scales).
    until_residual
        Stop at ||X beta - y|| <= until_residual ||y|| (0/0 = 0; where y = 0 relative to the start)
    until_change
        ... and once beta has at most this part of |beta|_inf left to go, by a Newton step on the
        linearised flow: on ill-conditioned data a small residual alone promises little.
    until_margin, until_log_margin
        Classification: stop where min_i y_i x_i^T beta reaches this, exactly there; the natural
        logarithm, for margins beyond float64, decides if given. Both routes work in the loss
        clock and underflow at no loss. Past margins near 1e10 float64 no longer resolves the
        differences that weigh the points: "parameters" stops there, while from 1e8 on "dual"
        slides, the smallest margins differing by their weights' logarithms, as they do in the
        flow: off by 1e-14 where measured, and by log(margin) / margin at most, for a while after a
        point has entered or left the support.
    until_loss, until_log_loss
        Stop where the training loss, 1/2 ||X beta - y||^2 or the sum over all points, reaches this,
        exactly there, instead of at a residual or a margin; its natural logarithm, for losses
        beyond float64, decides if given. Measured, of a regression: to 1e-10 of the loss, and near
        the end of training to what rounding leaves of the residual; of a classification: log loss
        to 1e-13 of itself.
    loss
        Classification: sum_i exp(-y_i f_i), for which the theory is stated, or "logistic",
        sum_i log(1 + exp(-y_i f_i)), whose tail is the same.
    activation
        Train with phi in the hidden layers, for which no theory speaks: "relu", "leaky_relu" or
        "tanh", a pair (phi, its derivative), or an ``Activation``. By the parameters only, and the
        result is an ``ActivationFlow``, with predictions in the place of coefficients. Flows slide
        along kinks: those of the named ones are rounded over 1e-4 of the largest preactivation.
    max_time
        Stop at t = max_time.
    max_steps
        Stop after so many integration steps; by default after as many evaluations of the velocity
        as take seconds up to a hundred points, and up to four times as many while a regression's
        loss falls or its state grows.
    rtol
        Relative tolerance of the integrator; by default what the route needs for 1e-9 in beta at
        the end and, where ``times``, ``max_time`` or a loss are given, there (up to 150 points on
        the dual route). Where they are not, a regression's dual has the times on the way right to
        about 1e-9 of themselves: where a coordinate jumps, beta may be off by 1e-6 (four layers at
        scale 0.1) or 1e-4 (at 0.01).
    num_points
        Save at most so many points, t = 0 and the end included, log-spaced in time.
    times
        Save these increasing times instead, and stop at the last; the start, time 0, is saved in
        any case, whether it is among them or not. A flow that comes to its end
        before, a classification at its margin, saves its end after the times it passed.
    save_parameters
        Save the layers with every point: ``Flow.parameters``.
    callback
        Called with a ``FlowState`` after every step; anything true stops the flow.
        ``ProgressBar()`` shows percent and time left, in terminals and notebooks.

    Returns
    -------
    Flow or ActivationFlow
        ``outcome`` and ``message`` say why it ended: RESIDUAL_REACHED, MARGIN_REACHED or
        LOSS_REACHED;
        STATIONARY at a point with positive loss (dead or sign-locked coordinates); TIME_REACHED;
        STOPPED_BY_CALLBACK; STEP_LIMIT; PRECISION_REACHED where float64 resolves no more;
        UNSTABLE where the flow seems to end well, but conserved quantities were lost to rounding or
        the same flow with smaller steps goes elsewhere; FAILED.

    Raises
    ------
    InvalidInputError
        Arguments that do not fit together or are out of range, a loss above that of the start or
        below a rounding of y among them; ``route="dual"`` for a network without real decoupled
        coordinates (the message names the assumption that fails).
    InfeasibleProblemError
        Classes that are proved not to be linearly separable; ``evidence`` is the proof.

    Notes
    -----
    Source: Yun, Krishnan and Mobahi, ICLR 2021, section 3, for the flow; the dual flow is derived
    from their Assumption 1.
    """
    setting = setting_of(network, problem, init)
    refuse_predictable_only(problem)
    asked = request(
        problem,
        route=route,
        until_residual=until_residual,
        until_change=until_change,
        until_margin=until_margin,
        until_log_margin=until_log_margin,
        until_loss=until_loss,
        until_log_loss=until_log_loss,
        loss=loss,
        max_time=max_time,
        max_steps=max_steps,
        rtol=rtol,
        num_points=num_points,
        times=times,
        save_parameters=save_parameters,
        callback=callback,
    )
    if activation is None:
        return flow_of(setting, asked)
    with threads_for(problem.X.size):
        return activation_flow(setting, check_activation(activation, asked.route), asked)


def flow_of(setting: Setting, asked: Request) -> Flow:
    """``gradient_flow`` of what has been checked, its coordinates derived once.

    Raises
    ------
    InvalidInputError, InfeasibleProblemError
        As ``gradient_flow``.
    """
    problem = setting.problem
    refuse_predictable_only(problem)
    with threads_for(problem.X.size):
        if isinstance(problem, Classification):
            return classification_flow(setting, problem, asked)
        return regression_flow(setting, problem, asked)


def flows_of(setting: Setting, asked: Request, log_margins: Sequence[float]) -> dict[float, Flow]:
    """``flow_of`` of a classification, and those to log margins on its way, by where they end.

    Raises
    ------
    InvalidInputError, InfeasibleProblemError
        As ``gradient_flow``.
    TypeError
        The setting is no classification.
    """
    problem = setting.problem
    if not isinstance(problem, Classification):
        raise TypeError("only flows of a classification end at margins.")
    refuse_predictable_only(problem)
    with threads_for(problem.X.size):
        return flows_on_the_way(setting, problem, asked, log_margins)
