"""Docstrings are written for people: bars, stars and underscores in them are not markup."""

import re

LITERAL = re.compile(r"(``.*?``)")
MARKUP = re.compile(r"[|*\\]|_(?!\w)|`")


def _escape(line):
    parts = LITERAL.split(line)
    return "".join(
        part if part.startswith("``") else MARKUP.sub(lambda found: "\\" + found[0], part)
        for part in parts
    )


def _process(app, what, name, obj, options, lines):
    if getattr(obj, "__module__", "implicitbias").startswith("implicitbias"):
        lines[:] = [_escape(line) for line in lines]


def setup(app):
    """Escape before napoleon reads the sections."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", _process, priority=100)
    return {"parallel_read_safe": True}
