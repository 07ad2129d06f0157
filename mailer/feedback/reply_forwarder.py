"""People's replies go on to the team, every byte as it came, with two trace headers before them.

A reply waits in the database, with its bytes, from the transaction that records it. Whoever sends one claims
it by postponing its next attempt, so that several machines share the work and a crashed one blocks nothing.
It is sent at least once: what a relay may or may not have accepted is sent again, and the reply's own
Message-ID tells the team that both are the same. Its envelope sender is ours, since SPF allows us to send for
our own domain only; its From and its DKIM signature stay the writer's, which is what DMARC looks at.

Fields such as Resent-From are not added: some servers sign that a message has none, so that their signature
would break, and with it DMARC.
"""

import logging
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any, Final

from sqlalchemy import Row, delete, update
from sqlmodel import Session, col, select

from mailer.background import repeat_work
from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.feedback_models import FeedbackMessage, FeedbackState, QueuedReply
from mailer.dispatch.waiting_mails import AttemptPolicy, make_unsent_outcome, send_mail
from mailer.errors import ConfigurationError
from mailer.feedback.context import FeedbackContext
from mailer.feedback.mime_headers import list_addresses
from mailer.feedback.mime_part import parse_message
from mailer.rendering.message import sender_address
from mailer.settings import Settings
from mailer.smtp.reply_classifier import Outcome, Verdict

TRACE_FIELD: Final = "X-Feedback-Forwarded-By"
"""The header by which a reply that went on before is recognised, with the newsletter's own address."""

GIVE_UP_AFTER: Final = timedelta(days=5)
"""How long a reply is tried; the time that mail servers take (RFC 5321, section 4.5.4.1)."""

_ATTEMPTS = AttemptPolicy(
    lease=timedelta(minutes=30), first_wait=timedelta(minutes=1), max_wait=timedelta(hours=4)
)
_MAX_DOUBTS = 5
_MAX_HOPS = 50
_POLL_SECONDS = 5.0
_HEAD_BYTES = 256 * 1024
_LINE_END = re.compile(rb"\r\n|\r|\n")
_MBOX_LINE = re.compile(rb"From [^\r\n]*(?:\r\n|\r|\n)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _ClaimedReply:
    number: int
    raw: bytes
    received_at: datetime
    attempts: int
    claimed_at: datetime


def run_forwarding(
    context: FeedbackContext,
    stop: threading.Event,
    *,
    report: Callable[[str], None],
    clock: Clock = read_clock,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Forward replies until ``stop`` is set. While the database or the relay is away, wait and retry."""
    repeat_work(
        lambda: forward_due_replies(context, stop=stop, clock=clock),
        stop=stop,
        seconds=poll_seconds,
        trouble="Replies cannot go on at the moment",
        report=report,
        log=_log,
    )


def forward_due_replies(
    context: FeedbackContext, *, stop: threading.Event | None = None, clock: Clock = read_clock
) -> int:
    """Send every reply that is due; return how many the relay accepted. Raise ConfigurationError if the
    address for replies, our own or a relay cannot be used. The replies wait.
    """
    sent = 0
    while stop is None or not stop.is_set():
        claimed = _claim(context, clock)
        if claimed is None:
            break
        if note := explain_loop(claimed.raw, context.workspace.settings):
            _hold(context, claimed.number, note)
            continue
        outcome = _send(context, claimed)
        sent += outcome.verdict is Verdict.sent
        _record(context, claimed, outcome)
    return sent


def list_waiting_replies(session: Session) -> Sequence[Row[Any]]:
    """List the replies that were tried and have not gone on, the oldest first.

    ``number`` is that of the message, ``next_at`` when it is tried again, ``reason`` what the relay said.
    """
    columns: tuple[Any, ...] = (
        *(col(QueuedReply.message_id).label("number"), FeedbackMessage.sender, FeedbackMessage.subject),
        *(FeedbackMessage.received_at, QueuedReply.attempts, col(QueuedReply.not_before).label("next_at")),
        QueuedReply.reason,
    )
    waiting = (
        select(*columns)
        .join(FeedbackMessage, col(FeedbackMessage.id) == col(QueuedReply.message_id))
        .where(col(QueuedReply.reason) != "")
        .order_by(col(QueuedReply.message_id))
    )
    return session.connection().execute(waiting).all()


def find_destination(settings: Settings) -> str:
    """Return the address that replies go on to, as SMTP takes it. Raise ConfigurationError if it is not a
    valid address.
    """
    return sender_address(settings.sender.reply_to or settings.sender.address)


def make_forwarded_message(raw: bytes, *, number: int, received_at: datetime, settings: Settings) -> bytes:
    """Return ``raw`` as it goes on: the trace headers, then every byte as it came, but with the line ends of
    SMTP, and without the separator line of an mbox file. Each attempt to send it has the same bytes.
    """
    own = sender_address(settings.sender.address)
    body = raw[match.end() :] if (match := _MBOX_LINE.match(raw)) else raw
    if body.count(b"\n") != body.count(b"\r\n") or body.count(b"\r") != body.count(b"\r\n"):
        body = _LINE_END.sub(b"\r\n", body)
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    trace = (
        f"Received: by {own.rpartition('@')[2]} (partner-mailer) id feedback-{number};\r\n"
        f"\t{format_datetime(received_at)}\r\n"
        f"{TRACE_FIELD}: {own}\r\n"
    )
    return trace.encode("ascii") + body


def explain_loop(raw: bytes, settings: Settings) -> str:
    """Say why ``raw`` must not go on, since it would go round in a circle; "" if it may."""
    headers = parse_message(_MBOX_LINE.sub(b"", raw[:_HEAD_BYTES], count=1)).headers
    own = {address.lower() for address in _list_own_addresses(settings)}
    forwarders = {value.strip().lower() for value in headers.all(TRACE_FIELD.lower())}
    if forwarders & own:
        return "it went on before and came back; the address for replies must not lead here"
    senders = {address.lower() for address in list_addresses(headers.get("from"))}
    if senders & own or any(_is_tokened(address, settings) for address in senders):
        return "it is from one of the newsletter's own addresses"
    if len(headers.all("received")) > _MAX_HOPS:
        return "it passed through more servers than any mail that does not go round in a circle"
    return ""


def _list_own_addresses(settings: Settings) -> Iterator[str]:
    yield sender_address(settings.sender.address)
    yield from (address for address in (settings.sender.address, settings.sender.bounces_to) if address)
    feedback = settings.feedback
    yield from (address for address in (feedback.bounce_address, feedback.leave_address) if address)


def _is_tokened(address: str, settings: Settings) -> bool:
    local, _, domain = address.rpartition("@")
    plain = f"{local.partition(settings.feedback.delimiter)[0]}@{domain}"
    return plain in {settings.feedback.bounce_address.lower(), settings.feedback.leave_address.lower()}


def _claim(context: FeedbackContext, clock: Clock) -> _ClaimedReply | None:
    with open_session(context.engine, read_only=True) as session:
        now = clock(session.connection())
        if session.exec(select(QueuedReply.message_id).where(QueuedReply.not_before <= now)).first() is None:
            return None
    with open_session(context.engine) as session:
        due = (
            select(QueuedReply)
            .where(QueuedReply.not_before <= now)
            .order_by(col(QueuedReply.not_before), col(QueuedReply.message_id))
        )
        queued = session.exec(due.limit(1).with_for_update(skip_locked=True)).first()
        if queued is None:
            return None
        message = session.get_one(FeedbackMessage, queued.message_id)
        queued.attempts += 1
        queued.not_before = now + _ATTEMPTS.lease
        session.add(queued)
        claimed = _ClaimedReply(
            number=queued.message_id,
            raw=message.raw or b"",
            received_at=message.received_at,
            attempts=queued.attempts,
            claimed_at=now,
        )
        session.commit()
        return claimed


def _send(context: FeedbackContext, claimed: _ClaimedReply) -> Outcome:
    workspace = context.workspace
    try:
        return send_mail(
            workspace.settings,
            workspace.root,
            recipient=find_destination(workspace.settings),
            message=make_forwarded_message(
                claimed.raw,
                number=claimed.number,
                received_at=claimed.received_at,
                settings=workspace.settings,
            ),
        )
    except ConfigurationError as error:
        # No relay was asked. The reply is named with the reason until the settings are mended.
        _record(context, claimed, make_unsent_outcome(error))
        raise


def _record(context: FeedbackContext, claimed: _ClaimedReply, outcome: Outcome) -> None:
    """Record how an attempt ended: the reply has gone on, waits for the next attempt, or for a person."""
    is_done = outcome.verdict is Verdict.sent
    if outcome.verdict is Verdict.in_doubt and claimed.attempts >= _MAX_DOUBTS:
        # A relay that never confirms has it by now, several times.
        is_done = True
    if is_done:
        _finish(context, claimed.number, state=FeedbackState.forwarded, raw=None)
        return
    if claimed.claimed_at - claimed.received_at > GIVE_UP_AFTER and claimed.attempts > 1:
        _hold(context, claimed.number, f"it could not go on to the address for replies: {outcome.reason}")
        return
    wait = _ATTEMPTS.find_wait(claimed.attempts)
    with context.engine.begin() as connection:
        connection.execute(
            update(QueuedReply)
            .where(col(QueuedReply.message_id) == claimed.number)
            .values(not_before=claimed.claimed_at + wait, reason=(outcome.reason or "no reason given")[:1000])
        )


def _hold(context: FeedbackContext, number: int, note: str) -> None:
    """Put a reply, whole, before a person."""
    _finish(context, number, state=FeedbackState.held, note=note[:500])


def _finish(context: FeedbackContext, number: int, **values: Any) -> None:
    with context.engine.begin() as connection:
        connection.execute(delete(QueuedReply).where(col(QueuedReply.message_id) == number))
        connection.execute(
            update(FeedbackMessage)
            .where(
                col(FeedbackMessage.id) == number,
                col(FeedbackMessage.state) == FeedbackState.forwarding,
            )
            .values(**values)
        )
