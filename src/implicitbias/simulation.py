"""simulate_limit: where training ends by simulation, for situations that no theorem covers."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np

from implicitbias._arrays import FloatArray, NumericArray
from implicitbias._closing import angle_between
from implicitbias._errors import NoPredictionError, Outcome
from implicitbias._html import Badge
from implicitbias._results import Record, plain
from implicitbias._threads import threads_for
from implicitbias.alignment import Theorem1, theorem_1
from implicitbias.flow import ActivationFlow, Callback, Flow, flow_of, gradient_flow, request
from implicitbias.initialization import Initialization
from implicitbias.limits import (
    PathError,
    conjugate_groups,
    l1_max_margin,
    l2_max_margin,
    least_l1_interpolator,
    least_l2_interpolator,
)
from implicitbias.networks import AnyActivation, Network
from implicitbias.problems import Classification, Regression
from implicitbias.theorems import Situation, applicable, refuse_sparse, situation_of

COLUMNS = 80
FITTED = 1e-6  # residual up to which beta is held against interpolators
L2, L1, SPECTRUM = "l2 norm of beta", "l1 norm of beta", "l1 norm of rho"

ENDINGS = {
    Outcome.RESIDUAL_REACHED: "training fits the data",
    Outcome.MARGIN_REACHED: "training goes on for ever; this is its direction at a finite margin",
    Outcome.STATIONARY: "training comes to rest and does not fit the data",
}
NOT_ENDED = "NOT the end of training: the flow stopped on the way"


@dataclass(frozen=True, repr=False)
class LeastNorm(Record):
    """A norm of the end of training beside its least value, and how far the point of that is.

    Attributes
    ----------
    name
        The norm: "l2 norm of beta", "l1 norm of beta", or "l1 norm of rho" with beta = S^T rho.
    value
        The norm at the end.
    least
        The least norm of any interpolator, or of any point with margins of at least 1.
    distance
        ||beta - z|| / ||z|| to the point z of least norm; in classification the angle to it.
    """

    name: str
    value: float
    least: float
    distance: float

    @property
    def excess(self) -> float:
        """value / least - 1, with 0/0 = 1."""
        if self.value == self.least:
            return 0.0
        return self.value / self.least - 1.0 if self.least > 0.0 else np.inf

    def to_dict(self) -> dict[str, Any]:
        """As for every result, its name as ``norm``."""
        found = super().to_dict()
        return {"norm": found.pop("name")} | found

    def _short(self) -> str:
        return f"{self.name} {self.value:.5g}, least {self.least:.5g}, apart {self.distance:.2g}"


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedLimit(Record):
    """Where training ended when it was simulated. It is evidence, not a theorem.

    Attributes
    ----------
    coefficients
        beta, (d,); in classification scaled so that min_i y_i x_i^T beta = 1; None with an
        activation, where there are predictions only.
    covered_by
        The result of the theory whose assumptions none fail; None where no result applies.
    flow
        The flow that was run: ``outcome``, ``residual``, ``remaining_change``, layers, times.
    layer_norms
        ||v_l|| at the end, (L,); None where they overflow.
    references
        The end beside the points of least norm; empty where the data are not fitted.
    theorem_1
        Classification: what Theorem 1 says of the end; None before the points are separated, and
        for networks without a data tensor.
    """

    coefficients: FloatArray | None
    covered_by: str | None
    flow: Flow | ActivationFlow
    layer_norms: FloatArray | None
    references: tuple[LeastNorm, ...] = ()
    theorem_1: Theorem1 | None = None

    def _short(self) -> str:
        covered = "no theorem" if self.covered_by is None else self.covered_by
        return f"{'ended' if self.ended else 'NOT ENDED'}: {self.flow.outcome.name}, {covered}"

    def _badge(self) -> Badge:
        return Badge("ended", "good") if self.ended else Badge("NOT ENDED", "bad")

    @property
    def ended(self) -> bool:
        """Whether the flow came to its end: it fits the data, reached the margin, or rests."""
        return self.flow.outcome in ENDINGS

    def __str__(self) -> str:
        flow, status = self.flow, ENDINGS.get(self.flow.outcome, NOT_ENDED)
        covered = "no theorem names the end of training here"
        if self.covered_by is not None:
            covered = f"{self.covered_by} covers this; verify() holds the two against each other"
        lines = [
            f"Found by simulation: {covered}.",
            f"  {status}",
            f"  {flow.message}",
            f"  {self._measured()}",
        ]
        if self.coefficients is not None:
            beta = np.array2string(
                self.coefficients, precision=6, threshold=8, edgeitems=3, max_line_width=200
            )
            lines.append("  beta = " + beta.replace(" ]", "]"))
        if self.layer_norms is not None:
            norms = ", ".join(f"{norm:.4g}" for norm in self.layer_norms)
            lines.append(f"  norms of the layers: {norms}")
        text = "\n".join(_wrapped(line) for line in lines)
        if self.references:
            text += "\n" + "\n".join(self._table())
        if self.theorem_1 is not None:
            text += "\n" + "\n".join(_wrapped(f"  {x}") for x in str(self.theorem_1).splitlines())
        return text

    def _measured(self) -> str:
        flow = self.flow
        text = f"log loss {flow.log_losses[-1]:.4g} at time {_time(flow)}"
        if isinstance(flow, Flow) and flow.log_margins is None:
            text += f", residual {flow.residual:.1e}, remaining change {flow.remaining_change:.1e}"
        elif flow.log_margins is not None:
            text += f", log margin {flow.log_margins[-1]:.4g}"
        return text if np.isnan(flow.drift) else f"{text}, drift {flow.drift:.1e}"

    def _table(self) -> list[str]:
        directions = self.flow.log_margins is not None
        lines = [
            f"  {'of all max-margin points' if directions else 'of all interpolators':24s}"
            f"{'here':>10s} {'least':>10s} {'excess':>9s} {'angle' if directions else 'apart':>9s}"
        ]
        return lines + [
            f"  {one.name:24s}{one.value:10.5g} {one.least:10.5g} {one.excess:9.2g} "
            f"{one.distance:9.2g}"
            for one in self.references
        ]

    def to_dict(self) -> dict[str, Any]:
        """A summary as what ``json.dumps`` takes; ``flow.to_dict()`` has the whole flow."""
        flow, found = self.flow, self.theorem_1
        return {
            "found": "by simulation",
            "covered_by": self.covered_by,
            "ended": self.ended,
            "outcome": flow.outcome.name,
            "message": flow.message,
            "time": _time(flow),
            "log_loss": plain(flow.log_losses[-1]),
            "residual": plain(flow.residual),
            "drift": plain(flow.drift),
            "remaining_change": plain(getattr(flow, "remaining_change", np.nan)),
            "log_margin": None if flow.log_margins is None else plain(flow.log_margins[-1]),
            "coefficients": plain(self.coefficients),
            "layer_norms": plain(self.layer_norms),
            "least_norms": plain(self.references),
            "theorem_1_residual": None if found is None else plain(found.residual),
        }


def simulate_limit(
    network: Network,
    problem: Regression | Classification,
    init: Initialization,
    *,
    activation: AnyActivation | None = None,
    until_residual: float = 1e-10,
    until_margin: float = 1e6,
    max_time: float | None = None,
    max_steps: int | None = None,
    callback: Callback | None = None,
) -> SimulatedLimit:
    """lim_{t -> infinity} beta(Theta(t)) as far as simulation shows it, where no theorem does.

    Runs ``gradient_flow`` by its automatic route and measures what its end is like: whether it is
    an end, how far there is to go, and how near it is to the interpolators (or the points of
    margin 1) of least l2 norm, least l1 norm, and least l1 norm in decoupled coordinates.

    Parameters
    ----------
    network, problem, init
        What is trained, on what, and from where.
    activation, until_residual, until_margin, max_time, max_steps, callback
        As for ``gradient_flow``; ``callback=ProgressBar()`` shows how far it is.

    Raises
    ------
    InvalidInputError
        Arguments that do not fit together, or sparse data.
    InfeasibleProblemError
        The two classes are not linearly separable (without an activation).

    Notes
    -----
    Source: the flow of Yun, Krishnan and Mobahi, ICLR 2021, section 3.
    """
    situation = situation_of(network, problem, init)
    refuse_sparse(situation, "simulate_limit")
    if activation is not None:
        bent = gradient_flow(
            network,
            problem,
            init,
            activation=activation,
            until_residual=until_residual,
            until_margin=until_margin,
            max_time=max_time,
            max_steps=max_steps,
            callback=callback,
        )
        return SimulatedLimit(None, None, bent, _norms(bent))
    asked = request(
        problem,
        until_residual=until_residual,
        until_margin=until_margin,
        max_time=max_time,
        max_steps=max_steps,
        callback=callback,
    )
    flow = flow_of(situation, asked)
    beta = flow.final_coefficients if flow.final_direction is None else flow.final_direction
    separates = flow.log_margins is not None and flow.log_margins[-1] > -np.inf
    with threads_for(problem.X.size):
        aligned = None
        known = separates and flow.final_parameters is not None and network.is_multilinear
        if isinstance(problem, Classification) and known:
            aligned = theorem_1(network, problem, flow, max_entries=0)
        return SimulatedLimit(
            beta,
            _covered(situation),
            flow,
            _norms(flow),
            _references(situation, flow, beta) if separates or flow.residual <= FITTED else (),
            aligned,
        )


def _covered(situation: Situation) -> str | None:
    try:
        return applicable(situation)[0].name
    except NoPredictionError:
        return None


def _norms(flow: Flow | ActivationFlow) -> FloatArray | None:
    layers = flow.final_parameters
    return None if layers is None else np.array([np.linalg.norm(layer) for layer in layers])


def _references(situation: Situation, flow: Flow, beta: FloatArray) -> tuple[LeastNorm, ...]:
    norms: list[tuple[str, int, NumericArray]] = [(L2, 2, beta), (L1, 1, beta)]
    rho = _spectrum(situation, flow, beta)
    if rho is not None:
        norms.append((SPECTRUM, 1, rho))
    found = []
    for name, order, values in norms:
        try:
            least, z = _least(situation, name)
        except (NoPredictionError, PathError):  # a solver gave up: the row is left out
            continue
        value = float(np.linalg.norm(values, order))
        found.append(LeastNorm(name, value, least, _apart(flow, beta, z)))
    return tuple(found)


def _spectrum(situation: Situation, flow: Flow, beta: FloatArray) -> NumericArray | None:
    """rho of the layers, with S^T rho = beta; None without other coordinates than beta's own."""
    layers = flow.final_parameters
    decomposition = situation.decomposition
    if layers is None or decomposition.is_identity or not decomposition.verdict.holds:
        return None
    coordinates = situation.decomposition.coordinates(
        [v / (np.abs(v).max() or 1.0) for v in layers]
    )
    rho: NumericArray = np.prod(coordinates, axis=0)
    size = float(np.linalg.norm(situation.decomposition.coefficients(rho)))
    return rho * (float(np.linalg.norm(beta)) / size) if size > 0.0 else None


def _least(situation: Situation, name: str) -> tuple[float, FloatArray]:
    """The least norm, and the beta that has it."""
    rows, regression = situation.rows.toarray(), isinstance(situation.problem, Regression)
    y, groups = situation.targets, None
    if name == SPECTRUM:
        rows = situation.decomposition.features(rows)
        if not situation.decomposition.is_real:
            groups = conjugate_groups(situation.decomposition.S)
    if not regression:
        rows = y[:, None] * rows
    if name == L2:
        z = least_l2_interpolator(rows, y) if regression else l2_max_margin(rows).rho
        return float(np.linalg.norm(z)), np.asarray(z)
    z = (
        least_l1_interpolator(rows, y, groups)
        if regression
        else l1_max_margin(rows, groups=groups).rho
    )
    beta = situation.decomposition.coefficients(z).real if name == SPECTRUM else z
    return float(np.abs(z).sum()), np.ascontiguousarray(beta)


def _apart(flow: Flow, beta: FloatArray, z: FloatArray) -> float:
    if flow.final_direction is not None:
        return angle_between(beta, z)
    missing, size = float(np.linalg.norm(beta - z)), float(np.linalg.norm(z))
    return missing / size if size > 0.0 else np.inf if missing > 0.0 else 0.0


def _time(flow: Flow | ActivationFlow) -> float | str:
    """t at the end, or its exponential where t leaves float64."""
    time, log_time = float(flow.times[-1]), float(flow.log_times[-1])
    if 0.0 < time < np.inf or log_time == -np.inf:
        return float(f"{time:.6g}")
    return f"exp({log_time:.6g})"


def _wrapped(line: str) -> str:
    return fill(
        line,
        COLUMNS,
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
