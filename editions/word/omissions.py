"""What of a document could not be carried over, each with its place in words."""

from dataclasses import dataclass
from enum import StrEnum

BEFORE_HEADING = "before the first heading"
WHOLE_DOCUMENT = "in the whole document"
IN_NOTES = "in the notes"
_MAX_QUOTATION = 80


@dataclass(frozen=True, kw_only=True)
class Omission:
    """One thing that is not in the edition as it was in the document: ``where`` is a place such as
    ``in ‘Youth forum’``, ``what`` says what it was and what became of its words."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class OmissionKind(StrEnum):
    """What there may be hundreds of, so that it is counted and told once for each place."""

    insertion = "tracked insertion"
    """Words inserted while changes were tracked; they are taken as accepted."""

    deletion = "tracked deletion"
    """Words deleted while changes were tracked; they are left out."""

    hidden = "hidden passage"
    """Words formatted as hidden; they are left out."""

    contents = "line of the table of contents"
    """A table of contents; the mail makes its own."""


_OUTCOMES = {
    OmissionKind.insertion: "taken as accepted",
    OmissionKind.deletion: "left out",
    OmissionKind.hidden: "left out",
    OmissionKind.contents: "left out, because the mail has its own",
}


class OmissionLog:
    """Gathers what is left behind. ``place`` is where the reading stands."""

    def __init__(self) -> None:
        self.place = BEFORE_HEADING
        self._places: dict[str, None] = {BEFORE_HEADING: None}
        self._noted: list[Omission] = []
        self._tallies: dict[tuple[str, OmissionKind], list[str]] = {}

    def enter_story(self, title: str) -> None:
        """Stand in the story of this title from now on."""
        self.set_place(f"in ‘{shorten_quotation(title)}’")

    def set_place(self, place: str) -> None:
        """Stand at ``place`` from now on."""
        self.place = place
        self._places.setdefault(place, None)

    def add(self, what: str) -> None:
        """Something was left behind here."""
        left = Omission(where=self.place, what=what)
        if left not in self._noted:
            self._noted.append(left)

    def count(self, kind: OmissionKind, words: str) -> None:
        """One more of those that are told together."""
        self._tallies.setdefault((self.place, kind), []).append(words)

    def list_omissions(self) -> tuple[Omission, ...]:
        """Everything left behind, in the order of the document."""
        told = [
            Omission(where=place, what=_summarise(tally, passages))
            for (place, tally), passages in self._tallies.items()
        ]
        order = {place: number for number, place in enumerate(self._places)}
        return tuple(sorted([*self._noted, *told], key=lambda left: order[left.where]))


def quote(words: str) -> str:
    """``words``, shortened, in quotation marks and with a space before; nothing for no words."""
    return f" “{shorten_quotation(words)}”" if words.strip() else ""


def shorten_quotation(words: str) -> str:
    """``words`` on one line, as far as a person needs them to find the place."""
    line = " ".join(words.split())
    return line if len(line) <= _MAX_QUOTATION else f"{line[: _MAX_QUOTATION - 1].rstrip()}…"


def _summarise(kind: OmissionKind, passages: list[str]) -> str:
    first = next((words for words in passages if words.strip()), "")
    if len(passages) == 1:
        return f"a {kind}{quote(first)}, {_OUTCOMES[kind]}"
    many = str(kind).replace("line of", "lines of") if kind is OmissionKind.contents else f"{kind}s"
    return f"{len(passages)} {many}, the first{quote(first)}, {_OUTCOMES[kind]}"
