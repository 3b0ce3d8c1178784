"""Habits of this repository that no linter knows: tests that can fail, code that is used."""

import ast
import re
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import implicitbias
import implicitbias.plotting

ROOT = Path(__file__).resolve().parents[1]


def parsed(folder):
    return {
        path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))
    }


PACKAGE, TESTS = parsed(ROOT / "src" / "implicitbias"), parsed(ROOT / "tests")
GENERATORS = {"default_rng", "RandomState", "Generator"}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def found(kind, fault):
    """Where the tests have a node of this kind with this fault."""
    return [
        f"{name_of(path)}:{getattr(node, 'lineno', 1)}: {fault(node)}"
        for path, tree in TESTS.items()
        for node in ast.walk(tree)
        if isinstance(node, kind) and fault(node)
    ]


# ---- assertions that cannot fail -----------------------------------------------------------------


def alternatives(node):
    """An expression as text; both branches of a conditional one."""
    branches = (node.body, node.orelse) if isinstance(node, ast.IfExp) else (node,)
    return {ast.dump(branch) for branch in branches}


def vacuous(node):
    """Why an assertion holds whatever the code does, or looks as if it did; None if it does not.

    ``a or b`` hides a side that is always true, and binds looser than a comparison: state an
    implication by ``if``, a choice by ``in`` or ``any``. Identity is not equality: ``is`` may hold
    a cached thing against itself.
    """
    if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or):
        return "a or b"
    if isinstance(node.test, (ast.Tuple, ast.Constant, ast.GeneratorExp, ast.JoinedStr)):
        return "always true, or always false"
    for compared in ast.walk(node.test):
        if isinstance(compared, ast.Compare) and not isinstance(compared.ops[0], ast.Is):
            sides = [alternatives(side) for side in (compared.left, *compared.comparators)]
            if any(one & two for one, two in pairwise(sides)):
                return "a thing compared with itself"
    return None


@pytest.mark.parametrize(
    "code",
    [
        "assert a.keys() or b",
        "assert (a in b) == c or d",
        "assert n.events == (1 if first else n.events)",
        "assert f(x) == f(x)",
        "assert (a, 'text')",
        "assert (x > 0 for x in y)",
    ],
)
def test_what_cannot_fail_is_recognised(code):
    assert vacuous(ast.parse(code).body[0])
    assert not vacuous(ast.parse("assert a() is a()").body[0])
    assert not vacuous(ast.parse("assert (a or b) == c").body[0])


def test_assertions_can_fail():
    assert not found(ast.Assert, vacuous)


def asserts(node):
    """Whether a piece of code asserts something by itself."""
    return any(isinstance(inner, ast.Assert) for inner in ast.walk(node)) or any(
        name in ("raises", "fail") or name.startswith("assert_") for name in called(node)
    )


@cache
def called(node):
    """Last names of everything a piece of code calls."""
    functions = [inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call)]
    return {getattr(each, "attr", getattr(each, "id", "")) for each in functions}


def gives_up(function):
    """Lines of a hypothesis law on which it returns before its last statement asserted anything."""
    if not any("given" in ast.dump(decorator) for decorator in function.decorator_list):
        return []
    return [
        node.lineno
        for block in ast.walk(function)
        if isinstance(block, ast.If) and not asserts(block)
        for node in block.body
        if isinstance(node, ast.Return)
    ]


def test_laws_that_give_up_are_recognised():
    law = "@given(x)\ndef test_law(x):\n    if x:\n        {}return\n    assert x"
    assert gives_up(ast.parse(law.format("")).body[0]) == [4]
    assert not gives_up(ast.parse(law.format("assert f(x); ")).body[0])


def test_laws_assert_something_of_every_example():
    assert not found(ast.FunctionDef, gives_up)


def test_every_test_asserts_something():
    """By itself, or through a helper of the tests that does."""
    functions = [
        node
        for tree in TESTS.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    ]
    asserting = {function.name for function in functions if asserts(function)}
    while True:
        more = {f.name for f in functions if called(f) & asserting} - asserting
        if not more:
            break
        asserting |= more
    silent = {f.name for f in functions if f.name.startswith("test_")} - asserting
    assert not silent


# ---- numbers that are lost -----------------------------------------------------------------------


def skips_nan(tree):
    """Lines on which a certificate is given the builtin max, which passes over a NaN."""
    return [
        inner.lineno
        for outer in ast.walk(tree)
        if isinstance(outer, ast.Call) and getattr(outer.func, "id", "") in ("Certificate", "KKT")
        for inner in ast.walk(outer)
        if isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "max"
    ]


def test_certificates_do_not_pass_over_nan():
    assert skips_nan(ast.parse("Certificate(max(0.0, defect), error=worst_of(a, b))")) == [1]
    lines = {name_of(path): skips_nan(tree) for path, tree in PACKAGE.items()}
    assert not {path: each for path, each in lines.items() if each}


# ---- data that depend on the order of tests ------------------------------------------------------


def lasting_generators(scope):
    """Lines of a module, or of a class, on which a generator gets a name."""
    return [
        statement.lineno
        for statement in scope.body
        if isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None
        for value in getattr(statement.value, "elts", [statement.value])
        if isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in GENERATORS
    ]


def test_lasting_generators_are_recognised():
    assert lasting_generators(ast.parse("RNG = np.random.default_rng(0)")) == [1]
    assert lasting_generators(ast.parse("A, B = 1, default_rng(0)")) == [1]
    assert not lasting_generators(ast.parse("X = np.random.default_rng(0).normal(size=3)"))
    assert not lasting_generators(ast.parse("def f():\n    rng = np.random.default_rng(0)"))


def test_no_generator_outlives_a_test():
    assert not found((ast.Module, ast.ClassDef), lasting_generators)


# ---- code nobody uses ----------------------------------------------------------------------------


def defined(tree):
    """Names that a module defines, each with the nodes of its definition."""
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name, node
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from ((n.id, node) for n in ast.walk(target) if isinstance(n, ast.Name))


def loaded(statement):
    names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return {name.id for name in names if isinstance(name.ctx, ast.Load)}


def test_what_is_defined_is_used():
    """In its own module, by an import, as an attribute, or by everybody: listed in ``__all__``."""
    taken, public = defaultdict(set), set(implicitbias.__all__)
    for tree in PACKAGE.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                taken[node.module] |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute):
                taken["."].add(node.attr)
        for name, node in defined(tree):
            if name == "__all__":
                public |= {item.value for item in node.value.elts}
    unused = []
    for path, tree in PACKAGE.items():
        module = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        known = taken[module.removesuffix(".__init__")] | taken["."] | public
        loads = [(statement, loaded(statement)) for statement in tree.body]
        for name, node in defined(tree):
            others = set().union(*(names for statement, names in loads if statement is not node))
            if name not in known | others and not name.startswith("__"):
                unused.append(f"{name_of(path)}: {name}")
    assert not unused


# ---- pages that say what is there ----------------------------------------------------------------


def listed(page):
    """Names in the tables of a page of the reference, by module."""
    found, module = defaultdict(set), ""
    for line in page.splitlines():
        if line.startswith(".. currentmodule::"):
            module = line.split("::")[1].strip()
        elif re.fullmatch(r"   [A-Za-z_]\w*", line):
            found[module].add(line.strip())
    return found


def test_the_reference_lists_the_public_names():
    page = (ROOT / "docs" / "reference" / "index.rst").read_text(encoding="utf-8")
    found = listed(page)
    elsewhere = {"__version__", "plotting"}  # the figures have a table of their own
    assert found["implicitbias"] == set(implicitbias.__all__) - elsewhere
    interop = set(implicitbias.interop.__all__)
    assert found["implicitbias.interop"] == interop - set(implicitbias.__all__)
    plotting = {
        name: getattr(implicitbias.plotting, name) for name in implicitbias.plotting.__all__
    }
    assert found["implicitbias.plotting"] == {name for name in plotting if callable(plotting[name])}


def test_sources_cite_what_a_reader_can_find():
    """Papers and pages of this documentation, not sections of anybody's notes."""
    notes = re.compile(r"\b(theory|architecture|house) \d|\w+\.md, section|the deck\b")
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE}
    assert not [name_of(path) for path, text in texts.items() if notes.search(text)]


def test_docstrings_begin_with_the_symbol_as_it_is():
    """Log D is another thing than log D, and U(t) than u(t)."""
    words = r"(Rho|Beta|Nu|Tau|Eta|Alpha|Sum_\w|Argmin|Argmax|Exp)\b"
    capital = re.compile(
        words + r"|Max [a-z] |Log [^omt]|[DTB][tuxs]? (with (rho|u)|that)|U[( ]|Z = h"
    )
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    found = [
        f"{name_of(path)}: {text.splitlines()[0]}"
        for path, tree in PACKAGE.items()
        for node in ast.walk(tree)
        if isinstance(node, documented) and (text := ast.get_docstring(node))
        if capital.match(text)
    ]
    assert not found


def test_contributors_are_told_every_method_of_a_network():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert not {
        name for name in implicitbias.Network.__abstractmethods__ if f"`{name}`" not in text
    }


def test_pages_show_nothing_private():
    """Neither by an import nor by an attribute: what is shown can be copied."""
    private = re.compile(r"(from|import) implicitbias[\w.]*\._|\bib\.[\w.]*\b_[a-z]")
    folders = ("gallery", "experiments", "notebooks")
    scripts = [path for name in folders for path in (ROOT / "docs").glob(f"{name}/*.py")]
    pages = [*(ROOT / "docs").rglob("*.rst"), *scripts]
    assert not [name_of(page) for page in pages if private.search(page.read_text(encoding="utf-8"))]
