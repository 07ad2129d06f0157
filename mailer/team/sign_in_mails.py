"""Mailing links to Studio: first a row, then the mail.

The page writes one row for any address that anybody types, and answers. Whether it belongs to a member is
found out afterwards, by whoever claims the row: by postponing its next attempt, so that a sender that dies
holds up nothing. The secret of the link is made then and never stored, so each attempt has a link of its
own. A mail in doubt is not sent again, as in :mod:`mailer.selfservice.mail_worker`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session, col, delete, select

from mailer.database.engine import open_session
from mailer.database.sign_in_models import SignInLink, SignInLinkPurpose, SignInMail
from mailer.dispatch.mail_attempts import AttemptPolicy, make_unsent_outcome, was_interrupted_twice
from mailer.dispatch.relay_settings import list_relays, make_smtp_options, merge_relay_settings
from mailer.dispatch.single_mail import sign_and_send_mail
from mailer.errors import ConfigurationError
from mailer.i18n import SOURCE_LANGUAGE, load_translator, match_language
from mailer.smtp.probe import ProbeError, probe_server
from mailer.smtp.reply_classifier import Outcome, Verdict
from mailer.team.invitations import find_inviter
from mailer.team.members import Member, find_member_by_address
from mailer.team.secret import digest_secret
from mailer.team.sign_in_letters import build_sign_in_letter
from mailer.team.sign_in_links import create_link
from mailer.workspace import Workspace
from subscribers.address import normalise_address

_ATTEMPTS = AttemptPolicy(
    lease=timedelta(minutes=10), first_wait=timedelta(seconds=15), max_wait=timedelta(minutes=5)
)
# Who asked for a link an hour ago has asked again or gone home; who was invited has not.
_KEPT = {SignInLinkPurpose.sign_in: timedelta(hours=1), SignInLinkPurpose.invitation: timedelta(days=3)}


@dataclass(frozen=True, kw_only=True)
class ClaimedMail:
    """A claimed mail, ready to be sent; ``secret`` is that of its link."""

    mail_id: int
    purpose: SignInLinkPurpose
    member: Member
    secret: str
    language: str
    inviter: str
    asked_at: datetime
    attempts: int


@dataclass(frozen=True, kw_only=True)
class MailRun:
    """What became of the mails that were due. ``sent`` counts those that the relay has. ``problem`` says why
    the last that was tried did not leave, "" if it did; None if none was tried."""

    sent: int = 0
    problem: str | None = None


def queue_link(
    session: Session, email: str, *, browser_digest: str, next_path: str, language: str, now: datetime
) -> None:
    """Note that somebody asked for a link to ``email``, a normalised address. The caller commits."""
    session.add(
        SignInMail(
            purpose=SignInLinkPurpose.sign_in,
            email=email,
            browser_digest=browser_digest,
            next_path=next_path,
            language=language,
            asked_at=now,
            not_before=now,
        )
    )
    session.flush()


def send_due_mails(
    workspace: Workspace,
    engine: Engine,
    *,
    address: str,
    clock: Callable[[], datetime],
    is_stopped: Callable[[], bool] = lambda: False,
) -> MailRun:
    """Send every mail that is due. ``address`` is where people open Studio."""
    sent, problem, former = 0, None, 0
    # One that is found twice is being claimed by another process.
    while not is_stopped() and (mail_id := _find_due(engine, clock())) not in {None, former}:
        former = mail_id or 0
        claimed = claim_mail(engine, former, clock())
        if claimed is None:
            # As much is asked of the relay for a stranger's address, so that what the sign-in page says of
            # the relay does not depend on whose address was typed.
            problem = _probe_relays(workspace)
            continue
        outcome = _send(workspace, engine, claimed, address, clock)
        sent += outcome.verdict is Verdict.sent
        problem = outcome.reason if outcome.verdict in {Verdict.give_back, Verdict.stop} else ""
    return MailRun(sent=sent, problem=problem)


def claim_mail(engine: Engine, mail_id: int, now: datetime) -> ClaimedMail | None:
    """Claim a mail that is due and make its link; None if it must not be sent or another has it."""
    with open_session(engine) as session:
        due = select(SignInMail).where(SignInMail.id == mail_id, SignInMail.not_before <= now)
        mail = session.exec(due.with_for_update(skip_locked=True)).first()
        if mail is None:
            return None
        member = find_member_by_address(session, mail.email)
        if member is None or now - mail.asked_at > _KEPT[mail.purpose] or was_interrupted_twice(mail):
            session.delete(mail)
            session.commit()
            return None
        secret = create_link(
            session,
            mail.purpose,
            now=now,
            member_id=member.id,
            browser_digest=mail.browser_digest,
            next_path=mail.next_path,
        )
        _ATTEMPTS.claim(mail, now)
        session.add(mail)
        claimed = ClaimedMail(
            mail_id=mail_id,
            purpose=mail.purpose,
            member=member,
            secret=secret,
            language=match_language([member.language, mail.language]) or SOURCE_LANGUAGE,
            inviter=find_inviter(session, member.id),
            asked_at=mail.asked_at,
            attempts=mail.attempts,
        )
        session.commit()
        return claimed


def delete_old_mails(session: Session, *, now: datetime) -> None:
    """Delete the mails that nobody waits for any more. The caller commits."""
    for purpose, kept in _KEPT.items():
        is_old = (col(SignInMail.purpose) == purpose) & (col(SignInMail.asked_at) < now - kept)
        session.exec(delete(SignInMail).where(is_old, col(SignInMail.not_before) <= now))


def _find_due(engine: Engine, now: datetime) -> int | None:
    with open_session(engine, read_only=True) as session:
        due = select(SignInMail.id).where(SignInMail.not_before <= now)
        return session.exec(due.order_by(col(SignInMail.not_before), col(SignInMail.id)).limit(1)).first()


def _probe_relays(workspace: Workspace) -> str:
    """Ask whether a relay would take a mail; "" if one would."""
    smtp, problem = workspace.settings.smtp, ""
    for relay in sorted(list_relays(smtp), key=lambda relay: relay.priority):
        if not relay.url.startswith("smtp"):
            return ""
        try:
            probe_server(
                make_smtp_options(merge_relay_settings(smtp, relay), workspace.root, name=relay.name)
            )
        except (ProbeError, ConfigurationError, ValueError) as error:
            problem = str(error)
        else:
            return ""
    return problem


def _send(
    workspace: Workspace, engine: Engine, claimed: ClaimedMail, address: str, clock: Callable[[], datetime]
) -> Outcome:
    settings, now = workspace.settings, clock()
    envelope = normalise_address(claimed.member.email).envelope
    try:
        message = build_sign_in_letter(
            claimed.purpose,
            envelope=envelope,
            url=f"{address}/link/{claimed.secret}",
            translator=load_translator(claimed.language),
            settings=settings,
            mail_id=claimed.mail_id,
            requested_at=claimed.asked_at,
            now=now,
            inviter=claimed.inviter,
        )
        outcome = sign_and_send_mail(settings, workspace.root, recipient=envelope, message=message, now=now)
    except ConfigurationError as error:
        outcome = make_unsent_outcome(error)
    _record_outcome(engine, claimed, outcome, clock())
    return outcome


def _record_outcome(engine: Engine, claimed: ClaimedMail, outcome: Outcome, now: datetime) -> None:
    """Delete the row of a mail that is finished, or schedule the next attempt, with a link of its own."""
    with engine.begin() as connection:
        row = col(SignInMail.id) == claimed.mail_id
        is_finished = _ATTEMPTS.record_outcome(
            connection, SignInMail, row, outcome, attempts=claimed.attempts, now=now
        )
        if not is_finished:
            digest = digest_secret(claimed.secret)
            connection.execute(delete(SignInLink).where(col(SignInLink.digest) == digest))
