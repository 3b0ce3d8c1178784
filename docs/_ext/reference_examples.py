"""The examples of the reference, by the names whose pages show them."""

import re
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "reference" / "examples.txt"
BLOCK = re.compile(r"^(--|==) (?:\[(\w+)\] )?(.+)\n((?:(?!--|==).*\n)*)", flags=re.MULTILINE)


def examples():
    """Return the code to show by name, such as "plotting.levels", and the starts left out."""
    starts, found = {}, {}
    for kind, start, names, code in BLOCK.findall(FILE.read_text(encoding="utf-8")):
        if kind == "==":
            starts[names] = code.strip()
            continue
        whole = code.strip() if not start else f"{starts[start]}\n\n{code.strip()}"
        for name in names.split():
            if name in found:
                raise ValueError(f"{FILE}: {name} has two examples")
            found[name] = whole
    return found
