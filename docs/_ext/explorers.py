"""A directive that puts a page of ``implicitbias.explore`` into the documentation.

``.. explorer:: page name`` writes the page that an earlier ``.. run::`` of the same file called
``page`` to explorers/name.html, and shows it in a frame with a link beside it.
"""

from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from executed import namespaces


class Explorer(Directive):
    """Show an explorer that a snippet made."""

    required_arguments = 2

    def run(self):
        """Return the nodes."""
        variable, name = self.arguments
        env = self.state.document.settings.env
        page = namespaces[self.state.document.current_source][variable]
        file = Path(env.app.outdir) / "explorers" / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        page.save(file)
        address = "../" * env.docname.count("/") + f"explorers/{name}.html"
        title = escape(page.data["title"])
        size = file.stat().st_size / 1e3
        text = (
            f'<iframe class="explorer" title="{title}" src="{address}" loading="lazy"></iframe>\n'
            f'<p><a href="{address}">{title}, in a window of its own</a> ({size:.0f} kB)</p>'
        )
        return [nodes.raw("", text, format="html")]


def setup(app):
    """Register the directive."""
    app.add_directive("explorer", Explorer)
    return {"parallel_read_safe": False}
