"""Run ``python -m implicitbias``."""

from implicitbias.cli import main

main(prog_name="implicitbias")
