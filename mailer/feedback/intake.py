"""The one way in for a message, whatever brings it: read, recorded and acted on, or tried again later."""

import errno
import hashlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.feedback_models import FeedbackKind
from mailer.errors import ConfigurationError, MailerError
from mailer.feedback.auto_replies.detector import is_auto_reply
from mailer.feedback.bounces.bounce_reader import read_bounce
from mailer.feedback.complaints import read_complaint
from mailer.feedback.consequences import PROVIDER_SOURCE
from mailer.feedback.context import FeedbackContext
from mailer.feedback.dmarc_reports import read_aggregate_report
from mailer.feedback.identification import identify, names_leaver
from mailer.feedback.incoming_message import (
    IncomingMessage,
    ProviderEvent,
    ReportedRecipient,
    concerns_domain,
)
from mailer.feedback.mime_headers import list_addresses
from mailer.feedback.mime_part import MimePart, parse_message
from mailer.feedback.recorder import Arrival, Receipt, record
from mailer.feedback.replies import is_written_by_person, read_own_text
from mailer.rendering.headers import find_token

# Where a message was delivered to, the surest first. The last two are what its sender wrote.
_DELIVERY_FIELDS = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-delivered-to",
    "to",
    "cc",
)
_MAX_ADDRESSES = 50
_MAX_LENGTH = 998  # RFC 5322, section 2.1.1
MAX_MESSAGE_BYTES = 50 * 1024 * 1024
"""Larger messages are not read. Providers let nobody send more, and no report of a server comes near it."""
_FULL_SQLSTATE = "53100"
_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})
_REPORTS = frozenset({FeedbackKind.bounce, FeedbackKind.complaint})
_log = logging.getLogger(__name__)


def read_message(
    raw: bytes, *, delivered_to: Sequence[str] = (), leave_address: str = "", delimiter: str = "+"
) -> IncomingMessage:
    """Read ``raw`` as an incoming message. Never raises, whatever the bytes are.

    ``delivered_to`` are the recipients of its envelope, where they are known (LMTP). ``leave_address`` and
    ``delimiter`` are those of the settings; without them, any address such as leave+TOKEN@… is taken for the
    leaving address. Whether its token is ours is for the identification to say.
    """
    message = parse_message(raw)
    addresses = _list_delivery_addresses(message, delivered_to)
    senders = list_addresses(message.headers.get("from"))
    head: dict[str, Any] = {
        "delivered_to": addresses,
        "sender": senders[0] if senders else "",
        "subject": message.headers.get("subject")[:_MAX_LENGTH],
        "message_id": message.headers.raw("message-id")[:_MAX_LENGTH],
    }
    local_part = (leave_address.partition("@")[0] or "leave").lower()
    if any(_is_leave_address(address, f"{local_part}{delimiter}") for address in addresses):
        return IncomingMessage(kind=FeedbackKind.leave, text=message.readable_text, **head)
    if message.headers.raw("x-apple-unsubscribe").strip().lower() == "true":
        # Apple Mail writes it for its user; it may arrive without the token of the leaving address.
        leaver = ReportedRecipient(address=head["sender"], reason=None)
        return IncomingMessage(
            kind=FeedbackKind.leave, recipients=(leaver,), text=message.readable_text, **head
        )
    if complaint := read_complaint(message):
        return replace(complaint, **head)
    if report := read_aggregate_report(message):
        return IncomingMessage(kind=FeedbackKind.dmarc, dmarc=report, **head)
    if bounce := read_bounce(message):
        return replace(bounce, **head)
    if is_auto_reply(message):
        kind = FeedbackKind.auto_reply
    elif is_written_by_person(message):
        kind = FeedbackKind.reply
    else:
        return IncomingMessage(kind=FeedbackKind.other, text=message.readable_text, **head)
    return IncomingMessage(kind=kind, text=read_own_text(message.readable_text), **head)


def _list_delivery_addresses(message: MimePart, envelope: Sequence[str]) -> tuple[str, ...]:
    stated = (value for name in _DELIVERY_FIELDS for value in message.headers.all(name))
    return list_addresses(*envelope, *stated)[:_MAX_ADDRESSES]


def _is_leave_address(address: str, start: str) -> bool:
    """Return whether ``address`` is the leaving address with a token; SRS may put words before it."""
    return start in address.partition("@")[0].lower() and find_token(address) is not None


def receive(
    context: FeedbackContext,
    raw: bytes,
    *,
    source: str,
    now: datetime,
    delivered_to: Sequence[str] = (),
) -> Receipt:
    """Read one message, find its people, record it and act, in one transaction.

    ``delivered_to`` are the recipients of its envelope, where they are known. The same message counts once,
    whatever ``source`` brings it and how often. Once this has returned, whoever brought it may delete its own
    copy; if :attr:`Receipt.is_held`, it belongs in the quarantine. Raise SQLAlchemyError if the database
    failed; nothing was recorded, and the message must be brought again.
    """
    message = _settle_kind(context, _read(context, raw, delivered_to))
    arrival = Arrival(
        message=message, fingerprint=make_fingerprint(raw, delivered_to), source=source, raw=raw
    )
    return record(context, arrival, now=now)


def receive_event(context: FeedbackContext, event: ProviderEvent, *, now: datetime) -> Receipt:
    """As :func:`receive`, for an event of a provider whose signature or secret was verified. Raise
    SQLAlchemyError if the database failed; nothing was recorded, and the provider must send it again.
    """
    arrival = Arrival(
        message=event.message,
        fingerprint=event.fingerprint,
        source=f"{PROVIDER_SOURCE}{event.provider}",
        happened_at=event.happened_at,
        is_authentic=True,
    )
    return record(context, arrival, now=now)


def make_fingerprint(raw: bytes, delivered_to: Sequence[str] = ()) -> str:
    """Return the SHA-256, in hexadecimal, of a message as it was received: its bytes, and the recipients of
    its envelope where they are known, because one mail to two leaving addresses has the same bytes twice."""
    envelope = "\0".join(sorted(delivered_to)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(envelope + b"\0" * bool(envelope) + raw).hexdigest()


def _read(context: FeedbackContext, raw: bytes, delivered_to: Sequence[str]) -> IncomingMessage:
    settings = context.workspace.settings.feedback
    return read_message(
        raw,
        delivered_to=delivered_to,
        leave_address=settings.leave_address,
        delimiter=settings.delimiter,
    )


def _settle_kind(context: FeedbackContext, message: IncomingMessage) -> IncomingMessage:
    """Take a mail to a reader's leaving address for leaving, whatever the settings called that address when
    the message was sent, and a report about another domain than ours for something else."""
    if message.kind is FeedbackKind.leave:
        return message
    if message.dmarc is not None:
        # Anybody can write a report. One about another domain is for a person to look at.
        if concerns_domain(message.dmarc, context.workspace.settings.sender.domain):
            return message
        return replace(message, kind=FeedbackKind.other, dmarc=None, strange_domain=message.dmarc.domain)
    with open_session(context.engine, read_only=True) as session:
        is_leaver = names_leaver(session, context.workspace.keys, message)
    return replace(message, kind=FeedbackKind.leave) if is_leaver else message


class Disposition(StrEnum):
    """What may become of a message's copy, now that it is recorded."""

    settled = "settled"
    """It was understood, and what follows from it was done: the copy is not needed any more."""

    unclear = "unclear"
    """A person must look at it: the copy is put aside, never away."""

    untouched = "untouched"
    """It is somebody's own mail: the copy stays where it is."""


class IntakeObstacle(StrEnum):
    """Why a message cannot be received now."""

    disk_full = "disk_full"
    """There is no room left for the database."""

    database = "database"
    """The database is locked, away or out of date."""


class TryAgainError(MailerError):
    """The message was not received, and nothing of it was recorded. Whoever brings it keeps it."""

    def __init__(self, obstacle: IntakeObstacle, words: str) -> None:
        super().__init__(words)
        self.obstacle = obstacle


class UnreadableError(MailerError):
    """The message made our own program fail. Nothing of it was recorded, and trying again will not help."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Takes messages. ``receive`` records one and returns after the commit, or raises and records nothing."""

    receive: Callable[[bytes], Disposition]

    def take(self, raw: bytes) -> Disposition:
        """Receive one message, as the bytes that arrived. Raise TryAgainError if the database cannot be used
        now, and UnreadableError for a fault of this program.
        """
        try:
            return self.receive(raw)
        except (SQLAlchemyError, OSError, ConfigurationError) as error:
            raise explain_failure(error) from error
        except Exception as error:
            _log.exception("A message that came back could not be received.")
            raise UnreadableError(f"{type(error).__name__}: {error}") from error


def make_intake(
    context: FeedbackContext, source: str, *, is_shared: bool = False, clock: Clock = read_clock
) -> Intake:
    """Return the intake for messages that ``source`` brings. Of a mailbox that ``is_shared`` with people,
    only what is about our own messages is recorded.
    """

    def receive_message(raw: bytes) -> Disposition:
        with context.engine.connect().execution_options(read_only=True) as connection:
            now = clock(connection)
        if is_shared and not _is_ours(context, raw, now):
            return Disposition.untouched
        try:
            receipt = receive(context, raw, source=source, now=now)
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            # A fault of ours must not lose a message: a mail server would return it, or give up in the end.
            _log.exception("A message that came back could not be read. It waits in the quarantine.")
            receipt = _record_unread(context, raw, source, now)
        return Disposition.unclear if receipt.is_held else Disposition.settled

    return Intake(receive=receive_message)


def _record_unread(context: FeedbackContext, raw: bytes, source: str, now: datetime) -> Receipt:
    """Record a message as one that a person must look at, without reading it."""
    message = IncomingMessage(kind=FeedbackKind.other)
    arrival = Arrival(message=message, fingerprint=make_fingerprint(raw), source=source, raw=raw)
    return record(context, arrival, now=now)


def _is_ours(context: FeedbackContext, raw: bytes, now: datetime) -> bool:
    """Return whether a message in a mailbox that people use is about a message of ours. What a person wrote
    is theirs, and so are the automatic replies and bounces that their own mail brings.
    """
    message = _read(context, raw, ())
    if message.kind in {FeedbackKind.reply, FeedbackKind.other}:
        return False
    with open_session(context.engine, read_only=True) as session:
        findings = identify(session, context.workspace.keys, message, now=now)
    people = [finding.person for finding in findings if finding.person is not None]
    return any(person.is_certain or message.kind in _REPORTS for person in people)


def explain_failure(error: Exception) -> TryAgainError:
    """Return what a failure of the database means for whoever brings a message, in words for the operator."""
    cause = getattr(error, "orig", None) or error
    if _is_disk_full(cause):
        return TryAgainError(
            IntakeObstacle.disk_full, "The disk is full, so nothing can be recorded. Make room on it."
        )
    words = str(cause).strip().partition("\n")[0]
    return TryAgainError(IntakeObstacle.database, f"The database cannot be used at the moment: {words}.")


def _is_disk_full(cause: object) -> bool:
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
    if isinstance(cause, OSError):
        return cause.errno in _FULL_ERRNOS
    return getattr(cause, "sqlstate", "") == _FULL_SQLSTATE
