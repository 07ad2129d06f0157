"""Splitting the document: the text before the first heading, and one chapter for each Heading 1.

Layout tables (a picture next to its text) are replaced with their contents in reading order, because their
cells may contain whole stories.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from editions.imports.html.inline_spans import has_visible_text, one_line_text
from editions.imports.html.tree import text_content
from editions.imports.omissions import BEFORE_HEADING, OmissionLog

_LAYOUT_CONTENT = ("img", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote")


@dataclass
class Chapter:
    """One story of the document: its title and the blocks below it."""

    title: str
    blocks: list[etree._Element] = field(default_factory=list)


@dataclass
class ChapteredDocument:
    """A document split into chapters. ``title`` and ``subtitle`` come from the styles of that name; ``notes``
    are its footnotes and endnotes by the address of the links to them."""

    title: str = ""
    subtitle: str = ""
    preamble: Chapter = field(default_factory=lambda: Chapter(""))
    chapters: list[Chapter] = field(default_factory=list)
    notes: dict[str, etree._Element] = field(default_factory=dict)


def split_chapters(body: etree._Element, omissions: OmissionLog) -> ChapteredDocument:
    """Split ``body`` into chapters. A heading with nothing below it is not a chapter, and is logged."""
    document = ChapteredDocument(notes=_extract_notes(body))
    omissions.set_place(BEFORE_HEADING)
    chapter = document.preamble
    for block in _flatten_layout_tables(list(body), omissions):
        if block.tag == "h1" and has_visible_text(text_content(block)):
            chapter = Chapter(_extract_title(block))
            document.chapters.append(chapter)
            omissions.enter_story(chapter.title)
            if len(block):
                block.tag = "p"
                chapter.blocks.append(block)
        elif block.get("class") == "title" and not document.title:
            document.title = one_line_text(block)
        elif block.get("class") == "subtitle" and not document.subtitle:
            document.subtitle = one_line_text(block)
        else:
            chapter.blocks.append(block)
    document.chapters = [chapter for chapter in document.chapters if _has_content(chapter, omissions)]
    return document


def _extract_notes(body: etree._Element) -> dict[str, etree._Element]:
    """Remove and return the notes, which mammoth puts into a list at the end."""
    notes = {}
    for item in body.findall("ol/li[@id]"):
        notes[f"#{item.get('id')}"] = item
        around = item.getparent()
        if around is not None and around.getparent() is body:
            body.remove(around)
    return notes


def _flatten_layout_tables(found: list[etree._Element], omissions: OmissionLog) -> Iterator[etree._Element]:
    for block in found:
        if block.tag == "table" and _is_layout_table(block):
            yield from _flatten_layout_tables(
                [part for cell in block.iter("td", "th") if _is_direct_cell(cell, block) for part in cell],
                omissions,
            )
        else:
            yield block


def _is_direct_cell(cell: etree._Element, table: etree._Element) -> bool:
    return next(cell.iterancestors("table"), None) is table


def _is_layout_table(table: etree._Element) -> bool:
    """Whether a table is only for layout: it has pictures or headings, or only one row or column."""
    rows = [[cell for cell in row if cell.tag in {"td", "th"}] for row in table.iter("tr")]
    return (
        any(True for _ in table.iterdescendants(*_LAYOUT_CONTENT)) or len(rows) < 2 or max(map(len, rows)) < 2
    )


def _extract_title(heading: etree._Element) -> str:
    """Remove and return the text of ``heading``; its pictures are left."""
    title = one_line_text(heading)
    pictures = list(heading.iter("img"))
    for picture in pictures:
        picture.tail = None
    heading[:] = pictures
    heading.text = None
    return title


def _has_content(chapter: Chapter, omissions: OmissionLog) -> bool:
    if any(text_content(block).strip() or any(True for _ in block.iter("img")) for block in chapter.blocks):
        return True
    omissions.enter_story(chapter.title)
    omissions.add("a heading with nothing below it, so it is not a story")
    return False
