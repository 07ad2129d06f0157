"""The worker that builds and sends requested letters, after the page has answered.

It decides whether a letter may be sent, and to whom. A worker claims a letter's row by postponing its next
attempt, so that several machines can share the work and a crashed one blocks nothing. The link is made and
stored before the first attempt: every attempt sends the same letter under the same Message-ID. The row is
deleted when the relay has accepted the letter, when the address is dead, or after a day.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine, delete, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from mailer.database.clock import Clock, read_clock
from mailer.database.engine import open_session
from mailer.database.models import LetterKind, QueuedLetter
from mailer.dispatch.dkim_signer import load_signer
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import SOURCE_LANGUAGE, load_translator, match_language
from mailer.selfservice.mail_sender import send_letter
from mailer.selfservice.rate_limit import count_attempt, forget_attempts, make_address_key
from mailer.selfservice.transactional_mails import build_letter
from mailer.smtp.reply_classifier import Outcome, Verdict
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.consent.opt_in import request_opt_in
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.consent.suppression import is_suppressed
from subscribers.models import Status, Subscriber
from subscribers.one_time_links import issue_link
from subscribers.tokens import LinkPurpose

LETTER_WINDOW = timedelta(days=1)
"""An address gets one letter of each kind in this time, however often it is requested. A letter that cannot
be sent is retried for as long."""

MAX_DATA_LINKS = 3
_LEASE = timedelta(minutes=30)
_FIRST_RETRY_WAIT = timedelta(minutes=1)
_MAX_RETRY_WAIT = timedelta(minutes=30)
_POLL_SECONDS = 1.0
_PATHS = {
    LetterKind.confirm: "/confirm",
    LetterKind.already: "/p",
    LetterKind.link: "/p",
    LetterKind.export: "/d/export",
    LetterKind.erase: "/d/erase",
    LetterKind.address: "/d/address",
    LetterKind.new_address: "/d/move",
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ClaimedLetter:
    """A claimed letter, ready to be sent: its row's id, kind, recipient and link."""

    letter_id: int
    kind: LetterKind
    envelope: str
    language: str
    token: str
    attempts: int


def run_letter_worker(
    workspace: Workspace,
    *,
    stop: threading.Event,
    report: Callable[[str], None],
    clock: Clock = read_clock,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Send requested letters until ``stop`` is set. While the database is unavailable, wait and retry."""
    engine = workspace.open_database(durable=True)
    last_message = ""
    try:
        while not stop.is_set():
            try:
                send_due_letters(workspace, engine, stop=stop, clock=clock)
                last_message = ""
            except (SQLAlchemyError, MailerError, ConfigurationError) as error:
                message = f"Emails that readers asked for cannot be sent at the moment: {error}"
                if message != last_message:
                    report(message)
                last_message = message
            except Exception:
                # A fault in one letter must not hold up the others.
                _log.exception("Mailing a letter failed.")
            stop.wait(poll_seconds)
    finally:
        engine.dispose()


def send_due_letters(
    workspace: Workspace,
    engine: Engine,
    *,
    stop: threading.Event | None = None,
    clock: Clock = read_clock,
) -> int:
    """Send every letter that is due; return how many the relay accepted.

    Raises:
        ConfigurationError: a sender address, a relay or a key cannot be used. The letters wait.
    """
    mailed = 0
    while (stop is None or not stop.is_set()) and has_due_letters(engine, clock):
        claimed = claim_letter(workspace, engine, clock)
        if claimed is not None:
            mailed += _send(workspace, engine, claimed, clock)
    return mailed


def has_due_letters(engine: Engine, clock: Clock = read_clock) -> bool:
    """Return whether a letter is due."""
    with open_session(engine, read_only=True) as session:
        now = clock(session.connection())
        return (
            session.exec(select(QueuedLetter.id).where(QueuedLetter.not_before <= now).limit(1)).first()
            is not None
        )


def claim_letter(workspace: Workspace, engine: Engine, clock: Clock = read_clock) -> ClaimedLetter | None:
    """Claim the next letter that is due: find its recipient and make its link.

    Returns None if no letter is due, or if this one must not be sent; its row is deleted then.
    """
    with open_session(engine) as session:
        now = clock(session.connection())
        due = (
            select(QueuedLetter)
            .where(QueuedLetter.not_before <= now)
            .order_by(col(QueuedLetter.not_before), col(QueuedLetter.id))
        )
        letter = session.exec(due.limit(1).with_for_update(skip_locked=True)).first()
        if letter is None:
            return None
        is_old = now - letter.asked_at > LETTER_WINDOW
        if is_old or not (letter.token or _prepare(session, workspace, letter, now)):
            session.delete(letter)
            forget_attempts(session.connection(), before=now - 2 * LETTER_WINDOW)
            session.commit()
            return None
        letter.attempts += 1
        letter.not_before = now + _LEASE
        session.add(letter)
        claimed = ClaimedLetter(
            letter_id=letter.id or 0,
            kind=LetterKind(letter.kind),
            envelope=normalise_address(letter.email).envelope,
            language=letter.language,
            token=letter.token,
            attempts=letter.attempts,
        )
        session.commit()
        return claimed


def _prepare(session: Session, workspace: Workspace, letter: QueuedLetter, now: datetime) -> bool:
    """Find the recipient of ``letter`` and make its link; return whether it may be sent."""
    if letter.kind is LetterKind.confirm:
        return _prepare_sign_up(session, workspace, letter, now)
    if letter.kind is LetterKind.link:
        return _prepare_preferences_link(session, workspace, letter, now)
    return _prepare_data_link(session, workspace, letter, now)


def _prepare_sign_up(session: Session, workspace: Workspace, letter: QueuedLetter, now: datetime) -> bool:
    key = workspace.keys.suppression
    if not _is_within_limit(session, workspace, "join", letter.email, now):
        return False
    opt_in = request_opt_in(
        session,
        letter.email,
        key=key,
        method="page",
        source="sign-up page",
        now=now,
        wording=letter.wording,
        wording_version=letter.wording_version,
        language=letter.language,
        evidence=letter.origin,
    )
    if opt_in.subscriber_id is None:
        return False
    letter.subscriber_id = opt_in.subscriber_id
    if opt_in.status in {Status.active, Status.paused}:
        letter.kind = LetterKind.already
        letter.token = _sign_preferences_token(workspace, opt_in.subscriber_id)
        return True
    subscriber = session.get(Subscriber, opt_in.subscriber_id)
    if subscriber is not None and opt_in.status is Status.pending and subscriber.language is None:
        # The language of the page is the best guess at the language they read.
        subscriber.language = letter.language
        session.add(subscriber)
    letter.token = issue_link(
        session, workspace.keys.tokens, LinkPurpose.confirm, subscriber_id=opt_in.subscriber_id, now=now
    )
    return True


def _prepare_preferences_link(
    session: Session, workspace: Workspace, letter: QueuedLetter, now: datetime
) -> bool:
    key = workspace.keys.suppression
    subscriber = session.exec(select(Subscriber).where(Subscriber.email == letter.email)).one_or_none()
    if subscriber is None or subscriber.id is None or is_suppressed(session, key, letter.email):
        return False
    if subscriber.status in {Status.pending, Status.erased}:
        return False
    if not _is_within_limit(session, workspace, "link", letter.email, now):
        return False
    letter.subscriber_id = subscriber.id
    letter.language = match_language([subscriber.language or ""]) or letter.language
    letter.token = _sign_preferences_token(workspace, subscriber.id)
    return True


def _prepare_data_link(session: Session, workspace: Workspace, letter: QueuedLetter, now: datetime) -> bool:
    key = workspace.keys.suppression
    subscriber = session.get(Subscriber, letter.subscriber_id or 0)
    if subscriber is None or subscriber.id is None or subscriber.status is Status.erased:
        return False
    letter.email = letter.detail or subscriber.email
    if is_suppressed(session, key, letter.email):
        return False
    if letter.kind is LetterKind.new_address:
        taken = session.exec(select(Subscriber.id).where(Subscriber.email == letter.detail)).first()
        if taken is not None or subscriber.status in GONE_STATUSES:
            return False
    limit = 1 if letter.kind is LetterKind.new_address else MAX_DATA_LINKS
    if not _is_within_limit(session, workspace, str(letter.kind), letter.email, now, limit=limit):
        return False
    letter.token = issue_link(
        session,
        workspace.keys.tokens,
        LinkPurpose(letter.kind.value),
        subscriber_id=subscriber.id,
        now=now,
        detail=letter.detail,
    )
    return True


def _is_within_limit(
    session: Session, workspace: Workspace, purpose: str, email: str, now: datetime, *, limit: int = 1
) -> bool:
    name = make_address_key(workspace.keys.suppression, purpose, email)
    return count_attempt(session.connection(), name, limit=limit, window=LETTER_WINDOW, now=now)


def _sign_preferences_token(workspace: Workspace, subscriber_id: int) -> str:
    # Campaign 0: using this link does not prove that any campaign was delivered.
    signer = workspace.keys.tokens.newest()
    return signer.sign(LinkPurpose.subscription, subscriber_id=subscriber_id, campaign_id=0)


def _send(workspace: Workspace, engine: Engine, claimed: ClaimedLetter, clock: Clock) -> bool:
    """Send a claimed letter; return whether the relay accepted it."""
    settings = workspace.settings
    with open_session(engine, read_only=True) as session:
        now = clock(session.connection())
    message = build_letter(
        claimed.kind,
        envelope=claimed.envelope,
        url=f"{settings.web.base_url}{_PATHS[claimed.kind]}/{claimed.token}",
        translator=load_translator(match_language([claimed.language]) or SOURCE_LANGUAGE),
        settings=settings,
        letter_id=claimed.letter_id,
        now=now,
    )
    signer = load_signer(settings, workspace.root)
    if signer is not None:
        message = signer.sign(message, now=now)
    outcome = send_letter(settings, workspace.root, recipient=claimed.envelope, message=message)
    _record_outcome(engine, claimed, outcome, clock)
    return outcome.verdict is Verdict.sent


def _record_outcome(engine: Engine, claimed: ClaimedLetter, outcome: Outcome, clock: Clock) -> None:
    """Delete the row of a letter that is finished, or schedule the next attempt."""
    with engine.begin() as connection:
        if outcome.verdict in {Verdict.sent, Verdict.rejected, Verdict.failed}:
            connection.execute(delete(QueuedLetter).where(col(QueuedLetter.id) == claimed.letter_id))
            return
        wait = min(_FIRST_RETRY_WAIT * 2 ** min(claimed.attempts - 1, 10), _MAX_RETRY_WAIT)
        connection.execute(
            update(QueuedLetter)
            .where(col(QueuedLetter.id) == claimed.letter_id)
            .values(not_before=clock(connection) + wait, reason=outcome.reason)
        )
