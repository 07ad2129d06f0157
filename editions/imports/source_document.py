"""What a format's reader hands over: the document, its pictures, and what could not be kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from lxml import etree

from locales.phrase import CLAUSES, FURTHER, Phrase, gettext_noop, join_sentences

ITEM_BOOKMARK = "item-"
"""The beginning of a list item's bookmark, before its number."""

SIZE_ATTRIBUTE = "data-size"
"""On a paragraph: the size of its type, in percent of that of most of the text."""

BOLD_ATTRIBUTE = "data-bold"
"""On a paragraph: all of it is bold, by its style or otherwise."""

NO_CROP = (0.0, 0.0, 0.0, 0.0)
MAX_IMAGE_BYTES = 60_000_000
"""Bytes a picture of a document may have, unpacked; a huge one is made smaller."""
BEFORE_HEADING = gettext_noop("before the first heading")
WHOLE_DOCUMENT = gettext_noop("in the whole document")
IN_NOTES = gettext_noop("in the notes")
_IN_STORY = gettext_noop("in ‘%(title)s’")
_MAX_QUOTATION = 80
QUOTED = gettext_noop("%(what)s “%(quotation)s”")
"""Something, and words of the document by which a person finds it."""
QUOTED_AFTER = gettext_noop("%(what)s: “%(quotation)s”")
"""The same after a whole clause."""
# What documents of several formats have.
AS_PICTURE = gettext_noop("add it as a picture")
CHART = gettext_noop("a chart")
DRAWING = gettext_noop("a drawing")
EQUATION = gettext_noop("an equation")
FORM_FIELD = gettext_noop("a button or field of a form")
LIFTED_BOX = gettext_noop("a text box; its text is now in paragraphs of its own")
LINKED_PICTURE = gettext_noop("a picture that is not in the file but linked from elsewhere")
MACROS = gettext_noop("macros, which were not read or run")
PAGE_FOOTER = gettext_noop("a page footer")
PAGE_HEADER = gettext_noop("a page header")
SCRIPT = gettext_noop("a script, which was not run")
UNSEEN_LINK = gettext_noop("a link without text, which readers could not see: %(address)s")
_LEFT_OUT = gettext_noop("left out")
_THE_FIRST = gettext_noop("the first")


@dataclass(frozen=True, kw_only=True)
class SourceImage:
    """A picture of a document. ``part`` tells it from the others and ends in its file name; ``size`` is in
    bytes; ``read`` returns them, and may raise a DocumentError; ``crop`` is how much is cropped off its left,
    top, right and bottom, as a fraction of its width or height."""

    part: str
    alt: str
    size: int
    read: Callable[[], bytes]
    crop: tuple[float, float, float, float] = NO_CROP


@dataclass(frozen=True, kw_only=True)
class SourceDocument:
    """A document, read. ``name`` is its file or address; ``title`` is that of its properties. ``language`` is
    what its program set, such as ``en-GB``, which is often the language the program was installed in;
    ``east_asian_language`` is what it set for Chinese, Japanese and Korean text."""

    name: str
    body: etree._Element
    images: tuple[SourceImage, ...] = ()
    title: str = ""
    language: str = ""
    east_asian_language: str = ""


@dataclass(frozen=True, kw_only=True)
class Omission:
    """One thing that is not in the edition as it was in the document. ``where`` is a place such as
    ``in ‘Youth forum’``; ``what`` describes it, and what became of its text; ``words`` is all of the text
    that is not in the edition."""

    where: str
    what: str
    words: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class OmissionKind(StrEnum):
    """What there may be hundreds of, so that it is counted and listed once for each place."""

    insertion = "tracked insertion"
    deletion = "tracked deletion"
    hidden = "hidden passage"
    pixel = "invisible picture"
    """A picture that nobody sees, by which senders count who reads; it is left out."""

    placeholder = "unfilled field"
    """A content control with its placeholder, such as “Click here to enter text”."""

    contents = "line of the table of contents"


_OUTCOMES = {
    OmissionKind.insertion: gettext_noop("taken as accepted"),
    OmissionKind.contents: gettext_noop("left out, because the email has its own"),
}
_ONE = {
    OmissionKind.insertion: gettext_noop("a tracked insertion"),
    OmissionKind.deletion: gettext_noop("a tracked deletion"),
    OmissionKind.hidden: gettext_noop("a hidden passage"),
    OmissionKind.pixel: gettext_noop("an invisible picture"),
    OmissionKind.placeholder: gettext_noop("an unfilled field"),
    OmissionKind.contents: gettext_noop("a line of the table of contents"),
}
_SEVERAL = {
    OmissionKind.insertion: gettext_noop("%(number)s tracked insertions"),
    OmissionKind.deletion: gettext_noop("%(number)s tracked deletions"),
    OmissionKind.hidden: gettext_noop("%(number)s hidden passages"),
    OmissionKind.pixel: gettext_noop("%(number)s invisible pictures"),
    OmissionKind.placeholder: gettext_noop("%(number)s unfilled fields"),
    OmissionKind.contents: gettext_noop("%(number)s lines of the table of contents"),
}


@dataclass(frozen=True, kw_only=True)
class _Passage:
    """One of what is counted: what a person is shown of it, and all of its words."""

    quotation: str
    words: str


class OmissionLog:
    """Collects what is left out. ``place`` is where the reader is in the document."""

    def __init__(self) -> None:
        self.place = BEFORE_HEADING
        self._places: dict[str, None] = {BEFORE_HEADING: None}
        self._noted: list[Omission] = []
        self._counted: dict[tuple[str, OmissionKind], list[_Passage]] = {}
        self._possible: dict[str, str] = {}

    def enter_story(self, title: str) -> None:
        """Log what follows under the story with this title."""
        place = self._possible.pop(_letters(title), "")
        self.set_place(place or Phrase(_IN_STORY, title=shorten_quotation(title)))

    def enter_possible_story(self, title: str) -> None:
        """Log what follows under the story with this title, once :meth:`enter_story` confirms it."""
        self.enter_story(title)
        self._possible[_letters(title)] = self.place

    def settle_stories(self, *, whole: str = "") -> None:
        """Move what was logged under titles that begin no story to the place before; everything to the story
        ``whole``, if that is the only one and has no heading."""
        unsettled = set(self._possible.values())
        settled = BEFORE_HEADING
        if whole:
            self.enter_story(whole)
            settled = self.place
            unsettled |= {BEFORE_HEADING}
        moved: dict[str, str] = {}
        for place in self._places:
            settled = settled if place in unsettled else place
            moved[place] = settled
        self._noted = [replace(omission, where=moved[omission.where]) for omission in self._noted]
        counted: dict[tuple[str, OmissionKind], list[_Passage]] = {}
        for (place, kind), passages in self._counted.items():
            counted.setdefault((moved[place], kind), []).extend(passages)
        self._counted = counted
        self._possible = {}

    def set_place(self, place: str) -> None:
        self.place = place
        self._places.setdefault(place, None)

    def add(self, what: str, *, words: str = "") -> None:
        """Log something that is left out here; ``words`` is the text that is lost with it."""
        omission = Omission(where=self.place, what=what, words=" ".join(words.split()))
        if omission not in self._noted:
            self._noted.append(omission)

    def count(self, kind: OmissionKind, quotation: str, *, words: str = "") -> None:
        """Count one more of a kind that is listed once for each place; ``words`` is the text that is lost
        with it, where that is more than ``quotation``."""
        passage = _Passage(quotation=quotation, words=words or quotation)
        self._counted.setdefault((self.place, kind), []).append(passage)

    def list_omissions(self) -> tuple[Omission, ...]:
        summaries = []
        for (place, kind), passages in self._counted.items():
            lost = [] if kind is OmissionKind.insertion else [each.words for each in passages]
            words = " ".join(" ".join(lost).split())
            summaries.append(Omission(where=place, what=_summarise(kind, passages), words=words))
        order = {place: number for number, place in enumerate(self._places)}
        return tuple(sorted([*self._noted, *summaries], key=lambda omission: order[omission.where]))


def name_comment(author: str) -> str:
    """Return the words for a comment, whose author may not be known."""
    if not author:
        return gettext_noop("a comment")
    return Phrase("a comment by %(author)s", author=author)


def quote(what: str, words: str, message: str = QUOTED) -> str:
    """Return ``what``, a marked message or a phrase, with ``words`` in quotation marks after it, shortened;
    alone if there are none."""
    named = what if isinstance(what, Phrase) else Phrase(what)
    return Phrase(message, what=named, quotation=shorten_quotation(words)) if words.strip() else named


def advise(what: str, advice: str) -> str:
    """Say that ``what`` is left out, and what a person can do instead."""
    return join_sentences([what, advice], CLAUSES)


def locate(what: str, address: str) -> str:
    """Say that ``what`` is left out, and its address, if it has one."""
    return join_sentences([what, address], FURTHER)


def shorten_quotation(words: str) -> str:
    """Return ``words`` on one line, long enough for a person to find the place."""
    line = " ".join(words.split())
    return line if len(line) <= _MAX_QUOTATION else f"{line[: _MAX_QUOTATION - 1].rstrip()}…"


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _summarise(kind: OmissionKind, passages: Sequence[_Passage]) -> str:
    first = next((each.quotation for each in passages if each.quotation.strip()), "")
    outcome = _OUTCOMES.get(kind, _LEFT_OUT)
    if len(passages) == 1:
        return join_sentences([quote(_ONE[kind], first), outcome], FURTHER)
    number = Phrase(_SEVERAL[kind], number=len(passages))
    return join_sentences([number, quote(_THE_FIRST, first) if first else "", outcome], FURTHER)


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """What an address answered. ``address`` is where redirects led; ``charset`` is empty if none was sent."""

    address: str
    data: bytes
    charset: str = ""


class FetchError(Exception):
    """There is no such file, or it is not fetched; the message says why and what to do."""


Fetch: TypeAlias = Callable[[str, int], RemoteFile]
"""Fetches an address, up to so many bytes. Raises a FetchError."""
