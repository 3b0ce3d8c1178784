"""Directives that run what they show: Python, and commands of ``implicitbias``.

A snippet that raises, or a command with another exit code than the one announced, is an error of
the build, so that nothing on a page can differ from what the package does.
"""

import contextlib
import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
import threading
import traceback
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from sphinx.errors import ExtensionError
from sphinx.util import logging

logger = logging.getLogger(__name__)
TIMEOUT = 120  # seconds a command may take
COLUMNS = 80  # of the terminal that commands print on: what fits a page
counted = {"snippets": 0, "commands": 0}
namespaces = {}  # one a page: later snippets go on where earlier ones ended
folders = {}  # likewise, for commands and the files they read


class Run(Directive):
    """Run Python and show it with what it prints.

    ``:show-output:`` is "text" (default), "rst" (parsed as part of the page) or "none";
    ``:hide-code:`` shows the output alone; ``:raises:`` names the error the snippet must end with,
    whose message is then shown.
    """

    has_content = True
    option_spec: ClassVar = {
        "show-output": lambda text: directives.choice(text, ("text", "rst", "none")),
        "hide-code": directives.flag,
        "raises": directives.unchanged_required,
    }

    def run(self):
        """Return the nodes."""
        code = "\n".join(self.content)
        output = self._printed(code)
        counted["snippets"] += 1
        found = [] if "hide-code" in self.options else [_literal(code, "python")]
        how = self.options.get("show-output", "text")
        if how == "rst":
            found += self.parse_rst(output)
        elif how == "text" and output.strip():
            found.append(_output(output.rstrip()))
        return found

    def parse_rst(self, text):
        """Return the nodes of a piece of reStructuredText."""
        from docutils.statemachine import StringList

        holder = nodes.Element()
        lines = text.splitlines()
        self.state.nested_parse(StringList(lines, source="<output>"), self.content_offset, holder)
        return holder.children

    def _printed(self, code):
        page = self.state.document.current_source
        namespace = namespaces.setdefault(page, {"__name__": "__main__"})
        printed = io.StringIO()
        wanted = self.options.get("raises")
        where = f"{page}:{self.lineno}"
        try:
            with contextlib.redirect_stdout(printed), contextlib.chdir(_folder(page)):
                exec(compile(code, where, "exec"), namespace)
        except Exception as error:
            if type(error).__name__ != wanted:
                raise ExtensionError(
                    f"{where}: a snippet failed\n{traceback.format_exc()}"
                ) from error
            return f"{printed.getvalue()}{wanted}: {error}"
        if wanted:
            raise ExtensionError(f"{where}: the snippet did not raise {wanted}")
        return printed.getvalue()


class Command(Directive):
    """Run ``implicitbias ...`` and show the command with what it prints."""

    has_content = True
    option_spec: ClassVar = {
        "exit-code": directives.nonnegative_int,
        "lines": directives.positive_int,
    }

    def run(self):
        """Return the nodes."""
        page = self.state.document.current_source
        shown = []
        for line in self.content:
            words = shlex.split(line)
            if words[:1] != ["implicitbias"]:
                raise ExtensionError(f"{page}:{self.lineno}: not a command of ours: {line}")
            code, printed, said = on_a_terminal([sys.executable, "-m", *words], _folder(page))
            counted["commands"] += 1
            if code != self.options.get("exit-code", 0):
                raise ExtensionError(f"{page}:{self.lineno}: {line}\nended with {code}\n{said}")
            lines = (printed or _wrapped(said)).rstrip().splitlines()
            kept = lines[: self.options.get("lines", len(lines))]
            more = ["..."] if len(kept) < len(lines) else []
            shown.append(
                "\n".join([f"$ {line}", *(re.sub(r"\s+$", "", one) for one in kept), *more])
            )
        return [_literal("\n\n".join(shown), "text")]


def on_a_terminal(words, folder):
    """Exit code, output and errors of a command whose output is a terminal of 80 columns."""
    ours, its = pty.openpty()
    plain = {"COLUMNS": str(COLUMNS), "TERM": "dumb", "NO_COLOR": "1"}
    with tempfile.TemporaryFile("w+") as errors:
        command = subprocess.Popen(
            words, stdout=its, stderr=errors, cwd=folder, env=os.environ | plain
        )
        os.close(its)
        late = threading.Timer(TIMEOUT, command.kill)
        late.start()
        with open(ours, "rb") as stream:
            printed = b"".join(_until_closed(stream))
        code = command.wait()
        late.cancel()
        errors.seek(0)
        return code, printed.decode().replace("\r\n", "\n"), errors.read()


def _wrapped(errors):
    """Errors as a terminal shows them."""
    return "\n".join(
        textwrap.fill(line, COLUMNS, subsequent_indent="    ", break_on_hyphens=False)
        for line in errors.splitlines()
    )


def _until_closed(stream):
    """What comes out of a terminal, which ends in an error where its last writer has gone."""
    with contextlib.suppress(OSError):
        while part := stream.read1():
            yield part


def _folder(page):
    if page not in folders:
        folders[page] = tempfile.TemporaryDirectory()
    return Path(folders[page].name)


def _literal(text, language):
    node = nodes.literal_block(text, text)
    node["language"] = language
    return node


def _output(text):
    """What a snippet printed, in a container of its own so that it is told from code."""
    return nodes.container("", _literal(text, "text"), classes=["output"])


def _report(app, error):
    if error is None:
        logger.info("executed: %(snippets)d Python snippets, %(commands)d commands", counted)
    for folder in folders.values():
        folder.cleanup()


def setup(app):
    """Register both directives."""
    app.add_directive("run", Run)
    app.add_directive("command", Command)
    app.connect("build-finished", _report)
    return {"parallel_read_safe": False}
