"""One self-contained HTML page: every result, its numbers, its figures, and how to repeat them.

No script, no font and no image comes from elsewhere, so that the page can be kept and mailed.
"""

from __future__ import annotations

import json
import shlex
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from implicitbias.report._chart import chart
from implicitbias.report._table import cells
from implicitbias.verification import Report, Row

if TYPE_CHECKING:
    from implicitbias.report._figures import ReportFigure

COLUMNS = (
    "result",
    "network",
    "data",
    "n x d",
    "assumptions",
    "judged by",
    "certificate",
    "seconds",
    "verdict",
)
NUMERIC = {"n x d", "judged by", "certificate", "seconds"}
LEGEND = (
    "Judged by: the largest relative difference between simulated and predicted coefficients; the "
    "angle that the furthest flow has reached, where a direction is predicted, which no flow "
    "reaches: it must be below 1e-8, or fall like the predicted power of the margin; or what is "
    "left of Theorem 1's equations, which must fall. Certificate is how far the prediction is from "
    "satisfying the problem it is said to solve, and from its exact answer: the largest of the "
    "numbers that the details give."
)


def page(
    report: Report,
    manifest: dict[str, Any],
    figures: Sequence[tuple[ReportFigure, bytes]] = (),
    *,
    beside: Sequence[str] = (),
) -> str:
    """Return the page.

    Parameters
    ----------
    report
        The rows.
    manifest
        What ``report.as_json`` returns and the circumstances of the run.
    figures
        Each with the contents of its file, PNG or SVG.
    beside
        Names of files that will stand beside the page, to link to.
    """
    body = [
        _header(report, manifest),
        _navigation(bool(figures)),
        '<main><h2 id="results">Results</h2>',
        _results(report),
        _figures(figures),
        '<h2 id="details">Details of each result</h2>',
        *(_details(number, row) for number, row in enumerate(report.rows, start=1)),
        _repeat(manifest),
        _manifest(manifest, beside),
        "</main>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>implicitbias: {escape(str(report))}</title>\n"
        '<link rel="icon" href="data:,">\n'
        f"<style>\n{_style()}</style>\n</head>\n<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


@cache
def _style() -> str:
    return files("implicitbias.report").joinpath("page.css").read_text(encoding="utf-8")


def _header(report: Report, manifest: dict[str, Any]) -> str:
    verdict = "good" if report.agrees else "bad"
    return (
        "<header><h1>Where gradient flow ends: simulated against predicted</h1>\n"
        f'<p class="verdict {verdict}">{escape(str(report))}</p>\n'
        f'<p class="quiet">implicitbias {escape(manifest["versions"]["implicitbias"])}, '
        f"{escape(manifest['finished'])}. Each row trains a linear network by gradient flow, "
        "predicts the end without training, and holds the two against each other.</p></header>"
    )


def _navigation(has_figures: bool) -> str:
    names = ["results", *(["figures"] if has_figures else []), "details", "repeat", "manifest"]
    links = (f'<a href="#{name}">{name.capitalize()}</a>' for name in names)
    return f'<nav aria-label="sections">{" ".join(links)}</nav>'


def _results(report: Report) -> str:
    head = "".join(
        f'<th scope="col"{_number_class(name)}>{escape(name)}</th>' for name in ("#", *COLUMNS)
    )
    rows = "\n".join(_result(number, row) for number, row in enumerate(report.rows, start=1))
    return (
        f'<p class="quiet">{LEGEND}</p>\n<table class="results"><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table>"
    )


def _result(number: int, row: Row) -> str:
    link = f'<a href="#row-{number}">{number}</a>'
    result, *others, verdict = cells(row)
    texts = [
        f'<td class="title">{link}</td><td data-name="result"><a href="#row-{number}">'
        f"{escape(result)}</a></td>"
    ]
    for name, text in zip(COLUMNS[1:-1], others, strict=True):
        texts.append(f'<td data-name="{name}"{_number_class(name)}>{_text(text)}</td>')
    colour = "good" if row.agrees else "bad"
    texts.append(f'<td data-name="verdict" class="{colour}">{escape(verdict)}</td>')
    return f"<tr>{''.join(texts)}</tr>"


def _text(text: str) -> str:
    """Escaped, with equations that are not broken into lines."""
    return escape(text).replace(" = ", "\u00a0=\u00a0")


def _number_class(name: str) -> str:
    return ' class="number"' if name in NUMERIC else ""


def _figures(figures: Sequence[tuple[ReportFigure, bytes]]) -> str:
    if not figures:
        return ""
    parts = ['<h2 id="figures">Figures</h2>']
    for figure, content in figures:
        kind = "svg+xml" if figure.file.endswith(".svg") else "png"
        data = f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"
        parts.append(
            f'<figure><h3>{escape(figure.title)}</h3><img alt="{escape(figure.title)}" '
            f'src="{data}"><figcaption>{escape(figure.caption)}</figcaption></figure>'
        )
    return "\n".join(parts)


def _details(number: int, row: Row) -> str:
    """What the table has no room for; open where the row does not agree."""
    check, found = row.check, row.measured
    colour, word = ("good", "agrees") if row.agrees else ("bad", "does not agree")
    parts = [f"<p>{escape(row.note)}</p>"] if row.note else []
    if found is not None:
        if found.assumptions:
            parts.append(_assumptions(row))
        shown = dict.fromkeys(f"Certificate: {each}." for each in found.certificates)
        parts += [f"<p>{escape(text)}</p>" for text in shown]
        closings = (str(closing) for closing in found.closings)
        parts += [f"<p>{escape(text)}</p>" for text in closings if text not in row.note]
        if found.settings:
            settings = ", ".join(f"{key} {value:g}" for key, value in found.settings.items())
            parts.append(f'<p class="quiet">Settings: {escape(settings)}.</p>')
        parts.append(chart(found))
    command = f"implicitbias verify --only {shlex.quote(check.title)}"
    parts.append(f"<p>Again, this row alone:</p><pre>{escape(command)}</pre>")
    return (
        f"<details{'' if row.agrees else ' open'}><summary>{number} "
        f"<b>{escape(check.result)}</b>: {_text(check.network)}; {_text(check.data)} "
        f'<span class="{colour}">{word}</span></summary><div id="row-{number}">{"".join(parts)}'
        "</div></details>"
    )


def _assumptions(row: Row) -> str:
    if row.measured is None:
        return ""
    lines = "".join(
        f'<tr><td class="{"good" if verdict.holds else "bad" if verdict.fails else ""}">'
        f'{verdict.status}</td><td>{escape(verdict.assumption)}</td><td class="number">'
        f"{verdict.value:.3g}</td><td>{escape(verdict.detail)}</td></tr>"
        for verdict in row.measured.assumptions
    )
    return (
        '<table><thead><tr><th scope="col">verdict</th><th scope="col">assumption</th>'
        '<th scope="col" class="number">measured</th><th scope="col">what it is</th></tr></thead>'
        f"<tbody>{lines}</tbody></table>"
    )


def _repeat(manifest: dict[str, Any]) -> str:
    versions = manifest["versions"]
    command = shlex.join(manifest["command"])
    pins = " ".join(
        f"{name}=={version}"
        for name, version in versions.items()
        if name not in ("implicitbias", "python")
    )
    return (
        '<h2 id="repeat">Repeat</h2>\n<p>Every row is deterministic: seeds are in the settings '
        "above. In a clone of the repository, with Python "
        f"{escape(versions['python'])}, the same versions and the same command:</p>\n"
        f"<pre>python -m venv .venv\n.venv/bin/python -m pip install . {escape(pins)}\n"
        f".venv/bin/{escape(command)}</pre>\n"
        "<p>The exit code is 0 only if every row agrees. Other versions, processors and numbers of "
        "threads change the last digits, not the verdicts.</p>"
    )


def _manifest(manifest: dict[str, Any], beside: Sequence[str]) -> str:
    text = json.dumps(manifest, allow_nan=False)
    data = b64encode(text.encode("utf-8")).decode("ascii")
    shown = {key: value for key, value in manifest.items() if key != "rows"}
    lines = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td class="word">{_value(value)}</td></tr>'
        for key, value in shown.items()
    )
    links = "".join(f'<li><a href="{escape(name)}">{escape(name)}</a></li>' for name in beside)
    others = f"<p>Beside this page:</p><ul>{links}</ul>" if links else ""
    return (
        f'<h2 id="manifest">Manifest</h2>\n<table><tbody>{lines}</tbody></table>\n'
        f'<p><a download="manifest.json" href="data:application/json;base64,{data}">All numbers of '
        f"this page as JSON</a></p>{others}"
    )


def _value(value: Any) -> str:
    """A value of the manifest: commands as typed, tables one entry a line, lists of them too."""
    if isinstance(value, dict):
        return "<br>".join(f"{escape(str(key))}: {_value(item)}" for key, item in value.items())
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return escape(shlex.join(value))
    if isinstance(value, list):
        return "<br>".join(escape(", ".join(str(part) for part in item.values())) for item in value)
    return escape(str(value))
