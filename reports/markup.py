"""What every page of ours is made of: one style, one policy under which nothing loads or runs, and tables.

On a phone a table's rows become blocks, and each cell says what it is. Nothing is told by colour alone.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.4 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto; padding: 1.2rem;
  max-width: 74rem; overflow-wrap: anywhere; }
h1 { font-size: 1.45rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 1.8rem 0 .4rem; }
.verdict { border: 2px solid; border-left-width: .8rem; padding: .4rem .9rem; margin: 0 0 .8rem; }
.verdict strong { font-size: 1.7rem; letter-spacing: .04em; margin-right: .8rem; }
.verdict.PASSED { border-color: #00654c; } .verdict.UNKNOWN { border-color: #8a5a00; border-style: dashed; }
.verdict.FAILED { border-color: #a33700; border-style: double; border-width: 6px 6px 6px .8rem; }
td.PASSED { color: #00654c; } td.UNKNOWN { color: #8a5a00; } td.FAILED { color: #a33700; }
td.PASSED, td.UNKNOWN, td.FAILED { font-weight: 700; white-space: nowrap; }
td.FAILED { text-decoration: underline double; } td.UNKNOWN { text-decoration: underline dashed; }
.glance { display: grid; grid-template-columns: repeat(4, 1fr); gap: .8rem; margin: 0 0 .6rem; }
.glance div { background: #f4f4f4; padding: .5rem .7rem; }
.glance dt { color: #555; font-weight: 400; } .glance dd { margin: 0; }
.glance dd.answer { font-weight: 700; font-size: 1.1rem; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: #555; padding: .2rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid #ddd; }
th { font-weight: 600; color: #555; }
td.at { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
th.at { text-align: right; }
pre { white-space: pre-wrap; background: #f4f4f4; padding: .6rem; }
small, .quiet { color: #555; } .wide { overflow-x: auto; } img { width: 100%; height: auto; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem; } summary { cursor: pointer; padding: .3rem 0; }
@media (max-width: 44rem) {
  .glance { grid-template-columns: 1fr 1fr; gap: .4rem; } img { min-width: 44rem; } thead { display: none; }
  tr, td { display: block; border: 0; } tr { border-bottom: 1px solid #ddd; padding: .4rem 0; }
  td, td.at { padding: .05rem 0; text-align: left; } td:first-child { font-weight: 600; }
  td[data-of]::before { content: attr(data-of) ": "; color: #555; font-weight: 400; } }
@media print { html { font-size: 11px; } body { padding: 0; max-width: none; font-size: 1rem; }
  h2, h2 + p { break-after: avoid; }
  tr, img, .glance, .verdict { break-inside: avoid; } details { display: none; }
  @page { margin: 14mm; } }
"""


@dataclass(frozen=True)
class Cell:
    """A cell of a table; `html` is taken as it is."""

    html: str
    kind: str = ""  # "at" for what is lined up at the right, or a verdict


def text(words: str, small: str = "") -> Cell:
    """Return a cell of plain text, with a second, small line under it."""
    return Cell(escape(words) + (f"<br><small>{escape(small)}</small>" if small else ""))


def number(words: str) -> Cell:
    """Return a cell that is lined up at the right."""
    return Cell(escape(words), "at")


def verdict(word: str) -> Cell:
    """Return a cell that holds a verdict, in the word itself and in its colour."""
    return Cell(escape(word), word if word in ("PASSED", "UNKNOWN", "FAILED") else "")


def table(heads: Sequence[str], rows: Iterable[Sequence[str | Cell]], caption: str = "") -> str:
    """Return a table; a plain string is plain text."""
    cells = [[text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    lined_up = {number for row in cells for number, cell in enumerate(row) if cell.kind == "at"}
    head = "".join(
        f'<th scope="col"{_class("at" if number in lined_up else "")}>{escape(name)}</th>'
        for number, name in enumerate(heads)
    )
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    body = "".join(_row(heads, row) for row in cells)
    return f"<table>{told}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def section(title: str, body: str, words: str = "") -> str:
    """Return a part of a page, with a sentence under its title; nothing when it has no body."""
    told = f'<p class="quiet">{escape(words)}</p>\n' if words else ""
    return f"<h2>{escape(title)}</h2>\n{told}{body}" if body else ""


def listed(items: Iterable[str]) -> str:
    """Return a list of plain sentences, nothing when there are none."""
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<ul>{lines}</ul>" if lines else ""


def picture(svg: bytes, words: str) -> str:
    """Return a picture that lies in the page itself."""
    source = base64.b64encode(svg).decode()
    shown = f'<img src="data:image/svg+xml;base64,{source}" alt="{escape(words)}">'
    # on a phone it scrolls sideways rather than shrink until nobody can read it: by keys, too
    name = escape(words.partition(".")[0])
    return f'<div class="wide" tabindex="0" role="region" aria-label="{name}">{shown}</div>\n'


def framed(title: str, body: str) -> str:
    """Return a whole page around a body, in our style, which nothing else can load into or run in."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy()}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n"
        f"</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _row(heads: Sequence[str], row: Sequence[Cell]) -> str:
    # the first cell says what the row is about; the others say what they are where there are no heads
    cells = "".join(
        f"<td{_class(cell.kind)}{_of(head) if number else ''}>{cell.html}</td>"
        for number, (head, cell) in enumerate(zip(heads, row, strict=True))
    )
    return f"<tr>{cells}</tr>"


def _of(head: str) -> str:
    return f' data-of="{escape(head)}"'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _policy() -> str:
    """Allow our own style, by its hash, and images from the page itself: nothing else can load or run."""
    style = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    sources = f"style-src 'sha256-{style}'; img-src data:"
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"
