"""What a person says about a file, and what a dry run found in it; both are kept as JSON."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter
from sqlmodel import Session

from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import ImportFileError
from subscribers.imports.columns.column_mapping import DoubtfulColumnsError, UnknownStatusesError
from subscribers.imports.columns.status_columns import StatusColumnCount
from subscribers.imports.file_parts import InspectedColumn, InspectedFile, ReadOptions, inspect_file
from subscribers.imports.import_report import ImportReport
from subscribers.imports.importer import import_file


@dataclass(frozen=True, kw_only=True)
class ImportChoices(ReadOptions):
    """How a file is read, and ``basis``, the declared reason for writing to the people in it."""

    basis: str = ""

    def write_json(self) -> str:
        return _CHOICES.dump_json(self).decode()


@dataclass(frozen=True, kw_only=True)
class CheckedFile:
    """``inspected`` is how the file is read, None if it cannot be. ``report`` is what an import would do, or
    has done, None while that is not known; then ``fault`` says why the file cannot be used, ``doubts`` say
    which columns must be asked about, and ``unclear`` are the values about leaving of which some are not
    understood. These sentences are in English.
    """

    inspected: InspectedFile | None = None
    report: ImportReport | None = None
    fault: str = ""
    doubts: tuple[str, ...] = ()
    unclear: tuple[StatusColumnCount, ...] = ()

    @property
    def columns(self) -> tuple[InspectedColumn, ...]:
        return self.inspected.columns if self.inspected is not None else ()

    @property
    def statuses(self) -> tuple[StatusColumnCount, ...]:
        """The values of the columns that tell who left."""
        parts = self.report.parts if self.report is not None else ()
        return self.unclear or tuple(status for part in parts for status in part.statuses)

    @property
    def version(self) -> str:
        """A digest of what it says, by which a form tells what its reader saw."""
        return hashlib.sha256(self.write_json().encode()).hexdigest()

    def write_json(self) -> str:
        return _CHECKED.dump_json(self).decode()

    def without_people(self) -> "CheckedFile":
        """Return the same without anything that names a person, for when the file is long gone."""
        report = self.report and replace(
            self.report,
            refused=(),
            notes=(),
            parts=tuple(replace(one, samples=[]) for one in self.report.parts),
        )
        return CheckedFile(report=report)


_CHOICES = TypeAdapter(ImportChoices)
_CHECKED = TypeAdapter(CheckedFile)


def read_choices(text: str) -> ImportChoices:
    """Read what :meth:`ImportChoices.write_json` wrote."""
    return _CHOICES.validate_json(text)


def read_checked_file(text: str | None) -> CheckedFile:
    """Read what :meth:`CheckedFile.write_json` wrote; without a text, nothing is known of the file."""
    return _CHECKED.validate_json(text) if text else CheckedFile()


def check_file(
    session: Session,
    path: Path,
    choices: ImportChoices,
    *,
    sectors: Collection[str],
    key: SuppressionKey,
    now: datetime,
    on_progress: Callable[[int], None],
) -> CheckedFile:
    """Do the dry run of the file at ``path``. The list stays as it is."""
    inspected = None
    try:
        inspected = inspect_file(path, choices, sectors=sectors)
        report = import_file(
            session,
            path,
            sectors=sectors,
            key=key,
            now=now,
            dry_run=True,
            basis=choices.basis,
            options=choices,
            on_progress=on_progress,
        )
    except UnknownStatusesError as error:
        return CheckedFile(inspected=inspected, unclear=error.counts)
    except DoubtfulColumnsError as error:
        return CheckedFile(inspected=inspected, doubts=error.doubts, unclear=error.counts)
    except ImportFileError as error:
        place = "" if error.row is None else f"row {error.row}: "
        return CheckedFile(inspected=inspected, fault=f"{place}{error.reason}")
    return CheckedFile(inspected=inspected, report=report)
