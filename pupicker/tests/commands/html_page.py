"""Reading HTML reports as a browser would."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Sections, table rows, alarms and pictures of a report; every tag must be closed."""

    def __init__(self, path):
        super().__init__()
        self.sections, self.rows, self.alarms, self.images, self.tags, self.text = [], [], [], [], set(), ""
        self._open, self._alarm = [], False
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "h2":
            self.sections.append("")
        elif tag == "img":
            self.images.append(dict(attrs))
        elif tag == "div":
            self._alarm = True
            self.alarms.append("")

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        self._alarm = False

    def handle_data(self, data):
        self.text += data
        where = self._open[-1] if self._open else ""
        if where in ("td", "th"):
            self.rows[-1][-1] += data
        elif where == "h2":
            self.sections[-1] += data
        elif self._alarm:
            self.alarms[-1] += data

    def assert_self_contained(self):
        """Nothing is run, nothing is fetched."""
        assert {"script", "link", "iframe", "object", "a"} & self.tags == set()
        # Without the pictures, in which any four letters may stand.
        text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]*", "", self.source)
        assert "http" not in text and "url(" not in text
        assert self.images
        for image in self.images:
            assert image["src"].startswith("data:image/png;base64,iVBOR")
            assert image["alt"]


MEASURE = """<script>document.body.setAttribute("data-measured", JSON.stringify({
  height: document.body.scrollHeight, overflow: document.documentElement.scrollWidth - window.innerWidth,
  first: Array.from(document.querySelectorAll("td:first-child")).map(td => [td.textContent, td.clientWidth])}))
</script>"""


def in_a_browser(path, folder):
    """What headless Chromium makes of a report in a window of 1300 px: heights and widths in px."""
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("needs the system package chromium")
    measured = folder / "measured.html"
    measured.write_text(path.read_text(encoding="utf-8").replace("</body>", MEASURE + "</body>"), encoding="utf-8")
    done = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1300,900",
                           f"--user-data-dir={folder / 'browser'}", "--dump-dom", measured.as_uri()],
                          capture_output=True, text=True, check=True, timeout=120)
    return json.loads(html.unescape(re.search('data-measured="(.*?)"', done.stdout).group(1)))
