"""Reports as tables on the terminal."""

from rich.console import Console

from helpers.reports import BRACKETS, FAILED, LONG, row
from implicitbias import report as reporting
from implicitbias._verdicts import Verdict
from implicitbias.verification import Check, Report, Row


def rendered(report, width=1000):
    console = Console(width=width, record=True, color_system=None)
    with console.capture() as capture:
        console.print(reporting.table(report))
    return capture.get()


def test_table_shows_every_number_in_full():
    text = rendered(Report((row(), FAILED)))
    for part in ("Corollary 6", LONG, "20 x 64", "none needed", "1.5e-12", "2.0e-15", "agrees"):
        assert part in text
    assert "FAILED" in text
    assert "…" not in text


def test_brackets_are_printed_and_not_read_as_markup():
    named = Row(Check("Theorem 2", BRACKETS, "digits", None), row().measured, 0.1)
    assert BRACKETS in rendered(Report((named,)))


def test_doubts_are_counted_in_the_table_and_told_below():
    verdicts = (Verdict(BRACKETS, "undecided", 1e-13), Verdict("rank X = n", "holds", 3.0))
    report = Report((row(assumptions=verdicts, note="a note"),))
    assert "1 of 2 hold" in rendered(report)
    assert reporting.notes(report) == [
        f"1  Corollary 6: undecided: {BRACKETS} (1e-13); a note",
    ]


def test_lines_for_narrow_screens():
    found = reporting.lines(Report((row(), FAILED, row(error=1e-3))))
    assert found[0] == f" 1  Corollary 6; {LONG}; digits, 20 x 64"
    assert found[1].split() == [
        *("agrees", "difference", "1.5e-12", "certified", "2.0e-15"),
        *("none", "needed", "0.2", "s"),
    ]
    assert "FAILED" in found[3]
    assert "DISAGREES difference 1.0e-03" in found[5]
    assert max(map(len, found[1::2])) < 80


def test_numbers_survive_a_narrow_screen():
    text = rendered(Report((row("fully connected, small scale"),)), width=150)
    for part in ("fully connected, small scale", "20 x 64", "1.5e-12", "2.0e-15", "agrees"):
        assert part in text


def test_notes_name_the_row():
    report = Report((row(), FAILED, row(note="both layers agree to 1e-13")))
    assert reporting.notes(report) == [
        "2  Theorem 6: ValueError: no luck",
        "3  Corollary 6: both layers agree to 1e-13",
    ]
