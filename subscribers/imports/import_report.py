"""What an import reports: the outcome for each row, and how each file was read."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row that was refused. ``row`` is its number in a spreadsheet, where the header is row 1; ``file`` is
    the member of the archive it is in, empty for a single file.
    """

    row: int
    reason: str
    file: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"row": self.row, "reason": self.reason} | ({"file": self.file} if self.file else {})


@dataclass(frozen=True, kw_only=True)
class ImportNote:
    """Something in the file that was not imported although nothing is wrong with it. ``row`` is None if it
    concerns a whole file; ``file`` is the member of the archive, empty for a single file.
    """

    text: str
    row: int | None = None
    file: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"row": self.row, "note": self.text} | ({"file": self.file} if self.file else {})


@dataclass(frozen=True, kw_only=True)
class PartReport:
    """How a file was read: ``form`` describes its format, ``certain`` is False if its encoding was guessed,
    ``meaning`` maps our columns to the file's, ``unused`` are the file's other columns, and ``samples`` its
    first rows as they were read, by our columns.
    """

    file: str
    form: str
    certain: bool
    maker: str
    meaning: dict[str, list[str]]
    unused: list[str]
    samples: list[dict[str, str]]

    def as_dict(self) -> dict[str, Any]:
        return vars(self)


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """The outcome for each row; the five counts add up to the number of rows that are not empty.

    ``suppressed`` counts rows whose address is suppressed, or whose owner unsubscribed, bounced or
    complained. ``import_id`` is None after a dry run.
    """

    added: int
    updated: int
    unchanged: int
    suppressed: int
    refused: tuple[RefusedRow, ...]
    import_id: int | None = None
    parts: tuple[PartReport, ...] = ()
    notes: tuple[ImportNote, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report, ready for JSON."""
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "suppressed": self.suppressed,
            "refused": [refusal.as_dict() for refusal in self.refused],
            "parts": [part.as_dict() for part in self.parts],
            "notes": [note.as_dict() for note in self.notes],
        }
