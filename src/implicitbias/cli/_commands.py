"""``implicitbias predict``, ``explain``, ``path`` and ``flow``: one's own data, from a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from implicitbias.cli._model import Model, build_model, model_options, scale_option
from implicitbias.cli._printing import Progress, console, print_json

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray
    from implicitbias.flow import Flow, FlowState
    from implicitbias.limits import Limit
    from implicitbias.theorems import LimitPath

SHOWN = 15  # coefficients listed without --json
NONZERO = 1e-6  # of the largest coefficient
CERTIFIED = 1e-8

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, with all coefficients."
)


@click.command(short_help="Predict where training ends, without training.")
@model_options
@scale_option
@json_option
@click.pass_context
def predict(ctx: click.Context, scale: float, as_json: bool) -> None:
    """Predict where training on DATA (a CSV file) ends, without training."""
    from implicitbias.theorems import predict_limit

    model = build_model(ctx)
    limit = predict_limit(model.network, model.problem, model.init(scale))
    if as_json:
        print_json(_limit_as_json(model, limit, scale))
        return
    click.echo(f"{limit.kind} by {limit.theorem}: {model.title}, scale {scale:g}")
    for verdict in limit.assumptions:
        click.echo(f"  {verdict}")
    click.echo(f"  certificate: {limit.certificate}")
    if limit.note:
        click.echo(f"  {limit.note}")
    _print_coefficients(model, limit.coefficients)


@click.command(short_help="Hold every result of the theory against DATA.")
@model_options
@scale_option
@json_option
@click.pass_context
def explain(ctx: click.Context, scale: float, as_json: bool) -> None:
    """Hold every result of the theory against training on DATA (a CSV file).

    For each: its assumptions with their measured numbers, its prediction, and what would make it
    apply.
    """
    from implicitbias import theorems

    model = build_model(ctx)
    found = theorems.explain(model.network, model.problem, model.init(scale))
    if as_json:
        print_json(found.to_dict() | {"columns": model.table.names})
    else:
        click.echo(found)


@click.command(short_help="Predict where training ends, for many scales.")
@model_options
@click.option(
    "--largest", type=float, default=1e4, show_default=True, help="The largest finite scale."
)
@click.option(
    "--smallest", type=float, default=1e-6, show_default=True, help="The smallest positive scale."
)
@click.option(
    "--num", type=click.IntRange(min=2), default=41, show_default=True, help="Number of scales."
)
@click.option(
    "--ends/--no-ends",
    default=True,
    show_default=True,
    help="Add the limits as the scale tends to 0 and to infinity.",
)
@click.option(
    "--figure",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw the coefficients along the scale; .png, .pdf or .svg.",
)
@json_option
@click.pass_context
def path(
    ctx: click.Context,
    largest: float,
    smallest: float,
    num: int,
    ends: bool,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Predict where training on DATA (a CSV file) ends, for many scales of the initialization."""
    import numpy as np

    from implicitbias.theorems import limit_path

    if not 0 < smallest < largest < float("inf"):
        raise click.UsageError(
            f"--smallest is {smallest:g} and --largest is {largest:g}; expected 0 < smallest < "
            "largest < infinity."
        )
    if figure is not None and figure.suffix not in (".png", ".pdf", ".svg"):
        raise click.BadParameter(f"{figure} must end in .png, .pdf or .svg.", param_hint="--figure")
    model = build_model(ctx)
    scales = np.geomspace(largest, smallest, num)
    if ends:
        scales = np.concatenate([[np.inf], scales, [0.0]])
    limits = limit_path(model.network, model.problem, model.directions, scales)
    if figure is not None:
        _draw(limits, model, figure)
    if as_json:
        print_json(_path_as_json(model, limits))
    else:
        _print_path(model, limits)
    worst = max(limit.certificate.worst for limit in limits.limits)
    if not worst <= CERTIFIED:
        click.echo(f"Error: a limit is certified only to {worst:.1e}.", err=True)
        ctx.exit(1)


@click.command(short_help="Simulate training by gradient flow.")
@model_options
@scale_option
@click.option(
    "--route",
    type=click.Choice(("auto", "parameters", "dual", "coordinates")),
    default="auto",
    show_default=True,
    help="Integrate the layers, the dual in as many unknowns as points, where it exists, or the "
    "spectra of full-length filters.",
)
@click.option(
    "--until-residual",
    type=click.FloatRange(min=0),
    metavar="FLOAT",
    default=1e-10,
    show_default=True,
    help="Stop at this residual relative to the target.",
)
@click.option(
    "--max-time",
    type=click.FloatRange(min=0, min_open=True),
    metavar="FLOAT",
    help="Stop at this time.",
)
@json_option
@click.pass_context
def flow(
    ctx: click.Context,
    scale: float,
    route: Any,
    until_residual: float,
    max_time: float | None,
    as_json: bool,
) -> None:
    """Simulate training on DATA (a CSV file) by gradient flow."""
    from implicitbias._errors import Outcome
    from implicitbias.flow import gradient_flow

    model, progress = build_model(ctx), Progress()

    def report(state: FlowState) -> None:
        progress.show(
            f"step {state.num_steps}, time {state.time:.3g}, residual {state.residual:.1e} ..."
        )

    result = gradient_flow(
        model.network,
        model.problem,
        model.init(scale),
        route=route,
        until_residual=until_residual,
        max_time=max_time,
        callback=report,
    )
    progress.clear()
    if as_json:
        print_json(_flow_as_json(model, result, scale))
    else:
        click.echo(f"{model.title}, scale {scale:g}\n{result}")
        _print_coefficients(model, result.final_coefficients)
    ctx.exit(0 if result.outcome.converged or result.outcome is Outcome.TIME_REACHED else 1)


def _limit_as_json(model: Model, limit: Limit, scale: float) -> dict[str, Any]:
    from implicitbias._verdicts import finite_or_text

    return {
        "result": limit.theorem,
        "kind": limit.kind,
        "scale": finite_or_text(scale),
        "certificate": limit.certificate.to_dict(),
        "assumptions": [verdict.to_dict() for verdict in limit.assumptions],
        "note": limit.note,
        "coefficients": model.named(limit.coefficients),
    }


def _path_as_json(model: Model, limits: LimitPath) -> dict[str, Any]:
    pairs = zip(limits.scales.tolist(), limits.limits, strict=True)
    return {
        "result": limits.theorem,
        "limits": [_limit_as_json(model, limit, scale) for scale, limit in pairs],
    }


def _flow_as_json(model: Model, result: Flow, scale: float) -> dict[str, Any]:
    from implicitbias._verdicts import finite_or_text

    return {
        "outcome": result.outcome.name,
        "message": result.message,
        "route": result.route,
        "scale": scale,
        "time": finite_or_text(float(result.times[-1])),
        "residual": finite_or_text(result.residual),
        "remaining_change": finite_or_text(result.remaining_change),
        "drift": finite_or_text(result.drift),
        "steps": result.num_steps,
        "seconds": round(result.seconds, 3),
        "coefficients": model.named(result.final_coefficients),
    }


def _print_coefficients(model: Model, coefficients: FloatArray) -> None:
    import numpy as np
    from rich.table import Table

    largest_first = np.argsort(-np.abs(coefficients), kind="stable")
    lines = Table("column", box=None)
    lines.add_column("coefficient", justify="right")
    for j in largest_first[:SHOWN]:
        lines.add_row(model.table.names[j], f"{coefficients[j]: .10g}")
    console().print(lines)
    left = coefficients.size - SHOWN
    if left > 0:
        click.echo(f"... and {left} smaller ones (--json prints all)")


def _print_path(model: Model, limits: LimitPath) -> None:
    import numpy as np
    from rich.table import Table

    click.echo(f"{limits.theorem}: {model.title}")
    lines = Table(box=None)
    for name in ("scale", "l1 norm", "l2 norm", "nonzero", "feasibility", "gap"):
        lines.add_column(name, justify="right")
    rows = zip(limits.scales, limits.coefficients, limits.feasibilities, limits.gaps, strict=True)
    for scale, beta, feasibility, gap in rows:
        size = np.abs(beta)
        lines.add_row(
            f"{scale:.3g}",
            f"{size.sum():.8g}",
            f"{np.linalg.norm(beta):.8g}",
            str(int(np.sum(size > NONZERO * size.max()))),
            f"{feasibility:.1e}",
            f"{gap:.1e}",
        )
    console().print(lines)
    click.echo(f"nonzero: more than {NONZERO:g} of the largest coefficient")


def _draw(limits: LimitPath, model: Model, file: Path) -> None:
    from implicitbias import plotting
    from implicitbias.report import new_figure, replacing

    figure = new_figure((7.5, 4.8))
    ax = figure.subplots()
    plotting.scale_path(limits, ax=ax, names=model.table.names)
    ax.set_title(model.title, fontsize="medium")
    with replacing(file) as scratch:
        figure.savefig(scratch, dpi=150)
