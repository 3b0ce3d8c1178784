"""Where blocks come from, and what is refused: every source holds the same matrix."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array, csr_array, random_array

from helpers.draws import normal
from helpers.features import Again, cut
from implicitbias import Classification, InvalidInputError, Regression
from implicitbias.features import Blocks, features_of

N, D = 5, 23


@pytest.fixture
def X():
    return normal(0, (N, D))[0]


def written(folder, X, kind):
    """The matrix in a file, and whether that holds its transpose."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = folder / f"X.{kind.split()[0]}"
    transposed = kind.endswith("transposed")
    array = X.T if transposed else X
    if kind.startswith("npy"):
        np.save(path, np.asfortranarray(array) if "by columns" in kind else array)
        return path, transposed
    table = pa.table({f"c{j}": column for j, column in enumerate(array.T)})
    if kind.startswith("parquet"):
        pq.write_table(table, path, row_group_size=4)
    else:
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table, max_chunksize=4)
    return path, transposed


FILES = ["npy", "npy by columns", "npy transposed", "npy by columns, transposed", "parquet"]
FILES += ["parquet transposed", "arrow", "arrow transposed", "feather"]


@pytest.mark.parametrize("kind", FILES)
def test_files(tmp_path, X, kind):
    path, transposed = written(tmp_path, X, kind)
    blocks = Blocks(path, transposed=transposed)
    np.testing.assert_array_equal(blocks.toarray(), X)
    np.testing.assert_array_equal(blocks.columns([D - 1, 0]), X[:, [D - 1, 0]])
    np.testing.assert_array_equal(Blocks(str(path), transposed=transposed).toarray(), X)


@pytest.mark.parametrize("kind", ["npy", "npy by columns", "npy transposed", "parquet", "arrow"])
def test_files_are_cut_to_what_the_memory_allows(tmp_path, kind):
    (X,) = normal(0, (200, 90))
    path, transposed = written(tmp_path, X, kind)
    blocks = Blocks(path, transposed=transposed, memory=1 << 16)
    assert 200 * 8 * max(part.stop - part.start for part in blocks.parts) <= 1 << 15
    assert len(blocks.parts) > 4
    np.testing.assert_array_equal(blocks.toarray(), X)


@pytest.mark.parametrize(
    "given",
    [
        lambda X: X,
        lambda X: X.astype(np.float32).astype(float),
        lambda X: cut(X),
        lambda X: tuple(map(csr_array, cut(X))),
        lambda X: [pd.DataFrame(part) for part in cut(X)],
        lambda X: Again(X, 4),
        lambda X: csc_array(X),
        lambda X: pytest.importorskip("pyarrow").table({str(j): X[:, j] for j in range(D)}),
    ],
)
def test_objects(X, given):
    X = X.astype(np.float32).astype(float)
    np.testing.assert_array_equal(Blocks(given(X)).toarray(), X)


def test_lists_of_files(tmp_path, X):
    paths = [tmp_path / f"{i}.npy" for i in range(3)]
    for path, part in zip(paths, cut(X), strict=True):
        np.save(path, part.astype(np.float32))
    blocks = Blocks(paths)
    np.testing.assert_array_equal(blocks.toarray(), X.astype(np.float32))
    assert repr(blocks) == f"Blocks({N} x {D}, 3 given, 3 read)"


def test_tables_transposed(X):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({str(i): X[i] for i in range(N)})
    np.testing.assert_array_equal(Blocks(table, transposed=True).toarray(), X)
    np.testing.assert_array_equal(Blocks(X.T, transposed=True).toarray(), X)


class Random:
    """What must not be: other numbers at each reading."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def __iter__(self):
        return (self.rng.standard_normal((N, 3)) for _ in range(2))


def test_numbers_that_change_are_noticed():
    with pytest.raises(InvalidInputError, match="block 0 of X has other entries now"):
        Regression(Blocks(Random()), np.ones(N))


class Growing:
    """Blocks of given widths, which somebody changes."""

    def __init__(self):
        self.widths = [3, 3]

    def __iter__(self):
        return (np.ones((N, width)) for width in self.widths)


@pytest.mark.parametrize(
    ("widths", "how"), [([3, 4], r"has shape \(5, 4\) now"), ([3], "is no longer there")]
)
def test_blocks_that_change_are_noticed(widths, how):
    given = Growing()
    blocks = Blocks(given)
    given.widths = widths
    with pytest.raises(InvalidInputError, match=f"block 1 of X {how}"):
        blocks.toarray()


def test_a_file_that_was_cut_short(tmp_path, X):
    path = tmp_path / "X.npy"
    np.save(path, X)
    blocks = Blocks(path)
    blocks._last = None
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InvalidInputError, match=r"'X\.npy' ends before its last entry"):
        blocks.toarray()


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ((part for part in [np.ones((2, 2))]), "a generator, which can be read only once"),
        (3, "is an int; expected a file, a two-dimensional array"),
        ("nothing.npy", "there is no file 'nothing.npy'"),
        ([], "has no blocks"),
        ([np.ones((2, 3)), np.ones((3, 3))], "block 1 has 3 rows and those before have 2"),
        ([np.ones((2, 1)), np.array([[1.0], [np.inf]])], r"X contains inf at index \(1, 1\)"),
        ([np.ones((2, 1)), csr_array([[0.0], [np.nan]])], r"X contains nan at index \(1, 1\)"),
        (np.ones((2, 2, 2)), r"shape \(2, 2, 2\); expected \(n, d\)"),
        ([np.ones((2, 2)) * 1j], "block 0 of X is complex"),
        ([np.ones(2)], r"block 0 of X has shape \(2,\); expected \(n, d\)"),
        ([np.array([["a"]])], "block 0 of X has dtype <U1"),
        ([np.ones((0, 3))], r"block 0 of X has shape \(0, 3\)"),
    ],
)
def test_what_is_no_matrix_in_blocks(given, text):
    with pytest.raises(InvalidInputError, match=text):
        Blocks(given)


def test_files_that_hold_no_matrix(tmp_path):
    (tmp_path / "X.csv").write_text("1,2\n")
    (tmp_path / "X.npy").write_text("no array")
    (tmp_path / "X.parquet").write_text("no table")
    np.save(tmp_path / "flat.npy", np.ones(3))
    texts = {"X.csv": "of no format", "X.npy": "cannot be read", "flat.npy": r"shape \(3,\)"}
    for name, text in texts.items():
        with pytest.raises(InvalidInputError, match=text):
            Blocks(tmp_path / name)
    pytest.importorskip("pyarrow")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        Blocks(tmp_path / "X.parquet")


def test_missing_values_of_a_table():
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(InvalidInputError, match="column 'b' of the table has 1 missing"):
        Blocks(pa.table({"a": [1.0, 2.0], "b": [None, 2.0]}))


def narrow(source):
    """Blocks of single columns of 3000 rows."""
    return Blocks(source, memory=1 << 16)


def test_columns_whose_names_are_alike(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (X,) = normal(0, (3000, 3))
    path = tmp_path / "X.parquet"
    pq.write_table(pa.table(list(X.T), names=["a", "a.b", "c"]), path)
    np.testing.assert_array_equal(narrow(path).toarray(), X)
    twice = pa.table(list(X.T), names=["a", "c", "a"])
    np.testing.assert_array_equal(narrow(twice).toarray(), X)
    pq.write_table(twice, path)
    with pytest.raises(InvalidInputError, match="several columns named 'a'"):
        narrow(path)


@pytest.mark.parametrize("kind", ["table", "parquet", "list", "itself"])
def test_whole_numbers_beside_floats_are_not_rounded(tmp_path, kind):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({"id": [2**53 + 1, 5], "x": [0.5, 1.5]})
    pq.write_table(table, tmp_path / "X.parquet")
    makers = {
        "table": lambda: Blocks(table),
        "parquet": lambda: Blocks(tmp_path / "X.parquet"),
        "list": lambda: Blocks([table]),
        "itself": lambda: features_of(table),
    }
    with pytest.raises(InvalidInputError, match="9007199254740993"):
        makers[kind]()


@pytest.mark.parametrize("kind", ["M8[D]", "m8[s]"])
def test_times_in_a_table(kind):
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(InvalidInputError, match=r"column 'when' of the table has dtype"):
        Blocks(pa.table({"x": [0.5, 1.5], "when": np.zeros(2, kind)}))


def test_lists_of_files_that_hold_no_matrix(tmp_path, X):
    empty, packed, objects = (tmp_path / f"{name}.npy" for name in ("empty", "packed", "objects"))
    empty.write_bytes(b"")
    with packed.open("wb") as file:
        np.savez(file, X=X)
    np.save(objects, X.astype(object))
    folder = tmp_path / "folder.npy"
    folder.mkdir()
    for path in (empty, packed, objects, folder, tmp_path / "nothing.npy"):
        for given in (path, [X, path]):
            with pytest.raises(InvalidInputError, match=r"cannot be read in blocks|is no file"):
                Blocks(given)


def test_tables_that_are_damaged_inside(tmp_path):
    pytest.importorskip("pyarrow")
    (X,) = normal(0, (300, 3))
    for kind in ("parquet", "arrow"):
        path, _ = written(tmp_path, X, kind)
        damaged = bytearray(path.read_bytes())
        damaged[60:900] = b"\xff" * 840
        path.write_bytes(damaged)
        with pytest.raises(InvalidInputError, match="cannot be read in blocks"):
            Blocks(path)


def test_a_file_that_is_gone(tmp_path, X):
    path = tmp_path / "X.npy"
    np.save(path, X)
    blocks = Blocks(path)
    blocks._last = None
    path.unlink()
    with pytest.raises(InvalidInputError, match="cannot be read in blocks"):
        blocks.toarray()


@pytest.mark.parametrize("memory", [0, -1, np.nan, np.inf, "much", True, None])
def test_memory_is_a_number_of_bytes(memory):
    with pytest.raises(InvalidInputError, match="expected a number of bytes"):
        Blocks(np.ones((2, 2)), memory=memory)


def test_transposed_lists(X):
    with pytest.raises(InvalidInputError, match="transposed is for files"):
        Blocks([X], transposed=True)


def test_what_does_not_fit_is_refused_with_its_size():
    (X,) = normal(0, (60, 200))
    blocks = Blocks(X, memory=1 << 16)
    tall = Blocks(X.T, memory=1 << 16)
    with pytest.raises(InvalidInputError, match=r"more points than features needs all .* 200 x 60"):
        Classification(tall, np.sign(X[0]))
    wide = Blocks(np.tile(X[:10], (1, 10)), memory=1 << 16)
    with pytest.raises(InvalidInputError, match="900 of its columns are asked for at once"):
        wide.columns(np.arange(900))
    assert wide.columns(np.arange(80)).shape == (10, 80)
    assert blocks.columns(np.arange(20)).shape == (60, 20)


@pytest.mark.parametrize("order", ["rows", "columns", "transposed", "sparse", "whole numbers"])
def test_blocks_are_saved_by_columns(order, tmp_path, X):
    given = np.round(9.0 * X).astype(np.int32) if order == "whole numbers" else X
    if order == "sparse":
        blocks = Blocks([csr_array(X[:, :5]), csc_array(X[:, 5:])])
    else:
        np.save(tmp_path / "X.npy", np.asfortranarray(given) if order == "columns" else given)
        blocks = Blocks(tmp_path / "X.npy", transposed=order == "transposed", memory=1 << 16)
    blocks.save(tmp_path / "saved.npy")
    found = np.load(tmp_path / "saved.npy")
    np.testing.assert_array_equal(found, given.T if order == "transposed" else given)
    assert found.flags.f_contiguous
    again = Blocks(str(tmp_path / "saved.npy"))
    np.testing.assert_array_equal(again.toarray(), found)


def test_nothing_is_replaced_by_saving(tmp_path, X):
    blocks = Blocks(X)
    path = tmp_path / "mine.npy"
    path.write_text("mine")
    with pytest.raises(InvalidInputError, match="is there already"):
        blocks.save(path)
    for name in ("X.csv", "a\0b.npy", "", 3, None):
        with pytest.raises(InvalidInputError, match=r"ends in \.npy"):
            blocks.save(name)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        blocks.save(tmp_path / "nowhere" / "X.npy")
    assert [each.name for each in tmp_path.iterdir()] == ["mine.npy"]
    assert path.read_text() == "mine"


def test_sparse_arrays_are_neither_copied_nor_checked_at_each_reading():
    left, right = (random_array((50, 400), density=0.1, rng=seed).tocsr() for seed in (0, 1))
    blocks = Blocks([left, right])
    assert len(blocks.parts) == 2  # by their entries, not by n rows
    assert np.shares_memory(blocks.block(blocks.parts[0]).given.data, left.data)
    (v,) = normal(0, 800)
    before = blocks @ v
    np.testing.assert_allclose(before, left @ v[:400] + right @ v[400:], atol=1e-12)
    small = Blocks([left, right], memory=1 << 16)
    assert len(small.parts) > 2
    np.testing.assert_allclose(small @ v, before, atol=1e-12)
    left.data *= 2.0
    with pytest.raises(InvalidInputError, match="has other entries now"):
        blocks @ v


def test_what_sparse_blocks_become_dense_is_cut_finer():
    A = random_array((50, 4000), density=0.01, rng=0).tocsr()
    blocks = Blocks([A], memory=1 << 17)
    logs = np.random.default_rng(0).uniform(-60.0, 0.0, 4000)
    basis = blocks.heaviest_basis(logs)
    found = blocks.combined(basis, logs).features
    width = max(part.stop - part.start for part in found.parts)
    assert 8 * 50 * width <= 1 << 17
    np.testing.assert_array_equal(found.toarray()[:, basis], np.eye(50))
    turned = found.conjugated(logs, basis).toarray()
    expected = found.toarray() * np.exp(logs - logs[basis][:, None])
    np.testing.assert_allclose(turned, expected, rtol=1e-12)


def test_the_problem_knows_what_it_was_given(X):
    blocks = Blocks(cut(X))
    problem = Regression(blocks, np.ones(N))
    assert problem.X is blocks
    assert problem.num_features == D
    assert features_of(blocks) is blocks
    assert Classification(blocks, np.sign(X[:, 0])).X.shape == (N, D)
