"""Check the types of every snippet as a user's strict mypy would: python docs/snippets.py.

The README's Python and the ``.. run::`` blocks of each page become one file a page, the reference's
examples one each. Needs the extra "lint".
"""

import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CALLS = ROOT / "tests" / "helpers" / "typed_calls.py"
# Strict but for what a snippet does not owe: annotations of its own, one type a name. The project's
# settings are not a user's.
OPTIONS = (
    *("--strict", "--ignore-missing-imports", "--config-file=", "--no-error-summary"),
    *("--allow-untyped-defs", "--allow-untyped-calls", "--allow-redefinition"),
    "--allow-subclassing-any",  # of what is not installed here
    f"--cache-dir={ROOT / '.mypy_cache' / 'snippets'}",
)
FENCE = re.compile(r"^```python\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
RUN = re.compile(r"^\.\. run::\n((?:[ \t]+\S.*\n|\s*\n)*)", flags=re.MULTILINE)
OPTION = re.compile(r"^ +:([a-z-]+):.*\n", flags=re.MULTILINE)


def snippets(page: Path) -> list[str]:
    """Return the Python that a page shows, in order, as it is run."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return FENCE.findall(text)
    return [textwrap.dedent(OPTION.sub("", block)) for block in RUN.findall(text + "\n")]


def pages() -> list[Path]:
    """Return the README and the pages written by hand."""
    built = {"_build", "auto_gallery", "auto_experiments", "auto_notebooks", "generated"}
    found = [*sorted((ROOT / "docs").rglob("*.rst")), ROOT / "README.md"]
    return [page for page in found if not built & set(page.parts)]


def reference() -> list[str]:
    """Return the examples of the reference, each by itself."""
    sys.path.insert(0, str(ROOT / "docs" / "_ext"))
    from reference_examples import examples

    return list(dict.fromkeys(examples().values()))


def write(folder: Path) -> list[Path]:
    """Write one file a page that has snippets, and the calls of ``CALLS``."""
    files = [Path(shutil.copy(CALLS, folder))]  # beside its neighbours mypy would take theirs
    for page in pages():
        code = "\n".join(snippets(page))
        if code.strip():
            name = re.sub(r"\W", "_", page.relative_to(ROOT).with_suffix("").as_posix())
            file = folder / f"{name}.py"
            file.write_text(code, encoding="utf-8")
            files.append(file)
    for number, code in enumerate(reference()):
        file = folder / f"reference_{number}.py"
        file.write_text(code, encoding="utf-8")
        files.append(file)
    return files


def main() -> int:
    """Write the files, check them, return mypy's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder))
        done = subprocess.run([sys.executable, "-m", "mypy", *OPTIONS, *map(str, files)])
    if done.returncode == 0:
        print(f"types of {len(files) - 1} pages and examples and of {CALLS.name}: no errors")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
