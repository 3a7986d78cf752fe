"""Reports as a single HTML file with its pictures inside: no script, no other file, no network."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from edge.errors import DataError
from edge.files import atomic_write

_PNG = b"\x89PNG\r\n\x1a\n"
_WIDE_PX = 1000  # a picture wider than this holds small print and gets the page's full width
_FIGURE = re.compile(r"[-+]?[\d.,]+( ?%| points| of [\d,]+)?\*?( ± [\d.,]+)?|-|")
# The browser loads and runs nothing, even if a text were not escaped.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
# Plots are drawn on white: their background stays white in the dark scheme as well.
_STYLE = """
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de;
        --tint: #f6f8fa }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --ink: #e6edf3; --soft: #9aa4af; --line: #30363d; --tint: #161b22 }
}
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 62rem; padding: 1rem; background: var(--ground); color: var(--ink);
       font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0 1rem }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid var(--line) }
p { margin: .5rem 0; max-width: 45rem }
.table { overflow-x: auto; margin: .75rem 0 }
table { border-collapse: collapse; font-size: .9rem }
th, td { padding: .3rem .75rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
         overflow-wrap: normal }
thead th { background: var(--tint); vertical-align: bottom }
tbody th { font-weight: normal }
.figure { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.pictures { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr));
            align-items: start; margin: 1rem 0 }
figure { margin: 0 }
figure.wide { grid-column: 1 / -1 }
img { display: block; width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
      border-radius: 4px }
figcaption { color: var(--soft); font-size: .85rem; margin-top: .25rem }
/* A phone: small print stays as large as it is on a desktop, and one moves over the picture. */
@media (max-width: 40rem) {
  th, td { padding: .3rem .4rem }
  thead .figure { white-space: normal }
  figure.wide { overflow-x: auto }
  figure.wide img { width: 44rem; max-width: none }
  figure.wide figcaption { position: sticky; left: 0 }
}
"""


@dataclass(frozen=True)
class Section:
    """A part of a report.

    Attributes:
        heading: heading of the section.
        text: plain text; an empty line starts a new paragraph.
        table: rows of cells, all of the same length; the first row holds the headings. Columns of figures are
            aligned to the right. Empty for no table.
        pictures: (PNG file, text); the text is the picture's caption and its alternative text.
    """

    heading: str
    text: str = ""
    table: tuple[tuple[str, ...], ...] = ()
    pictures: tuple[tuple[Path, str], ...] = ()


def write_html(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Writes a report, in place of an older one.

    Args:
        path: HTML file to write.
        title: title and first heading of the page.
        sections: sections in their order.

    Raises:
        DataError: a picture cannot be read or is no PNG file, or the rows of a table differ in length.
        OutputError: the file cannot be written.
    """
    body = "\n".join(_section(section) for section in sections)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""
    atomic_write(path, lambda partial: partial.write_text(page, encoding="utf-8"))


def _section(section: Section) -> str:
    parts = [f"<section>\n<h2>{escape(section.heading)}</h2>"]
    parts += [f"<p>{escape(text.strip())}</p>" for text in section.text.split("\n\n") if text.strip()]
    if section.table:
        parts.append(_table(section))
    if section.pictures:
        pictures = "\n".join(_picture(path, text) for path, text in section.pictures)
        parts.append(f'<div class="pictures">\n{pictures}\n</div>')
    return "\n".join((*parts, "</section>"))


def _table(section: Section) -> str:
    head, *rows = section.table
    uneven = [row for row in rows if len(row) != len(head)]
    if uneven:
        first = uneven[0]
        raise DataError(f"table {section.heading!r}: {len(first)} cells under {len(head)} columns: {first}")
    classes = [
        ' class="figure"' if rows and all(_FIGURE.fullmatch(row[column]) for row in rows) else ""
        for column in range(len(head))
    ]
    lines = [
        # A region that scrolls must be reachable by keyboard and have a name.
        f'<div class="table" role="region" tabindex="0" aria-label="{escape(section.heading)}">\n<table>',
        f"<thead><tr>{''.join(_cells(head, classes, 'col'))}</tr></thead>\n<tbody>",
        *(f"<tr>{''.join(_cells(row, classes, 'row'))}</tr>" for row in rows),
        "</tbody>\n</table>\n</div>",
    ]
    return "\n".join(lines)


def _cells(row: Sequence[str], classes: Sequence[str], scope: str) -> list[str]:
    """Returns a row's cells; all cells of the head and the first cell of any other row are headings."""
    return [
        f'<th scope="{scope}"{name}>{escape(text)}</th>'
        if scope == "col" or not column
        else f"<td{name}>{escape(text)}</td>"
        for column, (text, name) in enumerate(zip(row, classes, strict=True))
    ]


def _picture(path: Path, text: str) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read picture {path}: {error.strerror}") from error
    if content[:8] != _PNG or content[12:16] != b"IHDR":
        raise DataError(f"picture {path}: expected a PNG file")
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    data = base64.b64encode(content).decode("ascii")
    # It scrolls on a phone, and what scrolls must be reachable by keyboard.
    wide = ' class="wide" tabindex="0"' if width > _WIDE_PX else ""
    return (
        f'<figure{wide}><img src="data:image/png;base64,{data}" width="{width}" height="{height}" '
        f'alt="{escape(text)}"><figcaption>{escape(text)}</figcaption></figure>'
    )
