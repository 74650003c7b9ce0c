"""One self-contained HTML file: text, tables and pictures, without scripts and without anything from elsewhere.

All text is escaped; pictures are PNG files inside the document.  It opens in any browser, also years later and on a
machine without a network.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pupicker.engine.reports.png import save_small_png
from pupicker.shared.atomic import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 200
"""Rows that a table shows; what it leaves out is said below it."""

_STYLE = """
body { font: 15px/1.5 "Helvetica Neue", Arial, sans-serif; color: #222; max-width: 70rem; margin: 2rem auto;
       padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.2rem;
     border-bottom: 1px solid #ccc; }
p.lead { color: #666; margin-top: .2rem; }
table { border-collapse: collapse; margin: .6rem 0; font-size: 14px; }
th, td { text-align: left; padding: .2rem 1.2rem .2rem 0; border-bottom: 1px solid #eee; vertical-align: top;
         overflow-wrap: anywhere; }
th { border-bottom: 1px solid #999; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums;
     white-space: nowrap; }
figure { margin: 1rem 0; } figure.half { display: inline-block; width: 49%; vertical-align: top; }
figcaption { color: #555; font-size: 14px; } img { max-width: 100%; }
pre { background: #f4f4f4; padding: .7rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 13px; }
.alarm { border-left: 5px solid #c0392b; background: #fbeceb; padding: .6rem 1rem; margin: 1rem 0; }
"""


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
        self._title = title
        self._parts = [f"<h1>{escape(title)}</h1>", f'<p class="lead">{escape(lead)}</p>']

    def section(self, title: str) -> None:
        """Start a section."""
        self._parts.append(f"<h2>{escape(title)}</h2>")

    def paragraph(self, text: str) -> None:
        """Plain text."""
        self._parts.append(f"<p>{escape(text)}</p>")

    def alarm(self, text: str) -> None:
        """Text that must not be overlooked."""
        self._parts.append(f'<div class="alarm" role="alert">{escape(text)}</div>')

    def code(self, text: str) -> None:
        """A command line, as it was typed."""
        self._parts.append(f"<pre>{escape(text)}</pre>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table with at most :data:`MOST_ROWS` rows; numbers are set to the right, floats with four digits."""
        shown = rows[:MOST_ROWS]
        numeric = [bool(shown) and all(isinstance(row[i], (int, float)) for row in shown) for i in range(len(header))]
        kinds = [' class="number"' if right else "" for right in numeric]
        head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(header, kinds, strict=True))
        lines = ["<table>", f"<tr>{head}</tr>" if any(header) else ""]
        for row in shown:
            cells = "".join(f"<td{kind}>{escape(_text(v))}</td>" for v, kind in zip(row, kinds, strict=True))
            lines.append(f"<tr>{cells}</tr>")
        self._parts.append("\n".join([*lines, "</table>"]))
        if len(rows) > MOST_ROWS:
            self.paragraph(f"{len(rows) - MOST_ROWS} more rows are left out here.")

    def figure(self, figure: Figure, caption: str, half: bool = False) -> None:
        """A picture inside the document; its caption is its text alternative too.  `half`: two side by side."""
        data = io.BytesIO()
        save_small_png(figure, data)
        encoded = base64.b64encode(data.getvalue()).decode("ascii")
        kind = ' class="half"' if half else ""
        self._parts.append(
            f'<figure{kind}><img alt="{escape(caption)}" src="data:image/png;base64,{encoded}">'
            f"<figcaption>{escape(caption)}</figcaption></figure>"
        )

    def write(self, path: Path) -> None:
        """Write the file at once, never half."""
        head = f'<meta charset="utf-8">\n<title>{escape(self._title)}</title>\n<style>{_STYLE}</style>'
        body = "\n".join(self._parts)
        text = f'<!DOCTYPE html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'
        write_text(path, text)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)
