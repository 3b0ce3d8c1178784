"""The paths of the coefficients in the plane, and where they were predicted to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from implicitbias._arrays import FloatArray, finite_array
from implicitbias._errors import InvalidInputError
from implicitbias.flow import Flow
from implicitbias.limits import Limit
from implicitbias.plotting._style import (
    MARKERS,
    REST,
    all_given,
    aside,
    axes_of,
    checked_names,
    cross,
    framed,
    given,
    legend_beside,
    look,
)
from implicitbias.problems import Classification, Regression

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARROWS = 15  # of the field, along each side
MARGIN = 0.12  # of the window around all paths
STEP = 1e-4  # of a point's size, along which an arrow is measured
ROUNDING = 1e-9
START: dict[str, Any] = {
    "marker": "o",
    "markersize": 5,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
    "linestyle": "none",
}


@dataclass(frozen=True, eq=False)
class PathTrace:
    """One flow in the plane.

    Attributes
    ----------
    name
        What the legend says; flows of one name share a colour.
    points
        beta along the flow, (T, 2), as drawn.
    limit
        The predicted end, (2,), or None. Of a direction: where it leaves the circle around all
        paths.
    exact
        Whether the prediction is for this very start, and not for the scale tending to 0.
    """

    name: str
    points: FloatArray
    limit: FloatArray | None
    exact: bool


@dataclass(frozen=True, eq=False)
class TrajectoryTraces:
    """What ``trajectories`` draws.

    Attributes
    ----------
    paths
        One a flow.
    projection
        P, (2, d): coefficients beta are drawn at P beta.
    minima
        A point of the line of global minima and its unit direction, (2, 2); None where they are
        not a line in the plane (and for classification).
    cone
        Unit directions along one edge of the cone of separators, through its middle and along its
        other edge, (3, 2); empty for regression and beyond two features.
    radial
        Whether points are drawn at the distance asinh |beta| from the origin (classification).
    window
        Lower left and upper right corner, (2, 2).
    field_points, field
        Where the negative gradient of the loss in beta is drawn, and its unit direction there, as
        drawn, (k, 2) each; empty beyond two features.
    """

    paths: tuple[PathTrace, ...]
    projection: FloatArray
    minima: FloatArray | None
    cone: FloatArray
    radial: bool
    window: FloatArray
    field_points: FloatArray
    field: FloatArray


def trajectory_traces(
    problem: Regression | Classification,
    flows: Sequence[Flow],
    *,
    limits: Sequence[Limit | None] | None = None,
    names: Sequence[str] | None = None,
    projection: Any = None,
) -> TrajectoryTraces:
    """Collect P beta(t) of each flow, the global minima, and -grad_beta L on a grid.

    For classification beta grows for ever; points are then drawn at asinh(|beta|) beta / |beta|,
    which keeps directions, and so the cone of all beta with y_i x_i^T beta >= 0.

    Parameters
    ----------
    problem
        What was trained on.
    flows
        From ``gradient_flow``.
    limits
        The prediction for each flow, or None for one that has none.
    names
        One a flow; flows that share a name share a colour.
    projection
        P, (2, d). By default the identity for two features, and beyond the two leading principal
        directions of all paths and limits.

    Raises
    ------
    InvalidInputError
        No flow, another number of limits or names, a single feature, or arrays that do not fit.
    """
    given(problem, (Regression, Classification), "problem", "a Regression or a Classification")
    flows = all_given(flows, Flow, "flows", "result of gradient_flow")
    limits = [None] * len(flows) if limits is None else list(limits)
    if len(limits) != len(flows):
        raise InvalidInputError(
            f"limits has {len(limits)} entries; expected {len(flows)}, one a flow (None for none)."
        )
    names = checked_names(names, len(flows), "flow")
    betas = [_finite_rows(flow, problem.num_features) for flow in flows]
    ends = [None if limit is None else limit.coefficients for limit in limits]
    P = _projection(projection, problem.num_features, [*betas, *(e for e in ends if e is not None)])
    radial = isinstance(problem, Classification)
    points = [_drawn(beta @ P.T, radial) for beta in betas]
    radius = max(float(np.linalg.norm(one, axis=1).max()) for one in points)
    marks = [None if end is None else _mark(P @ end, radial, radius) for end in ends]
    window = _window([*points, *(mark for mark in marks if mark is not None)], radial)
    field_points, field = _field(problem, P, window, radial)
    paths = tuple(
        PathTrace(name, one, mark, limit is None or limit.kind != "small-scale limit")
        for name, one, mark, limit in zip(names, points, marks, limits, strict=True)
    )
    return TrajectoryTraces(
        paths, P, _minima(problem, P), _cone(problem, P), radial, window, field_points, field
    )


def trajectories(
    problem: Regression | Classification,
    flows: Sequence[Flow],
    *,
    limits: Sequence[Limit | None] | None = None,
    names: Sequence[str] | None = None,
    projection: Any = None,
    ax: Axes | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the paths of the coefficients, the global minima and the predicted limits.

    Rings are starts. Filled markers are predicted limits, hollow ones the limits of ever smaller
    scales; for classification they are directions, drawn at the rim with a ray. The thick grey line
    (shaded cone) holds all global minima (separators). Light arrows: the negative gradient of the
    loss in beta itself, which no network follows unless training beta is all it does.

    Parameters
    ----------
    problem, flows, limits, names, projection
        As in ``trajectory_traces``.
    ax
        Where to draw; a new figure by default.
    legend
        Whether to name the flows.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInputError
        As ``trajectory_traces``.
    """
    traces = trajectory_traces(problem, flows, limits=limits, names=names, projection=projection)
    ax = axes_of(ax, (5.6, 4.8))
    if len(traces.field):
        ax.quiver(
            *traces.field_points.T, *traces.field.T, color=REST, alpha=0.6, width=0.0035, scale=24,
            zorder=0,
        )  # fmt: skip
    _draw_minima(ax, traces)
    ranks = {name: rank for rank, name in enumerate(dict.fromkeys(p.name for p in traces.paths))}
    labelled: set[str] = set()
    for path in traces.paths:
        label = None if path.name in labelled else path.name
        labelled.add(path.name)
        _draw_path(ax, path, ranks[path.name], label, traces.radial)
    _frame(ax, traces, identity=projection is None and problem.num_features == 2)
    if legend:
        _legend(ax, traces)
    return ax


def _finite_rows(flow: Flow, num_features: int) -> FloatArray:
    beta = flow.coefficients
    if beta.shape[1] != num_features:
        raise InvalidInputError(
            f"a flow has {beta.shape[1]} coefficients; the problem has {num_features} features."
        )
    return beta[np.isfinite(beta).all(axis=1)]


def _projection(given: Any, num_features: int, betas: Sequence[FloatArray]) -> FloatArray:
    if given is not None:
        P = finite_array(given, "projection", shape=(2, num_features))
        if np.linalg.matrix_rank(P) < 2:
            raise InvalidInputError(f"projection is {P.tolist()}; expected two independent rows.")
        return P
    if num_features < 2:
        raise InvalidInputError("the problem has one feature; a plane needs at least two.")
    if num_features == 2:
        return np.eye(2)
    rows = [np.atleast_2d(beta) for beta in betas]
    # Each path counts alike, however far it goes.
    sizes = [max(float(np.abs(one).max()), np.finfo(float).tiny) for one in rows]
    stacked = np.vstack([one / size for one, size in zip(rows, sizes, strict=True)])
    directions: FloatArray = np.linalg.svd(stacked, full_matrices=False)[2][:2]
    if len(directions) < 2:
        raise InvalidInputError("the paths span no plane; give a projection of shape (2, d).")
    forward = np.where((stacked @ directions.T).sum(axis=0) < 0, -1.0, 1.0)
    return np.asarray(forward[:, None] * directions)


def _drawn(points: FloatArray, radial: bool) -> FloatArray:
    if not radial:
        return points
    sizes = np.linalg.norm(points, axis=-1, keepdims=True)
    safe = np.where(sizes > 0, sizes, 1.0)
    return np.asarray(points * (np.arcsinh(sizes) / safe))


def _mark(end: FloatArray, radial: bool, radius: float) -> FloatArray:
    return np.asarray(end * (radius / np.linalg.norm(end))) if radial else end


def _window(points: Sequence[FloatArray], radial: bool) -> FloatArray:
    every = np.vstack([np.atleast_2d(one) for one in [*points, np.zeros(2)]])
    low, high = every.min(axis=0), every.max(axis=0)
    side = max(float((high - low).max()), np.finfo(float).tiny)
    centre, half = (low + high) / 2, side * (0.5 + MARGIN)
    return np.array([centre - half, centre + half])


def _minima(problem: Regression | Classification, P: FloatArray) -> FloatArray | None:
    """The image of {X beta = y} where that is a line."""
    if isinstance(problem, Classification):
        return None
    particular = np.linalg.lstsq(problem.X, problem.y)[0]
    kernel = np.linalg.svd(problem.X)[2][problem.rank :]
    if not len(kernel):
        return None
    _, sizes, directions = np.linalg.svd(kernel @ P.T, full_matrices=False)
    if sizes.size > 1 and sizes[1] > ROUNDING * sizes[0]:
        return None
    return np.array([P @ particular, directions[0]])


def _cone(problem: Regression | Classification, P: FloatArray) -> FloatArray:
    """Edge, middle and edge of {y_i x_i^T beta >= 0} in R^2."""
    nothing = np.empty((0, 2))
    if isinstance(problem, Regression) or problem.num_features != 2:
        return nothing
    Z = problem.y[:, None] * problem.X
    Z = Z[np.any(Z != 0, axis=1)]
    normals = Z / np.linalg.norm(Z, axis=1, keepdims=True)
    turned = np.column_stack([-normals[:, 1], normals[:, 0]])
    edges = np.vstack([turned, -turned])
    kept = edges[(edges @ normals.T).min(axis=1) >= -ROUNDING]
    if not len(kept):
        return nothing
    first = kept[0]
    last = kept[int(np.argmin(kept @ first))]
    middle = first + last
    if np.linalg.norm(middle) <= ROUNDING:  # a half-plane
        middle = normals[0]
    return np.array([first, middle / np.linalg.norm(middle), last]) @ P.T


def _field(
    problem: Regression | Classification, P: FloatArray, window: FloatArray, radial: bool
) -> tuple[FloatArray, FloatArray]:
    """Unit arrows along -X^T r(beta), seen where and as paths are drawn."""
    if problem.num_features != 2:
        return np.empty((0, 2)), np.empty((0, 2))
    sides = [np.linspace(low, high, ARROWS + 2)[1:-1] for low, high in window.T]
    drawn = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)
    sizes = np.linalg.norm(drawn, axis=1, keepdims=True)
    stretched = np.sinh(sizes) / np.where(sizes > 0, sizes, 1.0) if radial else 1.0
    beta = np.linalg.solve(P, (drawn * stretched).T).T
    velocity = np.array([_descent(problem, one) for one in beta]) @ P.T
    speeds = np.linalg.norm(velocity, axis=1, keepdims=True)
    small = STEP * (1.0 + np.linalg.norm(beta, axis=1, keepdims=True))
    steps = small * velocity / np.where(speeds > 0, speeds, 1.0)
    field = _drawn(beta @ P.T + steps, radial) - drawn
    lengths = np.linalg.norm(field, axis=1, keepdims=True)
    moving = lengths[:, 0] > 0
    return drawn[moving], field[moving] / lengths[moving]


def _descent(problem: Regression | Classification, beta: FloatArray) -> FloatArray:
    """-X^T r up to a positive factor, which keeps classification from underflowing."""
    predictions = problem.X @ beta
    if isinstance(problem, Regression):
        return np.asarray(-problem.residual(predictions) @ problem.X)
    shift = float((problem.y * predictions).min())
    return np.asarray(-problem.residual(predictions - problem.y * shift) @ problem.X)


def _draw_minima(ax: Axes, traces: TrajectoryTraces) -> None:
    far = 4.0 * float(np.abs(traces.window).max())
    if traces.minima is not None:
        point, direction = traces.minima
        line = np.array([point - far * direction, point + far * direction])
        ax.plot(*line.T, color=REST, linewidth=4, alpha=0.7, zorder=1, label="global minima")
    if len(traces.cone):
        corners = np.vstack([np.zeros(2), far * traces.cone * np.array([[1.0], [2.0], [1.0]])])
        ax.fill(*corners.T, color=REST, alpha=0.22, linewidth=0, zorder=0, label="separators")


def _draw_path(ax: Axes, path: PathTrace, rank: int, label: str | None, radial: bool) -> None:
    style = look(rank)
    colour, marker = style["color"], MARKERS[rank % len(MARKERS)]
    ax.plot(*path.points.T, linewidth=1.7, zorder=3, label=aside(path.name), **style)
    ax.plot(*path.points[0], zorder=4, label=aside("start"), **START)
    if label is not None:  # the legend shows line and marker together
        ax.plot([], [], label=label, marker=marker, markersize=6, linewidth=1.7, **style)
    if path.limit is None:
        return
    if radial:
        ray = np.array([np.zeros(2), path.limit])
        ax.plot(
            *ray.T, color=colour, linewidth=0.9, linestyle=":", zorder=2, label=aside(path.name)
        )
    ax.plot(
        *path.limit,
        marker=marker,
        markersize=7.5,
        markerfacecolor=colour if path.exact else "white",
        markeredgecolor="black" if path.exact else colour,
        markeredgewidth=0.8 if path.exact else 1.4,
        linestyle="none",
        zorder=5,
        label=aside(path.name),
    )


def _legend(ax: Axes, traces: TrajectoryTraces) -> None:
    """What markers mean, whatever their colour and shape."""
    ax.plot([], [], label="start", **START)
    kinds = {path.exact for path in traces.paths if path.limit is not None}
    for exact, label in ((True, "predicted limit"), (False, r"predicted for $\alpha \to 0$")):
        if exact in kinds:
            face = REST if exact else "white"
            edge = "black" if exact else "grey"
            ax.scatter([], [], marker="s", s=50, facecolor=face, edgecolor=edge, label=label)
    legend_beside(ax)


def _frame(ax: Axes, traces: TrajectoryTraces, identity: bool) -> None:
    (left, bottom), (right, top) = traces.window
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    ax.set_aspect("equal")
    cross(ax)
    first, second = (
        (r"$\beta_1$", r"$\beta_2$") if identity else ("first direction", "second direction")
    )
    radius = r"  ($\times\ \mathrm{asinh}\|\beta\|\, /\, \|\beta\|$)" if traces.radial else ""
    framed(ax, first + radius, second + radius, legend=False)
