"""Mailing links to Studio: first a row, then the mail.

The page writes one row for any address that anybody types, and answers. Whether it belongs to a member is
found out afterwards, by whoever claims the row: by postponing its next attempt, so that a sender that dies
holds up nothing. The secret of the link is made then and never stored, so each attempt has a link of its
own. A mail in doubt is not sent again, as in :mod:`mailer.selfservice.mail_worker`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, delete

from mailer.database.sign_in_models import SignInLink, SignInLinkPurpose, SignInMail
from mailer.dispatch.mail_attempts import AttemptPolicy
from mailer.dispatch.relay_settings import list_relays, make_smtp_options, merge_relay_settings
from mailer.dispatch.waiting_mails import ClaimedMail, MailKind, QueueRun, QueueRunResult
from mailer.errors import ConfigurationError
from mailer.i18n import SOURCE_LANGUAGE, load_translator, match_language
from mailer.smtp.probe import ProbeError, probe_server
from mailer.team.invitations import find_inviter
from mailer.team.members import Member, find_member_by_address
from mailer.team.secret import digest_secret
from mailer.team.sign_in_letters import build_sign_in_letter
from mailer.team.sign_in_links import create_link
from mailer.workspace import Workspace
from subscribers.address import normalise_address

# Who asked for a link an hour ago has asked again or gone home; who was invited has not.
_KEPT = {SignInLinkPurpose.sign_in: timedelta(hours=1), SignInLinkPurpose.invitation: timedelta(days=3)}


@dataclass(frozen=True, kw_only=True)
class SignInLetter:
    """A mail with a link, ready to be sent; ``secret`` is that of its link."""

    purpose: SignInLinkPurpose
    member: Member
    secret: str
    language: str
    inviter: str
    asked_at: datetime

    @property
    def envelope(self) -> str:
        return normalise_address(self.member.email).envelope


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


def send_due_mails(run: QueueRun, *, address: str) -> QueueRunResult:
    """Send every mail that is due. ``address`` is where people open Studio."""

    def build(claimed: ClaimedMail[SignInLetter], now: datetime) -> bytes:
        letter = claimed.mail
        return build_sign_in_letter(
            letter.purpose,
            envelope=letter.envelope,
            url=f"{address}/link/{letter.secret}",
            translator=load_translator(letter.language),
            settings=run.workspace.settings,
            mail_id=claimed.number,
            requested_at=letter.asked_at,
            now=now,
            inviter=letter.inviter,
        )

    return _KIND.send_due(
        run,
        build,
        # As much is asked of the relay for a stranger's address, so that what the sign-in page says of the
        # relay does not depend on whose address was typed.
        on_nothing=lambda: _probe_relays(run.workspace),
    )


def claim_mail(engine: Engine, mail_id: int, now: datetime) -> ClaimedMail[SignInLetter] | None:
    """Claim a mail that is due and make its link; None if it must not be sent or another has it."""
    return _KIND.claim(engine, mail_id, now)


def delete_old_mails(session: Session, *, now: datetime) -> None:
    """Delete the mails that nobody waits for any more. The caller commits."""
    for purpose, kept in _KEPT.items():
        is_old = (col(SignInMail.purpose) == purpose) & (col(SignInMail.asked_at) < now - kept)
        session.exec(delete(SignInMail).where(is_old, col(SignInMail.not_before) <= now))


def _describe(session: Session, mail: SignInMail, now: datetime) -> SignInLetter | None:
    """Make the link of a mail; None if it must not be sent."""
    member = find_member_by_address(session, mail.email)
    if member is None or now - mail.asked_at > _KEPT[mail.purpose]:
        return None
    secret = create_link(
        session,
        mail.purpose,
        now=now,
        member_id=member.id,
        browser_digest=mail.browser_digest,
        next_path=mail.next_path,
    )
    return SignInLetter(
        purpose=mail.purpose,
        member=member,
        secret=secret,
        language=match_language([member.language, mail.language]) or SOURCE_LANGUAGE,
        inviter=find_inviter(session, member.id),
        asked_at=mail.asked_at,
    )


def _delete_link(connection: Connection, letter: SignInLetter) -> None:
    """Delete the link of an attempt that failed: the next has one of its own."""
    digest = digest_secret(letter.secret)
    connection.execute(delete(SignInLink).where(col(SignInLink.digest) == digest))


_KIND = MailKind(
    table=SignInMail,
    number=col(SignInMail.id),
    attempts=AttemptPolicy(
        lease=timedelta(minutes=10), first_wait=timedelta(seconds=15), max_wait=timedelta(minutes=5)
    ),
    describe=_describe,
    take_back=_delete_link,
)


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
