"""``implicitbias predict``, ``explain``, ``path`` and ``flow``: one's own data, from a file."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from implicitbias.cli._model import Model, build_model, model_options, scale_option
from implicitbias.cli._output import FIGURE, INTERCEPT, out_option, output, write
from implicitbias.cli._printing import Progress, bar, console, print_json

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray
    from implicitbias.flow import Flow, FlowState
    from implicitbias.limits import Limit
    from implicitbias.theorems import LimitPath

SHOWN = 15  # coefficients listed without --json
NONZERO = 1e-6  # of the largest coefficient
CERTIFIED = 1e-8
TITLE_WIDTH = 80  # characters of a line above a figure
LOG_10 = 2.302585092994046

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, with all coefficients."
)


@click.command(short_help="Predict where training ends, without training.")
@model_options
@scale_option
@out_option
@json_option
@click.pass_context
def predict(ctx: click.Context, scale: float, out: Path | None, as_json: bool) -> None:
    """Predict where training on DATA (CSV, Parquet or .npz) ends, without training."""
    from implicitbias._errors import NoPredictionError
    from implicitbias.theorems import predict_limit

    with output(out) as directory:
        model = build_model(ctx)
        try:
            limit = predict_limit(model.network, model.problem, model.init(scale))
        except NoPredictionError as error:
            hint = "On the command line: implicitbias explain DATA ... --simulate"
            raise click.ClickException(f"{error}\n{hint}") from error
        result = _limit_as_json(model, limit, scale)
        if directory is not None:
            write(directory, model, result, {"coefficient": limit.coefficients})
    if as_json:
        print_json(result)
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
@click.option(
    "--simulate",
    is_flag=True,
    help="Train as well, and say what the end is like: where no result predicts it, the only way.",
)
@json_option
@click.pass_context
def explain(ctx: click.Context, scale: float, simulate: bool, as_json: bool) -> None:
    """Hold every result of the theory against training on DATA (CSV, Parquet or .npz).

    For each: its assumptions with their measured numbers, its prediction, and what would make it
    apply.
    """
    from implicitbias import theorems
    from implicitbias.simulation import simulate_limit

    model = build_model(ctx)
    situation = (model.network, model.problem, model.init(scale))
    found = theorems.explain(*situation)
    simulated = simulate_limit(*situation) if simulate and not found.data.fails else None
    if as_json:
        extra = {} if simulated is None else {"simulated": simulated.to_dict()}
        print_json(found.to_dict() | extra | {"columns": model.table.names})
        return
    click.echo(found)
    if simulated is not None:
        click.echo(f"\n{simulated}")


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
@out_option
@json_option
@click.pass_context
def path(
    ctx: click.Context,
    largest: float,
    smallest: float,
    num: int,
    ends: bool,
    figure: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Predict where training on DATA (CSV, Parquet or .npz) ends, for many initial scales."""
    import numpy as np

    from implicitbias.problems import Regression
    from implicitbias.theorems import limit_path

    if not 0 < smallest < largest < float("inf"):
        raise click.UsageError(
            f"--smallest is {smallest:g} and --largest is {largest:g}; expected 0 < smallest < "
            "largest < infinity."
        )
    if figure is not None and figure.suffix not in (".png", ".pdf", ".svg"):
        raise click.BadParameter(f"{figure} must end in .png, .pdf or .svg.", param_hint="--figure")
    with output(out) as directory:
        model = build_model(ctx)
        if not isinstance(model.problem, Regression):
            raise click.UsageError("in classification the limit direction forgets the scale.")
        scales = np.geomspace(largest, smallest, num)
        if ends:
            scales = np.concatenate([[np.inf], scales, [0.0]])
        with bar("scales", scales.size) as done:
            limits = limit_path(
                model.network, model.problem, model.directions, scales, callback=done
            )
        result = _path_as_json(model, limits)
        if figure is not None:
            _draw(limits, model, figure)
        if directory is not None:
            _draw(limits, model, directory / FIGURE)
            names = [f"scale {scale:.6g}" for scale in scales]
            write(directory, model, result, dict(zip(names, limits.coefficients, strict=True)))
    if as_json:
        print_json(result)
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
@click.option(
    "--until-margin",
    type=click.FloatRange(min=0, min_open=True),
    metavar="FLOAT",
    default=1e6,
    show_default=True,
    help="Classification: stop at this smallest margin.",
)
@out_option
@json_option
@click.pass_context
def flow(
    ctx: click.Context,
    scale: float,
    route: Any,
    until_residual: float,
    max_time: float | None,
    until_margin: float,
    out: Path | None,
    as_json: bool,
) -> None:
    """Simulate training on DATA (CSV, Parquet or .npz) by gradient flow."""
    from implicitbias._errors import Outcome
    from implicitbias.flow import gradient_flow

    progress = Progress()

    def report(state: FlowState) -> None:
        progress.show(
            f"step {state.num_steps}, time {state.time:.3g}, log10 loss "
            f"{state.log_loss / LOG_10:.1f} ..."
        )

    with output(out) as directory:
        model = build_model(ctx)
        result = gradient_flow(
            model.network,
            model.problem,
            model.init(scale),
            route=route,
            until_residual=until_residual,
            until_margin=until_margin,
            max_time=max_time,
            callback=report,
        )
        progress.clear()
        beta = result.final_coefficients
        if result.final_direction is not None:
            beta = result.final_direction
        summary = _flow_as_json(model, result, scale, beta)
        if directory is not None:
            write(directory, model, summary, {"coefficient": beta})
    if as_json:
        print_json(summary)
    else:
        click.echo(f"{model.title}, scale {scale:g}\n{result}")
        _print_coefficients(model, beta)
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
        "intercept": model.constant(limit.coefficients),
        "coefficients": model.named(limit.coefficients),
    }


def _path_as_json(model: Model, limits: LimitPath) -> dict[str, Any]:
    pairs = zip(limits.scales.tolist(), limits.limits, strict=True)
    return {
        "result": limits.theorem,
        "limits": [_limit_as_json(model, limit, scale) for scale, limit in pairs],
    }


def _flow_as_json(model: Model, result: Flow, scale: float, beta: FloatArray) -> dict[str, Any]:
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
        "intercept": model.constant(beta),
        "coefficients": model.named(beta),
    }


def _print_coefficients(model: Model, coefficients: FloatArray) -> None:
    import numpy as np
    from rich.table import Table

    constant = model.constant(coefficients)
    coefficients = coefficients[: len(model.table.names)]
    largest_first = np.argsort(-np.abs(coefficients), kind="stable")
    lines = Table("column", box=None)
    lines.add_column("coefficient", justify="right")
    if constant is not None:
        lines.add_row(INTERCEPT, f"{constant: .10g}")
    shown = min(SHOWN, max(1, int(np.count_nonzero(coefficients))))
    for j in largest_first[:shown]:
        lines.add_row(model.table.names[j], f"{coefficients[j]: .10g}")
    console().print(lines)
    left = coefficients.size - shown
    if left > 0 and shown < SHOWN:
        click.echo(f"... and {left} zeros")
    elif left > 0:
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
    ax.set_title(fill(model.title, TITLE_WIDTH), fontsize="medium")
    with replacing(file) as scratch:
        figure.savefig(scratch, dpi=150)
