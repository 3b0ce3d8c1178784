"""Parquet files, Excel workbooks and NumPy archives."""

import decimal
import sys
import zipfile
from io import BytesIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from implicitbias._errors import InvalidInputError
from implicitbias.cli._selection import Selection
from implicitbias.cli._tables import read_table

FRAME = pd.DataFrame({"a": [1, 4], "b": [2.0, 5.0], "y": [3, 6]})


def read(file, target="y", **options):
    return read_table(file, Selection(target, **options))


def from_parquet(tmp_path, frame, target="y", **options):
    file = tmp_path / "data.parquet"
    frame.to_parquet(file)
    return read(file, target, **options)


def test_parquet(tmp_path):
    frame = FRAME.assign(sold=[True, False], city=["Rom", "Paris"])
    table = from_parquet(tmp_path, frame, drop=("city",))
    np.testing.assert_array_equal(table.X, [[1, 2, 1], [4, 5, 0]])
    assert table.names == ("a", "b", "sold")
    assert from_parquet(tmp_path, frame, "city", labels=True).y.tolist() == ["Rom", "Paris"]
    with pytest.raises(InvalidInputError, match="row 1, column 'city': 'Rom' is not a number"):
        from_parquet(tmp_path, frame)


def test_the_index_of_a_parquet_file_is_left_out(tmp_path):
    for frame in (FRAME.set_index(pd.Index([3, 7])), FRAME.set_index(pd.Index(["u", "v"]))):
        assert from_parquet(tmp_path, frame).names == ("a", "b")
    named = FRAME.set_index(pd.Index([5, 7], name="id"))
    table = from_parquet(tmp_path, named, drop=("id",))
    assert (table.names, table.note) == (("a", "b"), "index 'id' left out")
    assert from_parquet(tmp_path, named, "id").y.tolist() == [5, 7]
    stored = FRAME.assign(__index_level_0__=[5, 7])  # as other tools keep what pandas wrote
    assert from_parquet(tmp_path, stored).names == ("a", "b")
    stored.insert(0, "Unnamed: 0", [1, 2])
    table = from_parquet(tmp_path, stored, drop=("Unnamed: 0",))
    assert (table.names, table.note) == (("a", "b"), "row numbers 'Unnamed: 0' left out")


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, 4], dtype="Int64"),
        pd.array([1, 4], dtype="Float32"),
        pd.Categorical([1, 4]),
        [decimal.Decimal("1"), decimal.Decimal("4")],
        np.array([1, 4], dtype=np.float16),
    ],
    ids=lambda column: type(column).__name__,
)
def test_kinds_of_numbers_in_parquet(tmp_path, column):
    np.testing.assert_array_equal(
        from_parquet(tmp_path, FRAME.assign(a=column)).X, [[1, 2], [4, 5]]
    )


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([2.0, None], "row 2, column 'a': the value is missing"),
        (pd.array([1, None], dtype="Int64"), "row 2, column 'a': the value is missing"),
        (pd.array([True, None], dtype="boolean"), "row 2, column 'a': the value is missing"),
        (pd.to_datetime(["2024-01-05", None]), "'2024-01-05 00:00:00' is not a number"),
        ([[1], [2]], r"'\[1\]' is not a number"),
        ([np.inf, 1.0], "'inf' is infinite"),
    ],
)
def test_what_is_refused_in_parquet(tmp_path, column, message):
    with pytest.raises(InvalidInputError, match=message):
        from_parquet(tmp_path, FRAME.assign(a=column))


def test_missing_values_in_parquet_are_left_out_where_asked_for(tmp_path):
    for column in ([1.0, None], pd.array([1, None], dtype="Int64")):
        table = from_parquet(tmp_path, FRAME.assign(a=column), missing=("",))
        np.testing.assert_array_equal(table.X, [[1, 2]])


def test_repeated_names_in_parquet(tmp_path):
    file = tmp_path / "data.parquet"
    parquet.write_table(pa.table([pa.array([1])] * 3, names=["a", "a", "y"]), file)
    with pytest.raises(InvalidInputError, match="columns 1 and 2 are both called 'a'"):
        read(file)


def test_broken_files(tmp_path):
    for name, content, message in (
        ("data.parquet", b"a,b\n", "is not a Parquet file"),
        ("data.parquet", b"PAR1PAR1", "is not a Parquet file"),
        ("data.xlsx", b"a,b\n", "is not an Excel workbook"),
        ("data.xlsx", b"PK\x03\x04 and no more", "cannot be unpacked"),
        ("data.npz", b"a,b\n1,2\n", "not an archive of plain NumPy"),
        ("data.npz", b"", "is empty"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInputError, match=message) as caught:
            read(tmp_path / name)
        assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("package", ["pyarrow", "openpyxl"])
def test_what_to_install(tmp_path, monkeypatch, package):
    FRAME.to_parquet(tmp_path / "data.parquet")
    FRAME.to_excel(tmp_path / "data.xlsx")
    monkeypatch.setitem(sys.modules, package, None)
    file = {"pyarrow": "data.parquet", "openpyxl": "data.xlsx"}[package]
    with pytest.raises(InvalidInputError, match=rf"needs {package}: pip install 'implicitbias\["):
        read(tmp_path / file)


def test_excel(tmp_path):
    file = tmp_path / "data.xlsx"
    with pd.ExcelWriter(file) as book:
        pd.DataFrame().to_excel(book, sheet_name="empty")
        FRAME.to_excel(book, sheet_name="numbers", startrow=3, startcol=2)
        FRAME.to_excel(book, sheet_name="more")
    table = read(file)
    np.testing.assert_array_equal(table.X, [[1, 2], [4, 5]])
    assert table.names == ("a", "b")
    assert table.note == (
        "sheet 'numbers', the first of 2, row numbers in the first column left out"
    )
    with pytest.raises(InvalidInputError, match="has no column 'z'; its columns are a, b, y"):
        read(file, "z")
    FRAME.assign(b=[True, None], a=["x", 2]).to_excel(file, index=False)
    with pytest.raises(InvalidInputError, match=r"(?s)row 2, column 'a': 'x'.*row 3, column 'b'"):
        read(file)
    FRAME.assign(y=["NA", "EU"], a=["1,5", "2"]).to_excel(file, index=False)
    table = read(file, labels=True, decimal=",")
    assert table.y.tolist() == ["NA", "EU"]
    np.testing.assert_array_equal(table.X, [[1.5, 2], [2, 5]])
    FRAME.to_excel(file, index=False, header=False)
    assert read(file, "3", header=False).y.tolist() == [3, 6]
    with pytest.raises(InvalidInputError, match="pass --no-header"):
        read(file)
    pd.DataFrame().to_excel(file)
    with pytest.raises(InvalidInputError, match="is empty"):
        read(file)


# NumPy archives


def from_npz(tmp_path, target="y", drop=(), labels=False, **arrays):
    file = tmp_path / "data.npz"
    np.savez(file, **arrays)
    return read(file, target, drop=drop, labels=labels)


WIDE, Y = np.array([[1, 2], [4, 5]]), np.array([3, 6])


def test_npz(tmp_path):
    table = from_npz(tmp_path, X=WIDE, y=Y, z=[7, 8])
    np.testing.assert_array_equal(table.X, [[1, 2, 7], [4, 5, 8]])
    assert table.names == ("X[0]", "X[1]", "z")
    assert from_npz(tmp_path, X=WIDE, y=Y, feature_names=["a", "b"]).names == ("a", "b")
    assert from_npz(tmp_path, X=WIDE, y=Y, z=Y, drop=("X",)).names == ("z",)
    assert from_npz(tmp_path, X=WIDE, y=Y[:, None]).y.tolist() == [3, 6]
    assert from_npz(tmp_path, X=WIDE, y=["u", "v"], labels=True).y.tolist() == ["u", "v"]
    for names in (["a"], 5):
        table = from_npz(tmp_path, X=WIDE, y=Y, feature_names=names)
        assert "feature_names left out" in table.note


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (["a", "a"], {}),
        (["y", "a"], {}),
        (["a", "b"], {"a": Y}),
        (["a", "b"], {"Z": WIDE}),
        (["X[1]", "b"], {"X[1]": Y}),
    ],
)
def test_names_never_replace_one_another(tmp_path, names, others):
    with pytest.raises(InvalidInputError, match="are both called"):
        from_npz(tmp_path, X=WIDE, y=Y, feature_names=names, **others)


BAD_ARRAYS = {
    "length": ({"X": np.ones((3, 2)), "y": np.ones(2)}, r"'X' has shape \(3, 2\)"),
    "scalar": ({"X": np.ones((2, 2)), "y": np.ones(2), "z": 1.0}, r"'z' has shape \(\)"),
    "text": ({"X": np.array(["a", "b"]), "y": np.ones(2)}, "'X' holds <U1"),
    "complex": ({"X": np.array([1j, 2]), "y": np.ones(2)}, "'X' holds complex128"),
    "missing": ({"X": np.array([1, np.nan]), "y": np.ones(2)}, "row 2, column 'X': the value is"),
    "target": ({"X": np.ones((2, 2)), "z": np.ones(2)}, "has no column 'y'"),
    "objects": ({"X": np.array([None, 1]), "y": np.ones(2)}, "not an archive of plain NumPy"),
    "no rows": ({"X": np.ones((0, 2)), "y": np.ones(0)}, "expected at least one"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_npz(tmp_path, case):
    arrays, message = BAD_ARRAYS[case]
    with pytest.raises(InvalidInputError, match=message):
        from_npz(tmp_path, **arrays)


def test_archives_that_lie(tmp_path):
    header, array = BytesIO(), BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    np.lib.format.write_array_header_1_0(header, shape)
    np.save(array, np.ones(2))
    for name, content in (("X.npy", header.getvalue() + bytes(80)), ("readme.txt", b"hello")):
        file = tmp_path / "data.npz"
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(name, content)
            archive.writestr("y.npy", array.getvalue())
        with pytest.raises(InvalidInputError, match=r"does not fit into memory|'readme\.txt'"):
            read(file)
