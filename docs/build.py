"""Build the site: python docs/build.py, with the extra "docs" installed."""

import shutil
import sys
import time
from pathlib import Path

from sphinx.cmd.build import build_main

HERE = Path(__file__).resolve().parent
OUT = HERE / "_build"


def main() -> int:
    """Build from nothing, with warnings as errors; return the exit code."""
    for stale in (
        OUT,
        HERE / "auto_gallery",
        HERE / "auto_experiments",
        HERE / "auto_notebooks",
        HERE / "reference" / "generated",
    ):
        shutil.rmtree(stale, ignore_errors=True)
    began = time.perf_counter()
    code = build_main(
        ["-W", "--keep-going", "-q" if "-q" in sys.argv else "-T", str(HERE), str(OUT / "html")]
    )
    print(f"{'built' if code == 0 else 'FAILED'} in {time.perf_counter() - began:.0f} s")
    if code == 0:
        print(f"open {OUT / 'html' / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
