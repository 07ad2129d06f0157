"""What an import reports: the outcome for each row, and how each file was read."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from locales.phrase import Phrase, load_phrase
from subscribers.csv_format import write_pieces
from subscribers.imports.columns.status_columns import StatusColumnCount

KeptPhrase = Annotated[
    str,
    PlainSerializer(lambda text: text.dump() if isinstance(text, Phrase) else text),
    PlainValidator(lambda kept: load_phrase(kept) if isinstance(kept, list) else kept),
]
"""A text that stays a phrase when it is kept as JSON, so that it is said in the language of its reader."""


@dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A row that was refused. ``row`` is its number in a spreadsheet, where the header is row 1; ``file`` is
    the member of the archive it is in, empty for a single file.
    """

    row: int
    reason: KeptPhrase
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
    """How a file was read: ``certain`` is False if its encoding was guessed, ``meaning`` maps our columns to
    the file's, ``unused`` are the file's other columns, and ``samples`` its first rows as they were read, by
    our columns; rows of people who left only if there are no others.

    ``unused_values`` are values that were left out, such as sectors we do not have: ``{"column": "Topic",
    "value": "Health", "rows": 3}``. ``notes`` are sentences, and ``columns_file`` is a columns file that says
    all this, empty for our own columns.
    """

    file: str
    form: str
    certain: bool
    maker: str
    meaning: dict[str, list[str]]
    unused: list[str]
    samples: list[dict[str, str]]
    statuses: list[StatusColumnCount] = field(default_factory=list)
    unused_values: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    columns_file: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


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

    @property
    def rows(self) -> int:
        return self.added + self.updated + self.unchanged + self.suppressed + len(self.refused)

    @property
    def changes_list(self) -> bool:
        """Whether somebody is on the list afterwards who was not, or not so."""
        return bool(self.added or self.updated or self.suppressed)

    def write_refused(self) -> Iterator[bytes]:
        """Yield the refused rows as a CSV file, piece by piece; the reasons are in English."""
        has_files = any(row.file for row in self.refused)
        head = [*(["file"] if has_files else []), "row", "reason"]
        rows = ([*([row.file] if has_files else []), str(row.row), row.reason] for row in self.refused)
        return write_pieces(chain([head], rows), for_excel=True)

    def as_dict(self) -> dict[str, Any]:
        return {
            "added": self.added,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "suppressed": self.suppressed,
            "refused": [refusal.as_dict() for refusal in self.refused],
            "parts": [part.as_dict() for part in self.parts],
            "notes": [note.as_dict() for note in self.notes],
        }
