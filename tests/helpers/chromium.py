"""A page in headless Chromium: what its probe found, and what stood on the console."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"),
)
LIGHT, DARK = (f"--blink-settings=preferredColorScheme={kind}" for kind in (1, 0))


def probed(page, tmp_path, *flags):
    """What the page's own probe leaves as its title, "probe:" and JSON; and lines of the console.

    Skips the test where there is no Chromium.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on the path")
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", *flags, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    found = re.search(r"<title>probe:(.*?)</title>", done.stdout)
    assert found, done.stdout[:500]
    return json.loads(unescape(found[1])), console
