"""Forgetting a person: in the files a workspace wrote, in the list, in the ledger's words, in freed pages.

The files come first and the list after them, in one transaction; then what the database freed is
overwritten. A crash anywhere leaves something that the same command finishes: before the commit the person
is still there, and after it the keyed hash says that the address was erased.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete, or_, update
from sqlmodel import Session, col, select

from mailer.database.engine import open_session
from mailer.database.models import Delivery, QueuedLetter
from mailer.database.secure_delete import (
    checkpoint_log,
    list_database_files,
    mask_addresses,
    rewrite_file,
    vacuum_tables,
)
from mailer.errors import MailerError
from mailer.privacy.address_matcher import (
    AddressMatcher,
    file_contains,
    make_address_matcher,
    make_words_pattern,
)
from mailer.privacy.file_scan import FileAction, FileMatch, clean_file, scan_files
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.consent.status_changes import erase
from subscribers.errors import UnknownSubscriberError
from subscribers.models import ConsentEvent, ConsentRecord, Subscriber, Suppression
from subscribers.queries import find_subscriber

OUT_OF_REACH = (
    "mail that was delivered, and the relay's own log and queue",
    "exports, backups and copies outside the workspace",
    "what the disk itself keeps of overwritten blocks",
)
"""What no erasure here reaches, wherever the database is."""

OUT_OF_REACH_ON_POSTGRESQL = (
    "PostgreSQL's write-ahead log, its replicas and its backups, until they are recycled; and the bytes of "
    "removed rows in its pages, until others take their place",
)
"""What comes on top where PostgreSQL keeps the database."""


class ErasureError(MailerError):
    """A file could not be cleaned, so nothing was erased yet."""


@dataclass(frozen=True, kw_only=True)
class ErasureReport:
    """What erasing a person came to, or would come to.

    ``traces`` are the files that named them, each with what was done. ``resumed`` says that the list had
    forgotten them before: an earlier erasure was finished, or repeated. ``out_of_reach`` is for a person to
    know.
    """

    files: tuple[FileMatch, ...]
    resumed: bool
    out_of_reach: tuple[str, ...]

    @property
    def remaining_files(self) -> tuple[FileMatch, ...]:
        """The files that still name them."""
        return tuple(trace for trace in self.files if trace.action is FileAction.leave)


def plan_erasure(workspace: Workspace, engine: Engine, address: str) -> ErasureReport:
    """What :func:`erase_person` would do. Nothing is written.

    Raises:
        SubscriberError: it is no address, or neither on the list nor erased from it.
    """
    with open_session(engine, read_only=True) as reading:
        person = _find_person(reading, workspace, address)
        likeness = _make_matcher(person, address)
    return ErasureReport(
        files=_scan_files(workspace, engine, likeness),
        resumed=person is None,
        out_of_reach=_list_out_of_reach(engine),
    )


def erase_person(
    workspace: Workspace,
    engine: Engine,
    address: str,
    *,
    method: str,
    now: datetime,
    source: str = "",
    evidence: str = "",
) -> ErasureReport:
    """Erase whoever has ``address``. Saying it again finishes what a crash or a failure left.

    Their deliveries stay counted; the keyed hash stays so that no import brings them back.

    Raises:
        SubscriberError: it is no address, or neither on the list nor erased from it.
        ErasureError: a file could not be cleaned; the list is as it was.
        IncompleteErasureError: the list has forgotten them, and freed pages could not be overwritten yet.
    """
    with open_session(engine, read_only=True) as reading:
        person = _find_person(reading, workspace, address)
        remains = None if person is None else _collect_personal_text(reading, person)
    traces = erase_files_and_rows(
        workspace, engine, address, method=method, now=now, source=source, evidence=evidence
    )
    overwrite_freed_pages(engine, remains)
    return ErasureReport(files=traces, resumed=person is None, out_of_reach=_list_out_of_reach(engine))


def erase_files_and_rows(
    workspace: Workspace,
    engine: Engine,
    address: str,
    *,
    method: str,
    now: datetime,
    source: str = "",
    evidence: str = "",
) -> tuple[FileMatch, ...]:
    """Take a person out of the files and the list; the files that named them. What the database freed is
    not overwritten yet: whoever forgets many does that once, with :func:`overwrite_freed_pages`.

    Raises:
        SubscriberError: it is no address, or neither on the list nor erased from it.
        ErasureError: a file could not be cleaned; the list is as it was.
    """
    person, likeness, traces = clean_files_naming(workspace, engine, address)
    with open_session(engine) as writing:
        if person is not None:
            _erase_rows(writing, workspace, address, method=method, now=now, source=source, evidence=evidence)
        mask_addresses(writing.connection(), likeness.text_pattern, likeness.spellings)
        writing.commit()
    return traces


def clean_files_naming(
    workspace: Workspace, engine: Engine, address: str
) -> tuple[Subscriber | None, AddressMatcher, tuple[FileMatch, ...]]:
    """Clean the files that name a person, and nothing else: who they are (None if erased before), how they
    look, and the files.

    Raises:
        SubscriberError: it is no address, or neither on the list nor erased from it.
        ErasureError: a file could not be cleaned.
    """
    with open_session(engine, read_only=True) as reading:
        person = _find_person(reading, workspace, address)
        likeness = _make_matcher(person, address)
    traces = _scan_files(workspace, engine, likeness)
    _clean_files(traces, likeness)
    return person, likeness, traces


def overwrite_freed_pages(engine: Engine, remains: frozenset[str] | None = None) -> None:
    """Overwrite what the database freed. ``remains`` are the words to look for; None where they are many, or
    not known any more because they went with an erasure that was cut off.

    Raises:
        IncompleteErasureError: it could not be done yet.
    """
    if engine.dialect.name != "sqlite":
        vacuum_tables(engine)
        return
    checkpoint_log(engine)
    # Deleted rows are overwritten as they go, but a row that SQLite had moved within its page before has left
    # a shadow there; and writing a large file anew keeps others from writing for seconds.
    if remains is None or any(
        file_contains(path, make_words_pattern(remains)) for path in list_database_files(engine)
    ):
        rewrite_file(engine)


def _find_person(reading: Session, workspace: Workspace, address: str) -> Subscriber | None:
    """The person; None for somebody who was erased already."""
    try:
        return find_subscriber(reading, address)
    except UnknownSubscriberError:
        digest = workspace.keys.suppression.digest(normalise_address(address).email)
        suppression = reading.get(Suppression, digest)
        if suppression is None or suppression.reason is not ConsentEvent.erased:
            raise
        return None


def _make_matcher(person: Subscriber | None, address: str) -> AddressMatcher:
    if person is None:
        return make_address_matcher(address)
    return make_address_matcher(
        address, person.email, person.envelope, subscriber_id=person.id, name=person.name
    )


def _scan_files(workspace: Workspace, engine: Engine, likeness: AddressMatcher) -> tuple[FileMatch, ...]:
    return tuple(scan_files(workspace, likeness, excluding=frozenset(list_database_files(engine))))


def _collect_personal_text(reading: Session, person: Subscriber) -> frozenset[str]:
    """All that would tell of the person if it were left in a freed place of the file."""
    replies = select(Delivery.reason).where(col(Delivery.subscriber_id) == person.id)
    records = select(ConsentRecord).where(col(ConsentRecord.subscriber_id) == person.id)
    told = (
        words for one in reading.exec(records) for words in (one.source, one.wording, one.evidence, one.basis)
    )
    local = person.envelope.rpartition("@")[0]
    return frozenset({person.email, person.envelope, local, person.name, *reading.exec(replies), *told})


def _clean_files(traces: Sequence[FileMatch], likeness: AddressMatcher) -> None:
    for trace in traces:
        try:
            clean_file(trace, likeness)
        except OSError as error:
            raise ErasureError(
                f"{trace.path}: cannot be cleaned ({error.strerror}), so nobody was erased. "
                "Mend that and give the command again."
            ) from error


def _erase_rows(
    writing: Session,
    workspace: Workspace,
    address: str,
    *,
    method: str,
    now: datetime,
    source: str,
    evidence: str,
) -> None:
    """The person's own rows: their details go, and so do the servers' words about them, which often quote
    an address, a mailbox or a name."""
    person = find_subscriber(writing, address)
    theirs = col(Delivery.subscriber_id) == person.id
    writing.connection().execute(update(Delivery).where(theirs).values(reason="", updated_at=now))
    # Nothing that was still to be mailed to them goes out; nor does what others wanted of their address.
    to_them = or_(col(QueuedLetter.subscriber_id) == person.id, col(QueuedLetter.email) == person.email)
    writing.connection().execute(
        delete(QueuedLetter).where(or_(to_them, col(QueuedLetter.detail) == person.email))
    )
    key = workspace.keys.suppression
    erase(writing, address, key=key, method=method, now=now, source=source, evidence=evidence)


def _list_out_of_reach(engine: Engine) -> tuple[str, ...]:
    return OUT_OF_REACH if engine.dialect.name == "sqlite" else OUT_OF_REACH + OUT_OF_REACH_ON_POSTGRESQL
