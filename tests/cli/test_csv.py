"""CSV files as people's tools write them, and the sentence for each kind of mistake."""

import bz2
import gzip
import lzma
import zipfile
from io import BytesIO

import numpy as np
import pytest

from implicitbias._errors import InvalidInputError
from implicitbias.cli._selection import Selection
from implicitbias.cli._tables import read_table


def read(tmp_path, content, name="data.csv", target="y", **options):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(file, Selection(target, **options))


def zipped(**files):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"folder/{name}.csv", content)
    return packed.getvalue()


PLAIN = b"a,b,y\n1,2,3\n4,5,6\n"
READABLE = {
    "plain": PLAIN,
    "target first, spaces": b"y, a ,b\n3, 1,2 \n6,4,5\n",
    "byte-order mark, semicolons, carriage returns": b"\xef\xbb\xbfa;b;y\r\n1;2;3\r\n4;5;6\r\n",
    "tabs and blank lines": b"a\tb\ty\n\n1\t2\t3\n\n4\t5\t6\n\n",
    "carriage returns alone": b"a,b,y\r1,2,3\r4,5,6\r",
    "spaced comments": b"a b y\n# mine\n1 2 3\n# and yours\n4 5 6\n",
    "quotes": b'"a","b","y"\n"1","2","3"\n4,5,6\n',
    "UTF-16 with tabs, as Excel's Unicode text": "a\tb\ty\r\n1\t2\t3\r\n4\t5\t6\r\n".encode(
        "utf-16"
    ),
    "UTF-32": PLAIN.decode().encode("utf-32"),
    "separator told": b"sep=|\r\na|b|y\r\n1|2|3\r\n4|5|6\r\n",
    "white space": b"a    b  y\n  1  2  3 \n  4\t5  6\n",
    "decimal commas": b"a;b;y\n1,0;2;3\n4;5,00;6,0\n",
    "decimal commas in white space": b"a b y\n1,0 2,0 3,0\n4,0 5 6\n",
    "commas in semicolon names": b"a;b;y\n1;2;3\n4;5;6\n",
    "empty columns and rows of a spreadsheet": b"a,b,,y,\n1,2,,3,\n4,5,,6,\n,,,,\n",
    "separators at the ends": b"a,b,y\n1,2,3,\n4,5,6,\n",
    "exponents": b"a,b,y\n1e0,2E+00,3.\n4,.5e1,6\n",
    "comments": b"# made on Monday\n#\na,b,y\n1,2,3\n# between, rows\n4,5,6\n#end",
    "comments beside quotes": b'a,b,y\n"1",2,3\n# "odd\n4,5,6\n#\n',
    "as np.savetxt writes it": b"# a,b,y\n1.0e+00,2.0e+00,3.0e+00\n4.0e+00,5.0e+00,6.0e+00\n",
    "and with its own separator": b"# a b y\n1.0 2.0 3.0\n4.0 5.0 6.0\n",
    "minus as printed": "a,b,y\n\u22121,2,3\n4,5,6\n".encode().replace("\u2212".encode(), b""),
    "row numbers": b",a,b,y\n0,1,2,3\n3,4,5,6\n",
    "row numbers saved twice": b"Unnamed: 0,a,b,y\n0,1,2,3\n3,4,5,6\n",
    "the end as DOS wrote it": PLAIN + b"\x1a",
    "gzip": gzip.compress(PLAIN),
    "bzip2": bz2.compress(PLAIN),
    "xz": lzma.compress(PLAIN),
    "zip": zipped(data=PLAIN),
}


@pytest.mark.parametrize("case", READABLE)
def test_what_is_read(tmp_path, case):
    table = read(tmp_path, READABLE[case])
    np.testing.assert_array_equal(table.X, [[1, 2], [4, 5]])
    np.testing.assert_array_equal(table.y, [3, 6])
    assert table.names == ("a", "b")
    assert table.target == "y"


REFUSED = {
    "empty": (b"", "data.csv is empty"),
    "blank": (b"\n  \n", "data.csv is empty"),
    "header only": (b"a,y\n", "has a header and no rows"),
    "text": (b"a,y\n1,2\nred,3\n", "line 3, column 'a': 'red' is not a number"),
    "missing": (b"a,y\n1,2\n3,\n", "line 3, column 'y': the cell is empty"),
    "after a blank line": (b"a,y\n\n\n1,x\n", "line 4, column 'y': 'x' is not a number"),
    "after a quoted line": (b'a,b,y\n1,"two\nlines",3\n', r"line 3, column 'b': 'two\\nlines'"),
    "a number sign in quotes": (b'a,y\n1,"x\n# y"\n', r"line 3, column 'y': 'x\\n# y'"),
    "after a comment": (b"a,y\n1,2\n# 3\nx,4\n", "line 4, column 'a': 'x' is not a number"),
    "decimal comma": (b'a,y\n"1,5",2\n', "'1,5' is not a number .*pass --decimal ,"),
    "thousands": (b'a,y\n"1,299",2\n"1,000.5",2\n', "'1,299' is not a .*pass --thousands ,"),
    "points": (b"a;y\n1.299,5;2\n", r"pass --thousands \. --decimal ,"),
    "both marks": (b"a;y\n1,5;2.5\n", "line 2, column 'a': '1,5' is not a number"),
    "ambiguous": (b"a;y\n1,500;2\n", "the comma may mark decimals or thousands"),
    "underscore": (b"a,y\n20_01,2\n", "line 2, column 'a': '20_01' is not a number"),
    "a torn exponent": (b"a,y\n+1e 5,2\n", r"'\+1e 5' is not a number"),
    "hexadecimal": (b"a,y\n0x10,2\n", "'0x10' is not a number"),
    "date": (b"a,y\n2024-01-05,2\n", "'2024-01-05' is not a number"),
    "nan": (b"a,y\nnan,2\n", "line 2, column 'a': 'nan' stands for a missing value"),
    "infinity": (b"a,y\n1,-inf\n", "line 2, column 'y': '-inf' is infinite"),
    "overflow": (b"a,y\n1e400,1\n", "column 'a': '(inf|1e400)' is infinite or beyond 1.8e308"),
    "short row": (b"a,b,y\n1,2,3\n1,2\n", "line 3 has 2 cells; the header in line 1 has 3"),
    "short first row": (b"a,b,y\n1,2\n1,2,3\n", "line 2 has 2 cells; the header"),
    "long row": (b"a,y\n1,2,3\n", "line 2 has 3 cells; the header in line 1 has 2"),
    "empty first cell after a lone carriage return": (
        b"a\tb\ty\n1\t2\t3\r\t4\t5\n",
        "line 3, column 'a': the cell is empty",
    ),
    "row names": (b"a b y\nr 1 2 3\ns 1 2 3\n", "2 lines differ.*col.names=NA in R"),
    "repeated names": (b"a,b,a,y,y\n1,2,3,4,5\n", "columns 1 and 3 are both called 'a'"),
    "no name": (b"a,,y\n1,2,3\n", "column 2 has no name in the header.*index=False in pandas"),
    "missing in words": (b"a,y\n1,2\nNA,3\n", "'NA' stands for a missing .*--missing NA"),
    "no target": (b"a,b\n1,2\n", "has no column 'y'; its columns are a, b"),
    "nothing but the target": (b"y\n1\n", "has no column but the target 'y'"),
    "open quote": (b'a,y\n1,2\n"1,2\n3,4\n', "a quote that opens in line 3 is never closed"),
    "open quote above": (b'"a,y\n1,2\n', "a quote that opens in line 1 is never closed"),
    "zero byte": (b"a,y\n1,\x002\n", "is not UTF-8 text: it holds zero bytes"),
    "UTF-16 without its mark": ("a,y\n1,2\n".encode("utf-16-le"), "pass --encoding NAME"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not UTF-8 text"),
    "half a gzip file": (gzip.compress(PLAIN)[:-12], "cannot be unpacked: Compressed file ended"),
    "two files": (zipped(one=PLAIN, two=PLAIN), r"holds 2 files \(folder/one.csv, folder/two.csv"),
    "no file": (zipped(), "is an empty archive"),
    "an old workbook": (b"\xd0\xcf\x11\xe0" + b"\0" * 99, r"Save it as \.xlsx or CSV"),
    "one array": (b"\x93NUMPY\x01\0", r"np\.savez\(file, X=X, y=y\)"),
    "first row of numbers": (b"1.5,2,3\n4,5,6\n", "pass --no-header.* pass --header"),
    "first row of integers": (b"1,2,3\n4,5,6\n", "pass --no-header"),
    "first row of mostly numbers": (b"5.1,3.5,setosa\n4.9,3.0,virginica\n", "--no-header"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(tmp_path, case):
    content, message = REFUSED[case]
    with pytest.raises(InvalidInputError, match=f"(?s){message}") as caught:
        read(tmp_path, content)
    assert "\x1b" not in str(caught.value)
    assert ".." not in str(caught.value).replace("...", "")


def test_marks_are_told(tmp_path):
    german = "city;a;y\nRom;1.500,5;2\nParis;3.500;4\n"
    table = read(tmp_path, german, drop=("city",), thousands=".")
    np.testing.assert_array_equal(table.X, [[1500.5], [3500]])
    assert table.note == "separated by semicolons, decimal commas"
    table = read(tmp_path, "a;y\n1,500;2\n", decimal=",")
    np.testing.assert_array_equal(table.X, [[1.5]])
    for mark, text in ((",", '"1,299.5"'), (" ", "1\u00a0299.5"), ("'", "1\u2019299.5")):
        table = read(tmp_path, f"a,y\n{text},2\n", thousands=mark)
        np.testing.assert_array_equal(table.X, [[1299.5]])
    with pytest.raises(InvalidInputError, match="digits are not grouped by three"):
        read(tmp_path, 'a,y\n"1,29",2\n', thousands=",")
    table = read(tmp_path, "a:b:y\n1:2:3\n", sep=":")
    assert table.names == ("a", "b")


def test_marks_of_long_files_are_found_in_their_beginning(tmp_path):
    rows = "1,5;2,25;x\n" * 8000
    table = read(tmp_path, "a;y;name\n" + rows, drop=("name",))
    assert table.X.shape == (8000, 1)
    assert set(table.X[:, 0]) == {1.5}
    late = read(tmp_path, "a;y;name\n" + rows.replace(",", "") + "1,5;2;x\n", drop=("name",))
    assert late.X[[0, -1], 0].tolist() == [15, 1.5]


def test_encodings(tmp_path):
    latin = "größe,y\n1,2\n".encode("latin-1")
    table = read(tmp_path, latin)
    assert (table.names, table.note) == (("größe",), "read as cp1252, not being UTF-8")
    assert read(tmp_path, latin, encoding="latin-1").note == ""
    assert read(tmp_path, "a,y\n1,2\n".encode("utf-16-be"), encoding="utf-16-be").names == ("a",)
    with pytest.raises(InvalidInputError, match="is not utf-8 text"):
        read(tmp_path, latin, encoding="utf-8")


def test_without_a_header(tmp_path):
    table = read(tmp_path, "1.5,2,3\n4,5,6\n", target="3", header=False)
    np.testing.assert_array_equal(table.X, [[1.5, 2], [4, 5]])
    assert table.names == ("1", "2")
    assert len(read(tmp_path, "1.5,2,3\n4,5,6\n", target="3", header=True).y) == 1
    with pytest.raises(InvalidInputError, match="line 2 has 2 cells; the first row has 3"):
        read(tmp_path, "1,2,3\n4,5\n", target="3", header=False)
    counted = read(tmp_path, "0,1,2\n4,5,6\n", target="2")  # as pandas counts columns
    assert (counted.names, counted.y.tolist()) == (("0", "1"), [6])
    years = read(tmp_path, "2001,2002,y\n4,5,6\n")
    assert "first row taken for names" in counted.note
    assert "first row taken for names" in years.note


def test_numbers_are_rounded_once(tmp_path):
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal((40, 5)) * 10.0 ** rng.integers(-300, 300, (40, 5))
    rows = [",".join(map(repr, row)) for row in numbers.tolist()]
    table = read(tmp_path, "\n".join(["a,b,c,d,y", *rows]))
    np.testing.assert_array_equal(table.X, numbers[:, :4])
    np.testing.assert_array_equal(table.y, numbers[:, 4])
    huge = read(tmp_path, "a,b,y\n123456789012345678901234567890,18446744073709551615,1\n2,-3,4\n")
    np.testing.assert_array_equal(huge.X, [[123456789012345678901234567890.0, 2.0**64], [2, -3]])


def test_wide_files_and_long_names(tmp_path):
    names = [f"g{j}" for j in range(5_000)] + ["n" * 200_000, "y"]
    cells = ["1"] * len(names)
    table = read(tmp_path, "\n".join([",".join(names), ",".join(cells)]))
    assert table.X.shape == (1, 5_001)
    with pytest.raises(InvalidInputError, match="Did you mean 'g4999'") as caught:
        read(tmp_path, "\n".join([",".join(names), ",".join(cells)]), target="G4999")
    assert len(str(caught.value)) < 400
