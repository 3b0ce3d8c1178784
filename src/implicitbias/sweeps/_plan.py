"""A plan: grids over data, networks, starts and options, read from TOML or given as a mapping."""

from __future__ import annotations

import itertools
import math
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from implicitbias import __version__
from implicitbias._errors import InvalidInputError
from implicitbias._files import path_named
from implicitbias._names import DEPTH
from implicitbias._results import plain as strict
from implicitbias.sweeps._data import hash_of, load_file
from implicitbias.sweeps._keys import (
    FIGURE,
    FILES,
    GENERATORS,
    NETWORK,
    OPTIONS,
    START,
    TOP,
    VERBS,
    WHOLE_LISTS,
    Keys,
    generator_keys,
    refuse_unknown,
)
from implicitbias.sweeps._values import axis, flag, plain, text, word

MOST_TASKS = 10_000_000
TRAINED = ("flow", "descend")  # verbs whose ends can be compared with the limit

Point = dict[str, Any]
Axes = dict[str, list[Any]]


@dataclass(frozen=True, eq=False)
class Plan:
    """Grids of tasks.

    Attributes
    ----------
    verb
        "predict", "flow", "descend" or "verify".
    tables
        "data", "network", "start" and the verb: for each, its alternatives, and for each of these
        the values of every key.
    compare
        Whether ends of training are held against the limit.
    save_coefficients
        Whether results keep beta.
    figure
        What is drawn: "x", "colour" and "y", where they are chosen.
    base
        The folder that files are named from.
    hashes
        SHA-256 of the data files, by their names.
    """

    verb: str
    tables: Mapping[str, list[Axes]]
    compare: bool = False
    save_coefficients: bool = False
    figure: Mapping[str, Any] = field(default_factory=dict)
    base: Path = field(default_factory=Path)
    hashes: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return _number_of_tasks(self.tables)

    @cached_property
    def points(self) -> list[list[Point]]:
        """For each table, all its combinations in order."""
        return [
            [point for axes in alternatives for point in _combined(axes)]
            for alternatives in self.tables.values()
        ]

    def task(self, number: int) -> dict[str, Point]:
        """The parameters of a task, by table; options vary first, data last."""
        found = []
        for points in reversed(self.points):
            number, place = divmod(number, len(points))
            found.append(points[place])
        return dict(zip(self.tables, reversed(found), strict=True))

    def columns(self) -> list[str]:
        """The names "table.key" of all keys that are given, in order."""
        return [
            f"{table}.{key}"
            for table, alternatives in self.tables.items()
            for key in dict.fromkeys(key for axes in alternatives for key in axes)
        ]

    def canonical(self) -> dict[str, Any]:
        """What decides the results, as JSON has it."""
        return {
            "implicitbias": __version__,
            "verb": self.verb,
            "compare": self.compare,
            "save_coefficients": self.save_coefficients,
            **{table: strict(alternatives) for table, alternatives in self.tables.items()},
            "files": dict(self.hashes),
        }


def read_plan(
    plan: str | os.PathLike[str] | Mapping[str, Any] | Plan, *, standardise: bool = False
) -> Plan:
    """Read a plan from a TOML file, or take a mapping like one; a plan itself is given back.

    ``standardise`` is for files alone: it reads them as if their tables said so, too.

    Raises
    ------
    InvalidInputError
        Not TOML, unknown or missing keys, values out of their ranges, too many tasks, a data file
        that cannot be used.
    OSError
        The plan cannot be read.
    """
    if isinstance(plan, Plan):
        return plan
    if isinstance(plan, Mapping):
        return _checked(plain(plan), Path.cwd())
    file = path_named(plan, "plan", "the name of a TOML file, or a dict")
    try:
        content = tomllib.loads(file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{file} is no TOML file: {error}.") from None
    if standardise:
        content = content | {"data": _standardising(content)}
    return _checked(content, file.absolute().parent)


def _standardising(given: dict[str, Any]) -> list[dict[str, Any]]:
    """The tables [data] with standardise = true in those of files."""
    tables = [each for each, _ in _alternatives(given, "data")]
    if not any("file" in each for each in tables):
        raise InvalidInputError(
            "--standardise is for tables, and no [data] of the plan has a file; data that are "
            "drawn or shipped come as they are."
        )
    for each in tables:
        if each.get("standardise", True) is not True:
            raise InvalidInputError(
                f"--standardise contradicts the plan, whose [data] has standardise = "
                f"{plain(each['standardise'])!r}; leave one of them out."
            )
    return [each | ({"standardise": True} if "file" in each else {}) for each in tables]


def _checked(given: dict[str, Any], base: Path) -> Plan:
    refuse_unknown(given, TOP, "the plan")
    if "verb" not in given:
        raise InvalidInputError(f"the plan has no verb; expected one of {', '.join(VERBS)}.")
    verb = word(*VERBS)(given["verb"], "verb")
    for other in VERBS:
        if other != verb and other in given:
            raise InvalidInputError(
                f"the plan has a table [{other}], but its verb is {verb!r}. Leave the table out, "
                f"or set verb = {other!r}."
            )
    tables = {
        "data": [_data(each, name) for each, name in _alternatives(given, "data")],
        "network": [_network(each, name) for each, name in _alternatives(given, "network")],
        "start": [_start(each, name, verb) for each, name in _alternatives(given, "start", {})],
        verb: [_options(each, name, verb) for each, name in _alternatives(given, verb, {})],
    }
    compare = flag(given.get("compare", False), "compare")
    if compare and verb not in TRAINED:
        raise InvalidInputError(f"compare is for {' and '.join(TRAINED)}; verb is {verb!r}.")
    tasks = _number_of_tasks(tables)
    if tasks > MOST_TASKS:
        raise InvalidInputError(f"the plan has {tasks} tasks; at most {MOST_TASKS} are taken.")
    plan = Plan(
        verb,
        tables,
        compare,
        flag(given.get("save_coefficients", False), "save_coefficients"),
        _figure(given.get("figure", {})),
        base,
        {name: hash_of(base / name) for name in _files(tables["data"])},
    )
    for point in plan.points[0]:
        if "file" in point:
            load_file(point, base)
    for key in ("x", "colour"):
        if plan.figure.get(key) not in (None, *plan.columns()):
            raise InvalidInputError(
                f"[figure] {key} is {plan.figure[key]!r}; expected one of "
                f"{', '.join(plan.columns())}."
            )
    return plan


def _alternatives(
    given: dict[str, Any], table: str, default: Any = None
) -> Iterator[tuple[dict[str, Any], str]]:
    """A table or each of several, with what messages call it."""
    value = given.get(table, default)
    if value is None:
        raise InvalidInputError(f"the plan has no table [{table}]; expected one.")
    several = value if isinstance(value, list) else [value]
    if not several or not all(isinstance(each, dict) for each in several):
        raise InvalidInputError(f"{table} is {value!r}; expected a table [{table}].")
    for place, each in enumerate(several, start=1):
        yield each, f"[{table}]" if len(several) == 1 else f"[[{table}]], number {place},"


def _axes(given: dict[str, Any], keys: Keys, where: str) -> Axes:
    """The values of every key, in the order of ``keys``."""
    refuse_unknown(given, tuple(keys), where)
    return {
        key: axis(given[key], f"{where} {key}", check)
        for key, check in keys.items()
        if key in given and key not in WHOLE_LISTS
    }


def _data(given: dict[str, Any], where: str) -> Axes:
    if ("name" in given) == ("file" in given):
        raise InvalidInputError(
            f"{where} has {'both' if 'name' in given else 'neither'} of name and file; expected "
            f'one: file = "data.csv", or a name of {", ".join(GENERATORS)}.'
        )
    if "file" in given:
        found = _axes(given, FILES, where)
        if "drop" in given:
            dropped = given["drop"] if isinstance(given["drop"], list) else [given["drop"]]
            found["drop"] = [[text(each, f"{where} drop") for each in dropped]]
        if "regression" in found.get("task", ["regression"]) or "project" not in found:
            return found
        raise InvalidInputError(f"{where} project is for regression; task is 'classification'.")
    names = axis(given["name"], f"{where} name", word(*GENERATORS))
    keys: dict[str, Any] = {"name": word(*GENERATORS)}
    for name in names:
        checks, needed = generator_keys(name)
        missing = [key for key in checks if key in needed and key not in given]
        apart = " Give every name a [[data]] of its own." if len(names) > 1 else ""
        if missing:
            raise InvalidInputError(
                f"{where} with name = {name!r} lacks {', '.join(missing)}.{apart}"
            )
        refuse_unknown(given, ("name", *checks), f"{where} with name = {name!r}")
        keys |= checks
    return _axes(given, keys, where)


def _network(given: dict[str, Any], where: str) -> Axes:
    if "name" not in given:
        raise InvalidInputError(f'{where} has no name, such as name = "diagonal".')
    found = _axes({"depth": DEPTH} | given, NETWORK, where)
    if "width" in found and found["name"] != ["fully_connected"]:
        raise InvalidInputError(
            f'{where} has a width, which is for name = "fully_connected" alone. Give that a '
            "[[network]] of its own."
        )
    real = [each for each in found["depth"] if each != int(each)]
    if real and found["name"] != ["two_sided"]:
        raise InvalidInputError(
            f'{where} depth is {real[0]:g}; expected a whole number. Only name = "two_sided" '
            "takes others; give that a [[network]] of its own."
        )
    return found


def _start(given: dict[str, Any], where: str, verb: str) -> Axes:
    found = _axes({"scale": 1.0} | given, START, where)
    ends = [each for each in found["scale"] if each in (0.0, math.inf)]
    if ends and verb != "predict":
        raise InvalidInputError(
            f"{where} scale is {ends[0]:g}, from which nothing can be trained; only verb = "
            '"predict" knows the limits at 0 and inf.'
        )
    if "balanced" in found and "seed" not in found:
        raise InvalidInputError(f"{where} has balanced, but no seed to draw the start with.")
    return found


def _options(given: dict[str, Any], where: str, verb: str) -> Axes:
    found = _axes(given, OPTIONS[verb], where)
    if verb == "descend" and "step" not in found:
        raise InvalidInputError("the plan has no step: [descend] needs one, such as step = 0.01.")
    return found


def _figure(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidInputError(f"figure is {given!r}; expected a table [figure].")
    refuse_unknown(given, FIGURE, "[figure]")
    found = {key: text(given[key], f"[figure] {key}") for key in ("x", "colour") if key in given}
    return found | ({"y": axis(given["y"], "[figure] y", text)} if "y" in given else {})


def _files(alternatives: list[Axes]) -> list[str]:
    """The data files of all alternatives, targets in files of their own among them."""
    found = []
    for axes in alternatives:
        found += axes.get("file", [])
        found += [each for each in axes.get("target", []) if str(each).endswith(".npy")]
    return list(dict.fromkeys(found))


def _number_of_tasks(tables: Mapping[str, list[Axes]]) -> int:
    return math.prod(sum(map(_size, alternatives)) for alternatives in tables.values())


def _size(axes: Axes) -> int:
    return math.prod(map(len, axes.values()))


def _combined(axes: Axes) -> Iterator[Point]:
    for values in itertools.product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def differences(before: Any, now: Any, name: str = "") -> list[str]:
    """What differs between two canonical plans, one sentence a key."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = dict.fromkeys([*before, *now])
        inside = [
            differences(before.get(key), now.get(key), f"{name}.{key}" if name else key)
            for key in keys
        ]
        return [each for one in inside for each in one]
    alternatives = isinstance(before, list) and isinstance(now, list) and len(before) == len(now)
    if alternatives and all(isinstance(each, dict) for each in before):
        several = len(now) > 1
        pairs = enumerate(zip(before, now, strict=True), start=1)
        inside = [differences(a, b, f"{name} {i}" if several else name) for i, (a, b) in pairs]
        return [each for one in inside for each in one]
    return [] if before == now else [f"{name} was {_shown(before)}, is {_shown(now)}"]


def _shown(value: Any) -> str:
    if value is None:
        return "not there"
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], dict):
        value = value[0]
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:76]} ..."
