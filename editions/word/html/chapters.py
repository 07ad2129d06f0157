"""The document as a manuscript: what stands before the first heading, and one chapter for each Heading 1.

Tables that only arrange things (a picture beside its text) are taken apart here, because their cells may hold
whole stories; what is in them follows in reading order.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from editions.word.html.inline_spans import is_visible, line_of
from editions.word.html.tree import text_of
from editions.word.omissions import BEFORE, Losses

_ARRANGED = ("img", "h1", "h2", "h3", "h4", "h5", "h6", "table", "blockquote")


@dataclass
class Chapter:
    """One story of the document: its title and the blocks below it."""

    title: str
    blocks: list[etree._Element] = field(default_factory=list)


@dataclass
class Manuscript:
    """A document taken apart. ``title`` and ``subtitle`` are those of its styles of that name; ``notes`` are
    its footnotes and endnotes by the address they are referred to."""

    title: str = ""
    subtitle: str = ""
    preamble: Chapter = field(default_factory=lambda: Chapter(""))
    chapters: list[Chapter] = field(default_factory=list)
    notes: dict[str, etree._Element] = field(default_factory=dict)


def split_manuscript(body: etree._Element, losses: Losses) -> Manuscript:
    """Take ``body`` apart. A heading with nothing below it makes no chapter; ``losses`` is told."""
    manuscript = Manuscript(notes=_take_notes(body))
    losses.stand(BEFORE)
    chapter = manuscript.preamble
    for block in _blocks(list(body), losses):
        if block.tag == "h1" and is_visible(text_of(block)):
            chapter = Chapter(_take_title(block))
            manuscript.chapters.append(chapter)
            losses.enter(chapter.title)
            if len(block):
                block.tag = "p"
                chapter.blocks.append(block)
        elif block.get("class") == "title" and not manuscript.title:
            manuscript.title = line_of(block)
        elif block.get("class") == "subtitle" and not manuscript.subtitle:
            manuscript.subtitle = line_of(block)
        else:
            chapter.blocks.append(block)
    manuscript.chapters = [chapter for chapter in manuscript.chapters if _has_content(chapter, losses)]
    return manuscript


def _take_notes(body: etree._Element) -> dict[str, etree._Element]:
    """Cut off the list that mammoth puts at the end."""
    notes = {}
    for item in body.findall("ol/li[@id]"):
        notes[f"#{item.get('id')}"] = item
        around = item.getparent()
        if around is not None and around.getparent() is body:
            body.remove(around)
    return notes


def _blocks(found: list[etree._Element], losses: Losses) -> Iterator[etree._Element]:
    for block in found:
        if block.tag == "table" and _arranges(block):
            yield from _blocks(
                [part for cell in block.iter("td", "th") if _is_own(cell, block) for part in cell], losses
            )
        else:
            yield block


def _is_own(cell: etree._Element, table: etree._Element) -> bool:
    return next(cell.iterancestors("table"), None) is table


def _arranges(table: etree._Element) -> bool:
    """Whether a table only puts things beside one another: it has pictures or headings, or it is no grid."""
    rows = [[cell for cell in row if cell.tag in {"td", "th"}] for row in table.iter("tr")]
    return any(True for _ in table.iterdescendants(*_ARRANGED)) or len(rows) < 2 or max(map(len, rows)) < 2


def _take_title(heading: etree._Element) -> str:
    """The words of ``heading``, of which only its pictures are left."""
    title = line_of(heading)
    pictures = list(heading.iter("img"))
    for picture in pictures:
        picture.tail = None
    heading[:] = pictures
    heading.text = None
    return title


def _has_content(chapter: Chapter, losses: Losses) -> bool:
    if any(text_of(block).strip() or any(True for _ in block.iter("img")) for block in chapter.blocks):
        return True
    losses.enter(chapter.title)
    losses.note("a heading with nothing below it, so it is not a story")
    return False
