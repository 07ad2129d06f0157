"""What an import leaves out of the document, each with its place."""

from dataclasses import dataclass, replace
from enum import StrEnum

BEFORE_HEADING = "before the first heading"
WHOLE_DOCUMENT = "in the whole document"
IN_NOTES = "in the notes"
_MAX_QUOTATION = 80


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
    """Text inserted while changes were tracked; it is treated as accepted."""

    deletion = "tracked deletion"
    """Text deleted while changes were tracked; it is left out."""

    hidden = "hidden passage"
    """Text formatted as hidden; it is left out."""

    pixel = "invisible picture"
    """A picture that nobody sees, by which senders count who reads; it is left out."""

    placeholder = "unfilled field"
    """A content control with its placeholder, such as “Click here to enter text”."""

    contents = "line of the table of contents"
    """A line of a table of contents; the email has its own."""


_OUTCOMES = {
    OmissionKind.insertion: "taken as accepted",
    OmissionKind.deletion: "left out",
    OmissionKind.hidden: "left out",
    OmissionKind.pixel: "left out",
    OmissionKind.placeholder: "left out",
    OmissionKind.contents: "left out, because the email has its own",
}


class OmissionLog:
    """Collects what is left out. ``place`` is where the reader is in the document."""

    def __init__(self) -> None:
        self.place = BEFORE_HEADING
        self._places: dict[str, None] = {BEFORE_HEADING: None}
        self._noted: list[Omission] = []
        self._counted: dict[tuple[str, OmissionKind], list[str]] = {}
        self._possible: dict[str, str] = {}

    def enter_story(self, title: str) -> None:
        """Log what follows under the story with this title."""
        place = self._possible.pop(_letters(title), "")
        self.set_place(place or f"in ‘{shorten_quotation(title)}’")

    def enter_possible_story(self, title: str) -> None:
        """Log what follows under the story with this title, if :meth:`enter_story` confirms that it is
        one."""
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
        counted: dict[tuple[str, OmissionKind], list[str]] = {}
        for (place, kind), passages in self._counted.items():
            counted.setdefault((moved[place], kind), []).extend(passages)
        self._counted = counted
        self._possible = {}

    def set_place(self, place: str) -> None:
        """Log what follows under ``place``."""
        self.place = place
        self._places.setdefault(place, None)

    def add(self, what: str, *, words: str = "") -> None:
        """Log something that is left out here; ``words`` is the text that is lost with it."""
        omission = Omission(where=self.place, what=what, words=" ".join(words.split()))
        if omission not in self._noted:
            self._noted.append(omission)

    def count(self, kind: OmissionKind, words: str) -> None:
        """Count one more of a kind that is listed once for each place."""
        self._counted.setdefault((self.place, kind), []).append(words)

    def list_omissions(self) -> tuple[Omission, ...]:
        """Everything left out, in the order of the document."""
        summaries = [
            Omission(where=place, what=_summarise(kind, passages), words=_lost_words(kind, passages))
            for (place, kind), passages in self._counted.items()
        ]
        order = {place: number for number, place in enumerate(self._places)}
        return tuple(sorted([*self._noted, *summaries], key=lambda omission: order[omission.where]))


def quote(words: str) -> str:
    """``words``, shortened, in quotation marks and after a space; empty if there are none."""
    return f" “{shorten_quotation(words)}”" if words.strip() else ""


def shorten_quotation(words: str) -> str:
    """``words`` on one line, long enough for a person to find the place."""
    line = " ".join(words.split())
    return line if len(line) <= _MAX_QUOTATION else f"{line[: _MAX_QUOTATION - 1].rstrip()}…"


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _lost_words(kind: OmissionKind, passages: list[str]) -> str:
    lost = "" if kind is OmissionKind.insertion else " ".join(passages)
    return " ".join(lost.split())


def _summarise(kind: OmissionKind, passages: list[str]) -> str:
    first = next((words for words in passages if words.strip()), "")
    if len(passages) == 1:
        article = "an" if str(kind)[0] in "aeiou" else "a"
        return f"{article} {kind}{quote(first)}, {_OUTCOMES[kind]}"
    many = str(kind).replace("line of", "lines of") if kind is OmissionKind.contents else f"{kind}s"
    return f"{len(passages)} {many}, the first{quote(first)}, {_OUTCOMES[kind]}"
