"""Docstrings are written for people: bars, stars and underscores in them are not markup."""

import re
from importlib.util import find_spec

from reference_examples import examples

EXAMPLES = examples()
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
        # An ellipsis is one character: three full stops would end the summary's sentence.
        lines[:] = [_escape(line.replace("...", "…")) for line in _with_notes(lines)]


def _show_example(app, what, name, obj, options, lines):
    lines += _example(name)


def _example(name):
    """Return the example of a name, to be run."""
    code = EXAMPLES.get(name.removeprefix("implicitbias."))
    if code is None:
        return []
    optional = re.findall(r"^import (torch|dask)\b", code, flags=re.MULTILINE)
    optional += ["array_api_compat"] if "OnDevice" in code else []
    installed = all(map(find_spec, optional))
    how = ".. run::" if installed else ".. code-block:: python"  # shown where it cannot be run
    return [
        "",
        ".. rubric:: Example",
        "",
        how,
        "",
        *("   " + line for line in code.splitlines()),
        "",
    ]


def _with_notes(lines):
    """Give a closing line "Source: ..." a section of its own, lest it end the one before."""
    if "Notes" in lines:
        return list(lines)
    found = []
    for line in lines:
        found += ["Notes", "-----"] if line.startswith("Source:") else []
        found.append(line)
    return found


def _skip(app, what, name, obj, skip, options):
    """Leave out what scikit-learn writes into our classes: its pages document it."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app):
    """Escape before napoleon reads the sections, and show examples below them."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _process, priority=100)
    app.connect("autodoc-process-docstring", _show_example, priority=900)  # after the sections
    return {"parallel_read_safe": True}
