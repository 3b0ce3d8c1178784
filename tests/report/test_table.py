"""Reports as tables on the terminal."""

from rich.console import Console

from helpers.reports import BRACKETS, FAILED, LONG, row
from implicitbias import report as reporting
from implicitbias._verdicts import Verdict
from implicitbias.verification import Report


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
    doubtful = row(assumptions=(Verdict(BRACKETS, "undecided", 1e-13),))
    assert f"undecided: {BRACKETS} (1e-13)" in rendered(Report((doubtful,)))


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
