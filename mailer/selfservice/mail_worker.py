"""The worker that builds and sends requested transactional mails, after the page has answered.

It decides whether a mail may be sent, and to whom. A worker claims a mail's row by postponing its next
attempt, so that several machines can share the work and a crashed one blocks nothing. The link is made and
stored before the first attempt: every attempt sends the same mail under the same Message-ID. The row is
deleted when the relay has accepted the mail or may have, when the address is dead, or after a day. A mail in
doubt is not tried again: its reader can ask tomorrow, and a relay that keeps what it does not acknowledge
would fill the mailbox of somebody who never asked.
"""

import itertools
import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.models import QueuedTransactionalMail, TransactionalMailKind
from mailer.dispatch.job_queue import repeat_work
from mailer.dispatch.waiting_mails import (
    AttemptPolicy,
    make_unsent_outcome,
    sign_and_send_mail,
    was_interrupted_twice,
)
from mailer.errors import ConfigurationError
from mailer.i18n import SOURCE_LANGUAGE, load_translator, match_language
from mailer.selfservice.rate_limit import MAIL_WINDOW, MailLimiter
from mailer.selfservice.transactional_mails import MAIL_TEXTS, build_letter
from mailer.smtp.reply_classifier import Outcome, Verdict
from mailer.workspace import Workspace
from subscribers.address import normalise_address
from subscribers.consent.sign_ups import request_opt_in
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.consent.suppression import is_suppressed
from subscribers.models import Status, Subscriber
from subscribers.one_time_links import issue_link
from subscribers.queries import find_kept_subscriber
from subscribers.tokens import LinkPurpose

_ATTEMPTS = AttemptPolicy(
    lease=timedelta(minutes=30), first_wait=timedelta(minutes=1), max_wait=timedelta(minutes=30)
)
_POLL_SECONDS = 1.0
_POLLS_PER_CLEANUP = 600

_PATHS = {
    TransactionalMailKind.confirm: "/confirm",
    TransactionalMailKind.already: "/p",
    TransactionalMailKind.link: "/p",
    TransactionalMailKind.export: "/d/export",
    TransactionalMailKind.erase: "/d/erase",
    TransactionalMailKind.address: "/d/address",
    TransactionalMailKind.new_address: "/d/move",
}
_log = logging.getLogger(__name__)


def run_mail_worker(
    workspace: Workspace,
    *,
    stop: threading.Event,
    report: Callable[[str], None],
    clock: Clock = read_clock,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Send requested mails until ``stop`` is set. While the database is unavailable, wait and retry."""
    polls = itertools.count()
    with workspace.use_database() as engine:

        def send() -> None:
            if next(polls) % _POLLS_PER_CLEANUP == 0:
                forget_counts(workspace, engine, clock)
            send_due_mails(workspace, engine, stop=stop, clock=clock)

        repeat_work(
            send,
            stop=stop,
            seconds=poll_seconds,
            trouble="Emails that readers asked for cannot be sent at the moment",
            report=report,
            log=_log,
        )


def send_due_mails(
    workspace: Workspace,
    engine: Engine,
    *,
    stop: threading.Event | None = None,
    clock: Clock = read_clock,
) -> int:
    """Send every mail that is due; return how many the relay accepted.

    Raises:
        ConfigurationError: a sender address, a relay or a key cannot be used. The mails wait.
    """
    mailed = 0
    while (stop is None or not stop.is_set()) and has_due_mails(engine, clock):
        claimed = claim_mail(workspace, engine, clock)
        if claimed is not None:
            mailed += _send(workspace, engine, claimed, clock)
    return mailed


def forget_counts(workspace: Workspace, engine: Engine, clock: Clock = read_clock) -> None:
    """Delete the counters of requests that have no effect any more."""
    with open_session(engine) as session:
        _make_limiter(session, workspace, clock(session.connection())).forget()
        session.commit()


def has_due_mails(engine: Engine, clock: Clock = read_clock) -> bool:
    """Return whether a mail is due."""
    with open_session(engine, read_only=True) as session:
        now = clock(session.connection())
        due = select(QueuedTransactionalMail.id).where(QueuedTransactionalMail.not_before <= now)
        return session.exec(due.limit(1)).first() is not None


def claim_mail(
    workspace: Workspace, engine: Engine, clock: Clock = read_clock
) -> QueuedTransactionalMail | None:
    """Claim the next mail that is due: find its recipient and make its link. Its row belongs to no session.

    Returns None if no mail is due, if this one has to wait, or if it must not be sent; its row is deleted
    then.
    """
    with open_session(engine) as session:
        now = clock(session.connection())
        due = (
            select(QueuedTransactionalMail)
            .where(QueuedTransactionalMail.not_before <= now)
            .order_by(
                col(QueuedTransactionalMail.network_rank),
                col(QueuedTransactionalMail.not_before),
                col(QueuedTransactionalMail.id),
            )
        )
        mail = session.exec(due.limit(1).with_for_update(skip_locked=True)).first()
        if mail is None:
            return None
        limiter = _make_limiter(session, workspace, now)
        if now - mail.asked_at > MAIL_WINDOW or was_interrupted_twice(mail):
            session.delete(mail)
            session.commit()
            return None
        if mail.token:
            limiter.count_retry(TransactionalMailKind(mail.kind), mail.email)
        elif (delay := limiter.find_delay(_find_email(session, mail), mail.network_rank)) is not None:
            mail.not_before = delay
            session.add(mail)
            session.commit()
            return None
        elif _prepare(session, workspace, mail, now):
            limiter.count_mail(mail.email)
        else:
            session.delete(mail)
            session.commit()
            return None
        _ATTEMPTS.claim(mail, now)
        session.add(mail)
        session.flush()
        session.expunge(mail)
        session.commit()
        return mail


def _find_email(session: Session, mail: QueuedTransactionalMail) -> str:
    """Find the address that ``mail`` would go to; empty if its subscriber is gone."""
    if mail.email or mail.detail:
        return mail.email or mail.detail
    subscriber = session.get(Subscriber, mail.subscriber_id or 0)
    return subscriber.email if subscriber is not None else ""


def _make_limiter(session: Session, workspace: Workspace, now: datetime) -> MailLimiter:
    return MailLimiter(connection=session.connection(), key=workspace.keys.suppression, now=now)


def _prepare(session: Session, workspace: Workspace, mail: QueuedTransactionalMail, now: datetime) -> bool:
    """Find the recipient of ``mail`` and make its link; return whether it may be sent."""
    if mail.kind is TransactionalMailKind.confirm:
        return _prepare_sign_up(session, workspace, mail, now)
    if mail.kind is TransactionalMailKind.link:
        return _prepare_preferences_link(session, workspace, mail, now)
    return _prepare_data_link(session, workspace, mail, now)


def _prepare_sign_up(
    session: Session, workspace: Workspace, mail: QueuedTransactionalMail, now: datetime
) -> bool:
    key = workspace.keys.suppression
    if not _make_limiter(session, workspace, now).may_write_to(mail.kind, mail.email):
        return False
    opt_in = request_opt_in(
        session,
        mail.email,
        key=key,
        method="page",
        source="sign-up page",
        now=now,
        wording=mail.wording,
        wording_version=mail.wording_version,
        language=mail.language,
        evidence=mail.origin,
    )
    if opt_in.subscriber_id is None:
        return False
    mail.subscriber_id = opt_in.subscriber_id
    if opt_in.status in {Status.active, Status.paused}:
        mail.kind = TransactionalMailKind.already
        mail.token = _sign_preferences_token(workspace, opt_in.subscriber_id)
        return True
    subscriber = session.get(Subscriber, opt_in.subscriber_id)
    if subscriber is not None and opt_in.status is Status.pending and subscriber.language is None:
        # The language of the page is the best guess at the language they read.
        subscriber.language = mail.language
        session.add(subscriber)
    mail.token = issue_link(
        session, workspace.keys.tokens, LinkPurpose.confirm, subscriber_id=opt_in.subscriber_id, now=now
    )
    return True


def _prepare_preferences_link(
    session: Session, workspace: Workspace, mail: QueuedTransactionalMail, now: datetime
) -> bool:
    key = workspace.keys.suppression
    subscriber = session.exec(select(Subscriber).where(Subscriber.email == mail.email)).one_or_none()
    if subscriber is not None and subscriber.status is Status.merged:
        # What leads to their pages goes to the address that they have now.
        subscriber = find_kept_subscriber(session, subscriber)
        mail.email = subscriber.email
    if subscriber is None or subscriber.id is None or is_suppressed(session, key, mail.email):
        return False
    if subscriber.status in {Status.pending, Status.erased}:
        return False
    if not _make_limiter(session, workspace, now).may_write_to(mail.kind, mail.email):
        return False
    mail.subscriber_id = subscriber.id
    mail.language = match_language([subscriber.language or ""]) or mail.language
    mail.token = _sign_preferences_token(workspace, subscriber.id)
    return True


def _prepare_data_link(
    session: Session, workspace: Workspace, mail: QueuedTransactionalMail, now: datetime
) -> bool:
    key = workspace.keys.suppression
    subscriber = session.get(Subscriber, mail.subscriber_id or 0)
    if subscriber is None or subscriber.id is None or subscriber.status is Status.erased:
        return False
    mail.email = mail.detail or subscriber.email
    if is_suppressed(session, key, mail.email):
        return False
    if mail.kind is TransactionalMailKind.new_address:
        taken = session.exec(select(Subscriber.id).where(Subscriber.email == mail.detail)).first()
        if taken is not None or subscriber.status in GONE_STATUSES:
            return False
    if not _make_limiter(session, workspace, now).may_write_to(mail.kind, mail.email):
        return False
    mail.token = issue_link(
        session,
        workspace.keys.tokens,
        LinkPurpose(mail.kind.value),
        subscriber_id=subscriber.id,
        now=now,
        detail=mail.detail,
    )
    return True


def _sign_preferences_token(workspace: Workspace, subscriber_id: int) -> str:
    # Campaign 0: using this link does not prove that any campaign was delivered.
    signer = workspace.keys.tokens.newest()
    return signer.sign(LinkPurpose.subscription, subscriber_id=subscriber_id, campaign_id=0)


def _send(workspace: Workspace, engine: Engine, claimed: QueuedTransactionalMail, clock: Clock) -> bool:
    """Send a claimed mail; return whether the relay accepted it."""
    settings, kind = workspace.settings, TransactionalMailKind(claimed.kind)
    envelope = normalise_address(claimed.email).envelope
    with open_session(engine, read_only=True) as session:
        now = clock(session.connection())
    message = build_letter(
        MAIL_TEXTS[kind],
        kind,
        envelope=envelope,
        url=f"{settings.web.base_url}{_PATHS[kind]}/{claimed.token}",
        translator=load_translator(match_language([claimed.language]) or SOURCE_LANGUAGE),
        settings=settings,
        mail_id=claimed.id or 0,
        requested_at=claimed.asked_at,
        now=now,
    )
    try:
        outcome = sign_and_send_mail(settings, workspace.root, recipient=envelope, message=message, now=now)
    except ConfigurationError as error:
        _record_outcome(engine, claimed, make_unsent_outcome(error), clock)
        raise
    _record_outcome(engine, claimed, outcome, clock)
    return outcome.verdict is Verdict.sent


def _record_outcome(engine: Engine, claimed: QueuedTransactionalMail, outcome: Outcome, clock: Clock) -> None:
    row, attempts = col(QueuedTransactionalMail.id) == claimed.id, claimed.attempts
    with engine.begin() as connection:
        now = clock(connection)
        _ATTEMPTS.record_outcome(
            connection, QueuedTransactionalMail, row, outcome, attempts=attempts, now=now
        )
