"""The uploaded files in the database: added, chosen about, imported, discarded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlmodel import Session, col, select

from mailer.database.import_models import ImportFile, ImportFileState, ImportHitch
from mailer.database.team_models import TeamMember
from mailer.errors import MailerError
from mailer.list_imports.checked_file import CheckedFile, read_checked_file
from mailer.list_imports.choices import ImportChoices, read_choices

WORKING = frozenset({ImportFileState.checking, ImportFileState.importing})
OPEN = WORKING | {ImportFileState.checked}


class UploadedFileError(MailerError):
    """An uploaded file cannot be used that way."""


class NoImportFileError(UploadedFileError):
    """There is no such file."""


class NotWaitingError(UploadedFileError):
    """The file is not waiting for a person: it is being read or imported, was imported, or is deleted."""


class OutdatedVersionError(UploadedFileError):
    """The person has seen something else than what is known by now."""


@dataclass(frozen=True, kw_only=True)
class KnownFile:
    """An uploaded file as it is known now; see :class:`~mailer.database.import_models.ImportFile`.
    ``member`` is the name of who uploaded it."""

    number: int
    name: str
    size: int
    member: str
    state: ImportFileState
    hitch: ImportHitch | None
    choices: ImportChoices
    checked: CheckedFile
    version: str
    uploaded_at: datetime
    import_id: int | None

    @property
    def is_being_worked_on(self) -> bool:
        """Whether a program reads or imports it, or soon will."""
        return self.state in WORKING

    @property
    def may_be_imported(self) -> bool:
        """Whether everything is understood, and somebody is on the list afterwards who was not, or not so."""
        report = self.checked.report
        if self.state is not ImportFileState.checked or report is None:
            return False
        return bool(report.added or report.updated or report.suppressed)


def add_import_file(
    session: Session, *, name: str, stored_as: str, size: int, member_id: int, now: datetime
) -> int:
    """Add a file that was kept, to be checked, and return its number. The caller commits."""
    row = ImportFile(
        name=_clean_name(name),
        stored_as=stored_as,
        size=size,
        member_id=member_id,
        state=ImportFileState.checking,
        choices=ImportChoices().write_json(),
        uploaded_at=now,
    )
    session.add(row)
    session.flush()
    return row.id or 0


def find_import_file(session: Session, number: int) -> KnownFile:
    """Return the file with that number.

    Raises:
        NoImportFileError: there is none.
    """
    found = session.exec(
        select(ImportFile, TeamMember.name).where(
            ImportFile.id == number, ImportFile.member_id == TeamMember.id
        )
    ).one_or_none()
    if found is None:
        raise NoImportFileError(f"There is no file {number}.")
    row, member = found
    return KnownFile(
        number=number,
        name=row.name,
        size=row.size,
        member=member,
        state=ImportFileState(row.state),
        hitch=None if row.hitch is None else ImportHitch(row.hitch),
        choices=read_choices(row.choices),
        checked=read_checked_file(row.result) if row.result else CheckedFile(),
        version=row.version,
        uploaded_at=row.uploaded_at,
        import_id=row.import_id,
    )


def find_file_of_import(session: Session, import_id: int) -> KnownFile | None:
    """Return the file that an import was made from; None if it did not come through Studio."""
    number = session.exec(select(ImportFile.id).where(ImportFile.import_id == import_id)).first()
    return None if number is None else find_import_file(session, number)


def list_open_files(session: Session, *, limit: int) -> Sequence[tuple[int, str, str, datetime]]:
    """The number, name, uploader and time of the files that wait or are worked on, the newest first."""
    found = session.exec(
        select(ImportFile.id, ImportFile.name, TeamMember.name, ImportFile.uploaded_at)
        .where(col(ImportFile.state).in_(sorted(OPEN)), ImportFile.member_id == TeamMember.id)
        .order_by(col(ImportFile.id).desc())
        .limit(limit)
    )
    return [(number or 0, name, member, at) for number, name, member, at in found]


def list_waiting_files(session: Session, member_id: int, *, limit: int) -> Sequence[tuple[int, str]]:
    """The number and name of each file of a member that waits for a person, the newest first."""
    found = session.exec(
        select(ImportFile.id, ImportFile.name)
        .where(ImportFile.state == ImportFileState.checked, ImportFile.member_id == member_id)
        .order_by(col(ImportFile.id).desc())
        .limit(limit)
    )
    return [(number or 0, name) for number, name in found]


def ask_for_check(session: Session, number: int, choices: ImportChoices) -> None:
    """Let the file be read anew by ``choices``. The caller commits, and wakes the runner.

    Raises:
        NoImportFileError: there is no such file.
        NotWaitingError: it does not wait for a person.
    """
    row = _lock_waiting(session, number)
    row.choices = choices.write_json()
    row.state, row.began_at, row.hitch = ImportFileState.checking, None, None
    session.add(row)
    session.flush()


def ask_for_import(session: Session, number: int, *, version: str, member_id: int, basis: str) -> None:
    """Let the file be imported as its dry run of that ``version`` said, with ``basis`` as the reason for
    writing to its people. The caller commits, and wakes the runner.

    Raises:
        NoImportFileError: there is no such file.
        NotWaitingError: it does not wait for a person.
        OutdatedVersionError: its dry run says something else by now, or more must be asked.
    """
    row = _lock_waiting(session, number)
    checked = read_checked_file(row.result) if row.result else CheckedFile()
    if row.version != version or checked.report is None:
        raise OutdatedVersionError("The numbers are not those that you have seen.")
    row.state, row.began_at, row.hitch = ImportFileState.importing, None, None
    row.asked_by = member_id
    row.choices = replace(read_choices(row.choices), basis=basis).write_json()
    session.add(row)
    session.flush()


def discard_import_file(session: Session, number: int, *, now: datetime) -> str:
    """Give the file up, and return its name in the folder of uploads. The caller commits, and deletes it
    there.

    Raises:
        NoImportFileError: there is no such file.
        NotWaitingError: it does not wait for a person.
    """
    return forget_row(session, _lock_waiting(session, number), now=now)


def forget_row(session: Session, row: ImportFile, *, now: datetime) -> str:
    """Mark a file as discarded, forget what was found in it, and return its name in the folder."""
    stored_as = row.stored_as
    row.state, row.stored_as, row.result, row.version = ImportFileState.discarded, "", None, ""
    row.choices, row.ended_at, row.began_at, row.hitch = ImportChoices().write_json(), now, None, None
    session.add(row)
    session.flush()
    return stored_as


def _lock_waiting(session: Session, number: int) -> ImportFile:
    row = session.get(ImportFile, number, populate_existing=True, with_for_update=True)
    if row is None:
        raise NoImportFileError(f"There is no file {number}.")
    if row.state != ImportFileState.checked:
        raise NotWaitingError(f"{row.name} is not waiting for anybody.")
    return row


def _clean_name(name: str) -> str:
    plain = name.encode("utf-8", "replace").decode("utf-8")
    line = " ".join("".join(char if char.isprintable() else " " for char in plain).split())
    return line[-300:] or "file"
