"""Mailing links to Studio: first a row, then the mail.

The page writes one row for any address that anybody types, and answers. Whether it belongs to a member is
found out afterwards, by whoever claims the row: by postponing its next attempt, so that a sender that dies
holds up nothing. The secret of the link is made then and never stored, so each attempt has a link of its own.
A mail in doubt is not sent again, as in :mod:`mailer.selfservice.mail_worker`.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, delete

from mailer.database.engine import open_session
from mailer.database.team_models import SignInLink, SignInLinkPurpose, SignInMail
from mailer.dispatch.sending_settings import list_relays, make_smtp_options, merge_relay_settings
from mailer.dispatch.waiting_mails import AttemptPolicy, MailClaim, MailKind, QueueRun, QueueRunResult
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import SOURCE_LANGUAGE, Translator, gettext_noop, load_translator, match_language
from mailer.selfservice.transactional_mails import MailText, build_letter
from mailer.settings import Settings
from mailer.smtp.transport import ProbeError, probe_server
from mailer.team.attempt_limits import forget_studio_attempts
from mailer.team.invitations import find_inviter
from mailer.team.member_data import delete_credentials_of_leavers
from mailer.team.members import Member, find_member_by_address
from mailer.team.sessions import delete_old_sessions, digest_secret
from mailer.team.sign_in_links import create_link, delete_old_links
from mailer.workspace import Workspace
from subscribers.address import normalise_address

_INVITED = gettext_noop(
    "You are invited to work on the newsletter from %(organisation)s. It is written and checked in Studio, "
    "the team's own pages."
)
_INVITED_BY = gettext_noop(
    "%(inviter)s invites you to work on the newsletter from %(organisation)s. It is written and checked in "
    "Studio, the team's own pages."
)
_TEXTS: Mapping[SignInLinkPurpose, MailText] = MappingProxyType(
    {
        SignInLinkPurpose.sign_in: MailText(
            subject=gettext_noop("Sign in to Studio"),
            body=gettext_noop("You asked for a link to sign in to the newsletter's Studio."),
            button=gettext_noop("Sign in"),
            after=gettext_noop(
                "Open it within 15 minutes, in the browser in which you asked for it. It works once. If you "
                "did not ask, ignore this email: without it, nobody can sign in as you."
            ),
        ),
        SignInLinkPurpose.invitation: MailText(
            subject=gettext_noop("You are invited to Studio"),
            body=_INVITED,
            button=gettext_noop("Open Studio"),
            after=gettext_noop(
                "The link works once, within seven days. After that, you sign in with this email address."
            ),
        ),
    }
)


def build_sign_in_letter(
    purpose: SignInLinkPurpose,
    *,
    envelope: str,
    url: str,
    translator: Translator,
    settings: Settings,
    mail_id: int,
    requested_at: datetime,
    now: datetime,
    inviter: str = "",
) -> bytes:
    """Build the mail with a link to Studio, as bytes for SMTP. ``inviter`` is who invites, "" if unknown.

    Raises:
        ConfigurationError: the sender's address cannot be used.
    """
    text = _TEXTS[purpose]
    if purpose is SignInLinkPurpose.invitation and inviter:
        text = MailText(subject=text.subject, body=_INVITED_BY, button=text.button, after=text.after)
    return build_letter(
        text,
        f"studio-{purpose.value.replace('_', '-')}",
        envelope=envelope,
        url=url,
        translator=translator,
        settings=settings,
        mail_id=mail_id,
        requested_at=requested_at,
        now=now,
        values={"inviter": inviter},
    )


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

    def build(claimed: MailClaim[SignInLetter], now: datetime) -> bytes:
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


def claim_mail(engine: Engine, mail_id: int, now: datetime) -> MailClaim[SignInLetter] | None:
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


_POLL_SECONDS = 5.0
"""How soon a mail is tried again, or one sent whose process has died. A new one wakes the thread."""

_POLLS_PER_CLEANUP = 120
_log = logging.getLogger(__name__)


class MailSender(Protocol):
    """Sends all mails of a kind that are due, such as :func:`~mailer.team.sign_in_mails.send_due_mails`."""

    def __call__(self, run: QueueRun, *, address: str) -> QueueRunResult: ...


class SignInMailer:
    """Mails the links that are asked for on the pages, in a thread of its own. ``address`` is where people
    open Studio. ``others`` send what else Studio mails to its members."""

    def __init__(
        self,
        workspace: Workspace,
        engine: Engine,
        *,
        address: str,
        clock: Callable[[], datetime],
        others: Sequence[MailSender] = (),
    ) -> None:
        self._senders: Sequence[MailSender] = (send_due_mails, *others)
        self._workspace = workspace
        self._engine = engine
        self._address = address
        self._clock = clock
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mailer-studio-mails", daemon=True)
        self._problem = ""

    @property
    def problem(self) -> str:
        """Why mail does not leave at the moment; "" if it does, or nothing was tried yet."""
        return self._problem

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Look for mails at once; called after the commit of a new one."""
        self._woken.set()

    def close(self) -> None:
        """Finish the mail that is being sent, and end the thread."""
        self._stopped.set()
        self._woken.set()
        self._thread.join()

    def _run(self) -> None:
        polls = 0
        while not self._stopped.is_set():
            self._woken.clear()
            try:
                if polls % _POLLS_PER_CLEANUP == 0:
                    delete_what_is_past(self._engine, self._workspace, now=self._clock())
                polls += 1
                self._send()
            except (SQLAlchemyError, MailerError, ConfigurationError) as error:
                self._report(str(error))
            except Exception:
                # A fault in one mail must not hold up the others.
                _log.exception("Sending a link to Studio failed.")
            self._woken.wait(_POLL_SECONDS)

    def _send(self) -> None:
        run = QueueRun(
            workspace=self._workspace,
            engine=self._engine,
            clock=self._clock,
            is_stopped=self._stopped.is_set,
        )
        for send in self._senders:
            result = send(run, address=self._address)
            if result.problem is not None:
                self._report(result.problem)

    def _report(self, problem: str) -> None:
        if problem and problem != self._problem:
            _log.warning("Links to Studio cannot be mailed at the moment: %s", problem)
        self._problem = problem


def delete_what_is_past(engine: Engine, workspace: Workspace, *, now: datetime) -> None:
    """Delete what has no effect any more: links, mails, sessions, counters, and all ways in of leavers."""
    lifetime = timedelta(days=workspace.settings.studio.session_days)
    with open_session(engine) as session:
        delete_old_links(session, now=now)
        delete_old_mails(session, now=now)
        delete_credentials_of_leavers(session)
        delete_old_sessions(session, unused_since=now - lifetime)
        forget_studio_attempts(session.connection(), now=now)
        session.commit()
