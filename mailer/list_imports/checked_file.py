"""What a person says about a file, and what a dry run found in it."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session

from locales.phrase import Phrase, load_phrase
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import ImportFileError
from subscribers.imports.columns.column_mapping import DoubtfulColumnsError, UnknownStatusesError
from subscribers.imports.columns.layout_guess import ColumnCorrections, ColumnUse
from subscribers.imports.columns.status_words import StatusMeaning
from subscribers.imports.file_parts import InspectedColumn, InspectedFile, ReadOptions, inspect_file
from subscribers.imports.import_report import (
    ImportNote,
    ImportReport,
    PartReport,
    RefusedRow,
    describe_counts,
)
from subscribers.imports.importer import import_file


@dataclass(frozen=True, kw_only=True)
class ImportChoices:
    """``encoding``, ``delimiter`` and ``sheet`` are "" where they are to be found; ``header`` is the number
    of the row that names the columns, 0 for none, None where it is to be found. ``uses``, ``meanings`` and
    ``file_meaning`` are those of :class:`~subscribers.imports.columns.layout_guess.ColumnCorrections`.
    ``basis`` is the declared reason for writing to these people.
    """

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    header: int | None = None
    uses: Mapping[int, ColumnUse] = field(default_factory=dict)
    meanings: Mapping[int, Mapping[str, StatusMeaning]] = field(default_factory=dict)
    file_meaning: StatusMeaning | None = None
    basis: str = ""

    def make_read_options(self, name: str) -> ReadOptions:
        """Return how to read the file called ``name``."""
        return ReadOptions(
            encoding=self.encoding or None,
            delimiter=self.delimiter or None,
            sheet=self.sheet or None,
            corrections=ColumnCorrections(
                header=self.header,
                uses=self.uses,
                meanings=self.meanings,
                file_meaning=self.file_meaning,
            ),
            name=name,
            # A person sees what came of the guess before anything is imported.
            accepts_likely_encoding=True,
        )

    def write_json(self) -> str:
        """Return the choices as JSON, the same text for the same choices."""
        return json.dumps(
            {
                "encoding": self.encoding,
                "delimiter": self.delimiter,
                "sheet": self.sheet,
                "header": self.header,
                "uses": {str(place): use.value for place, use in sorted(self.uses.items())},
                "meanings": {
                    str(place): {value: meaning.value for value, meaning in sorted(values.items())}
                    for place, values in sorted(self.meanings.items())
                },
                "file_meaning": self.file_meaning and self.file_meaning.value,
                "basis": self.basis,
            },
            ensure_ascii=False,
        )


def read_choices(text: str) -> ImportChoices:
    """Read what :meth:`ImportChoices.write_json` wrote."""
    written: dict[str, Any] = json.loads(text)
    meaning = written["file_meaning"]
    return ImportChoices(
        encoding=written["encoding"],
        delimiter=written["delimiter"],
        sheet=written["sheet"],
        header=written["header"],
        uses={int(place): ColumnUse(use) for place, use in written["uses"].items()},
        meanings={
            int(place): {value: StatusMeaning(said) for value, said in values.items()}
            for place, values in written["meanings"].items()
        },
        file_meaning=StatusMeaning(meaning) if meaning else None,
        basis=written["basis"],
    )


@dataclass(frozen=True, kw_only=True)
class CheckedFile:
    """``inspected`` is how the file is read, None if it cannot be. ``report`` is what an import would do, or
    has done, None while that is not known; then ``fault`` says why the file cannot be used, ``doubts`` say
    which columns must be asked about, and ``statuses`` are the values about leaving of which some are not
    understood. These sentences are in English.
    """

    inspected: InspectedFile | None = None
    report: ImportReport | None = None
    fault: str = ""
    doubts: tuple[str, ...] = ()
    statuses: tuple[dict[str, Any], ...] = ()

    @property
    def version(self) -> str:
        """A digest of what it says, by which a form tells what its reader saw."""
        return hashlib.sha256(self.write_json().encode()).hexdigest()

    def write_json(self) -> str:
        report = self.report
        return json.dumps(
            {
                "inspected": self.inspected and asdict(self.inspected),
                "report": report
                and {**report.as_dict(), "refused": [_write_refused(one) for one in report.refused]},
                "import_id": report and report.import_id,
                "fault": self.fault,
                "doubts": self.doubts,
                "statuses": self.statuses,
            },
            ensure_ascii=False,
        )

    def without_people(self) -> "CheckedFile":
        """Return the same without anything that names a person, for when the file is long gone."""
        report = self.report and replace(
            self.report,
            refused=(),
            notes=(),
            parts=tuple(replace(one, samples=[]) for one in self.report.parts),
        )
        return CheckedFile(report=report)


def read_checked_file(text: str) -> CheckedFile:
    """Read what :meth:`CheckedFile.write_json` wrote."""
    written: dict[str, Any] = json.loads(text)
    return CheckedFile(
        inspected=_read_inspected(written["inspected"]) if written["inspected"] else None,
        report=_read_report(written["report"], written["import_id"]) if written["report"] else None,
        fault=written["fault"],
        doubts=tuple(written["doubts"]),
        statuses=tuple(written["statuses"]),
    )


def check_file(
    session: Session,
    path: Path,
    name: str,
    choices: ImportChoices,
    *,
    sectors: Collection[str],
    key: SuppressionKey,
    now: datetime,
    on_progress: Callable[[int], None],
) -> CheckedFile:
    """Do the dry run of the file at ``path``, called ``name``. The list stays as it is."""
    options = choices.make_read_options(name)
    inspected = None
    try:
        inspected = inspect_file(path, options, sectors=sectors)
        report = import_file(
            session,
            path,
            sectors=sectors,
            key=key,
            now=now,
            dry_run=True,
            basis=choices.basis,
            options=options,
            on_progress=on_progress,
        )
    except UnknownStatusesError as error:
        return CheckedFile(inspected=inspected, statuses=tuple(describe_counts(error.counts)))
    except DoubtfulColumnsError as error:
        return CheckedFile(
            inspected=inspected, doubts=error.doubts, statuses=tuple(describe_counts(error.counts))
        )
    except ImportFileError as error:
        place = "" if error.row is None else f"row {error.row}: "
        return CheckedFile(inspected=inspected, fault=f"{place}{error.reason}")
    return CheckedFile(inspected=inspected, report=report)


def _read_inspected(written: dict[str, Any]) -> InspectedFile:
    columns = [
        InspectedColumn(
            place=column["place"],
            title=column["title"],
            samples=tuple(column["samples"]),
            use=ColumnUse(column["use"]),
            is_filled=column["is_filled"],
        )
        for column in written["columns"]
    ]
    return InspectedFile(
        **{
            **written,
            "sheets": tuple(written["sheets"]),
            "top": tuple((number, tuple(cells)) for number, cells in written["top"]),
            "columns": tuple(columns),
        }
    )


def _write_refused(row: RefusedRow) -> dict[str, Any]:
    """Return a row with its reason as a phrase, so that it is said in the language of whoever reads it."""
    written = row.as_dict()
    return {**written, "reason": row.reason.dump()} if isinstance(row.reason, Phrase) else written


def _read_refused(written: dict[str, Any]) -> RefusedRow:
    reason = written["reason"]
    return RefusedRow(**{**written, "reason": load_phrase(reason) if isinstance(reason, list) else reason})


def _read_report(written: dict[str, Any], import_id: int | None) -> ImportReport:
    return ImportReport(
        **{name: written[name] for name in ("added", "updated", "unchanged", "suppressed")},
        refused=tuple(_read_refused(row) for row in written["refused"]),
        import_id=import_id,
        parts=tuple(PartReport(**part) for part in written["parts"]),
        notes=tuple(
            ImportNote(text=note["note"], row=note["row"], file=note.get("file", ""))
            for note in written["notes"]
        ),
    )
