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

from mailer.background import repeat_work
from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.models import QueuedTransactionalMail, TransactionalMailKind
from mailer.dispatch.waiting_mails import AttemptPolicy, MailKind, QueueRun
from mailer.i18n import match_language
from mailer.selfservice.rate_limit import LIMITS, MAIL_WINDOW, MailLimiter, forget_attempts
from mailer.selfservice.transactional_mails import MAIL_TEXTS, WaitingLetter
from mailer.workspace import Workspace
from subscribers.consent.sign_ups import request_opt_in
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.consent.suppression import is_suppressed
from subscribers.models import Status, Subscriber
from subscribers.one_time_links import issue_link
from subscribers.queries import find_kept_subscriber
from subscribers.tokens import LinkPurpose

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
        run = QueueRun(workspace=workspace, engine=engine, clock=clock, is_stopped=stop.is_set)

        def send() -> None:
            if next(polls) % _POLLS_PER_CLEANUP == 0:
                forget_counts(engine, clock)
            READER_MAILS.send_due(run)

        repeat_work(
            send,
            stop=stop,
            seconds=poll_seconds,
            trouble="Emails that readers asked for cannot be sent at the moment",
            report=report,
            log=_log,
        )


def forget_counts(engine: Engine, clock: Clock = read_clock) -> None:
    """Delete the counters of requests that have no effect any more."""
    with open_session(engine) as session:
        connection = session.connection()
        forget_attempts(connection, LIMITS, now=clock(connection))
        session.commit()


def _describe(
    run: QueueRun, session: Session, mail: QueuedTransactionalMail, now: datetime
) -> WaitingLetter | datetime | None:
    """Find the recipient of a mail and make its link, before its first attempt."""
    workspace = run.workspace
    limiter = _make_limiter(session, workspace, now)
    if now - mail.asked_at > MAIL_WINDOW:
        return None
    if mail.token:
        limiter.count_retry(mail.kind, mail.email)
    elif (delay := limiter.find_delay(_find_email(session, mail), mail.network_rank)) is not None:
        return delay
    elif _prepare(session, workspace, mail, now):
        limiter.count_mail(mail.email)
    else:
        return None
    return WaitingLetter(
        text=MAIL_TEXTS[mail.kind],
        kind=mail.kind,
        email=mail.email,
        url=f"{workspace.settings.web.base_url}{_PATHS[mail.kind]}/{mail.token}",
        languages=(mail.language,),
        requested_at=mail.asked_at,
    )


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
    subscriber = request_opt_in(
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
    if subscriber is None or subscriber.id is None:
        return False
    mail.subscriber_id = subscriber.id
    if subscriber.status in {Status.active, Status.paused}:
        mail.kind = TransactionalMailKind.already
        mail.token = _sign_preferences_token(workspace, subscriber.id)
        return True
    if subscriber.status is Status.pending and subscriber.language is None:
        # The language of the page is the best guess at the language they read.
        subscriber.language = mail.language
        session.add(subscriber)
    mail.token = issue_link(
        session, workspace.keys.tokens, LinkPurpose.confirm, subscriber_id=subscriber.id, now=now
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


READER_MAILS = MailKind(
    table=QueuedTransactionalMail,
    number=col(QueuedTransactionalMail.id),
    attempts=AttemptPolicy(
        lease=timedelta(minutes=30), first_wait=timedelta(minutes=1), max_wait=timedelta(minutes=30)
    ),
    describe=_describe,
    first=(col(QueuedTransactionalMail.network_rank),),
)
