"""The letter: what stands before the first heading. Its salutation is the heading, its signature the name."""

import re
from dataclasses import dataclass

from lxml import etree

from editions.word.html.cleaner import Body, Figure
from editions.word.html.inline_spans import BREAK, read_spans, settle_spans
from editions.word.html.tree import text_of

_SHORTEST = 80
_LONGEST_SALUTATION = 60
_LONGEST_NAME = 60
_LONGEST_LINE = 160
_MOST_LINES = 5
_SALUTES = (",", ":", "!", "，", "：", "！", "、")
_ENDS_A_SENTENCE = re.compile(r"[.!?:;,。！？：；，…]$")


@dataclass(frozen=True, kw_only=True)
class Letter:
    """``title`` and ``name`` are empty where the document is silent; ``titles`` stand below the name."""

    title: str
    name: str
    titles: tuple[str, ...]
    blocks: list[etree._Element]
    figures: list[Figure]


def is_letter(body: Body) -> bool:
    """Whether there is more than a line such as a date or a motto."""
    return len(body.text()) >= _SHORTEST


def find_letter(body: Body) -> Letter:
    """``body`` as a letter."""
    blocks = list(body.blocks)
    title = _take_title(blocks)
    name, *titles = _take_signature(blocks) or [""]
    return Letter(title=title, name=name, titles=tuple(titles), blocks=blocks, figures=body.figures)


def _take_title(blocks: list[etree._Element]) -> str:
    first = " ".join(text_of(blocks[0]).split())
    salutes = blocks[0].tag == "p" and first.endswith(_SALUTES) and len(first) <= _LONGEST_SALUTATION
    if len(blocks) > 1 and (salutes or blocks[0].tag in {"h2", "h3"}):
        blocks.pop(0)
        return first.rstrip("".join(_SALUTES)).strip() if salutes else first
    return ""


def _take_signature(blocks: list[etree._Element]) -> list[str]:
    """The short lines at the end, a name first; empty where they are none, or would be all there is."""
    lines: list[str] = []
    first = len(blocks)
    while first > 1 and (said := _signing_lines(blocks[first - 1])) and len(lines) + len(said) <= _MOST_LINES:
        lines = said + lines
        first -= 1
    if not lines or len(lines[0]) > _LONGEST_NAME or any(sign.isdigit() for sign in lines[0]):
        return []
    del blocks[first:]
    return lines


def _signing_lines(block: etree._Element) -> list[str]:
    """The lines of ``block`` if each may be one of a signature."""
    if block.tag != "p":
        return []
    said = "".join(span.text for span in settle_spans(read_spans(block))).split(BREAK)
    lines = [line.strip() for line in said]
    fits = all(line and len(line) <= _LONGEST_LINE and not _ENDS_A_SENTENCE.search(line) for line in lines)
    return lines if fits else []
