"""Cleaning a chapter to the HTML that Markdown can say."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import quote as quote_address
from urllib.parse import urlsplit

from lxml import etree

from editions.imports.html.chapters import Chapter
from editions.imports.html.inline_spans import (
    LINE_BREAK,
    InlineSpan,
    has_visible_text,
    normalise_spans,
    one_line_text,
    read_own_spans,
    read_spans,
    write_spans,
)
from editions.imports.html.tree import HEADINGS, detach, text_content
from editions.imports.source_document import ITEM_BOOKMARK, QUOTED_AFTER, UNSEEN_LINK, OmissionLog, quote
from editions.markdown.links import find_link_fault
from editions.model import ReadMore
from locales.phrase import AFTER_PLACE, Phrase, gettext_noop

_MAX_COLUMNS = 63
"""The most columns Word allows in a table."""
_NOTE_LINES = ("p", "li", "td", "th")
_BARE_MAILBOX = re.compile(r"[^@\s<>()/:]+@[^@\s<>()/:]+\.[^@\s<>()/:]+")
_NOT_IN_ADDRESS = re.compile(r'[\s<>"{}|^`\\]+')
# What follows the address in Word's field for a link, as in HYPERLINK "https://…" \o "shown on hover".
_FIELD_SWITCH = '" \\'
_EMPTY_LINK = gettext_noop("the link of an empty text")
_HOLDERS = ("p", *HEADINGS, "li", "td", "th", "table")


def simplify_table(table: etree._Element, omissions: OmissionLog) -> etree._Element | None:
    """Return ``table`` as a simple grid; None when it is empty. What the grid cannot show is logged."""
    rows = _expand_merged_cells(
        [[cell for cell in row if cell.tag in {"td", "th"}] for row in table.iter("tr")]
    )
    if any(cell.get("colspan") or cell.get("rowspan") for cell in table.iter("td", "th")):
        merged = gettext_noop("merged cells of a table, now separate cells")
        omissions.add(quote(merged, text_content(table), QUOTED_AFTER))
    if any(len(_blocks(cell)) > 1 for cell in table.iter("td", "th")):
        joined = gettext_noop("paragraphs or lists in a table’s cells, now one line each")
        omissions.add(quote(joined, text_content(table), QUOTED_AFTER))
    lines = [[[] if cell is None else normalise_spans(_flatten_cell(cell)) for cell in row] for row in rows]
    lines = [line for line in lines if any(lines_of for lines_of in line)]
    if not lines:
        return None
    grid, width = etree.Element("table"), max(map(len, lines))
    alignments = _column_alignments(rows, width)
    for number, line in enumerate(lines):
        row = etree.SubElement(grid, "tr")
        for column, spans in enumerate([*line, *([[]] * (width - len(line)))]):
            cell = etree.SubElement(row, "td" if number else "th")
            if alignments[column]:
                cell.set("align", alignments[column])
            write_spans(spans, cell)
    return grid


def _column_alignments(rows: list[list[etree._Element | None]], width: int) -> list[str]:
    """Return how each column is aligned: as most cells with text below the first row, or else as that."""
    alignments = []
    for column in range(width):
        cells = [row[column] for row in rows if column < len(row)]
        set_as = [
            cell.get("align") or "" for cell in cells if cell is not None and text_content(cell).strip()
        ]
        alignments.append(Counter(set_as[1:] or set_as).most_common(1)[0][0] if set_as else "")
    return alignments


def _expand_merged_cells(rows: list[list[etree._Element]]) -> list[list[etree._Element | None]]:
    """Return every row with all its cells, and None where a cell spans others."""
    spread: list[list[etree._Element | None]] = []
    reaching: dict[int, int] = {}
    for row in rows:
        line: list[etree._Element | None] = []
        for cell in row:
            while reaching.get(len(line), 0) > 0 and len(line) < _MAX_COLUMNS:
                reaching[len(line)] -= 1
                line.append(None)
            columns, depth = _span_count(cell.get("colspan")), _span_count(cell.get("rowspan"))
            for column in range(len(line), min(len(line) + columns, _MAX_COLUMNS)):
                reaching[column] = depth - 1
            line += [cell, *([None] * (columns - 1))]
        spread.append(line[:_MAX_COLUMNS])
    return spread


def _span_count(written: str | None) -> int:
    return min(max(int(written or 1), 1), 1000)


def _blocks(cell: etree._Element) -> list[etree._Element]:
    return [part for part in cell if part.tag in {"p", "ul", "ol"} and text_content(part).strip()]


def _flatten_cell(cell: etree._Element) -> Iterator[InlineSpan]:
    parts = [part for part in cell.iter("p", "li") if part.find("p") is None] or [cell]
    for number, part in enumerate(parts):
        if number:
            yield InlineSpan(text=" ")
        for span in read_own_spans(part):
            yield InlineSpan(text=" ", href=span.href) if span.text == LINE_BREAK else span


@dataclass(frozen=True, kw_only=True)
class ChapterImage:
    """A picture of a chapter: its number in the document, and its caption. Once it is saved it has the name
    of its ``file``, and an ``alt`` if the document has one worth keeping."""

    number: int
    caption: str
    file: str = ""
    alt: str = ""


@dataclass
class CleanChapter:
    """A chapter ready to be written. ``images`` are its pictures in order, no longer in the blocks;
    ``read_more`` is the link of its title, if it had one, and ``published`` its day."""

    title: str
    blocks: list[etree._Element]
    images: list[ChapterImage] = field(default_factory=list)
    read_more: ReadMore | None = None
    published: date | None = None

    def plain_text(self) -> str:
        """Return the text of the chapter on one line."""
        return " ".join(" ".join(text_content(block) for block in self.blocks).split())


def clean_chapter(
    chapter: Chapter, notes: Mapping[str, etree._Element], omissions: OmissionLog
) -> CleanChapter:
    """Clean ``chapter``, and add the ``notes`` it refers to at its end. What cannot stay is logged."""
    if chapter.title:
        omissions.enter_story(chapter.title)
    read_more, links = _settle_title_links(chapter, omissions)
    blocks = [*chapter.blocks, *links]
    blocks += _collect_notes(blocks, notes)
    blocks += [_write_note(note, "") for note in chapter.title_notes]
    images, blocks = _extract_images(blocks)
    settled = [block for block in (_clean_block(block, omissions) for block in blocks) if block is not None]
    _normalise_headings(settled, omissions)
    return CleanChapter(title=chapter.title, blocks=settled, images=images, read_more=read_more)


def _settle_title_links(
    chapter: Chapter, omissions: OmissionLog
) -> tuple[ReadMore | None, list[etree._Element]]:
    """Return the first link of a story's title as its “Read more”, and the others as paragraphs."""
    read_more: ReadMore | None = None
    paragraphs: list[etree._Element] = []
    for link in chapter.links:
        address, text = _read_address(link.get("href", "")), one_line_text(link)
        is_page = address.startswith(("http://", "https://")) and find_link_fault(address) is None
        if is_page and read_more is None and chapter.title:
            read_more = ReadMore(what=text, url=address)
            below = gettext_noop("a link in the title, now “Read more” below the story: %(address)s")
            omissions.add(Phrase(below, address=address))
        else:
            paragraphs.append(_link_paragraph(link))
            what = quote(gettext_noop("a link in the title, now in the text"), text)
            omissions.add(Phrase(AFTER_PLACE, place=what, words=address))
    return read_more, paragraphs


def _link_paragraph(link: etree._Element) -> etree._Element:
    paragraph = etree.Element("p")
    etree.SubElement(paragraph, "a", {"href": link.get("href", "")}).text = one_line_text(link)
    return paragraph


def _read_address(written: str) -> str:
    """Return the address of a link as a browser would read it: whole, without what Word's fields add."""
    address = written.partition(_FIELD_SWITCH)[0].strip()
    if address.lower().startswith("www."):
        address = f"https://{address}"
    elif _BARE_MAILBOX.fullmatch(address):
        address = f"mailto:{address}"
    if address.lower().startswith(("http://", "https://")):
        # Word keeps what was pasted, such as a space within the address.
        address = _NOT_IN_ADDRESS.sub(lambda found: quote_address(found[0]), address)
    return address


def _extract_images(blocks: Sequence[etree._Element]) -> tuple[list[ChapterImage], list[etree._Element]]:
    """Take the pictures out, each with its caption; the link of a caption stays as a line of its own."""
    numbered_blocks = [(_take_images(block), block) for block in blocks]
    captions = _match_captions(numbered_blocks)
    kept: list[etree._Element] = []
    for index, (_, block) in enumerate(numbered_blocks):
        if index not in captions:
            kept.append(block)
        else:
            kept += [_link_paragraph(link) for link in block.iter("a") if link.get("href")]
    caption_of = {number: one_line_text(blocks[index]) for index, number in captions.items()}
    images = [
        ChapterImage(number=number, caption=caption_of.get(number, ""))
        for numbers, _ in numbered_blocks
        for number in numbers
    ]
    return images, kept


def _take_images(block: etree._Element) -> list[int]:
    numbers = []
    for image in list(block.iter("img")):
        numbers.append(int(image.get("src", "0")))
        link = next(image.iterancestors("a"), None)
        detach(image)
        if link is not None and not has_visible_text(text_content(link)):
            # Where it leads is in the line of text after the picture, unless that cannot be sent.
            address = _read_address(link.get("href") or "")
            link.set("href", address if find_link_fault(address) else "")
    return numbers


def _match_captions(numbered_blocks: Sequence[tuple[list[int], etree._Element]]) -> dict[int, int]:
    """Return the number of the picture that each caption belongs to, by the index of the caption's block."""
    captions: dict[int, int] = {}
    for offset in (-1, 1):
        for index, (_, block) in enumerate(numbered_blocks):
            neighbour = index + offset
            numbers = numbered_blocks[neighbour][0] if 0 <= neighbour < len(numbered_blocks) else []
            if (
                block.get("class") == "caption"
                and index not in captions
                and numbers
                and numbers[-1] not in captions.values()
            ):
                captions[index] = numbers[-1]
    return captions


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
    """Return ``note`` as one paragraph of several lines after its ``mark``, without mammoth's link back."""
    for arrow in [link for link in note.iter("a") if (link.get("href") or "").startswith("#")]:
        arrow.text = None
    parts = [part for part in note.iter(*_NOTE_LINES) if part.find("p") is None] or [note]
    spans: list[InlineSpan] = [InlineSpan(text=f"{mark} ")] if mark else []
    for number, part in enumerate(parts):
        spans += [InlineSpan(text=LINE_BREAK)] if number else []
        spans += read_own_spans(part)
    made = etree.Element("p")
    write_spans(spans, made)
    made.extend(deepcopy(image) for image in note.iter("img"))
    return made


def _clean_block(block: etree._Element, omissions: OmissionLog) -> etree._Element | None:
    """Return ``block`` with simple inline content; None when it has no text."""
    if block.tag == "table":
        _check_links(block, omissions)
        return simplify_table(block, omissions)
    block.attrib.clear()
    for numbered in block.iter("ol"):
        # Only where the list begins: a later item has its number from the ones before it.
        first = numbered.find("li[1]/a[@id]")
        if first is not None and (first.get("id") or "").startswith(ITEM_BOOKMARK):
            numbered.set("start", (first.get("id") or "").removeprefix(ITEM_BOOKMARK))
    for mark in [link for link in block.iter("a") if not link.get("href")]:
        mark.tag = "span"
    for around in [block, *block.iter("p", "li")]:
        if around.tag in {"blockquote", "ul", "ol"}:
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
        address = _read_address(link.get("href") or "")
        link.set("href", address)
        if address.startswith("#") or not address:
            link.set("href", "")
        elif fault := find_link_fault(address):
            text = text_content(link)
            what = quote(gettext_noop("the link of"), text) if text.strip() else Phrase(_EMPTY_LINK)
            omissions.add(Phrase(AFTER_PLACE, place=what, words=fault.reason), words=address)
            link.set("href", "")
        elif not has_visible_text(text_content(link)):
            omissions.add(Phrase(UNSEEN_LINK, address=address), words=address)
            link.set("href", "")


def _normalise_headings(blocks: Sequence[etree._Element], omissions: OmissionLog) -> None:
    """Reduce the headings to two levels: the highest one used becomes ``h2``, the others ``h3``."""
    headings = [block for block in blocks if block.tag in HEADINGS]
    highest = min((int(str(block.tag)[1]) for block in headings), default=2)
    levels = {int(str(block.tag)[1]) for block in headings}
    if len(levels) > 2:
        omissions.add(Phrase("headings of %(number)s levels; an email shows two", number=len(levels)))
    reached = False
    for block in headings:
        top = int(str(block.tag)[1]) == highest or not reached
        reached = True
        block.tag = "h2" if top else "h3"
        # A heading is bold and of one look already, but may hold links.
        spans = (
            InlineSpan(text=" " if span.text == LINE_BREAK else span.text, href=span.href)
            for span in normalise_spans(read_spans(block))
        )
        write_spans(normalise_spans(spans), block)


def keep_picture_links(body: etree._Element, alts: Sequence[str]) -> None:
    """Add a paragraph with the link of each picture in ``body`` to which no text links, after the picture.
    Its words are the picture's description in ``alts``, by the picture's number, or else the address."""
    linked = {link.get("href") for link in body.iter("a") if text_content(link).strip()}
    for link in [link for link in body.iter("a") if link.get("href") and link.find(".//img") is not None]:
        address = (link.get("href") or "").strip()
        if text_content(link).strip() or address in linked or find_link_fault(address):
            continue
        linked.add(address)
        number = next(int(image.get("src", "0")) for image in link.iter("img"))
        line = etree.Element("p")
        words = alts[number] if number < len(alts) and alts[number].strip() else _short_address(address)
        etree.SubElement(line, "a", {"href": address}).text = words
        if urlsplit(address).path in {"", "/"} and not _has_text_before(body, link):
            # A masthead that leads to the site must not be the first line of the letter.
            body.append(line)
        else:
            _place_after(link, line)


def _place_after(link: etree._Element, line: etree._Element) -> None:
    holder = next(link.iterancestors(*_HOLDERS), link)
    if holder.tag in {"li", "td", "th"}:
        holder.append(line)
    elif holder.getparent() is not None:
        line.tail, holder.tail = holder.tail, None
        holder.addnext(line)


def _has_text_before(body: etree._Element, link: etree._Element) -> bool:
    block = next((block for block in body if block is link or link in block.iterdescendants("a")), link)
    return any(text_content(before).strip() for before in block.itersiblings(preceding=True))


def _short_address(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.netloc}{parts.path}".removeprefix("www.").rstrip("/") or address
