"""The page in a real browser: loads, says nothing on the console, shows every figure.

Not part of a default run: ``pytest -n 0 -m browser`` where Chromium is installed.
"""

import numpy as np
import pytest

from helpers.chromium import DARK, LIGHT, probed
from helpers.reports import FAILED, row
from implicitbias import report as reporting
from implicitbias.verification import Report

pytestmark = pytest.mark.browser

# Runs in the page once it is loaded; what it finds becomes the title.
PROBE = """<script>addEventListener("load", () => {
  const links = [...document.querySelectorAll('a[href^="#"]')];
  const row = document.querySelector('details:not([open])');
  location.hash = row.querySelector("div").id;
  document.title = "probe:" + JSON.stringify({
    images: [...document.images].map(i => i.complete && i.naturalWidth > 0),
    broken: links.map(a => a.hash.slice(1)).filter(id => !document.getElementById(id)),
    wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ground: getComputedStyle(document.body).backgroundColor,
    milliseconds: performance.now(),
    opened: row.open,
  });
});</script></head>"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    directory = tmp_path_factory.mktemp("browser")
    arrays = {"limit": np.arange(1.0, 60.0), "flow": np.arange(1.0, 60.0)}
    reporting.save_page(Report((row(arrays=arrays), FAILED)), directory / "page.html")
    text = (directory / "page.html").read_text(encoding="utf-8")
    (directory / "page.html").write_text(text.replace("</head>", PROBE), encoding="utf-8")
    return directory / "page.html"


@pytest.mark.parametrize("width", [1300, 500])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_page_in_chromium(page, tmp_path, width, scheme):
    scheme_flag = DARK if scheme == "dark" else LIGHT
    found, console = probed(page, tmp_path, f"--window-size={width},900", scheme_flag)
    assert not console
    assert found["images"]
    assert all(found["images"])
    assert not found["broken"]
    assert found["wider"] <= 0
    assert found["opened"]
    assert found["ground"] == ("rgb(21, 24, 27)" if scheme == "dark" else "rgb(253, 253, 252)")
