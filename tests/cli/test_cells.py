"""From cells to numbers and labels: what is left out, and several faults in one message."""

import numpy as np
import pytest

from implicitbias._errors import InvalidInputError
from implicitbias.cli._cells import number
from implicitbias.cli._selection import Selection
from implicitbias.cli._tables import read_table


def read(tmp_path, text, **options):
    file = tmp_path / "data.csv"
    file.write_text(text, encoding="utf-8")
    return read_table(file, Selection("y", **options))


def refusal(tmp_path, text, **options):
    with pytest.raises(InvalidInputError) as caught:
        read(tmp_path, text, **options)
    return str(caught.value)


def test_faults_of_several_columns_are_told_at_once(tmp_path):
    text = "a,b,c,y\n1,2,Rom,3\nred,,Paris,n/a\nNA,5,Bonn,6\n"
    assert refusal(tmp_path, text).splitlines() == [
        "data.csv: 4 columns hold cells that are not finite numbers.",
        "  line 3, column 'a': 'red' is not a number",
        "  line 4, column 'a': 'NA' stands for a missing value",
        "  line 3, column 'b': the cell is empty",
        "  line 2, column 'c': 'Rom' is not a number (and 2 more rows)",
        "  line 3, column 'y': 'n/a' stands for a missing value",
        "Fill in missing values, or leave their rows out with --missing NA --missing '' --missing "
        "n/a. Encode text as numbers, or leave the columns out with --drop a --drop c.",
    ]
    many = ",".join(f"c{j}" for j in range(30)) + ",y\n" + "x," * 30 + "1\n"
    assert "... and 25 more of this kind" in refusal(tmp_path, many)
    assert len(refusal(tmp_path, many)) < 500
    assert "--task classification" in refusal(tmp_path, "a,y\n1,yes\n2,no\n")


def test_rows_without_a_value_are_left_out_where_asked_for(tmp_path):
    text = "a,b,c,y\n1,2,x,3\n-999,5,x,6\n7,NA,x,9\n,1,NA,1\n2,1,NA,0\n"
    table = read(tmp_path, text, drop=("c",), missing=("-999", "NA", ""))
    np.testing.assert_array_equal(table.X, [[1, 2], [2, 1]])
    np.testing.assert_array_equal(table.y, [3, 0])
    assert table.note == "3 rows with missing values left out"
    assert "line 5, column 'a': the cell is empty" in refusal(
        tmp_path, text, drop=("c",), missing=("-999", "NA")
    )
    assert "none is left" in refusal(tmp_path, "a,y\nNA,1\n", missing=("NA",))


def test_truth_is_one_and_zero(tmp_path):
    table = read(tmp_path, "a,b,y\nTrue,false,1\nFALSE,,2\nTRUE,true,3\n", missing=("",))
    np.testing.assert_array_equal(table.X, [[1, 0], [1, 1]])


LABELS = {
    "text": ("no yes", ["no", "yes"]),
    "numbers": ("0 1", [0, 1]),
    "signs": ("+ -", ["+", "-"]),
    "none": ("none mild", ["none", "mild"]),
    "Namibia": ("NA EU", ["NA", "EU"]),
    "truth": ("True False", ["True", "False"]),
    "large": ("9007199254740993 9007199254740992", [9007199254740993, 9007199254740992]),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_are_kept_as_they_are(tmp_path, case):
    given, expected = LABELS[case]
    first, second = given.split()
    table = read(tmp_path, f"a,y\n1,{first}\n2, {second} \n", labels=True)
    assert table.y.tolist() == expected


def test_missing_labels(tmp_path):
    for given, found in (("", "the label is missing."), ("nan", "the label is missing ('nan').")):
        text = f"a,y\n1,no\n2,{given}\n3,yes\n"
        assert f"line 3, column 'y': {found}" in refusal(tmp_path, text, labels=True)
        table = read(tmp_path, text, labels=True, missing=(given,))
        assert table.y.tolist() == ["no", "yes"]
    assert "is infinite" in refusal(tmp_path, "a,y\n1,inf\n2,1\n", labels=True)


@pytest.mark.parametrize("cell", ["1_0", "", "one", "0x1", None, 1j, [1], b"1", "1,5"])
def test_what_is_no_number(cell):
    assert np.isnan(number(cell))


def test_integers_beyond_float64_are_infinite():
    assert number(10**400) == np.inf
