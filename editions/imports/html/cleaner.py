"""Cleaning a chapter: blocks that an email can show, working links, two levels of headings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lxml import etree

from editions.imports.html.chapters import Chapter
from editions.imports.html.inline_spans import (
    InlineSpan,
    normalise_spans,
    one_line_text,
    read_own_spans,
    read_spans,
    write_spans,
)
from editions.imports.html.tables import simplify_table
from editions.imports.html.tree import detach, text_content
from editions.imports.omissions import OmissionLog, quote
from editions.imports.source_document import ITEM_BOOKMARK
from editions.markdown.links import find_link_fault

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
# What follows the address in Word's field for a link, as in HYPERLINK "https://…" \o "shown on hover".
_FIELD_SWITCH = '" \\'


@dataclass(frozen=True, kw_only=True)
class ChapterImage:
    """A picture of a chapter: its number in the document, and its caption."""

    number: int
    caption: str


@dataclass
class CleanChapter:
    """A chapter ready to be written. ``images`` are its pictures in order, no longer in the blocks."""

    title: str
    blocks: list[etree._Element]
    images: list[ChapterImage] = field(default_factory=list)

    def plain_text(self) -> str:
        """The text of the chapter on one line."""
        return " ".join(" ".join(text_content(block) for block in self.blocks).split())


def clean_chapter(
    chapter: Chapter, notes: Mapping[str, etree._Element], omissions: OmissionLog
) -> CleanChapter:
    """Clean ``chapter``, and add the ``notes`` it refers to at its end. What cannot stay is logged."""
    if chapter.title:
        omissions.enter_story(chapter.title)
    images, blocks = _extract_images(chapter.blocks)
    blocks += _collect_notes(blocks, notes)
    settled = [block for block in (_clean_block(block, omissions) for block in blocks) if block is not None]
    _normalise_headings(settled, omissions)
    return CleanChapter(title=chapter.title, blocks=settled, images=images)


def _extract_images(blocks: Sequence[etree._Element]) -> tuple[list[ChapterImage], list[etree._Element]]:
    """Take the pictures out. A caption belongs to the picture before it, or else to the one after it."""
    numbered_blocks: list[tuple[list[int], etree._Element]] = []
    for block in blocks:
        numbers = [int(image.get("src", "0")) for image in block.iter("img")]
        for image in list(block.iter("img")):
            detach(image)
        numbered_blocks.append((numbers, block))
    captions: dict[int, str] = {}
    used: set[int] = set()
    for offset in (-1, 1):
        for index, (_, block) in enumerate(numbered_blocks):
            neighbour = index + offset
            numbers = numbered_blocks[neighbour][0] if 0 <= neighbour < len(numbered_blocks) else []
            if (
                block.get("class") == "caption"
                and index not in used
                and numbers
                and numbers[-1] not in captions
            ):
                captions[numbers[-1]] = one_line_text(block)
                used.add(index)
    images = [
        ChapterImage(number=number, caption=captions.get(number, ""))
        for numbers, _ in numbered_blocks
        for number in numbers
    ]
    return images, [block for index, (_, block) in enumerate(numbered_blocks) if index not in used]


def _collect_notes(
    blocks: Sequence[etree._Element], notes: Mapping[str, etree._Element]
) -> list[etree._Element]:
    """Number the notes of a chapter from 1, and return them as paragraphs."""
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
    """``note`` as one paragraph after its ``mark``, without mammoth's link back."""
    for arrow in [link for link in note.iter("a") if (link.get("href") or "").startswith("#")]:
        arrow.text = None
    made = etree.Element("p")
    write_spans([InlineSpan(text=f"{mark} "), *read_spans(note)], made)
    return made


def _clean_block(block: etree._Element, omissions: OmissionLog) -> etree._Element | None:
    """``block`` with simple inline content; None when it has no text."""
    if block.tag == "table":
        _check_links(block, omissions)
        return simplify_table(block, omissions)
    block.attrib.clear()
    for numbered in block.iter("ol"):
        first = numbered.find("li/a[@id]")
        if first is not None and (first.get("id") or "").startswith(ITEM_BOOKMARK):
            numbered.set("start", (first.get("id") or "").removeprefix(ITEM_BOOKMARK))
    for around in [block, *block.iter("p", "li")]:
        if around.tag in {"blockquote", "ul", "ol"} or around.find("p") is not None:
            continue
        _check_links(around, omissions)
        write_spans(normalise_spans(read_own_spans(around)), around)
    for empty in [item for item in block.iter("p", "li", "ul", "ol") if not text_content(item).strip()]:
        if empty is not block and empty.getparent() is not None:
            detach(empty)
    return block if text_content(block).strip() else None


def _check_links(block: etree._Element, omissions: OmissionLog) -> None:
    """Turn links that do not work in an email, such as Word's links within the document, into plain text."""
    for link in list(block.iter("a")):
        address = (link.get("href") or "").partition(_FIELD_SWITCH)[0].strip()
        link.set("href", address)
        if address.startswith("#") or not address:
            link.set("href", "")
        elif fault := find_link_fault(address):
            omissions.add(f"the link of{quote(text_content(link)) or ' an empty text'}: {fault.reason}")
            link.set("href", "")


def _normalise_headings(blocks: Sequence[etree._Element], omissions: OmissionLog) -> None:
    """Reduce the headings to two levels: the highest one used becomes ``h2``, the others ``h3``."""
    headings = [block for block in blocks if block.tag in _HEADINGS]
    highest = min((int(str(block.tag)[1]) for block in headings), default=2)
    levels = {int(str(block.tag)[1]) for block in headings}
    if len(levels) > 2:
        omissions.add(f"headings of {len(levels)} levels; an email shows two")
    reached = False
    for block in headings:
        top = int(str(block.tag)[1]) == highest or not reached
        reached = True
        block.tag = "h2" if top else "h3"
        write_spans([InlineSpan(text=one_line_text(block))], block)
