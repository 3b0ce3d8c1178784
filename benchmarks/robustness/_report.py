"""Counts by kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
from benchmarks.robustness._outcome import Record

SLOW = 10.0
SEEDS = 6  # shown for each reason


def faulty(record: Record) -> str:
    """What is wrong with it, or ""."""
    if record.status in ("untyped exception", "too slow", "killed"):
        return record.status
    if record.wrong:
        return "certified and wrong"
    if record.nan:
        return "not finite"
    if record.warnings:
        return "warning"
    return ""


def lines(records: list[Record]) -> Iterator[str]:
    """The tables."""
    total = len(records)
    certified = [record for record in records if record.status == "certified"]
    checked = [record for record in certified if record.checked]
    numbers = {
        "certified, checked and right": sum(not record.wrong for record in checked),
        "certified, checked and WRONG": sum(record.wrong for record in checked),
        "certified, not checked": len(certified) - len(checked),
        "refused (NoPredictionError)": _count(records, "refused"),
        "  unremarkable ones": sum(record.unremarkable for record in records),
        "  so but for units over 1e8 apart": sum(record.far_apart for record in records),
        "without a solution (InfeasibleProblemError)": _count(records, "infeasible"),
        "invalid (InvalidInputError)": _count(records, "invalid"),
        "UNTYPED exceptions": _count(records, "untyped exception"),
        "with WARNINGS": sum(bool(record.warnings) for record in records),
        "NOT FINITE": sum(record.nan for record in records),
        f"SLOWER than {SLOW:g} s, or hanging": sum(
            record.status in ("too slow", "killed") or record.seconds > SLOW for record in records
        ),
    }
    for name, number in numbers.items():
        yield f"{number:7d}  {100 * number / total:6.2f} %  {name}"
    yield ""
    yield from _errors(checked)
    yield "faults, by what they are and where:"
    yield from _grouped(
        records, lambda r: f"{faulty(r)} | {_where(r)} | {_detail(r)}" if faulty(r) else ""
    )
    yield "refused though unremarkable, by reason:"
    yield from _grouped(records, lambda r: r.reason if r.unremarkable else "")
    yield "all refusals, by reason:"
    yield from _grouped(records, lambda r: r.reason if r.status == "refused" else "")
    yield "without a solution or invalid, by reason:"
    yield from _grouped(
        records, lambda r: r.reason if r.status in ("infeasible", "invalid") else ""
    )
    yield "how the answers were checked:"
    yield from _grouped(records, lambda r: r.route)


def _count(records: list[Record], status: str) -> int:
    return sum(record.status == status for record in records)


def _where(record: Record) -> str:
    kinds = record.kinds
    return f"{kinds['task']}, {kinds['family']}, {kinds['start']}"


def _detail(record: Record) -> str:
    if record.warnings:
        return record.warnings[0]
    return record.reason or f"data {record.kinds['data']}, scale {record.kinds['scale']}"


def _errors(checked: list[Record]) -> Iterator[str]:
    errors = [error for record in checked for error in record.errors if error is not None]
    if not errors:
        return
    array = np.array(errors)
    yield (
        f"true errors: median {np.median(array):.1e}, 99 % below {np.quantile(array, 0.99):.1e}, "
        f"largest {array.max():.1e}"
    )
    yield ""


def _grouped(records: list[Record], key) -> Iterator[str]:
    groups: dict[str, list[int]] = defaultdict(list)
    for record in records:
        name = key(record)
        if name:
            groups[name].append(record.seed)
    order = Counter({name: len(seeds) for name, seeds in groups.items()})
    for name, number in order.most_common():
        seeds = ", ".join(map(str, groups[name][:SEEDS]))
        yield f"{number:7d}  {name}  [{seeds}{', ..' if number > SEEDS else ''}]"
    yield ""
