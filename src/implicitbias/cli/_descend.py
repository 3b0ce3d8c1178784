"""``implicitbias descend``: gradient descent with steps of finite size on one's own data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from implicitbias._progress import told
from implicitbias.cli._commands import LOG_10, json_option
from implicitbias.cli._model import build_model
from implicitbias.cli._options import POSITIVE, model_options, scale_option
from implicitbias.cli._output import (
    COEFFICIENTS,
    FIGURE,
    RESULT,
    SAVED,
    output,
    results_option,
    write,
)
from implicitbias.cli._printing import Progress, print_json, quiet_option, say
from implicitbias.cli._results import (
    flow_as_json,
    held_as_json,
    print_coefficients,
    trained,
)

if TYPE_CHECKING:
    from implicitbias.comparison import Comparison
    from implicitbias.descent import Run
    from implicitbias.flow import FlowState


@click.command(short_help="Train by gradient descent with steps of finite size.")
@model_options
@scale_option
@click.option("--step", type=POSITIVE, metavar="FLOAT", required=True, help="The step size.")
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="INTEGER",
    help="Points a step sees; all by default.",
)
@click.option(
    "--label-noise",
    type=click.FloatRange(min=0),
    metavar="FLOAT",
    default=0.0,
    show_default=True,
    help="Move the targets of every step by plus or minus this.",
)
@click.option(
    "--noise-steps",
    type=click.IntRange(min=1),
    metavar="INTEGER",
    help="End the label noise after so many steps, so that the data can be fitted.",
)
@click.option(
    "--momentum",
    type=click.FloatRange(0, 1, max_open=True),
    metavar="FLOAT",
    default=0.0,
    show_default=True,
    help="Of Polyak's heavy ball.",
)
@click.option(
    "--reduction",
    type=click.Choice(("sum", "mean")),
    default="sum",
    show_default=True,
    help="Sum the loss over the points, or average it.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=0),
    metavar="INTEGER",
    default=0,
    show_default=True,
    help="Seed of batches and noise.",
)
@click.option(
    "--until-residual",
    type=POSITIVE,
    metavar="FLOAT",
    default=1e-12,
    show_default=True,
    help="Stop at this residual relative to the target.",
)
@click.option(
    "--max-steps",
    type=click.IntRange(min=1),
    metavar="INTEGER",
    default=100_000,
    show_default=True,
    help="Stop after so many steps.",
)
@results_option
@json_option
@quiet_option
@click.pass_context
def descend(
    ctx: click.Context,
    scale: float,
    step: float,
    batch_size: int | None,
    label_noise: float,
    noise_steps: int | None,
    momentum: float,
    reduction: Any,
    draws: int,
    until_residual: float,
    max_steps: int,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Train on DATA by gradient descent, and say where a flow must start to end there.

    DATA is a CSV, Parquet, Excel or .npz file, or - for standard input.

    Example: implicitbias descend data.csv --target y --step 0.01 --batch-size 8
    """
    import numpy as np

    from implicitbias.descent import gradient_descent

    progress = Progress()

    def report(state: FlowState) -> None:
        loss = f"log10 loss {state.log_loss / LOG_10:.1f}"
        progress.show(f"{told(state.share, progress.seconds)}: step {state.num_steps}, {loss}")

    with output(out, force, (COEFFICIENTS, RESULT, SAVED), (FIGURE,)) as directory:
        model = build_model(ctx)
        run = gradient_descent(
            model.network,
            model.problem,
            model.init(scale),
            step=step,
            batch_size=batch_size,
            label_noise=label_noise if noise_steps is None else np.full(noise_steps, label_noise),
            momentum=momentum,
            seed=draws,
            reduction=reduction,
            until_residual=until_residual,
            max_steps=max_steps,
            callback=report,
        )
        progress.clear()
        held = _held(run)
        summary = flow_as_json(model, run, scale) | _effect(run, held)
        if directory is not None:
            write(directory, model, run, summary, [("coefficient", trained(run))])
    if as_json:
        print_json(summary)
    else:
        say(f"{model.title}, scale {scale:g}\n{run}")
        say(f"  effective start: {run.effective._short()}")
        if held is not None:
            say(f"  {held}")
        print_coefficients(model, trained(run))
    ctx.exit(0 if run.outcome.converged and (held is None or held.agrees) else 1)


def _held(run: Run) -> Comparison | None:
    """The run against the flow's limit; None where nothing is predicted, or it has not ended."""
    from implicitbias._errors import NoPredictionError
    from implicitbias.comparison import compare
    from implicitbias.problems import Regression
    from implicitbias.theorems import predict_limit

    on = run.trained_on
    if on is None or not isinstance(on[1], Regression) or not run.outcome.converged:
        return None
    if run.effective.parameters is None:
        return None
    try:
        return compare(run, predict_limit(*on))
    except NoPredictionError:
        return None


def _effect(run: Run, held: Comparison | None) -> dict[str, Any]:
    from implicitbias._results import plain

    effective = run.effective
    found = {"effective_scales": plain(effective.scales), "no_effective_start": effective.reason}
    if held is not None:
        found |= held_as_json(held) | {"distance_to_the_flows_limit": plain(held.distance)}
    return found
