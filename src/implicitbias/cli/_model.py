"""The model that the options describe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from implicitbias._names import MAX_DEPTH
from implicitbias.cli._options import OPTIONS
from implicitbias.cli._printing import quoted, visible

if TYPE_CHECKING:
    from implicitbias._arrays import BoolArray, FloatArray, Parameters
    from implicitbias.cli._selection import Selection, Table
    from implicitbias.initialization import Initialization
    from implicitbias.networks import Network
    from implicitbias.problems import Classification, Offsets, Regression

SEPARATE = ("diagonal", "two_sided")  # networks of one coefficient a feature
LARGEST = 100_000_000  # numbers in a network or a path: 0.8 GB
NUMBERS = " A column of numbers is fitted without that option."
CLASSES = (
    " Keep the rows of two classes, or make a column that tells one from the rest; in Python, "
    "estimators.FlowLimitClassifier fits each class against the rest."
)
PREDICTIONS = ("predict", "path")  # commands that train nothing


@dataclass(frozen=True, eq=False)
class Model:
    """The data, the network and the start that the options describe.

    Attributes
    ----------
    table, problem
        The file, and what it asks for.
    intercept
        The constant that belongs to coefficients, or None without one.
    network, directions
        What is trained, from where up to the scale.
    title
        All of it in one line.
    units
        What the columns of the table were divided by, (d,), or None where they were not.
    """

    table: Table
    problem: Regression | Classification
    network: Network
    directions: Parameters
    title: str
    intercept: Callable[[FloatArray], float] | None = None
    units: FloatArray | None = None

    def init(self, scale: float) -> Initialization:
        """Theta(0) at a scale."""
        from implicitbias.initialization import Initialization

        return Initialization(self.directions, scale=scale)

    def own(self, coefficients: FloatArray) -> FloatArray:
        """Coefficients of what was trained on as those of the columns as they are in the table."""
        return coefficients if self.units is None else coefficients / self.units

    def named(self, coefficients: FloatArray) -> dict[str, float]:
        """The coefficients of the table's columns by their names."""
        return dict(zip(self.table.names, self.own(coefficients).tolist(), strict=False))

    @property
    def divided(self) -> dict[str, dict[str, float]]:
        """What the columns were divided by, for JSON: nothing where they were not."""
        if self.units is None:
            return {}
        return {"divided_by": dict(zip(self.table.names, self.units.tolist(), strict=False))}

    def constant(self, coefficients: FloatArray) -> float | None:
        """The intercept, or None without one."""
        return None if self.intercept is None else self.intercept(coefficients)


@dataclass(frozen=True, eq=False)
class Data:
    """The table that the options name, and the problem that they make of it.

    Attributes
    ----------
    table, problem, intercept
        As of a ``Model``.
    title
        The file, its size and what was done to it.
    units
        As of a ``Model``.
    """

    table: Table
    problem: Regression | Classification
    intercept: Callable[[FloatArray], float] | None
    title: str
    units: FloatArray | None = None


def build_model(ctx: click.Context) -> Model:
    """Read the data and build what the options describe.

    Raises
    ------
    click.UsageError
        Options that contradict each other.
    InvalidInputError, InfeasibleProblemError
        Data that cannot be used.
    """
    from implicitbias._model import network_of

    options = ctx.meta[OPTIONS]
    family, depth = options["network"], _depth(options)
    if options["width"] is not None and family != "fully_connected":
        raise click.UsageError(f"--width is for fully connected networks; --network is {family}.")
    if options["task"] == "classification" and options["intercept"] and family == "convolutional":
        raise click.UsageError(
            "--intercept adds a column of ones, which has no place in a signal; --network is "
            "convolutional."
        )
    trained = family not in SEPARATE or ctx.info_name not in PREDICTIONS
    metric = trained or options["init"] is not None  # from which training may not fit the data
    data = build_data(
        ctx,
        metric=metric,
        check=lambda columns: _check_size(family, columns, depth, options["width"]),
    )
    network = network_of(family, depth, data.problem.num_features, width=options["width"] or 1)
    return Model(
        data.table,
        data.problem,
        network,
        _directions(network, options["seed"], options["init"]),
        f"{network.family} network of {_layers(network)} on {data.title}",
        data.intercept,
        data.units,
    )


def build_data(
    ctx: click.Context, *, metric: bool, check: Callable[[int], object] = lambda columns: None
) -> Data:
    """Read the data and make a problem of them.

    Parameters
    ----------
    metric
        Whether training is to be that on the centred data, not only its interpolators.
    check
        Called with the number of columns before anything is made of them.

    Raises
    ------
    click.UsageError
        Options that contradict each other.
    InvalidInputError, InfeasibleProblemError
        Data that cannot be used.
    """
    import numpy as np

    from implicitbias.cli._source import name_of
    from implicitbias.cli._tables import read_table
    from implicitbias.problems import standardised

    options = ctx.meta[OPTIONS]
    classify = options["task"] == "classification"
    if classify and options["project"]:
        raise click.UsageError("--project is for regression.")
    if options["positive"] is not None and not classify:
        raise click.UsageError("--positive is for --task classification.")
    selection = selection_of(options, labels=classify)
    file = visible(name_of(options["data"]))
    table = read_table(options["data"], selection)
    check(len(table.names))
    units, offsets = None, None
    if options.get("standardise"):
        # a constant makes up for what is taken off before anything is rounded
        X, units, offsets = standardised(table.X, shift=options["intercept"] and not classify)
        table = replace(table, X=X)
    problem: Regression | Classification
    if classify:
        problem, intercept, remark = classification(table, options, file)
    else:
        problem, intercept, remark = _regression(table, options, file, metric=metric)
    if intercept is not None and units is not None and offsets is not None:
        intercept = _before(intercept, units, offsets)
    title = f"{file}, {len(table.y)} x {len(table.names)} of rank {problem.rank}"
    title += ", with intercept" if intercept is not None else ""
    if units is not None:
        title += ", columns divided by their standard deviations"
        if classify and options["intercept"]:
            units = np.append(units, 1.0)
    title += remark + (f" ({table.note})" if table.note else "")
    return Data(table, problem, intercept, title, units)


def _before(
    intercept: Callable[[FloatArray], float], units: FloatArray, offsets: Offsets
) -> Callable[[FloatArray], float]:
    """The constant that belongs to columns before offsets were taken off and units divided."""
    return lambda coefficients: offsets.constant(coefficients / units, intercept(coefficients))


def _depth(options: dict[str, Any]) -> float:
    """The depth, whole but for two-sided networks."""
    depth: float = options["depth"]
    if not depth <= MAX_DEPTH:
        raise click.UsageError(f"--depth is too large; at most {MAX_DEPTH} layers are taken.")
    if depth % 1.0 == 0.0:
        return int(depth)
    if options["network"] != "two_sided":
        raise click.UsageError(
            f"--depth is {depth:g}; expected a whole number. Only --network two-sided takes others."
        )
    return depth


def _layers(network: Network) -> str:
    """How deep a network is, in words."""
    return f"{network.depth} layers" if network.is_multilinear else f"power {network.degree:g}"


def _check_size(family: str, num_features: int, depth: float, width: int | None) -> None:
    """Refuse networks that no memory holds, before anything is made of that size."""
    hidden = width or 1
    size = (2 if family == "two_sided" else depth) * num_features
    if family == "fully_connected":
        size = num_features * hidden + (depth - 2) * hidden**2 + hidden
    if size > LARGEST:
        raise click.UsageError(
            f"the network has more than {LARGEST:.0g} parameters, which is too many. Pass a "
            f"smaller --depth{' or --width' if family == 'fully_connected' else ''}."
        )


def selection_of(options: dict[str, Any], *, labels: bool) -> Selection:
    """Which columns the options choose, and how they are read."""
    from implicitbias.cli._selection import Selection

    if options["thousands"] is not None and options["thousands"] == options["decimal"]:
        raise click.UsageError("--thousands and --decimal are the same mark.")
    given = ("target", "drop", "decimal", "thousands", "sep", "encoding", "header", "missing")
    return Selection(**{name: options[name] for name in given}, labels=labels)


def classification(
    table: Table, options: dict[str, Any], file: str
) -> tuple[Classification, Callable[[FloatArray], float] | None, str]:
    """The two classes with the labels that --positive and --intercept ask for, and a remark.

    Raises
    ------
    InvalidInputError
        Other than two labels, or --positive is none of them.
    """
    import numpy as np

    from implicitbias.problems import Classification

    labels = _two_labels(table, options["positive"], file)
    X = np.column_stack([table.X, np.ones(len(table.X))]) if options["intercept"] else table.X
    problem = Classification(X, table.y if labels is None else np.where(labels, 1, -1))
    remark = ""
    if labels is not None:
        parts = ((table.y[~labels], "-1"), (table.y[labels], "+1"))
        shown = [f"{_shown(part[0])} as {sign}" for part, sign in parts if part.size]
        remark = f", {' and '.join(shown)}"
    return problem, (lambda beta: float(beta[-1])) if options["intercept"] else None, remark


def _two_labels(table: Table, positive: str | None, file: str) -> BoolArray | None:
    """Which points are of class +1; None where all labels are -1 or +1 and none is asked for."""
    import numpy as np

    from implicitbias._errors import InvalidInputError
    from implicitbias.cli._cells import number

    found = np.unique(table.y)
    listed = ", ".join(_shown(label) for label in found[:5])
    listed += ", ..." * (found.size > 5)
    where = f"column {quoted(table.target)} of {file}"
    signs = found.dtype.kind in "iuf" and bool(np.isin(found, (-1, 1)).all())
    if found.size != 2 and not signs:
        labels = "label" if found.size == 1 else "different labels"
        numbers = found.size > 2 and found.dtype.kind in "iuf"
        then = NUMBERS if numbers else CLASSES if found.size > 2 else ""
        raise InvalidInputError(
            f"{where} holds {found.size} {labels} ({listed}); --task classification needs two."
            f"{then}"
        )
    if positive is None:
        return None if signs else np.asarray(table.y == found[1])
    wanted = number(positive) if found.dtype.kind in "iuf" else positive.strip()
    if not np.any(found == wanted):
        raise InvalidInputError(
            f"{where} holds no label {quoted(positive)}; --positive names one of {listed}."
        )
    return np.asarray(table.y == wanted)


def _shown(label: Any) -> str:
    """A label within a sentence."""
    return visible(str(label).removesuffix(".0"), 40)


def _regression(
    table: Table, options: dict[str, Any], file: str, *, metric: bool
) -> tuple[Regression, Callable[[FloatArray], float] | None, str]:
    from implicitbias._errors import InfeasibleProblemError
    from implicitbias.problems import equations

    data = equations(table.X, table.y, options["intercept"], isometric=metric)
    problem = data.problem
    intercept = data.intercept if data.centred else None
    if data.reached:
        return problem, intercept, ""
    if not options["project"]:
        what = "the features and a constant" if data.centred else "the features"
        hint = "" if data.centred else " (add --intercept for a constant)"
        raise InfeasibleProblemError(
            f"X z = y has no solution: {what} cannot fit column {quoted(table.target)} "
            f"of {file} in all {len(table.y)} rows. The rank is {problem.rank}, and "
            f"the least-squares residual is {data.missed:.3g} of the target's size{hint}. Training "
            "then does not reach zero loss. Pass --project to predict where it ends: the target is "
            "replaced by the part that can be fitted.",
        )
    return problem, intercept, f", target projected ({data.missed:.3g} of its size left out)"


def _directions(network: Network, seed: int | None, file: Path | None) -> Parameters:
    from implicitbias._model import directions_of
    from implicitbias.cli._layers import start_of
    from implicitbias.initialization import Initialization

    if file is not None:
        if seed is not None:
            raise click.UsageError("--seed draws a start and --init reads one; give one of them.")
        return start_of(network, file)
    if seed is None:
        return directions_of(network)
    return Initialization.random(network, 1.0, seed=seed).directions
