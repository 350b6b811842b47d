"""A model card as blocks, which become Markdown for the bundle and HTML for the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the card's title."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text; `code` and **bold** as in Markdown."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: Sequence[str]


@dataclass(frozen=True)
class Grid:
    """A table."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Paragraph | Bullets | Grid


def to_markdown(blocks: Sequence[Block]) -> str:
    r"""Return the card in Markdown.

    >>> to_markdown([Heading(1, "Card"), Bullets(["a", "b"])])
    '# Card\n\n- a\n- b\n'
    """
    return "\n\n".join(_write_block(one) for one in blocks) + "\n"


def to_html(blocks: Sequence[Block]) -> str:
    """Return the card as HTML; its title becomes a heading of the second level.

    >>> to_html([Heading(1, "Card"), Paragraph("say `x < 1`, **loud**")])
    '<h2>Card</h2><p>say <code>x &lt; 1</code>, <b>loud</b></p>'
    """
    return "".join(_mark_up(one) for one in blocks)


def _write_block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Paragraph):
        return block.text
    if isinstance(block, Bullets):
        return "\n".join(f"- {item}" for item in block.items)
    lines = [f"| {' | '.join(row)} |" for row in (block.headings, *block.rows)]
    lines.insert(1, "|---" * len(block.headings) + "|")
    return "\n".join(lines)


def _mark_up(block: Block) -> str:
    if isinstance(block, Heading):
        level = min(max(block.level, 2), 4)
        return f"<h{level}>{_mark_up_text(block.text)}</h{level}>"
    if isinstance(block, Paragraph):
        return f"<p>{_mark_up_text(block.text)}</p>"
    if isinstance(block, Bullets):
        return "<ul>" + "".join(f"<li>{_mark_up_text(one)}</li>" for one in block.items) + "</ul>"
    head = "".join(f"<th>{_mark_up_text(one)}</th>" for one in block.headings)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_mark_up_text(cell)}</td>" for cell in row) + "</tr>"
        for row in block.rows
    )
    return f'<div class="scroll panel"><table><tr>{head}</tr>{rows}</table></div>'


def _mark_up_text(text: str) -> str:
    found = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*([^*]*)\*\*", r"<b>\1</b>", found)
