"""Erasing a person: from files, the list, the servers' replies in the ledger, and freed database pages.

Files are cleaned first, then the list in one transaction, and last the database's freed pages are
overwritten. After a crash the same command finishes the work: before the commit the person is still on the
list, and after it the keyed hash says that the address was erased.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Unpack

from sqlalchemy import Engine, delete, or_, update
from sqlmodel import Session, col, select

from mailer.database.engine import open_session
from mailer.database.models import Delivery, QueuedTransactionalMail, SentTest
from mailer.database.report_models import CampaignReportPart, QueuedReportMail, forget_figures
from mailer.database.secure_delete import (
    checkpoint_log,
    list_database_files,
    mask_addresses,
    rewrite_file,
    vacuum_tables,
)
from mailer.dispatch.ledger_changes import erase_deliveries
from mailer.errors import MailerError
from mailer.privacy.address_search import (
    AddressMatcher,
    FileAction,
    FileMatch,
    clean_file,
    file_contains,
    make_address_matcher,
    make_words_pattern,
    scan_files,
)
from mailer.privacy.feedback_data import collect_feedback_text, erase_feedback, forget_reader_clicks
from mailer.providers.domain_lookup import forget_domain
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.consent.status_changes import ConsentContext, erase
from subscribers.errors import UnknownSubscriberError
from subscribers.models import ConsentEvent, ConsentRecord, Subscriber, Suppression
from subscribers.queries import find_kept_subscriber, find_subscriber, list_merged_subscribers

OUT_OF_REACH = (
    "mail already delivered, and the relay's own log and queue",
    "messages in the mailbox that bounces and replies come back to",
    "exports, backups and copies outside the workspace",
    "copies of overwritten blocks that the disk itself keeps",
)
"""What erasing cannot reach, with any database."""

OUT_OF_REACH_ON_POSTGRESQL = (
    "PostgreSQL's write-ahead log, its replicas and its backups, until they are recycled; and the bytes of "
    "deleted rows in its pages, until new rows overwrite them",
)
"""What it cannot reach either if the database is PostgreSQL."""


class ErasureError(MailerError):
    """A file could not be cleaned, so nothing was erased."""


@dataclass(frozen=True, kw_only=True)
class ErasureReport:
    """The result of erasing a person, planned or done: the files that named them, each with what was done,
    and what only people can delete. ``resumed`` says that they were not on the list any more, so an earlier
    erasure was finished or repeated.
    """

    files: tuple[FileMatch, ...]
    resumed: bool
    out_of_reach: tuple[str, ...]

    @property
    def remaining_files(self) -> tuple[FileMatch, ...]:
        """The files that still name them."""
        return tuple(match for match in self.files if match.action is FileAction.leave)


def plan_erasure(workspace: Workspace, engine: Engine, address: str) -> ErasureReport:
    """Return what :func:`erase_person` would do. Writes nothing. Raise SubscriberError if the address is
    invalid, or neither on the list nor erased from it.
    """
    with open_session(engine, read_only=True) as session:
        person = _find_person(session, workspace, address)
        people = [None] if person is None else _list_people(session, person)
        matchers = [_make_matcher(one, address if one is None else one.email) for one in people]
    found = (match for matcher in matchers for match in _scan_files(workspace, engine, matcher))
    return ErasureReport(
        files=tuple({match.path: match for match in found}.values()),
        resumed=person is None,
        out_of_reach=list_out_of_reach(engine),
    )


def erase_person(
    workspace: Workspace,
    engine: Engine,
    address: str,
    *,
    on_erased: Callable[[Session], None] = lambda _: None,
    **context: Unpack[ConsentContext],
) -> ErasureReport:
    """Erase the person with ``address``. Calling it again finishes what a crash or a failure left behind.

    Their deliveries stay counted, and a keyed hash of the address stays so that no import brings them back.
    Other addresses of theirs that were merged with this one are erased with it. ``on_erased`` is called in
    the transaction that takes them off the list, to write down there who did it.

    Raises:
        SubscriberError: the address is invalid, or neither on the list nor erased from it.
        ErasureError: a file could not be cleaned; the list is unchanged.
        IncompleteErasureError: they are off the list, but freed pages could not be overwritten yet.
    """
    with open_session(engine, read_only=True) as session:
        person = _find_person(session, workspace, address)
        people = [] if person is None else _list_people(session, person)
        texts = {text for one in people for text in _collect_personal_text(session, one)}
    files = erase_files_and_rows(workspace, engine, address, on_erased=on_erased, **context)
    # Of a person who was erased before, no text is left to search for.
    overwrite_freed_pages(engine, frozenset(texts) or None)
    return ErasureReport(files=files, resumed=person is None, out_of_reach=list_out_of_reach(engine))


def erase_files_and_rows(
    workspace: Workspace,
    engine: Engine,
    address: str,
    *,
    on_erased: Callable[[Session], None] = lambda _: None,
    **context: Unpack[ConsentContext],
) -> tuple[FileMatch, ...]:
    """Do as :func:`erase_person`, but overwrite no freed pages: a caller that erases many people does that
    once at the end, with :func:`overwrite_freed_pages`. Return the files that named them.
    """
    cleaned = [
        (one, *clean_files_naming(workspace, engine, one))
        for one in _list_addresses(workspace, engine, address)
    ]
    with open_session(engine) as session:
        for one, person, matcher, _ in cleaned:
            if person is not None:
                _erase_rows(session, workspace, one, matcher, **context)
            mask_addresses(session.connection(), matcher.text_pattern, matcher.spellings)
        on_erased(session)
        session.commit()
    return tuple(match for *_, files in cleaned for match in files)


def _list_addresses(workspace: Workspace, engine: Engine, address: str) -> list[str]:
    """Return the addresses to erase: those that were merged, and last that of whom they are now."""
    with open_session(engine, read_only=True) as session:
        person = _find_person(session, workspace, address)
        return [address] if person is None else [one.email for one in _list_people(session, person)]


def _list_people(session: Session, person: Subscriber) -> list[Subscriber]:
    """Return those who were merged with a person, and last the one who stands for them."""
    kept = find_kept_subscriber(session, person)
    return [*list_merged_subscribers(session, kept.id or 0), kept]


def clean_files_naming(
    workspace: Workspace, engine: Engine, address: str
) -> tuple[Subscriber | None, AddressMatcher, tuple[FileMatch, ...]]:
    """Clean the files that name a person, and nothing else. Return the person (None if erased before), the
    matcher for their address, and the files. Raise as :func:`erase_person` does.
    """
    with open_session(engine, read_only=True) as session:
        person = _find_person(session, workspace, address)
        matcher = _make_matcher(person, address)
    files = _scan_files(workspace, engine, matcher)
    for match in files:
        try:
            clean_file(match, matcher)
        except OSError as error:
            raise ErasureError(
                f"{match.path}: cannot be cleaned ({error.strerror}), so nothing was erased. "
                "Fix this and run the command again."
            ) from error
    return person, matcher, files


def overwrite_freed_pages(engine: Engine, personal_text: frozenset[str] | None = None) -> None:
    """Overwrite the database's freed pages; with ``personal_text`` only if one of these texts is in them.
    None means that there are too many, or that an interrupted erasure has deleted them. Raise
    IncompleteErasureError if the pages could not be overwritten yet.
    """
    if engine.dialect.name != "sqlite":
        vacuum_tables(engine)
        return
    checkpoint_log(engine)
    # SQLite overwrites rows as it deletes them, but a row it has moved within its page leaves a copy behind.
    # Rewriting the file removes that copy, and blocks other writers for seconds if the file is large.
    if personal_text is None or any(
        file_contains(path, make_words_pattern(personal_text)) for path in list_database_files(engine)
    ):
        rewrite_file(engine)


def _find_person(session: Session, workspace: Workspace, address: str) -> Subscriber | None:
    """Return the person; None if they were erased before."""
    try:
        return find_subscriber(session, address)
    except UnknownSubscriberError:
        # The first reason is kept, so that of an erased address may be a bounce or a complaint, which only an
        # address on the list can have. The team can suppress any address.
        digest = workspace.keys.suppression.digest(normalise_address(address).email)
        suppression = session.get(Suppression, digest)
        if suppression is None or suppression.reason is ConsentEvent.suppressed:
            raise
        return None


def _make_matcher(person: Subscriber | None, address: str) -> AddressMatcher:
    if person is None:
        return make_address_matcher(address)
    return make_address_matcher(
        address, person.email, person.envelope, subscriber_id=person.id, name=person.name
    )


def _scan_files(workspace: Workspace, engine: Engine, matcher: AddressMatcher) -> tuple[FileMatch, ...]:
    return tuple(scan_files(workspace, matcher, excluding=frozenset(list_database_files(engine))))


def _collect_personal_text(session: Session, person: Subscriber) -> frozenset[str]:
    """Collect the texts that would identify the person if one were left in a freed page."""
    replies = select(Delivery.reason).where(col(Delivery.subscriber_id) == person.id)
    records = select(ConsentRecord).where(col(ConsentRecord.subscriber_id) == person.id)
    texts = (
        words for one in session.exec(records) for words in (one.source, one.wording, one.evidence, one.basis)
    )
    local = person.envelope.rpartition("@")[0]
    own = {person.email, person.envelope, local, person.name}
    return frozenset({*own, *session.exec(replies), *texts, *collect_feedback_text(session, person)})


def _erase_rows(
    session: Session,
    workspace: Workspace,
    address: str,
    matcher: AddressMatcher,
    **context: Unpack[ConsentContext],
) -> None:
    """Erase the person's rows and the servers' replies about them, which often quote an address or name."""
    person = find_subscriber(session, address)
    assert person.id is not None  # noqa: S101 - it came from the database
    connection = session.connection()
    erase_deliveries(connection, person.id, context["now"])
    erase_feedback(connection, person, matcher, context["now"])
    forget_reader_clicks(connection, person.id)
    # Mails waiting to be sent to them, and requests that others made about their address.
    waiting = or_(
        col(QueuedTransactionalMail.subscriber_id) == person.id,
        col(QueuedTransactionalMail.email) == person.email,
        col(QueuedTransactionalMail.detail) == person.email,
    )
    connection.execute(delete(QueuedTransactionalMail).where(waiting))
    # Among the figures that count them are words of servers and names of organisations. What is left of them
    # is counted again.
    theirs = select(Delivery.campaign_id).where(col(Delivery.subscriber_id) == person.id)
    forget_figures(connection, col(CampaignReportPart.campaign_id).in_(theirs))
    connection.execute(delete(QueuedReportMail).where(col(QueuedReportMail.address) == person.email))
    # That the content was tested stays.
    connection.execute(update(SentTest).where(col(SentTest.address) == person.email).values(address=""))
    # A domain may be named after its only person. If others have it, it is looked up again.
    forget_domain(connection, person.envelope.rpartition("@")[2])
    erase(session, address, key=workspace.keys.suppression, **context)


def list_out_of_reach(engine: Engine) -> tuple[str, ...]:
    """Return what erasing cannot reach with the database of ``engine``."""
    return OUT_OF_REACH if engine.dialect.name == "sqlite" else OUT_OF_REACH + OUT_OF_REACH_ON_POSTGRESQL
