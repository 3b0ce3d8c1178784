"""Directories and files that appear whole, and never in place of somebody else's."""

import json

import pytest

from implicitbias.report import OWN, ForeignFilesError, output_directory, replacing

NAMES = ("a.txt", "b.txt")


def write(directory, *names, text="ours", **options):
    with output_directory(directory, NAMES, **options) as scratch:
        for name in names:
            (scratch / name).write_text(text)


def contents(directory):
    return {path.name: path.read_text() for path in directory.iterdir() if path.name != OWN}


def test_a_new_directory_appears_whole(tmp_path):
    target = tmp_path / "deep" / "result"
    with output_directory(target, NAMES) as scratch:
        (scratch / "a.txt").write_text("ours")
        assert not target.exists()
    assert contents(target) == {"a.txt": "ours"}
    assert list(json.loads((target / OWN).read_text())["files"]) == ["a.txt"]
    assert [path.name for path in target.parent.iterdir()] == ["result"]


def test_own_files_are_replaced_or_deleted_and_others_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    write(tmp_path, "a.txt", "b.txt")
    write(tmp_path, "a.txt", text="again")
    assert contents(tmp_path) == {"a.txt": "again", "mine.txt": "mine"}
    write(tmp_path, "a.txt", text="again")
    assert contents(tmp_path) == {"a.txt": "again", "mine.txt": "mine"}


def never(directory, **options):
    with output_directory(directory, NAMES, **options):
        raise AssertionError("refused before the work is done")


@pytest.mark.parametrize("changed", [False, True])
def test_files_of_others_are_refused_unless_forced(tmp_path, changed):
    if changed:
        write(tmp_path, "a.txt", "b.txt")
    (tmp_path / "a.txt").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(ForeignFilesError, match=r"a\.txt.*--force"):
        never(tmp_path)
    assert contents(tmp_path) == before
    write(tmp_path, "a.txt", force=True)
    assert contents(tmp_path) == {"a.txt": "ours"}
    (tmp_path / "a.txt").write_text("mine")  # what was replaced by force has not become ours
    with pytest.raises(ForeignFilesError):
        never(tmp_path)


def test_former_results_are_deleted_only_if_they_are_ours(tmp_path):
    (tmp_path / "figure.png").write_text("mine")
    write(tmp_path, "a.txt", former=["figure.png"])
    assert contents(tmp_path) == {"a.txt": "ours", "figure.png": "mine"}
    other = tmp_path / "other"
    with output_directory(other, ["figure.png"]) as scratch:
        (scratch / "figure.png").write_text("ours")
    write(other, "a.txt", former=["figure.png"])
    assert contents(other) == {"a.txt": "ours"}


def test_a_directory_in_the_way_is_refused_even_by_force(tmp_path):
    (tmp_path / "b.txt").mkdir()
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(ForeignFilesError, match=r"b\.txt is a directory"):
        never(tmp_path, force=True)
    assert (tmp_path / "a.txt").read_text() == "mine"


def test_files_that_came_meanwhile_are_kept(tmp_path):
    with pytest.raises(ForeignFilesError), output_directory(tmp_path, NAMES) as scratch:
        (scratch / "a.txt").write_text("ours")
        (tmp_path / "a.txt").write_text("mine")
    assert contents(tmp_path) == {"a.txt": "mine"}


def test_a_manifest_of_somebody_else_is_kept(tmp_path):
    (tmp_path / OWN).write_text("mine")
    with pytest.raises(ForeignFilesError, match=OWN):
        never(tmp_path)


def test_links_are_not_followed(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    target = tmp_path / "out"
    target.mkdir()
    (target / "a.txt").symlink_to(mine)
    with pytest.raises(ForeignFilesError):
        never(target)
    write(target, "a.txt", force=True)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
@pytest.mark.parametrize("existing", [True, False])
def test_nothing_is_left_behind_when_something_raises(tmp_path, error, existing):
    target = tmp_path / "deep" / "report"
    if existing:
        target.mkdir(parents=True)
    with pytest.raises(error), output_directory(target) as scratch:
        (scratch / "arrays.npz").write_text("half")
        raise error
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "report"] * existing


def test_replacing_a_file_keeps_the_old_one_when_something_raises(tmp_path):
    file = tmp_path / "figure.png"
    file.write_text("old")
    with pytest.raises(RuntimeError), replacing(file) as scratch:
        scratch.write_text("half")
        raise RuntimeError
    assert contents(tmp_path) == {"figure.png": "old"}
    with replacing(file) as scratch:
        scratch.write_text("new")
    assert contents(tmp_path) == {"figure.png": "new"}


def test_errors_name_what_was_asked_for(tmp_path):
    (tmp_path / "file").write_text("")
    for writer, path in (
        (replacing, tmp_path / "nowhere" / "page.html"),
        (output_directory, tmp_path / "file" / "out"),
    ):
        with pytest.raises(OSError) as caught, writer(path):
            raise AssertionError("refused before the work is done")
        assert caught.value.filename == str(path)
