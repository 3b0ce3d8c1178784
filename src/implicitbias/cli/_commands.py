"""``implicitbias predict``, ``explain``, ``path`` and ``flow``: one's own data, from a file."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from implicitbias._names import ROUTES
from implicitbias._progress import told
from implicitbias.cli._layers import end_of, end_option
from implicitbias.cli._model import LARGEST, Model, build_model
from implicitbias.cli._options import (
    POSITIVE,
    Names,
    any_scale_option,
    model_options,
    scale_option,
)
from implicitbias.cli._output import (
    COEFFICIENTS,
    FIGURE,
    RESULT,
    SAVED,
    output,
    results_option,
    write,
)
from implicitbias.cli._printing import Progress, bar, print_json, quiet_option, say
from implicitbias.cli._results import (
    draw,
    flow_as_json,
    held_as_json,
    limit_as_json,
    path_as_json,
    print_coefficients,
    print_path,
    trained,
)

if TYPE_CHECKING:
    from implicitbias.flow import FlowState
    from implicitbias.limits import Limit

MOST_SCALES = 10_000
LOG_10 = 2.302585092994046

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON, with all coefficients."
)


@click.command(short_help="Predict where training ends, without training.")
@model_options
@any_scale_option
@end_option
@results_option
@json_option
@click.pass_context
def predict(ctx: click.Context, scale: float, out: Path | None, force: bool, as_json: bool) -> None:
    """Predict where training on DATA ends, without training.

    DATA is a CSV, Parquet, Excel or .npz file, or - for standard input.

    Example: implicitbias predict data.csv --target y --depth 3 --scale 0.1
    """
    from implicitbias._errors import NoPredictionError
    from implicitbias.comparison import compare

    with output(out, force, (COEFFICIENTS, RESULT, SAVED), (FIGURE,)) as directory:
        model = build_model(ctx)
        end = end_of(ctx, model.network, model.units)
        try:
            limit = _limit(model, scale)
        except NoPredictionError as error:
            hint = "On the command line: implicitbias explain DATA ... --simulate"
            raise click.ClickException(f"{error}\n{hint}") from error
        held = None if end is None else compare(end, limit)
        result = {"data": model.title} | model.divided | limit_as_json(model, limit, scale)
        if held is not None:
            result["end"] = held_as_json(held)
        if directory is not None:
            write(directory, model, limit, result, [("coefficient", limit.coefficients)])
    if as_json:
        print_json(result)
    else:
        say(f"{limit.kind} by {limit.theorem}: {model.title}, scale {scale:g}")
        for verdict in limit.assumptions:
            say(f"  {verdict}")
        say(f"  certificate: {limit.certificate}")
        if limit.note:
            say(f"  {limit.note}")
        if limit.rate is not None:
            say(f"  The flow's direction closes in like margin^-{limit.rate:.3g}.")
        if held is not None:
            say(f"  the end that was given {held}")
        print_coefficients(model, limit.coefficients)
    ctx.exit(0 if held is None or held.agrees else 1)


@click.command(short_help="Hold every result of the theory against DATA.")
@model_options
@scale_option
@end_option
@click.option(
    "--simulate",
    is_flag=True,
    help="Train as well, and say what the end is like: where no result predicts it, the only way.",
)
@json_option
@click.pass_context
def explain(ctx: click.Context, scale: float, simulate: bool, as_json: bool) -> None:
    """Hold every result of the theory against training on DATA.

    For each: its assumptions with their measured numbers, its prediction, and what would make it
    apply. DATA is a CSV, Parquet, Excel or .npz file, or - for standard input.

    Example: implicitbias explain data.csv --target y --simulate
    """
    from implicitbias import theorems
    from implicitbias.comparison import compare
    from implicitbias.simulation import simulate_limit

    model = build_model(ctx)
    situation = (model.network, model.problem, model.init(scale))
    end = end_of(ctx, model.network, model.units)
    found = theorems.explain(*situation)
    held = None if end is None or found.limit is None else compare(end, found.limit)
    simulated = simulate_limit(*situation) if simulate and not found.data.fails else None
    if as_json:
        extra = {} if simulated is None else {"simulated": simulated.to_dict()}
        if held is not None:
            extra["end"] = held_as_json(held)
        columns = {"columns": model.table.names}
        print_json({"data": model.title} | found.to_dict() | extra | model.divided | columns)
    else:
        say(f"{model.title}\n{found}")
        if simulated is not None:
            say(f"\n{simulated}")
        if end is not None:
            unsaid = "nothing is predicted that it could be held against."
            say(f"\nThe end that was given {held or unsaid}")
        if model.units is not None:
            say("\nCoefficients here are those of the columns as divided.")
    ctx.exit(0 if held is None or held.agrees else 1)


@click.command(short_help="Predict where training ends, for many scales.")
@model_options
@click.option(
    "--largest", type=float, default=1e4, show_default=True, help="The largest finite scale."
)
@click.option(
    "--smallest", type=float, default=1e-6, show_default=True, help="The smallest positive scale."
)
@click.option(
    "--num",
    type=click.IntRange(min=2),
    default=41,
    show_default=True,
    help="Number of scales.",
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
@results_option
@json_option
@quiet_option
@click.pass_context
def path(
    ctx: click.Context,
    largest: float,
    smallest: float,
    num: int,
    ends: bool,
    figure: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Predict where training on DATA ends, for many initial scales.

    DATA is a CSV, Parquet, Excel or .npz file, or - for standard input.

    Example: implicitbias path data.csv --target y --figure path.png
    """
    import numpy as np

    from implicitbias._verdicts import CERTIFIED
    from implicitbias.problems import Regression
    from implicitbias.report import replacing
    from implicitbias.theorems import limit_path

    if num > MOST_SCALES:
        raise click.UsageError(f"--num is too large; at most {MOST_SCALES} scales are taken.")
    if not 0 < smallest < largest < float("inf"):
        raise click.UsageError(
            f"--smallest is {smallest:g} and --largest is {largest:g}; expected 0 < smallest < "
            "largest < infinity."
        )
    if figure is not None and figure.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise click.BadParameter(f"{figure} must end in .png, .pdf or .svg.", param_hint="--figure")
    with (
        output(out, force, (COEFFICIENTS, FIGURE, RESULT, SAVED)) as directory,
        nullcontext() if figure is None else replacing(figure) as drawn,
    ):
        model = build_model(ctx)
        if not isinstance(model.problem, Regression):
            raise click.UsageError("in classification the limit direction forgets the scale.")
        if num * len(model.table.names) > LARGEST:
            raise click.UsageError(f"--num {num} of so many coefficients; pass a smaller one.")
        scales = np.geomspace(largest, smallest, num)
        if ends:
            scales = np.concatenate([[np.inf], scales, [0.0]])
        with bar("scales", scales.size) as done:
            limits = limit_path(
                model.network, model.problem, model.directions, scales, callback=done
            )
        result = path_as_json(model, limits)
        if drawn is not None:
            draw(limits, model, drawn)
        if directory is not None:
            draw(limits, model, directory / FIGURE)
            names = [f"scale {scale:.6g}" for scale in scales]
            columns = list(zip(names, limits.coefficients, strict=True))
            write(directory, model, limits, result, columns)
    if as_json:
        print_json(result)
    else:
        print_path(model, limits)
    worst = max(limit.certificate.worst for limit in limits.limits)
    if not worst <= CERTIFIED:
        click.echo(f"Error: a limit is certified only to {worst:.1e}.", err=True)
        ctx.exit(1)


@click.command(short_help="Simulate training by gradient flow.")
@model_options
@scale_option
@click.option(
    "--route",
    type=Names(("auto", "parameters", "dual", "fourier"), former=ROUTES),
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
    type=POSITIVE,
    metavar="FLOAT",
    help="Stop at this time.",
)
@click.option(
    "--until-margin",
    type=POSITIVE,
    metavar="FLOAT",
    default=1e6,
    show_default=True,
    help="Classification: stop at this smallest margin.",
)
@click.option(
    "--until-loss",
    type=POSITIVE,
    metavar="FLOAT",
    help="Stop where the training loss is this, instead.",
)
@results_option
@json_option
@quiet_option
@click.pass_context
def flow(
    ctx: click.Context,
    scale: float,
    route: Any,
    until_residual: float,
    max_time: float | None,
    until_margin: float,
    until_loss: float | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Simulate training on DATA by gradient flow.

    DATA is a CSV, Parquet, Excel or .npz file, or - for standard input.

    Example: implicitbias flow data.csv --target y --depth 3 --scale 0.1
    """
    from implicitbias._errors import Outcome
    from implicitbias.flow import gradient_flow

    progress = Progress()

    def report(state: FlowState) -> None:
        done = told(state.share, progress.seconds)
        progress.show(
            f"{done}: step {state.num_steps}, time {state.time:.3g}, log10 loss "
            f"{state.log_loss / LOG_10:.1f}"
        )

    with output(out, force, (COEFFICIENTS, RESULT, SAVED), (FIGURE,)) as directory:
        model = build_model(ctx)
        result = gradient_flow(
            model.network,
            model.problem,
            model.init(scale),
            route=route,
            until_residual=until_residual,
            until_margin=until_margin,
            until_loss=until_loss,
            max_time=max_time,
            callback=report,
        )
        progress.clear()
        summary = flow_as_json(model, result, scale)
        if directory is not None:
            write(directory, model, result, summary, [("coefficient", trained(result))])
    if as_json:
        print_json(summary)
    else:
        say(f"{model.title}, scale {scale:g}\n{result}")
        print_coefficients(model, trained(result))
    ctx.exit(0 if result.outcome.converged or result.outcome is Outcome.TIME_REACHED else 1)


def _limit(model: Model, scale: float) -> Limit:
    """The limit at a scale, or as it tends to 0 or infinity."""
    from implicitbias._verdicts import CERTIFIED
    from implicitbias.problems import Classification
    from implicitbias.theorems import limit_at_end, predict_limit

    if 0 < scale < float("inf"):
        return predict_limit(model.network, model.problem, model.init(scale))
    if isinstance(model.problem, Classification):
        raise click.UsageError("in classification the limit direction forgets the scale.")
    return limit_at_end(model.network, model.problem, model.directions, scale, CERTIFIED)
