"""The house stays as drawn: who may import whom, and habits that no linter checks."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "implicitbias"
MAX_LINES, MAX_BODY = 400, 60
# what a build of the documentation leaves
BUILT = {"_build", "auto_gallery", "auto_experiments", "auto_notebooks", "generated"}

GROUND = {
    *("_errors", "_names", "_html", "_results", "_verdicts", "_files", "_types"),
    *("_numbers", "_arrays", "_nonnegative", "_threads", "_memory", "_symmetric"),
}
BASE = GROUND | {"features"}
SHARED = BASE | {"problems", "networks"}
RESULTS = SHARED | {
    "initialization",
    "flow",
    "descent",
    "limits",
    "theorems",
    "comparison",
    "alignment",
    "_closing",
    "simulation",
    "datasets",
    "serialization",
}

# Each package or module may import these, and itself.
MAY_IMPORT = {
    "__init__": RESULTS
    | {
        "_names",
        "coordinates",
        "estimators",
        "explorer",
        "interop",
        "plotting",
        "sweeps",
        "_progress",
    },  # the public list, under TYPE_CHECKING
    "_errors": set(),
    "_names": {"_errors"},
    "_html": set(),
    "_pages": set(),
    "_progress": {"_errors"},
    "_files": {"_errors"},
    "_types": set(),
    "_results": {"_html"},
    "_verdicts": {"_errors", "_html", "_results"},
    "_numbers": {"_errors"},
    "_arrays": {"_errors", "_numbers"},
    "_nonnegative": {"_arrays"},
    "_threads": set(),
    "_memory": {"_errors"},
    "_symmetric": set(),
    "features": GROUND,
    "problems": BASE,
    "networks": BASE,
    "initialization": BASE | {"networks"},
    "coordinates": BASE,
    "_fit": SHARED | {"initialization"},
    "_setting": SHARED | {"initialization", "coordinates", "_fit"},
    "dual": BASE | {"coordinates"},
    "flow": SHARED | {"initialization", "coordinates", "_setting", "dual"},
    "descent": SHARED | {"initialization", "coordinates", "_fit", "_setting", "flow"},
    "limits": SHARED | {"coordinates", "dual"},
    "theorems": SHARED | {"initialization", "coordinates", "_fit", "_setting", "dual", "limits"},
    "_closing": SHARED | {"flow", "limits"},
    "comparison": SHARED | {"_closing", "initialization", "flow", "descent", "limits", "theorems"},
    "alignment": SHARED | {"flow", "limits", "_closing", "comparison"},
    "simulation": SHARED
    | {"initialization", "flow", "limits", "theorems", "_closing", "comparison", "alignment"},
    "serialization": BASE,  # the results it builds are named by strings, and imported late
    "datasets": BASE | {"problems"},
    "interop": BASE | {"networks"},
    "_model": SHARED | {"initialization"},
    "estimators": RESULTS | {"_model", "plotting"},  # its displays
    "verification": RESULTS | {"coordinates", "dual"},
    "plotting": RESULTS | {"coordinates", "_pages"},
    "report": RESULTS | {"verification", "plotting"},
    "sweeps": RESULTS | {"_model", "plotting", "report"},
    "explorer": RESULTS | {"plotting", "_model", "_pages"},
    "cli": RESULTS
    | {
        "verification",
        "plotting",
        "report",
        "sweeps",
        "explorer",
        "interop",
        "_model",
        "_progress",
    },
    "__main__": {"cli"},
}
# Where the dual flow decides which of several stationary points is reached.
THEOREMS_BY_FLOW = {
    *("theorems/_classification.py", "theorems/_late_flow.py", "theorems/_groups.py"),
}
# What simulates the parameters themselves knows nothing of potentials or duals.
WITNESS = "route = 'parameters'"
HIDDEN_FROM_WITNESS = {"coordinates", "_setting", "dual"}
# Folders of one floor, which do not know each other.
SIBLINGS = [("flow/regression", "flow/classification"), ("limits/potential", "limits/margin")]

MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [
    path
    for folder in ("src", "tests", "benchmarks", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not BUILT & set(path.parts)
]
TEXTS = [
    *SOURCES,
    *(ROOT / "docs").glob("*.md"),
    *(page for page in sorted((ROOT / "docs").rglob("*.rst")) if not BUILT & set(page.parts)),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "pyproject.toml")),
]


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def owner(path):
    """The package or top-level module that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Full names of everything a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def owners_imported(path):
    """The packages of ours that a file imports."""
    names = [name.split(".") for name in imported(path)]
    known = {"implicitbias." + key for key in MAY_IMPORT}
    return {parts[1] for parts in names if ".".join(parts[:2]) in known}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_follow_the_table(path):
    allowed = MAY_IMPORT[owner(path)] | {owner(path)}
    if name_of(path) in THEOREMS_BY_FLOW:
        allowed = allowed | {"flow"}
    assert owners_imported(path) <= allowed


def test_the_table_names_what_there_is():
    assert set(MAY_IMPORT) == {owner(path) for path in MODULES}


def circle(needed):
    """The names of {name: names} that no order puts behind all that they need."""
    left = dict(needed)
    while ready := [name for name, others in left.items() if not others & set(left)]:
        for name in ready:
            del left[name]
    return set(left)


def test_the_table_has_no_circles():
    assert not circle(MAY_IMPORT)


def test_files_of_the_command_line_have_no_circles():
    files = {f"implicitbias.cli.{path.stem}": path for path in (PACKAGE / "cli").glob("_*.py")}
    assert not circle({name: set(imported(path)) & set(files) for name, path in files.items()})


def witnesses():
    """The files of every class whose route is "parameters"."""
    return [
        path
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and WITNESS in map(ast.unparse, node.body)
    ]


def test_there_are_four_witnesses():
    """Both losses, with an activation and without."""
    assert len(witnesses()) == 4


def test_the_witness_never_sees_potentials_or_duals():
    waiting, seen = witnesses(), set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        assert not owners_imported(path) & HIDDEN_FROM_WITNESS, name_of(path)
        for name in imported(path):
            parts = name.split(".")
            whole = PACKAGE.joinpath(*parts[1:])
            for found in (whole.with_suffix(".py"), whole / "__init__.py"):
                if parts[:2] == ["implicitbias", "flow"] and found.exists() and found not in seen:
                    waiting.append(found)


def test_gradient_descent_never_sees_them_either():
    """Only the effective start, which is worked out when a run has ended."""
    sources = sorted((PACKAGE / "descent").glob("*.py"))
    seeing = {path.name for path in sources if owners_imported(path) & HIDDEN_FROM_WITNESS}
    assert seeing == {"_effective.py"}


@pytest.mark.parametrize(("left", "right"), [*SIBLINGS, *(pair[::-1] for pair in SIBLINGS)])
def test_siblings_do_not_know_each_other(left, right):
    sources = sorted((PACKAGE / left).rglob("*.py"))
    assert sources
    other = "implicitbias." + right.replace("/", ".")
    for path in sources:
        assert not [name for name in imported(path) if name.startswith(other)], name_of(path)


def families_asked_for(path):
    """Lines on which a file asks whether something is of one family of networks."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("isinstance", "issubclass"):
            kinds = {one.id for one in ast.walk(node.args[1]) if isinstance(one, ast.Name)}
            if any(kind.endswith("Network") and kind != "Network" for kind in kinds):
                yield node.lineno


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_networks_answer_for_themselves(path):
    """What depends on a network is asked of it: a family of a user's own is as good as ours."""
    if owner(path) != "networks":
        assert not list(families_asked_for(path))


def private_imports(path):
    """Modules of another package that a file imports although their names begin with _."""
    names = {name for name in imported(path) if name.startswith("implicitbias.")}
    return {
        name
        for name in names
        if name.split(".")[1] != owner(path) and any(part[0] == "_" for part in name.split(".")[2:])
    }


def test_what_a_package_offers_stands_in_its_init():
    assert not {(name_of(path), name) for path in MODULES for name in private_imports(path)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_stay_short(path):
    """Without their docstrings, which say as much as they must."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            first = node.body[1 if ast.get_docstring(node) and node.body[1:] else 0]
            assert node.end_lineno - first.lineno < MAX_BODY, node.name


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_assert_in_the_package(path):
    """Input is validated by typed errors: asserts vanish under -O."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def test_references_import_nothing_of_the_package():
    references = sorted((ROOT / "tests" / "reference").glob("*.py"))
    assert references
    for path in references:
        assert not [name for name in imported(path) if name.split(".")[0] == "implicitbias"]


FORBIDDEN = [
    "TO" + "DO",
    "FIX" + "ME",
    *(f"/{folder}/" for folder in ("work", "root", "home", "opt", "Users")),
    *(f"{host}.org" for host in ("pypi", "pythonhosted")),
]


@pytest.mark.parametrize("word", FORBIDDEN)
def test_nothing_left_open_and_no_path_of_one_machine(word):
    found = [
        path.relative_to(ROOT).as_posix()
        for path in TEXTS
        if word in path.read_text(encoding="utf-8")
    ]
    assert not found


ARRAYS = re.compile(r"\w*Array\b|ndarray|Parameters|Vectors")


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_holds_arrays_is_equal_to_itself_only(path):
    """Equality made from fields would ask whether arrays are true, which raises."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            made = [each for each in map(ast.unparse, node.decorator_list) if "dataclass" in each]
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            types = [ast.unparse(each.annotation) for each in fields]
            if made and any(map(ARRAYS.search, types)):
                assert "eq=False" in made[0], node.name
