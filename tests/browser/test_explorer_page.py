"""The explorer in a real browser: every slider moves, and what it shows is what the library said.

Not part of a default run: ``pytest -n 0 -m browser`` where Chromium is installed.
"""

import itertools

import numpy as np
import pytest

import implicitbias as ib
from helpers.chromium import DARK, LIGHT, probed

pytestmark = pytest.mark.browser

NAMES = ("</script><script>top.alerted = 1</script>", '$x_2$ "&amp;" 😀')
# Goes through every task, setting and position, by the controls that people have.
PROBE = r"""<script>addEventListener("load", () => {
  const set = (node, value) => {
    node.value = value;
    for (const kind of ["input", "change"]) node.dispatchEvent(new Event(kind, { bubbles: true }));
  };
  const count = (node) => (node.options ? node.options.length : Number(node.max) + 1);
  const all = (query) => [...document.querySelectorAll(query)];
  const text = (node) => node.textContent;
  const nodes = () => all("#controls select, #controls input").filter((n) => n !== tasks());
  const tasks = () => document.getElementById("control-task");
  const drawn = () => all("figure:not([hidden]) > svg");
  const numbers = (row) => [...row.querySelectorAll("data")].map((d) => d.value);
  const read = () => all("#numbers tbody tr").map((row) => [text(row.firstChild), numbers(row)]);
  const shots = [];
  const walk = (at, list, place) => {
    if (at === list.length) {
      const refused = !document.getElementById("refused").hidden;
      const empty = drawn().filter((svg) => svg.childNodes.length < 5).length;
      const labels = all("#controls input").map((n) => n.getAttribute("aria-valuetext"));
      const outputs = all("#controls output").map(text);
      shots.push({ place, refused, empty, rows: refused ? null : read(), labels, outputs });
      return;
    }
    const node = document.getElementById(list[at]);
    for (let i = 0; i < count(node); i += 1) {
      set(node, i);
      walk(at + 1, list, [...place, i]);
    }
  };
  for (let i = 0; i < (tasks() ? count(tasks()) : 1); i += 1) {
    if (tasks()) set(tasks(), i);
    walk(0, nodes().map((n) => n.id), [i]);
  }
  const svg = document.querySelector("figure#figure-path svg");
  const box = svg.getBoundingClientRect();
  const at = { clientX: box.left + 58, clientY: box.top + 40, bubbles: true, isPrimary: true };
  svg.dispatchEvent(new PointerEvent("pointermove", at));
  const tip = document.querySelector("#figure-path .tip").textContent;
  svg.dispatchEvent(new PointerEvent("pointerdown", at));
  const controls = all("#controls input, #controls select");
  parent.document.title = "probe:" + JSON.stringify({
    shots, tip,
    clicked: all("#controls input").pop().value,
    unlabelled: controls.filter((n) => !n.labels.length).length,
    silent: drawn().filter((svg) => !svg.getAttribute("aria-label")).length,
    alerted: parent.alerted ?? null,
    scripts: document.scripts.length,
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ground: getComputedStyle(document.body).backgroundColor,
    ready: Number(document.documentElement.dataset.ready),
    now: document.getElementById("now").textContent,
  });
});</script></head>"""


@pytest.fixture(scope="module")
def pages():
    regression = ib.explore(
        ib.Regression([[1.0, 2.0]], [2.0]),
        names=NAMES,
        networks=["diagonal", "fully_connected"],
        depths=[2, 3],
        scales=[0, 0.1, 1.0, np.inf],
    )
    points = ib.Classification([[1.0, 2.0], [2.0, 2.5]], [1, 1])
    classification = ib.explore(points, names=NAMES, networks=["diagonal"], depths=[2, 3])
    return {"regression": regression, "classification": classification}


def settings(task):
    """Every place of the controls that are shown, in their order, and the frame there."""
    shown = [each for each in task["controls"] if len(each["options"]) > 1]
    for place in itertools.product(*(range(len(each["options"])) for each in shown)):
        state = {each["id"]: each["start"] for each in task["controls"]}
        state |= {each["id"]: at for each, at in zip(shown, place, strict=True)}
        frame = task["store"][task["frames"][".".join(str(state[name]) for name in task["by"])]]
        if state[task["cursor"]] < len(frame.get("x", task["controls"][-1]["options"])):
            yield place, frame, state[task["cursor"]]


def expected_rows(frame, at):
    for j, name in enumerate(frame["names"]):
        columns = [column["values"] for column in frame["columns"]]
        yield name, [values[min(at, len(values) - 1)][j] for values in columns]
    for row in frame["rows"]:
        if row["listed"]:
            yield row["name"], [row["values"][at]]


def as_number(text):
    return None if text == "" else text if text in ("inf", "-inf") else float(text)


@pytest.mark.parametrize("kind", ["regression", "classification"])
@pytest.mark.parametrize(("width", "scheme"), [(1300, LIGHT), (400, DARK)])
def test_every_position_shows_the_librarys_numbers(pages, tmp_path, kind, width, scheme):
    page = pages[kind]
    html = page.html.replace("</head>", PROBE, 1)
    file = tmp_path / "page.html"
    if width < 500:  # no window is so narrow, but a frame within it is
        holder = ib.Explorer(page.data)
        narrow = f"width: {width}px"
        frame = holder._repr_html_().replace("width: 100%", narrow, 1)
        probe = PROBE.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
        html = "<!doctype html><title></title>" + frame.replace("&lt;/head&gt;", probe, 1)
    file.write_text(html, encoding="utf-8")
    found, console = probed(file, tmp_path, "--window-size=1300,900", scheme)

    assert not console
    shots = {tuple(shot["place"]): shot for shot in found["shots"]}
    number = 0
    for i, task in enumerate(page.data["tasks"]):
        for place, frame, at in settings(task):
            shot = shots[(i, *place)]
            number += 1
            assert shot["refused"] == ("refused" in frame)
            assert not shot["empty"]
            assert shot["labels"] == shot["outputs"]
            if not shot["refused"]:
                rows = [(name, list(map(as_number, values))) for name, values in shot["rows"]]
                assert rows == [(name, values) for name, values in expected_rows(frame, at)]
    assert number > 100
    assert found["alerted"] is None
    assert found["scripts"] == 3
    assert (found["unlabelled"], found["silent"]) == (0, 0)
    assert found["wider"] <= 0
    assert found["tip"]
    assert found["clicked"] == "0"
    assert found["now"].startswith(("Network: diagonal", "Depth L: "))
    assert found["ground"] == ("rgb(21, 24, 27)" if scheme == DARK else "rgb(253, 253, 252)")
    assert 0 < found["ready"] < 5000
