"""Results as JSON, as text and as a figure."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from implicitbias.cli._model import Model
from implicitbias.cli._output import INTERCEPT
from implicitbias.cli._printing import NAME, console, counted, say, visible

if TYPE_CHECKING:
    from implicitbias._arrays import FloatArray
    from implicitbias.comparison import Comparison
    from implicitbias.flow import Flow
    from implicitbias.limits import Limit
    from implicitbias.theorems import LimitPath

SHOWN = 15  # coefficients listed without --json
NONZERO = 1e-6  # of the largest coefficient
DIVIDED = "those of the divided columns, each over its standard deviation"
TITLE_WIDTH = 80  # characters of a line above a figure


def limit_as_json(model: Model, limit: Limit, scale: float) -> dict[str, Any]:
    from implicitbias._results import plain

    return {
        "result": limit.theorem,
        "kind": limit.kind,
        "scale": plain(scale),
        "certificate": plain(limit.certificate),
        "assumptions": plain(limit.assumptions),
        "note": limit.note,
        "intercept": model.constant(limit.coefficients),
        "coefficients": model.named(limit.coefficients),
    }


def path_as_json(model: Model, limits: LimitPath) -> dict[str, Any]:
    pairs = zip(limits.scales.tolist(), limits.limits, strict=True)
    return {
        "data": model.title,
        **model.divided,
        "result": limits.theorem,
        "limits": [limit_as_json(model, limit, scale) for scale, limit in pairs],
    }


def held_as_json(held: Comparison) -> dict[str, Any]:
    from implicitbias._results import plain

    return {"verdict": held.verdict, "error": plain(held.error)}


def trained(result: Flow) -> FloatArray:
    """Where training ended: the coefficients, or their direction."""
    return result.final_coefficients if result.final_direction is None else result.final_direction


def flow_as_json(model: Model, result: Flow, scale: float) -> dict[str, Any]:
    from implicitbias._results import plain

    beta = trained(result)
    found = {name: plain(getattr(result, name)) for name in ("outcome", "message", "route")}
    numbers = ("residual", "remaining_change", "drift")
    return {
        "data": model.title,
        **model.divided,
        **found,
        "scale": scale,
        "time": plain(result.times[-1]),
        **{name: plain(getattr(result, name)) for name in numbers},
        "steps": result.num_steps,
        "seconds": round(result.seconds, 3),
        "intercept": model.constant(beta),
        "coefficients": model.named(beta),
    }


def print_coefficients(model: Model, coefficients: FloatArray) -> None:
    import numpy as np
    from rich.table import Table

    constant = model.constant(coefficients)
    coefficients = model.own(coefficients)[: len(model.table.names)]
    largest_first = np.argsort(-np.abs(coefficients), kind="stable")
    lines = Table("column", box=None)
    lines.add_column("coefficient", justify="right")
    if constant is not None:
        lines.add_row(INTERCEPT, f"{constant: .10g}")
    nonzero = int(np.count_nonzero(coefficients))
    shown = min(SHOWN, max(1, nonzero))
    for j in largest_first[:shown]:
        lines.add_row(visible(model.table.names[j], NAME), f"{coefficients[j]: .10g}")
    console().print(lines)
    _say_left(nonzero - shown, coefficients.size - max(nonzero, shown))
    if model.units is not None:
        say(f"These are for the columns as they stand in the table: {DIVIDED}.")


def _say_left(smaller: int, zeros: int) -> None:
    """What the list of coefficients leaves out."""
    parts = [counted(smaller, "smaller one")] * (smaller > 0) + [counted(zeros, "zero")] * (
        zeros > 0
    )
    if parts:
        say(f"... and {' and '.join(parts)}{' (--json prints all)' * (smaller > 0)}")


def print_path(model: Model, limits: LimitPath) -> None:
    import numpy as np
    from rich.table import Table

    say(f"{limits.theorem}: {model.title}")
    lines = Table(box=None)
    for name in ("scale", "l1 norm", "l2 norm", "nonzero", "feasibility", "gap", "error"):
        lines.add_column(name, justify="right")
    rows = zip(limits.scales, limits.limits, limits.gaps, strict=True)
    for scale, limit, gap in rows:
        beta, error = limit.coefficients, limit.certificate.error
        size = np.abs(beta)
        lines.add_row(
            f"{scale:.3g}",
            f"{size.sum():.8g}",
            f"{np.linalg.norm(beta):.8g}",
            str(int(np.sum(size > NONZERO * size.max()))),
            f"{limit.certificate.feasibility:.1e}",
            f"{gap:.1e}",
            "-" if error is None else f"{error:.1e}",
        )
    console().print(lines)
    say(f"nonzero: more than {NONZERO:g} of the largest coefficient")
    if model.units is not None:
        say("Norms are those of the coefficients of the divided columns, which training sees.")


def draw(limits: LimitPath, model: Model, file: Path) -> None:
    from implicitbias import plotting
    from implicitbias.report import new_figure, plain_style

    with plain_style():
        figure = new_figure((7.5, 4.8))
        ax = figure.subplots()
        names = [_literal(name) for name in model.table.names]
        plotting.scale_path(limits, ax=ax, names=names)
        ax.set_title(_literal(fill(visible(model.title), TITLE_WIDTH)), fontsize="medium")
        figure.savefig(file, dpi=150)


def _literal(text: str) -> str:
    """Text that matplotlib draws as it stands: no formula, and a label that a legend shows."""
    lines = [visible(line, TITLE_WIDTH) for line in text.split("\n")]
    shown = "\n".join(lines).replace("$", r"\$")
    return f"\u200b{shown}" if shown.startswith("_") else shown
