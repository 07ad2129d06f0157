"""A chapter of the manuscript as blocks a mail can show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from editions.markdown.links import judge_link
from editions.word.docx.lists import ITEM
from editions.word.html.chapters import Chapter
from editions.word.html.inline_spans import (
    Span,
    line_of,
    read_own_spans,
    read_spans,
    settle_spans,
    write_spans,
)
from editions.word.html.tables import settle_table
from editions.word.html.tree import detach, text_of
from editions.word.omissions import Losses, quoted

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# What Word's field for a link holds besides the address, as in HYPERLINK "https://…" \o "seen on hovering".
_SWITCH = '" \\'


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A picture of a chapter: its number among the document's, and the words below it."""

    number: int
    caption: str


@dataclass
class Body:
    """A chapter ready to be written. ``figures`` are its pictures in order, which no block holds any more."""

    title: str
    blocks: list[etree._Element]
    figures: list[Figure] = field(default_factory=list)

    def text(self) -> str:
        """Its first words, for places that show a line of it."""
        return " ".join(" ".join(text_of(block) for block in self.blocks).split())


def tidy_chapter(chapter: Chapter, notes: Mapping[str, etree._Element], losses: Losses) -> Body:
    """The body of ``chapter``, the ``notes`` it refers to at its end. ``losses`` is told what cannot stay."""
    if chapter.title:
        losses.enter(chapter.title)
    figures, blocks = _take_figures(chapter.blocks)
    blocks += _take_notes(blocks, notes)
    settled = [block for block in (_settle(block, losses) for block in blocks) if block is not None]
    _level_headings(settled, losses)
    return Body(title=chapter.title, blocks=settled, figures=figures)


def _take_figures(blocks: Sequence[etree._Element]) -> tuple[list[Figure], list[etree._Element]]:
    """Cut the pictures out. A caption belongs to the picture it follows, or else to the one it precedes."""
    held: list[tuple[list[int], etree._Element]] = []
    for block in blocks:
        numbers = [int(image.get("src", "0")) for image in block.iter("img")]
        for image in list(block.iter("img")):
            detach(image)
        held.append((numbers, block))
    captions: dict[int, str] = {}
    used: set[int] = set()
    for offset in (-1, 1):
        for place, (_, block) in enumerate(held):
            beside = place + offset
            numbers = held[beside][0] if 0 <= beside < len(held) else []
            if (
                block.get("class") == "caption"
                and place not in used
                and numbers
                and numbers[-1] not in captions
            ):
                captions[numbers[-1]] = line_of(block)
                used.add(place)
    figures = [
        Figure(number=number, caption=captions.get(number, "")) for numbers, _ in held for number in numbers
    ]
    return figures, [block for place, (_, block) in enumerate(held) if place not in used]


def _take_notes(
    blocks: Sequence[etree._Element], notes: Mapping[str, etree._Element]
) -> list[etree._Element]:
    """Number the notes of a chapter from 1, and give them as paragraphs."""
    found: list[etree._Element] = []
    for block in blocks:
        for mark in [mark for mark in block.iter("sup") if mark.find("a[@href]") is not None]:
            link = mark.find("a[@href]")
            note = notes.get("" if link is None else link.get("href", ""))
            if note is None:
                continue
            mark[:] = []
            mark.tag = "span"
            mark.text = f"[{len(found) + 1}]"
            found.append(_write_note(note, mark.text))
    return found


def _write_note(note: etree._Element, mark: str) -> etree._Element:
    """The words of ``note`` as one paragraph behind its ``mark``, without mammoth's arrow back."""
    for arrow in [link for link in note.iter("a") if (link.get("href") or "").startswith("#")]:
        arrow.text = None
    made = etree.Element("p")
    write_spans([Span(text=f"{mark} "), *read_spans(note)], made)
    return made


def _settle(block: etree._Element, losses: Losses) -> etree._Element | None:
    """``block`` with plain inline content; None when no word is in it."""
    if block.tag == "table":
        _check_links(block, losses)
        return settle_table(block, losses)
    block.attrib.clear()
    for numbered in block.iter("ol"):
        first = numbered.find("li/a[@id]")
        if first is not None and (first.get("id") or "").startswith(ITEM):
            numbered.set("start", (first.get("id") or "").removeprefix(ITEM))
    for around in [block, *block.iter("p", "li")]:
        if around.tag in {"blockquote", "ul", "ol"} or around.find("p") is not None:
            continue
        _check_links(around, losses)
        write_spans(settle_spans(read_own_spans(around)), around)
    for empty in [item for item in block.iter("p", "li", "ul", "ol") if not text_of(item).strip()]:
        if empty is not block and empty.getparent() is not None:
            detach(empty)
    return block if text_of(block).strip() else None


def _check_links(block: etree._Element, losses: Losses) -> None:
    """Links a mail cannot carry become plain words; Word's own jumps within the document say nothing here."""
    for link in list(block.iter("a")):
        address = (link.get("href") or "").partition(_SWITCH)[0].strip()
        link.set("href", address)
        if address.startswith("#") or not address:
            link.set("href", "")
        elif fault := judge_link(address):
            losses.note(f"the link of{quoted(text_of(link)) or ' an empty text'}: {fault.reason}")
            link.set("href", "")


def _level_headings(blocks: Sequence[etree._Element], losses: Losses) -> None:
    """A mail has two levels below a story's title: the highest one used becomes ``h2``, the others ``h3``."""
    headings = [block for block in blocks if block.tag in _HEADINGS]
    highest = min((int(str(block.tag)[1]) for block in headings), default=2)
    levels = {int(str(block.tag)[1]) for block in headings}
    if len(levels) > 2:
        losses.note(f"headings of {len(levels)} levels; a mail shows two")
    reached = False
    for block in headings:
        top = int(str(block.tag)[1]) == highest or not reached
        reached = True
        block.tag = "h2" if top else "h3"
        write_spans([Span(text=line_of(block))], block)
