"""What of a document could not be carried over, each with its place in words."""

from dataclasses import dataclass
from enum import StrEnum

BEFORE = "before the first heading"
EVERYWHERE = "in the whole document"
NOTES = "in the notes"
_LONGEST = 80


@dataclass(frozen=True, kw_only=True)
class LeftBehind:
    """One thing that is not in the edition as it was in the document: ``where`` is a place such as
    ``in ‘Youth forum’``, ``what`` says what it was and what became of its words."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class Tally(StrEnum):
    """What there may be hundreds of, so that it is counted and told once for each place."""

    insertion = "tracked insertion"
    """Words inserted while changes were tracked; they are taken as accepted."""

    deletion = "tracked deletion"
    """Words deleted while changes were tracked; they are left out."""

    hidden = "hidden passage"
    """Words formatted as hidden; they are left out."""

    contents = "line of the table of contents"
    """A table of contents; the mail makes its own."""


_BECAME = {
    Tally.insertion: "taken as accepted",
    Tally.deletion: "left out",
    Tally.hidden: "left out",
    Tally.contents: "left out, because the mail has its own",
}


class Losses:
    """Gathers what is left behind. ``place`` is where the reading stands."""

    def __init__(self) -> None:
        self.place = BEFORE
        self._places: dict[str, None] = {BEFORE: None}
        self._noted: list[LeftBehind] = []
        self._tallies: dict[tuple[str, Tally], list[str]] = {}

    def enter(self, title: str) -> None:
        """Stand in the story of this title from now on."""
        self.stand(f"in ‘{shorten(title)}’")

    def stand(self, place: str) -> None:
        """Stand at ``place`` from now on."""
        self.place = place
        self._places.setdefault(place, None)

    def note(self, what: str) -> None:
        """Something was left behind here."""
        left = LeftBehind(where=self.place, what=what)
        if left not in self._noted:
            self._noted.append(left)

    def count(self, tally: Tally, words: str) -> None:
        """One more of those that are told together."""
        self._tallies.setdefault((self.place, tally), []).append(words)

    def listed(self) -> tuple[LeftBehind, ...]:
        """Everything left behind, in the order of the document."""
        told = [
            LeftBehind(where=place, what=_tell(tally, passages))
            for (place, tally), passages in self._tallies.items()
        ]
        order = {place: number for number, place in enumerate(self._places)}
        return tuple(sorted([*self._noted, *told], key=lambda left: order[left.where]))


def quoted(words: str) -> str:
    """``words``, shortened, in quotation marks and with a space before; nothing for no words."""
    return f" “{shorten(words)}”" if words.strip() else ""


def shorten(words: str) -> str:
    """``words`` on one line, as far as a person needs them to find the place."""
    line = " ".join(words.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"


def _tell(tally: Tally, passages: list[str]) -> str:
    first = next((words for words in passages if words.strip()), "")
    if len(passages) == 1:
        return f"a {tally}{quoted(first)}, {_BECAME[tally]}"
    many = str(tally).replace("line of", "lines of") if tally is Tally.contents else f"{tally}s"
    return f"{len(passages)} {many}, the first{quoted(first)}, {_BECAME[tally]}"
