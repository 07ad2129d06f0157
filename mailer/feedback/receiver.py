"""Receives what came back: the one way in for every mailbox, pipe, LMTP connection and webhook."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mailer.database.engine import open_session
from mailer.feedback.context import FeedbackContext
from mailer.feedback.identification import names_leaver
from mailer.feedback.incoming_message import FeedbackKind, IncomingMessage, ProviderEvent, concerns_domain
from mailer.feedback.message_reader import read_message
from mailer.feedback.recorder import Arrival, Receipt, record
from mailer.feedback.soft_bounces import PROVIDER_SOURCE


def receive(
    context: FeedbackContext,
    raw: bytes,
    *,
    source: str,
    now: datetime,
    delivered_to: Sequence[str] = (),
) -> Receipt:
    """Read one message, find its people, record it and act, in one transaction.

    ``delivered_to`` are the recipients of its envelope, where they are known (LMTP, a pipe). The same message
    counts once, whatever ``source`` brings it and how often. Once this has returned, whoever brought it may
    delete its own copy; if :attr:`Receipt.is_held`, it belongs in the quarantine.

    Raises:
        SQLAlchemyError: the database failed; nothing was recorded, and the message must be brought again.
    """
    message = _settle_kind(context, _read(context, raw, delivered_to))
    arrival = Arrival(
        message=message, fingerprint=make_fingerprint(raw, delivered_to), source=source, raw=raw
    )
    return record(context, arrival, now=now)


def receive_event(context: FeedbackContext, event: ProviderEvent, *, now: datetime) -> Receipt:
    """As :func:`receive`, for an event of a provider whose signature or secret was verified.

    Raises:
        SQLAlchemyError: the database failed; nothing was recorded, and the provider must send it again.
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
    """The SHA-256, in hexadecimal, of a message as it was received: its bytes, and the recipients of its
    envelope where they are known, because one mail to two leaving addresses has the same bytes twice."""
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
        own = context.workspace.settings.sender.domain
        # Anybody can write a report. One about another domain is for a person to look at.
        is_ours = concerns_domain(message.dmarc, own)
        if is_ours:
            return message
        return replace(message, kind=FeedbackKind.other, dmarc=None, strange_domain=message.dmarc.domain)
    with open_session(context.engine, read_only=True) as session:
        is_leaver = names_leaver(session, context.workspace.keys, message)
    return replace(message, kind=FeedbackKind.leave) if is_leaver else message
