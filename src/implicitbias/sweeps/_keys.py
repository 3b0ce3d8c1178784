"""The keys that a plan knows, by table, and what each may be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from implicitbias import datasets
from implicitbias._errors import InvalidInputError
from implicitbias._names import NETWORKS
from implicitbias.sweeps._values import (
    Check,
    below_one,
    depth,
    flag,
    near,
    number,
    number_or_end,
    number_or_zero,
    text,
    text_or_place,
    whole,
    word,
)

Keys = Mapping[str, Check]

VERBS = ("predict", "flow", "descend", "verify")
TABLES = ("data", "network", "start")
TOP = ("verb", "compare", "save_coefficients", *TABLES, *VERBS, "figure")
FIGURE = ("x", "colour", "y")

GENERATORS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        datasets.gaussian,
        datasets.sparse,
        datasets.even_signals,
        datasets.separable,
        datasets.diabetes,
        datasets.digits,
        datasets.digits_even,
        datasets.digits_pair,
        datasets.wine,
        datasets.breast_cancer,
        datasets.iris_setosa,
    )
}
FILES: Keys = {
    "file": text,
    "target": text_or_place,
    "drop": text,
    "task": word("regression", "classification"),
    "intercept": flag,
    "standardise": flag,
    "project": flag,
}
NETWORK: Keys = {"name": word(*NETWORKS), "depth": depth, "width": whole(1)}
START: Keys = {"scale": number_or_end, "seed": whole(), "balanced": flag}
LOSS = word("exponential", "logistic")
OPTIONS: Mapping[str, Keys] = {
    "predict": {"certified_to": number},
    "flow": {
        "route": word("auto", "parameters", "dual", "fourier"),
        "until_residual": number_or_zero,
        "until_change": number_or_zero,
        "until_margin": number,
        "until_log_margin": number,
        "loss": LOSS,
        "max_time": number,
        "max_steps": whole(1),
        "rtol": number,
    },
    "descend": {
        "step": number,
        "batch_size": whole(1),
        "replacement": flag,
        "label_noise": number_or_zero,
        "momentum": below_one,
        "reduction": word("sum", "mean"),
        "over_loss": flag,
        "loss": LOSS,
        "seed": whole(),
        "until_residual": number_or_zero,
        "until_loss": number,
        "until_margin": number,
        "max_steps": whole(1),
    },
    "verify": {"until_residual": number, "until_margin": number, "agreement": number},
}
WHOLE_LISTS = ("drop",)  # keys whose list is one value


def generator_keys(name: str) -> tuple[dict[str, Check], set[str]]:
    """The arguments of a generator, and those that it needs."""
    checks: dict[str, Check] = {}
    needed = set()
    for each in inspect.signature(GENERATORS[name]).parameters.values():
        checks[each.name] = whole() if "int" in str(each.annotation) else number_or_zero
        if each.default is each.empty:
            needed.add(each.name)
    return checks, needed


def refuse_unknown(given: Mapping[str, Any], known: Keys | tuple[str, ...], where: str) -> None:
    """Refuse keys that are not known, with the nearest that is.

    Raises
    ------
    InvalidInputError
        There is one.
    """
    for key in given:
        if key not in known:
            elsewhere = [f"[{name}]" for name, keys in _homes().items() if key in keys]
            hint = near(key, known)
            if not hint and elsewhere:
                hint = f" It belongs to {' or '.join(elsewhere)}."
            raise InvalidInputError(
                f"{where} has an unknown key {key!r}.{hint} Known: {', '.join(known)}."
            )


def _homes() -> dict[str, set[str]]:
    data = set(FILES).union(*(generator_keys(name)[0] for name in GENERATORS))
    homes = {"data": data, "network": set(NETWORK), "start": set(START)}
    return homes | {verb: set(keys) for verb, keys in OPTIONS.items()}
