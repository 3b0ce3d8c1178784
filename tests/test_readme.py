"""The README: its example runs, its commands are the ones that are checked."""

import os
import re
from pathlib import Path

import pytest

import implicitbias

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CI = ROOT / ".ci" / "run"


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def test_the_example_prints_what_it_says(capsys):
    (example,) = blocks("python")
    assert len(example.strip().splitlines()) <= 11
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith("agrees with Corollary 5: error ")
    assert float(re.search(r"error (\S+)", printed).group(1)) < 1e-9


def test_the_test_command_is_the_one_of_continuous_integration():
    commands = [line for block in blocks("sh") for line in block.strip().splitlines()]
    assert len(commands) == 2
    assert commands[0].endswith(".venv/bin/implicitbias verify")
    assert commands[1] in CI.read_text(encoding="utf-8").splitlines()
    assert ".venv/bin/implicitbias verify" in CI.read_text(encoding="utf-8").splitlines()
    assert os.access(CI, os.X_OK)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("name", re.findall(r"`([a-z_]+(?:/|\.py))`", README))
def test_named_parts_exist(name):
    assert (ROOT / "src" / "implicitbias" / name).exists()


def test_the_license_is_whole():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) > 190


def test_the_changelog_has_an_open_section():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text
    assert "### Added" in text


def test_changelog_and_citation_name_the_version():
    released = re.search(
        r"^## \[(\d[^]]*)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M
    )
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert released[1] == implicitbias.__version__
    assert f"\nversion: {released[1]}\ndate-released: {released[2]}\n" in cited
