"""CSV files: what is read, and the message for each kind of mistake."""

import numpy as np
import pytest

from implicitbias._errors import InvalidInputError
from implicitbias.cli._tables import read_csv

READABLE = {
    "plain": b"a,b,y\n1,2,3\n4,5,6\n",
    "target first, spaces": b"y, a ,b\n3, 1,2 \n6,4,5\n",
    "byte-order mark, semicolons, carriage returns": b"\xef\xbb\xbfa;b;y\r\n1;2;3\r\n4;5;6\r\n",
    "tabs and blank lines": b"a\tb\ty\n\n1\t2\t3\n\n4\t5\t6\n\n",
    "quotes": b'"a","b","y"\n"1","2","3"\n4,5,6\n',
    "exponents": b"a,b,y\n1e0,2E+00,3.\n4,.5e1,6\n",
}


@pytest.mark.parametrize("case", READABLE)
def test_what_is_read(tmp_path, case):
    file = tmp_path / "data.csv"
    file.write_bytes(READABLE[case])
    table = read_csv(file, "y")
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
    "decimal comma": (b"a;y\n1,5;2\n", "line 2, column 'a': '1,5' is not a number"),
    "underscore": (b"a,y\n20_01,2\n", "line 2, column 'a': '20_01' is not a number"),
    "nan": (b"a,y\nnan,2\n", "line 2, column 'a': nan is not finite"),
    "infinity": (b"a,y\n1,-inf\n", "line 2, column 'y': -inf is not finite"),
    "short row": (b"a,b,y\n1,2,3\n1,2\n", "line 3 has 2 cells; the header has 3 columns"),
    "long row": (b"a,y\n1,2,3\n", "line 2 has 3 cells; the header has 2 columns"),
    "repeated name": (b"a,b,a,y\n1,2,3,4\n", "columns 1 and 3 are both called 'a'"),
    "no name": (b"a,,y\n1,2,3\n", "column 2 has no name"),
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
        read_csv(file, "y")
