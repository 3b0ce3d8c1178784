"""Flows of one classification to several margins, each integrated once."""

from __future__ import annotations

from collections.abc import Iterable

from implicitbias._setting import Setting
from implicitbias._threads import threads_for
from implicitbias.flow._arguments import Route, refuse_predictable_only, request
from implicitbias.flow._result import Flow
from implicitbias.flow.classification._run import flows_on_the_way
from implicitbias.problems import Classification


class MarginFlows:
    """The flows of a classification with ``gradient_flow``'s defaults, by the margin they end at.

    Where flows to other margins will be asked for, too, say so beforehand (``plan``): a dual flow
    that passes there keeps what each would have found.
    """

    def __init__(self, setting: Setting, problem: Classification) -> None:
        self.setting, self.problem = setting, problem
        self.planned: set[float] = set()
        self.known: dict[tuple[Route, float], Flow] = {}

    def plan(self, log_margins: Iterable[float]) -> None:
        """Flows to these log margins will be asked for."""
        self.planned.update(log_margins)

    def to(self, log_margin: float, route: Route = "auto") -> Flow:
        """The flow that ends where the smallest margin is exp(log_margin).

        Raises
        ------
        InvalidInputError, InfeasibleProblemError
            As ``gradient_flow``.
        """
        if route == "auto":
            route = "dual" if self.setting.has_dual_flow else "parameters"
        if (route, log_margin) not in self.known:
            refuse_predictable_only(self.problem)
            furthest = max(self.planned | {log_margin}) if route == "dual" else log_margin
            asked = request(self.problem, route=route, until_log_margin=furthest)
            with threads_for(self.problem.X.size):
                others = sorted((self.planned | {log_margin}) - {furthest})
                flows = flows_on_the_way(self.setting, self.problem, asked, others)
            for margin, flow in flows.items():
                self.known.setdefault((route, margin), flow)
        if (route, log_margin) not in self.known:
            self.planned.clear()  # on nobody's way
            return self.to(log_margin, route)
        return self.known[route, log_margin]


def margin_flows(setting: Setting) -> MarginFlows:
    """The flows of a setting, the same ones for all who ask.

    Raises
    ------
    TypeError
        The setting is no classification.
    """
    if not isinstance(setting.problem, Classification):
        raise TypeError("only flows of a classification end at margins.")
    flows = setting.derived.setdefault("margin flows", MarginFlows(setting, setting.problem))
    found: MarginFlows = flows
    return found
