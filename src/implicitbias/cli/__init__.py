"""The command line: parse, call, print.

Only click is imported at the top of these modules, so that ``--help`` is fast; everything else is
imported by the command that needs it.
"""

from __future__ import annotations

import errno
from typing import Any

import click

from implicitbias import __version__
from implicitbias.cli._commands import explain, flow, path, predict
from implicitbias.cli._verify import report_page, verify


class Commands(click.Group):
    """A group that prints the package's own errors as one message and exits with 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from implicitbias._errors import ImplicitBiasError

        try:
            return super().invoke(ctx)
        except ImplicitBiasError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output went away: click ends quietly
                raise
            raise click.ClickException(str(error)) from error


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"implicitbias {__version__}")
        ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and exit.",
)
def main() -> None:
    """Where gradient flow ends when it trains linear tensor networks.

    Exit code 0: every certificate holds and every comparison agrees. 1: something does not, or the
    data cannot be used. 2: the command was not understood.
    """


for command in (verify, report_page, predict, explain, path, flow):
    main.add_command(command)
