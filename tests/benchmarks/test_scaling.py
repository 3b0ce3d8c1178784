"""Exponents, floors and the tables of how limits grow."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import linregress

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import implicitbias as ib
from benchmarks import __main__ as page
from benchmarks import _beside, _sections, limits, scaling
from implicitbias.features._dense import Dense

SIZES = [10, 20, 40]


def row(size, spent, share):
    return {
        "size": size,
        "seconds": spent,
        "grams": 5,
        "products": 40,
        "rates": [3e10, 6e10, 4e10],
        "floor": share * spent,
        "share": share,
        "worst": 1e-14,
    }


ROWS = [
    row(size, 1e-3 * size**1.5, share) for size, share in zip(SIZES, (0.2, 0.4, 0.8), strict=True)
]
SECTION = _sections.Section("Title", "text", ("a", "b"), [("1", "2")], ["a note"], ["slow here"])


def test_an_exponent_is_the_slope_of_the_logarithms():
    found = _sections.fit(SIZES, [3.0 * size**1.7 for size in SIZES])
    assert found.exponent == pytest.approx(1.7, abs=1e-12)
    assert found.spread < 1e-12
    assert str(_sections.Fit(1.234, 0.056)) == "1.23 ± 0.06"


def test_the_spread_is_the_standard_error():
    rng = np.random.default_rng(0)
    sizes = np.array([1.0, 3.0, 7.0, 50.0])
    times = sizes**0.9 * np.exp(0.2 * rng.standard_normal(4))
    found, known = _sections.fit(sizes, times), linregress(np.log(sizes), np.log(times))
    assert found.exponent == pytest.approx(known.slope, rel=1e-12)
    assert found.spread == pytest.approx(known.stderr, rel=1e-12)


@pytest.mark.parametrize("sizes", [[10, 20], [10, 10, 10]])
def test_an_exponent_needs_three_sizes(sizes):
    with pytest.raises(ValueError, match="expected three"):
        _sections.fit(sizes, np.ones(len(sizes)))


def test_turns_give_medians_run_by_run(monkeypatch):
    spent = iter([1.0, 10.0, 9.0, 90.0, 2.0, 20.0])
    asked = []
    monkeypatch.setattr(_sections, "seconds", lambda run: (next(spent), run()))
    runs = [lambda: asked.append("a"), lambda: asked.append("b")]
    assert _sections.in_turns(runs, 3).tolist() == [2.0, 20.0]
    assert asked == ["a", "b"] * 4


def test_work_is_counted_by_the_shapes_it_was_done_on():
    calls = [("gram", (10, 100)), ("rough_gram", (10, 50)), ("transposed", (10, 100))]
    double, single, read = scaling.work_of(calls)
    assert double == pytest.approx(10 * 11 * 100 + 1000 / 3)
    assert single == pytest.approx(10 * 11 * 50 + 1000 / 3)
    assert read == 8000.0
    assert scaling.floor_of((2.0, 6.0, 8.0), (1.0, 2.0, 4.0)) == 7.0


def test_calls_are_counted_and_the_methods_put_back():
    X = np.random.default_rng(0).standard_normal((6, 40))
    features, before = Dense(X), Dense.__matmul__

    def run():
        features.gram(np.ones(40))
        features.rough_gram(np.ones(40))  # gives nothing of so small an array
        features @ np.ones(40)

    calls = limits.calls_of(run, Dense, scaling.GRAMS + scaling.PRODUCTS)
    assert calls == [("gram", (6, 40)), ("__matmul__", (6, 40))]
    assert Dense.__matmul__ is before
    with pytest.raises(ZeroDivisionError):
        limits.calls_of(lambda: 1 / 0, Dense, ("gram", "__matmul__"))
    assert Dense.__matmul__ is before


def test_growth_measures_time_rates_and_a_floor_below_it():
    cases = [(5, d, 2, 1e-2) for d in (200, 400, 800)]
    found = list(scaling.growth([200, 400, 800], cases, 1))
    assert [each["size"] for each in found] == [200, 400, 800]
    for each in found:
        assert 0.0 < each["floor"] < each["seconds"]
        assert each["share"] == pytest.approx(each["floor"] / each["seconds"])
        assert each["grams"] >= 2
        assert each["products"] >= 2
        assert min(each["rates"]) > 1e6
        assert each["worst"] < 1e-9


def test_a_table_of_growth_says_its_exponents_and_where_most_is_lost():
    found = scaling.growth_section("n", ROWS, (10, 4000, 2, 1e-2))
    assert found.text.endswith("d = 4,000, L = 2, scale 0.01.")
    assert found.notes[0].startswith("Exponent in n: 1.50 ± 0.00; of the floor: 2.50 ±")
    assert found.rows[0][:3] == ("10", "31.6", "5")
    assert found.losses == [
        "80% of the time lies beyond the floor at n = 10 (d = 4,000, L = 2, scale 0.01)"
    ]
    assert {len(each) for each in found.rows} == {len(found.head)}


def test_scales_are_shown_as_they_are_and_fitted_as_they_shrink():
    found = scaling.growth_section("1/scale, L = 2", ROWS, (100, 2000, 2, 1.0))
    assert [each[0] for each in found.rows] == ["0.1", "0.05", "0.025"]
    assert "Exponent in 1/scale: 1.50" in found.notes[0]
    assert found.text.endswith("n = 100, d = 2,000, L = 2.")


def test_names_in_the_file_of_the_figure_hold_no_comma():
    assert scaling.csv({"1/scale, L = 2": ROWS}).splitlines()[1].startswith("1/scale L=2,10,")


def test_basis_pursuit_finds_both_signs():
    X = np.array([[1.0, 0.0, 0.2], [0.0, 1.0, 0.2]])
    assert _beside.basis_pursuit(X, np.array([1.0, -2.0])) == pytest.approx([1.0, -2.0, 0.0])


def test_where_we_lose_is_one_sentence_of_all_tables():
    assert scaling.lost([SECTION, SECTION._replace(losses=["and there"])]) == (
        "**Where we lose.** Slow here; and there."
    )


def test_rivals_solve_the_problem_they_are_held_against():
    limit, pursuit, path, lasso = (run() for run in _beside.rivals_of(10))
    assert np.abs(limit.coefficients - pursuit).max() < 1e-6
    assert np.abs(path.coefficients[-1] - limit.coefficients).max() < 1e-9
    assert lasso.shape == (_beside.PATH, 100)
    assert np.linalg.norm(lasso[-1] - pursuit) < 0.1 * np.linalg.norm(pursuit)


def test_files_hold_the_same_matrix_in_both_orders():
    X = np.arange(12.0).reshape(3, 4)
    with _beside.files(X) as (rows, columns):
        assert np.load(rows).flags.c_contiguous
        assert np.load(columns).flags.f_contiguous
        assert np.array_equal(np.load(columns), X)
        assert np.array_equal(ib.features.Blocks(rows).toarray(), X)


def test_the_page_has_every_table_and_its_figure_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "measured", lambda turns, quick: {"n": ROWS})
    monkeypatch.setattr(scaling, "sections", lambda *_: iter([SECTION]))
    text = "\n".join(page.scaling_table(None, 7, "quick", tmp_path))
    assert "**Title.** text\n\n.. list-table::" in text
    assert "\na note\n\n**Where we lose.** Slow here.\n" in text
    saved = (tmp_path / "scaling.csv").read_text("utf-8").splitlines()
    assert saved == ["what,size,seconds,floor", "n,10,0.03162,0.006325", "n,20,0.08944,0.03578",
                     "n,40,0.253,0.2024"]  # fmt: skip


def test_the_figure_finds_what_it_draws():
    drawn = (page.FOLDER / "scaling.csv").read_text("utf-8").splitlines()[1:]
    known = [name for name, (sizes, _) in scaling.grids(False).items() for _ in sizes]
    assert [line.split(",")[0] for line in drawn] == [name.replace(",", "").replace(" = ", "=")
                                                      for name in known]  # fmt: skip


def test_only_tables_beside_a_release_speak_of_one(monkeypatch):
    monkeypatch.setattr(page, "_git", lambda *_: "abc123")
    alone, beside = ("\n".join(page.head(name)) for name in (None, "0.1"))
    assert "beside version 0.1" in beside
    assert "*Ratio*" in beside
    assert "Ratio" not in alone
    assert "version" not in alone.replace("Python", "")
    assert "load average" in alone
