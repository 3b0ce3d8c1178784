"""Files of numbers: what is read, and the message for each kind of mistake."""

import sys

import numpy as np
import pandas as pd
import pytest

from implicitbias._errors import InvalidInputError
from implicitbias.cli._tables import Selection, read_table

READABLE = {
    "plain": b"a,b,y\n1,2,3\n4,5,6\n",
    "target first, spaces": b"y, a ,b\n3, 1,2 \n6,4,5\n",
    "byte-order mark, semicolons, carriage returns": b"\xef\xbb\xbfa;b;y\r\n1;2;3\r\n4;5;6\r\n",
    "tabs and blank lines": b"a\tb\ty\n\n1\t2\t3\n\n4\t5\t6\n\n",
    "quotes": b'"a","b","y"\n"1","2","3"\n4,5,6\n',
    "UTF-16 with tabs, as Excel's Unicode text": "a\tb\ty\r\n1\t2\t3\r\n4\t5\t6\r\n".encode(
        "utf-16"
    ),
    "separator told": b"sep=|\r\na|b|y\r\n1|2|3\r\n4|5|6\r\n",
    "decimal commas": b"a;b;y\n1,0;2;3\n4;5,00;6,0\n",
    "commas in semicolon names": b"a;b;y\n1;2;3\n4;5;6\n",
    "empty columns of a spreadsheet": b"a,b,,y,\n1,2,,3,\n4,5,,6,\n,,,,\n",
    "exponents": b"a,b,y\n1e0,2E+00,3.\n4,.5e1,6\n",
}


@pytest.mark.parametrize("case", READABLE)
def test_what_is_read(tmp_path, case):
    file = tmp_path / "data.csv"
    file.write_bytes(READABLE[case])
    table = read_table(file, Selection("y"))
    np.testing.assert_array_equal(table.X, [[1, 2], [4, 5]])
    np.testing.assert_array_equal(table.y, [3, 6])
    assert table.names == ("a", "b")
    assert table.target == "y"


REFUSED = {
    "empty": (b"", "data.csv is empty"),
    "header only": (b"a,y\n", "has a header and no rows"),
    "text": (b"a,y\n1,2\nred,3\n", "line 3, column 'a': 'red' is not a number"),
    "missing": (b"a,y\n1,2\n3,\n", "line 3, column 'y': the cell is empty"),
    "after a blank line": (b"a,y\n\n\n1,x\n", "line 4, column 'y': 'x' is not a number"),
    "decimal comma": (
        b'a,y\n"1,5",2\n',
        "line 2, column 'a': '1,5' is not a number .if the comma marks decimals, pass --decimal ,",
    ),
    "both marks": (b"a;y\n1,5;2.5\n", "line 2, column 'a': '1,5' is not a number"),
    "thousands": (b"a;y\n1,500;2\n", "the comma may mark decimals or thousands"),
    "separated otherwise": (b"a y\n1 2\n", "has no column 'y'; its columns are a y"),
    "underscore": (b"a,y\n20_01,2\n", "line 2, column 'a': '20_01' is not a number"),
    "nan": (b"a,y\nnan,2\n", "line 2, column 'a': 'nan' stands for a missing value"),
    "infinity": (b"a,y\n1,-inf\n", "line 2, column 'y': -inf is not finite"),
    "short row": (b"a,b,y\n1,2,3\n1,2\n", "line 3 has 2 cells; the header has 3 columns"),
    "long row": (b"a,y\n1,2,3\n", "line 2 has 3 cells; the header has 2 columns"),
    "repeated name": (b"a,b,a,y\n1,2,3,4\n", "columns 1 and 3 are both called 'a'"),
    "no name": (b"a,,y\n1,2,3\n", "column 2 has no name in the header.*index=False in pandas"),
    "missing in words": (
        b"a,y\n1,2\nNA,3\n",
        "line 3, column 'a': 'NA' stands for a missing value",
    ),
    "no target": (b"a,b\n1,2\n", "has no column 'y'; its columns are a, b"),
    "nothing but the target": (b"y\n1\n", "has no column but the target 'y'"),
    "latin-1": ("größe,y\n1,2\n".encode("latin-1"), "is not UTF-8 text"),
    "open quote": (b'a,y\n"1,2\n', "is not a CSV file"),
    "zero byte": (b"a,y\n1,\x002\n", r"line 2, column 'y': .* is not a number|not a CSV file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path, case):
    content, message = REFUSED[case]
    file = tmp_path / "data.csv"
    file.write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        read_table(file, Selection("y"))


def test_columns_are_dropped_and_marks_told(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("city;a;y\nRom;1,500;2\nParis;3,500;4\n")
    table = read_table(file, Selection("y", drop=("city",), decimal=","))
    np.testing.assert_array_equal(table.X, [[1.5], [3.5]])
    assert table.note == "separated by semicolons, decimal commas"
    with pytest.raises(InvalidInputError, match=r"no column 'citi'.*Did you mean 'city'"):
        read_table(file, Selection("y", drop=("citi",)))


def test_labels_may_be_text_or_numbers(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("a,y\n1,no\n2,yes\n")
    assert read_table(file, Selection("y", labels=True)).y.tolist() == ["no", "yes"]
    file.write_text("a,y\n1,0\n2,1\n")
    np.testing.assert_array_equal(read_table(file, Selection("y", labels=True)).y, [0, 1])
    file.write_text("a,y\n1,no\n2,\n")
    with pytest.raises(InvalidInputError, match="line 3, column 'y': the label is missing"):
        read_table(file, Selection("y", labels=True))


FRAME = pd.DataFrame({"a": [1, 4], "b": [2.0, 5.0], "y": [3, 6]})


def test_parquet(tmp_path):
    file = tmp_path / "data.parquet"
    FRAME.assign(sold=[True, False], city=["Rom", "Paris"]).to_parquet(file)
    table = read_table(file, Selection("y", drop=("city",)))
    np.testing.assert_array_equal(table.X, [[1, 2, 1], [4, 5, 0]])
    assert table.names == ("a", "b", "sold")
    labels = read_table(file, Selection("city", labels=True))
    assert labels.y.tolist() == ["Rom", "Paris"]
    with pytest.raises(InvalidInputError, match=r"column 'city' holds .*string.*'Rom' in row 1"):
        read_table(file, Selection("y"))
    FRAME.assign(b=[2.0, None]).to_parquet(file)
    with pytest.raises(InvalidInputError, match="row 2, column 'b': the value is missing"):
        read_table(file, Selection("y"))
    file.write_bytes(b"a,b\n")
    with pytest.raises(InvalidInputError, match="is not a Parquet file"):
        read_table(file, Selection("y"))


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InvalidInputError, match=r"pip install 'implicitbias\[data\]'"):
        read_table(tmp_path / "data.parquet", Selection("y"))


def test_npz(tmp_path):
    file = tmp_path / "data.npz"
    np.savez(file, X=[[1, 2], [4, 5]], y=[3, 6], z=[7, 8])
    table = read_table(file, Selection("y"))
    np.testing.assert_array_equal(table.X, [[1, 2, 7], [4, 5, 8]])
    assert table.names == ("X[0]", "X[1]", "z")
    np.savez(file, X=[[1, 2], [4, 5]], y=[3, 6], feature_names=["a", "b"])
    assert read_table(file, Selection("y")).names == ("a", "b")


BAD_ARRAYS = {
    "length": ({"X": np.ones((3, 2)), "y": np.ones(2)}, r"'X' has shape \(3, 2\)"),
    "text": ({"X": np.array(["a", "b"]), "y": np.ones(2)}, "'X' holds <U1"),
    "missing": ({"X": np.array([1, np.nan]), "y": np.ones(2)}, "row 2, column 'X': the value is"),
    "target": ({"X": np.ones((2, 2)), "z": np.ones(2)}, "has no column 'y'"),
    "objects": ({"X": np.array([None, 1]), "y": np.ones(2)}, "not an archive of plain NumPy"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_npz(tmp_path, case):
    arrays, message = BAD_ARRAYS[case]
    file = tmp_path / "data.npz"
    np.savez(file, **arrays)
    with pytest.raises(InvalidInputError, match=message):
        read_table(file, Selection("y"))


def test_not_an_archive(tmp_path):
    file = tmp_path / "data.npz"
    file.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(InvalidInputError, match="not an archive of plain NumPy"):
        read_table(file, Selection("y"))
