"""The letter: the text before the first heading, with its salutation as heading and its signature."""

import re
from dataclasses import dataclass

from lxml import etree

from editions.imports.html.cleaner import ChapterImage, CleanChapter
from editions.imports.html.inline_spans import LINE_BREAK, normalise_spans, read_spans
from editions.imports.html.tree import text_content

_MIN_LENGTH = 80
_MAX_SALUTATION_LENGTH = 60
_MAX_NAME_LENGTH = 60
_MAX_LINE_LENGTH = 160
_MAX_LINES = 5
_SALUTATION_ENDINGS = (",", ":", "!", "，", "：", "！", "、")
_ENDS_A_SENTENCE = re.compile(r"[.!?:;,。！？：；，…]$")


@dataclass(frozen=True, kw_only=True)
class ExtractedLetter:
    """A letter. ``title`` and ``name`` are empty where the document has none; ``titles`` are the lines below
    the name."""

    title: str
    name: str
    titles: tuple[str, ...]
    blocks: list[etree._Element]
    images: list[ChapterImage]


def is_letter(body: CleanChapter) -> bool:
    """Whether the text is longer than a line such as a date or a motto, or has a link, which must not be
    lost."""
    return len(body.plain_text()) >= _MIN_LENGTH or any(map(_has_link, body.blocks))


def extract_letter(body: CleanChapter) -> ExtractedLetter:
    """Split ``body`` into the parts of a letter."""
    blocks = list(body.blocks)
    title = _extract_title(blocks)
    name, *titles = _extract_signature(blocks) or [""]
    return ExtractedLetter(title=title, name=name, titles=tuple(titles), blocks=blocks, images=body.images)


def _has_link(block: etree._Element) -> bool:
    return any(link.get("href") for link in block.iter("a"))


def _extract_title(blocks: list[etree._Element]) -> str:
    first = " ".join(text_content(blocks[0]).split())
    salutes = (
        blocks[0].tag == "p" and first.endswith(_SALUTATION_ENDINGS) and len(first) <= _MAX_SALUTATION_LENGTH
    )
    if len(blocks) > 1 and not _has_link(blocks[0]) and (salutes or blocks[0].tag in {"h2", "h3"}):
        blocks.pop(0)
        return first.rstrip("".join(_SALUTATION_ENDINGS)).strip() if salutes else first
    return ""


def _extract_signature(blocks: list[etree._Element]) -> list[str]:
    """Remove and return the short lines at the end, a name first; none if nothing else would be left."""
    lines: list[str] = []
    first = len(blocks)
    while (
        first > 1 and (text := _signature_lines(blocks[first - 1])) and len(lines) + len(text) <= _MAX_LINES
    ):
        lines = text + lines
        first -= 1
    if not lines or len(lines[0]) > _MAX_NAME_LENGTH or any(character.isdigit() for character in lines[0]):
        return []
    del blocks[first:]
    return lines


def _signature_lines(block: etree._Element) -> list[str]:
    """The lines of ``block`` if each of them may be part of a signature."""
    if block.tag != "p" or _has_link(block):
        return []
    text = "".join(span.text for span in normalise_spans(read_spans(block))).split(LINE_BREAK)
    lines = [line.strip() for line in text]
    fits = all(line and len(line) <= _MAX_LINE_LENGTH and not _ENDS_A_SENTENCE.search(line) for line in lines)
    return lines if fits else []
