"""One self-contained HTML file: text, tables and pictures, without scripts and without anything from elsewhere.

The page is a Jinja template that escapes all text; pictures are PNG files inside the document.  It opens in any
browser, also years later and on a machine without a network.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pupicker.engine.reports.png import save_small_png
from pupicker.shared.atomic import write_text
from pupicker.shared.plurals import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS = 200
"""Rows that a table shows; what it leaves out is said below it."""

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")), autoescape=True, undefined=StrictUndefined,
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Block:
    """A piece of a document, as ``templates/page.html.j2`` writes it.

    Attributes
    ----------
    kind
        Which piece.
    text
        Of a heading, a paragraph, an alarm, a command line; the caption of a figure.
    header, rows, numeric
        Of a table: cells as text, and which columns hold numbers.
    png, half
        Of a figure: the file in base 64, and whether two are set side by side.
    """

    kind: Literal["section", "paragraph", "alarm", "code", "table", "figure"]
    text: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    numeric: Sequence[bool] = ()
    png: str = ""
    half: bool = False


class HtmlReport:
    """A document that is filled from top to bottom, then written.

    Parameters
    ----------
    title
        Heading and title of the window.
    lead
        One line below it.
    """

    def __init__(self, title: str, lead: str) -> None:
        self._title, self._lead = title, lead
        self._blocks: list[Block] = []

    def section(self, title: str) -> None:
        """Start a section."""
        self._blocks.append(Block("section", title))

    def paragraph(self, text: str) -> None:
        """Plain text."""
        self._blocks.append(Block("paragraph", text))

    def alarm(self, text: str) -> None:
        """Text that must not be overlooked."""
        self._blocks.append(Block("alarm", text))

    def code(self, text: str) -> None:
        """A command line, as it was typed."""
        self._blocks.append(Block("code", text))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table with at most :data:`MAX_ROWS` rows; numbers are set to the right, floats with four digits."""
        shown = rows[:MAX_ROWS]
        numeric = [bool(shown) and all(isinstance(row[i], (int, float)) for row in shown) for i in range(len(header))]
        self._blocks.append(
            Block("table", header=header, rows=[[_text(value) for value in row] for row in shown], numeric=numeric)
        )
        if len(rows) > MAX_ROWS:
            self.paragraph(f"{counted(len(rows) - MAX_ROWS, 'more row is', 'more rows are')} left out here.")

    def figure(self, figure: Figure, caption: str, half: bool = False) -> None:
        """A picture inside the document; its caption is its text alternative too.  `half`: two side by side."""
        data = io.BytesIO()
        save_small_png(figure, data)
        encoded = base64.b64encode(data.getvalue()).decode("ascii")
        self._blocks.append(Block("figure", caption, png=encoded, half=half))

    def write(self, path: Path) -> None:
        """Write the file at once, never half."""
        page = _templates.get_template("page.html.j2")
        write_text(path, page.render(title=self._title, lead=self._lead, blocks=self._blocks))


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
