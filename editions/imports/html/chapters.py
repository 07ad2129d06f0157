"""Splitting the document: the text before the first story, and one chapter for each story."""

import re
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from lxml import etree

from editions.imports.html.inline_spans import has_visible_text, one_line_text
from editions.imports.html.story_starts import StartRule, StoryStarts, choose_starts
from editions.imports.html.tree import HEADINGS, detach, has_picture, text_content
from editions.imports.source_document import BEFORE_HEADING, OmissionKind, OmissionLog, advise, quote
from locales.phrase import gettext_noop

_MAX_HEADING_LENGTH = 40
_PAGE_NUMBER = re.compile(r"[\s.…·]*\b\d{1,3}\s*$")
_LETTERS = re.compile(r"[^\w]+")
_LAYOUT_CONTENT = ("img", *HEADINGS, "table", "blockquote")
_MAX_DATA_LENGTH = 400
_MAX_DATA_LINE = 80
"""A cell with more text than the first, or with paragraphs of which one is longer than the second, is not
data."""


def find_contents_lists(
    blocks: Sequence[etree._Element], titles: Collection[str], *, keep: Collection[int] = ()
) -> frozenset[int]:
    """Return the indices of blocks that only list the stories with these ``titles``, or are links within the
    document; at least two of them. The short line above them is one too, unless it is among ``keep``."""
    known = {_key(title) for title in titles}
    found: set[int] = set()
    index = 0
    while index < len(blocks):
        start = index
        lines = 0
        while index < len(blocks) and index not in keep and (listed := _count_lines(blocks[index], known)):
            lines += listed
            index += 1
        if lines > 1:
            found |= set(range(start, index))
            above = start - 1
            while above >= 0 and not text_content(blocks[above]).strip() and not has_picture(blocks[above]):
                above -= 1
            if above >= 0 and above not in keep and _is_short_line(blocks[above]):
                found.add(above)
        index = max(index, start + 1)
    return frozenset(found)


def _count_lines(block: etree._Element, titles: Collection[str]) -> int:
    """Return how many lines of a list of contents ``block`` is; 0 when it is anything else."""
    if block.tag not in {"p", "ul", "ol"} or has_picture(block):
        return 0
    lines = [block] if block.tag == "p" else list(block.iter("li"))
    return len(lines) if lines and all(_is_contents_line(line, titles) for line in lines) else 0


def _is_contents_line(line: etree._Element, titles: Collection[str]) -> bool:
    links = [link for link in line.iter("a") if link.get("href")]
    text = _PAGE_NUMBER.sub("", text_content(line))
    inner = "".join(text_content(link) for link in links)
    if links and all((link.get("href") or "").startswith("#") for link in links):
        return _key(text) == _key(_PAGE_NUMBER.sub("", inner)) != ""
    return not links and _key(text) in titles


def _is_short_line(block: etree._Element) -> bool:
    text = text_content(block).strip()
    return (
        block.tag in {"p", *HEADINGS}
        and block.get("class") is None
        and 0 < len(text) <= _MAX_HEADING_LENGTH
        and not text.endswith((".", ",", "。", "，"))
        and block.find(".//a[@href]") is None
        and not has_picture(block)
    )


def _key(text: str) -> str:
    return _LETTERS.sub("", text.casefold())


@dataclass
class Chapter:
    """A story of the document: its title, that one's links, the blocks below, and its notes as paragraphs."""

    title: str
    blocks: list[etree._Element] = field(default_factory=list)
    links: list[etree._Element] = field(default_factory=list)
    title_notes: list[etree._Element] = field(default_factory=list)


class ChapteredDocument:
    """A document split into chapters where its stories begin. ``title`` and ``subtitle`` come from the styles
    of that name or from the masthead; ``notes`` are its footnotes and endnotes by the address of the links to
    them."""

    def __init__(self, starts: StoryStarts, notes: dict[str, etree._Element], omissions: OmissionLog) -> None:
        self.starts = starts
        self.title = self.subtitle = ""
        self.preamble = Chapter("")
        self.chapters: list[Chapter] = []
        self.notes = notes
        self._omissions = omissions
        self._chapter = self.preamble
        self._kickers: list[etree._Element] = []

    def split(self, blocks: list[etree._Element]) -> None:
        """Deal out all blocks, and drop chapters that are empty."""
        starts = self.starts
        titles = [one_line_text(blocks[index]) for index in sorted(starts.titles)]
        contents = find_contents_lists(blocks, titles, keep=starts.titles)
        masthead: list[str] = []
        if starts.rule is StartRule.document:
            self._chapter = Chapter("")
            self.chapters.append(self._chapter)
        for index, block in enumerate(blocks):
            if index in starts.titles:
                self._start_chapter(block)
            elif index in starts.masthead:
                masthead.append(self._take_title(block))
            elif index in contents:
                self._omissions.count(OmissionKind.contents, text_content(block))
            elif index in starts.sections:
                self._leave_out_section(block)
            elif index in starts.kickers:
                self._kickers.append(block)
            elif block.get("class") == "subtitle" and not self.subtitle:
                self.subtitle = self._take_title(block)
            else:
                self._add(block)
        self._add_kickers()
        self.title = " ".join(part for part in masthead if part)
        self.chapters = [each for each in self.chapters if self._has_content(each)]

    def _start_chapter(self, block: etree._Element) -> None:
        self._chapter = Chapter("")
        self.chapters.append(self._chapter)
        self._omissions.enter_story(one_line_text(_without_note_marks(block)))
        self._chapter.title = self._take_title(block)
        self._add_kickers()

    def _add(self, block: etree._Element) -> None:
        # A line that looks like a title but has text below it after all is an ordinary one.
        self._add_kickers()
        self._chapter.blocks.append(block)

    def _add_kickers(self) -> None:
        self._chapter.blocks += self._kickers
        self._kickers = []

    def _take_title(self, block: etree._Element) -> str:
        """Return the text of ``block``. Its pictures, links and notes go to the chapter."""
        for mark in [mark for mark in block.iter("sup") if mark.find("a[@href]") is not None]:
            link = mark.find("a[@href]")
            note = self.notes.get("" if link is None else link.get("href", ""))
            if note is not None:
                self._chapter.title_notes.append(note)
            detach(mark)
        self._chapter.links += [
            deepcopy(link)
            for link in block.iter("a")
            if not (link.get("href") or "#").startswith("#") and has_visible_text(text_content(link))
        ]
        title = one_line_text(block)
        if has_picture(block):
            self._chapter.blocks.append(_pictures_only(block))
        return title

    def _leave_out_section(self, block: etree._Element) -> None:
        text = self._take_title(block)
        self._omissions.add(
            advise(
                quote(gettext_noop("the heading of several stories"), text),
                gettext_noop("choose the sector of each story instead"),
            ),
            words=text,
        )

    def _has_content(self, chapter: Chapter) -> bool:
        if any(has_visible_text(text_content(block)) or has_picture(block) for block in chapter.blocks):
            return True
        if chapter.title:
            self._omissions.enter_story(chapter.title)
            self._omissions.add(
                gettext_noop("a heading with nothing below it, so it is not a story"), words=chapter.title
            )
            # Its links are not lost with it.
            self.preamble.links += chapter.links
            self.preamble.title_notes += chapter.title_notes
        return False


def split_chapters(body: etree._Element, omissions: OmissionLog, *, level: int = 0) -> ChapteredDocument:
    """Split ``body`` where its stories begin: at headings of ``level``, or where the document shows it. A
    heading with nothing below it is no chapter, and is logged; without any, all is one chapter without a
    title."""
    notes = extract_notes(body)
    omissions.set_place(BEFORE_HEADING)
    blocks = [*_flatten_layout_tables(_wrap_loose_text(body), omissions)]
    document = ChapteredDocument(choose_starts(blocks, level=level), notes, omissions)
    document.split(blocks)
    return document


def extract_notes(body: etree._Element) -> dict[str, etree._Element]:
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
                [
                    part
                    for cell in block.iter("td", "th")
                    if next(cell.iterancestors("table"), None) is block
                    for part in _wrap_loose_text(cell)
                ],
                omissions,
            )
        else:
            yield block


def _wrap_loose_text(around: etree._Element) -> list[etree._Element]:
    """Return the blocks in ``around``; text outside them becomes paragraphs."""
    blocks: list[etree._Element] = []
    loose: etree._Element | None = None

    def paragraph() -> etree._Element:
        nonlocal loose
        if loose is None:
            loose = etree.Element("p")
            blocks.append(loose)
        return loose

    if (around.text or "").strip():
        paragraph().text = around.text
    for child in list(around):
        after = child.tail or ""
        child.tail = None
        if child.tag in {"p", "ul", "ol", "table", "blockquote", *HEADINGS}:
            blocks.append(child)
            loose = None
            if after.strip():
                paragraph().text = after
        else:
            paragraph().append(child)
            child.tail = after
    return blocks


def _is_layout_table(table: etree._Element) -> bool:
    """Return whether a table has pictures, headings, only one row or column, or long text."""
    rows = [[cell for cell in row if cell.tag in {"td", "th"}] for row in table.iter("tr")]
    return (
        any(True for _ in table.iterdescendants(*_LAYOUT_CONTENT))
        or len(rows) < 2
        or max(map(len, rows)) < 2
        or any(_is_prose(cell) for cell in table.iter("td", "th"))
    )


def _is_prose(cell: etree._Element) -> bool:
    """Return whether ``cell`` holds running text: much of it, or more than a paragraph."""
    lengths = [length for part in cell.iter("p", "li") if (length := len(text_content(part).strip()))]
    return sum(lengths) > _MAX_DATA_LENGTH or (len(lengths) > 1 and max(lengths) > _MAX_DATA_LINE)


def _without_note_marks(block: etree._Element) -> etree._Element:
    plain = deepcopy(block)
    for mark in [mark for mark in plain.iter("sup") if mark.find("a[@href]") is not None]:
        detach(mark)
    return plain


def _pictures_only(block: etree._Element) -> etree._Element:
    """Return a paragraph of the pictures of ``block``, with their links."""
    made = etree.Element("p")
    for picture in list(block.iter("img")):
        link = next((around for around in picture.iterancestors("a")), None)
        picture.tail = None
        if link is not None and not has_visible_text(text_content(link)):
            etree.SubElement(made, "a", {"href": link.get("href", "")}).append(picture)
        else:
            made.append(picture)
    return made
