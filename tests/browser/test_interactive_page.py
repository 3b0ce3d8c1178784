"""Interactive figures in a real browser: pointer, keys and switches show the library's numbers.

Not part of a default run: ``pytest -n 0 -m browser`` where Chromium is installed.
"""

import pytest

from helpers.chromium import DARK, LIGHT, probed
from helpers.figures import drawn
from implicitbias.plotting import interactive

pytestmark = pytest.mark.browser

# Walks over every series by keys, hovers over each, throws every switch, and zooms.
PROBE = r"""<script>addEventListener("load", () => {
  const all = (query, within = document) => [...within.querySelectorAll(query)];
  const svg = document.querySelector("svg.plot");
  const tip = () => all(".panel .tip:not([hidden]) div").map((line) => line.textContent);
  const press = (key) => svg.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const ring = () => document.querySelector(".ring");
  const at = () => ["cx", "cy"].map((name) => Number(ring().getAttribute(name)));
  const point = (kind, [x, y], more = {}) => {
    const box = svg.getBoundingClientRect();
    const place = { clientX: box.left + x, clientY: box.top + y };
    const mouse = { bubbles: true, isPrimary: true, pointerType: "mouse" };
    svg.dispatchEvent(new PointerEvent(kind, { ...place, ...mouse, ...more }));
  };
  const walked = [];
  const [places, hovered] = [[], []];
  press("ArrowRight");
  for (let series = 0; series < SERIES; series += 1) {
    press("End");
    walked.push(tip());
    press("Home");
    for (let k = 0; k < 4; k += 1) {
      walked.push(tip());
      press("ArrowRight");
    }
    places.push(at());
    press("ArrowUp");
  }
  for (const place of places) {
    point("pointermove", place);
    hovered.push(tip());
  }
  const card = document.querySelector(".tip").getBoundingClientRect();
  const plot = svg.getBoundingClientRect();
  const inside = card.top >= plot.top && card.top < plot.bottom && card.right <= plot.right + 1;
  point("pointermove", [-4000, -4000]);
  const away = tip();
  const curves = () => all(".line, .area, g g[transform]", svg).length;
  const whole = curves();
  const switches = all(".legend button").map((button) => {
    button.click();
    const off = [button.getAttribute("aria-pressed"), curves()];
    button.click();
    return [...off, button.getAttribute("aria-pressed"), curves()];
  });
  const ticks = () => all("text", svg).map((each) => each.textContent).join("|");
  const before = ticks();
  const box = svg.getBoundingClientRect();
  point("pointerdown", [0.4 * box.width, 0.3 * box.height], { buttons: 1, button: 0 });
  point("pointermove", [0.6 * box.width, 0.6 * box.height], { buttons: 1 });
  point("pointerup", [0.6 * box.width, 0.6 * box.height]);
  const zoomed = ticks();
  press("0");
  const back = ticks();
  parent.found[INDEX] = {
    inside, walked, hovered, away, whole, switches,
    zoomed: zoomed !== before, back: back === before,
    label: svg.getAttribute("aria-label"),
    now: document.getElementById("now").getAttribute("aria-live"),
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ground: getComputedStyle(document.body).backgroundColor,
    stroke: all(".line.stroke", svg).map((each) => getComputedStyle(each).stroke),
    alerted: parent.alerted ?? null,
    scripts: document.scripts.length,
    high: [frameElement.clientHeight, document.documentElement.scrollHeight],
  };
  const found = parent.found.filter(Boolean);
  if (found.length === COUNT) parent.document.title = "probe:" + JSON.stringify(found);
});</script></head>"""
FIGURES = {name: interactive(ax) for name, ax in drawn().items()}


def number(text):
    text = text.replace("\u2212", "-").replace("∞", "inf")
    try:
        return float(text)
    except ValueError:
        return text


def expected_lines(panel):
    """What every point inside the axes should say, as (name, x, y)."""

    def inside(v, limits):
        low, high = sorted(limits)
        return low <= v <= high

    ticks = {
        which: {tick["at"]: tick["text"] for tick in panel[which].get("ticks", []) if tick["says"]}
        for which in "xy"
    }
    for series in panel["series"]:
        if series["kind"] == "rule" and series["group"]:
            yield series["group"], series["at"]
        if series["kind"] != "line" or series["group"] is None:
            continue
        for x, y in zip(series["x"], series["y"], strict=True):
            both = isinstance(x, float) and isinstance(y, float)
            if both and inside(x, panel["x"]["limits"]) and inside(y, panel["y"]["limits"]):
                yield (
                    *([series["group"]] if series["group"] else []),
                    number(ticks["x"].get(x, repr(x))),
                    number(ticks["y"].get(y, repr(y))),
                )


def said(panel, lines):
    """The same from the lines of a tip."""
    labels = [panel[which]["label"] or which for which in "xy"]
    found = []
    for line in lines:
        label = next((label for label in labels if line.startswith(f"{label}: ")), None)
        found.append(number(line if label is None else line.removeprefix(f"{label}: ")))
    return tuple(found)


@pytest.fixture(scope="module", params=[(1300, LIGHT), (400, DARK)], ids=["wide", "narrow"])
def seen(request, tmp_path_factory):
    """What a page of all figures shows, by name; its lines on the console; and its scheme."""
    width, scheme = request.param
    frames = []
    for k, twin in enumerate(FIGURES.values()):
        probe = PROBE.replace("INDEX", str(k)).replace("COUNT", str(len(FIGURES)))
        probe = probe.replace("SERIES", str(len(twin.data["panels"][0]["series"])))
        probe = probe.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        frame = twin._repr_html_().replace("width: 100%", f"width: {width - 20}px", 1)
        frames.append(frame.replace("&lt;/head&gt;", probe, 1))
    directory = tmp_path_factory.mktemp("figures")
    text = "<!doctype html><title></title><script>var found = []</script>" + "".join(frames)
    (directory / "page.html").write_text(text, encoding="utf-8")
    found, console = probed(directory / "page.html", directory, "--window-size=1300,900", scheme)
    return dict(zip(FIGURES, found, strict=True)), console, scheme


def test_nothing_stands_on_the_console(seen):
    assert not seen[1]


@pytest.mark.parametrize("name", FIGURES)
def test_every_point_shows_the_librarys_numbers(seen, name):
    (panel,) = FIGURES[name].data["panels"]
    found, scheme = seen[0][name], seen[2]
    wanted = set(expected_lines(panel))
    walked = {said(panel, lines) for lines in found["walked"]}
    assert walked <= wanted
    assert {each[0] for each in walked} == {each[0] for each in wanted}
    assert all(found["hovered"])
    assert found["inside"]
    assert not found["away"]
    for off, fewer, on, again in found["switches"]:
        assert (off, on) == ("false", "true")
        assert fewer < found["whole"] == again
    assert found["zoomed"]
    assert found["back"]
    assert found["label"] == panel["alt"]
    assert found["wider"] <= 0
    assert found["ground"] == ("rgb(21, 24, 27)" if scheme == DARK else "rgb(253, 253, 252)")
    assert "none" not in found["stroke"]
    assert found["alerted"] is None
    assert found["scripts"] == 3
    assert abs(found["high"][0] - found["high"][1]) < 12


def test_two_figures_of_one_notebook_do_not_meet(tmp_path):
    ends = (FIGURES["levels"], FIGURES["training"])
    probe = """<script>addEventListener("load", () => setTimeout(() => {
      const pages = [...document.querySelectorAll("iframe")].map((each) => each.contentDocument);
      pages[0].querySelector(".legend button").click();
      document.title = "probe:" + JSON.stringify(pages.map((page) =>
        [page.title, page.querySelectorAll('[aria-pressed="false"]').length]));
    }, 500))</script>"""
    file = tmp_path / "page.html"
    frames = "".join(twin._repr_html_() for twin in ends)
    file.write_text(f"<!doctype html><title></title>{probe}{frames}", encoding="utf-8")
    found, console = probed(file, tmp_path, "--window-size=1300,900")
    assert not console
    assert found == [[ends[0].data["title"], 1], [ends[1].data["title"], 0]]
