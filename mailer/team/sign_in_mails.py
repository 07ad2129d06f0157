"""Mailing links to Studio: first a row, then the mail.

The page writes one row for any address that anybody types, and answers. Whether it belongs to a member is
found out afterwards, by whoever claims the row: by postponing its next attempt, so that a sender that dies
holds up nothing. The secret of the link is made then and never stored, so each attempt has a link of its own.
A mail in doubt is not sent again, as in :mod:`mailer.selfservice.mail_worker`.
"""

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, Engine
from sqlmodel import Session, col, delete

from mailer.background import OBSTACLES, RepeatedWork
from mailer.database.engine import open_session
from mailer.database.team_models import SignInLink, SignInLinkPurpose, SignInMail
from mailer.dispatch.sending_settings import list_relays, make_smtp_options, merge_relay_settings
from mailer.dispatch.waiting_mails import AttemptPolicy, MailKind, QueueRun
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.selfservice.transactional_mails import MailText, WaitingLetter
from mailer.smtp.transport import ProbeError, probe_server
from mailer.team.attempt_limits import forget_studio_attempts
from mailer.team.invitations import find_inviter
from mailer.team.member_data import delete_credentials_of_leavers
from mailer.team.members import find_member_by_address
from mailer.team.sessions import delete_old_sessions, digest_secret
from mailer.team.sign_in_links import create_link, delete_old_links
from mailer.workspace import Workspace

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


_LINK_PATH = "/link/"
# Who asked for a link an hour ago has asked again or gone home; who was invited has not.
_KEPT = {SignInLinkPurpose.sign_in: timedelta(hours=1), SignInLinkPurpose.invitation: timedelta(days=3)}
_POLL_SECONDS = 5.0
"""How soon a mail is tried again, or one sent whose process has died. A new one wakes the thread."""
_POLLS_PER_CLEANUP = 120
_log = logging.getLogger(__name__)


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


def delete_old_mails(session: Session, *, now: datetime) -> None:
    """Delete the mails that nobody waits for any more. The caller commits."""
    for purpose, kept in _KEPT.items():
        is_old = (col(SignInMail.purpose) == purpose) & (col(SignInMail.asked_at) < now - kept)
        session.exec(delete(SignInMail).where(is_old, col(SignInMail.not_before) <= now))


def _describe(run: QueueRun, session: Session, mail: SignInMail, now: datetime) -> WaitingLetter | None:
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
    text, inviter = _TEXTS[mail.purpose], find_inviter(session, member.id)
    if mail.purpose is SignInLinkPurpose.invitation and inviter:
        text = replace(text, body=_INVITED_BY)
    return WaitingLetter(
        text=text,
        kind=f"studio-{mail.purpose.value.replace('_', '-')}",
        email=member.email,
        url=f"{run.studio}{_LINK_PATH}{secret}",
        languages=(member.language, mail.language),
        requested_at=mail.asked_at,
        values={"inviter": inviter},
    )


def _delete_link(connection: Connection, letter: WaitingLetter) -> None:
    """Delete the link of an attempt that failed: the next has one of its own."""
    digest = digest_secret(letter.url.rpartition(_LINK_PATH)[2])
    connection.execute(delete(SignInLink).where(col(SignInLink.digest) == digest))


def _probe_relays(run: QueueRun) -> str:
    """Ask whether a relay would take a mail; "" if one would."""
    workspace = run.workspace
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


SIGN_IN_MAILS = MailKind(
    table=SignInMail,
    number=col(SignInMail.id),
    attempts=AttemptPolicy(
        lease=timedelta(minutes=10), first_wait=timedelta(seconds=15), max_wait=timedelta(minutes=5)
    ),
    describe=_describe,
    take_back=_delete_link,
    # As much is asked of the relay for a stranger's address, so that what the sign-in page says of the relay
    # does not depend on whose address was typed.
    find_problem=_probe_relays,
)


class SignInMailer(RepeatedWork):
    """Mails the links that are asked for on the pages, in a thread of its own. ``address`` is where people
    open Studio. ``others`` are what else Studio mails to its members."""

    def __init__(
        self,
        workspace: Workspace,
        engine: Engine,
        *,
        address: str,
        clock: Callable[[], datetime],
        others: Sequence[MailKind[Any, Any]] = (),
    ) -> None:
        self._kinds: Sequence[MailKind[Any, Any]] = (SIGN_IN_MAILS, *others)
        self._workspace = workspace
        self._engine = engine
        self._address = address
        self._clock = clock
        self._polls = itertools.count()
        self._problem = ""
        super().__init__(
            self._work,
            name="mailer-studio-mails",
            seconds=_POLL_SECONDS,
            trouble="Links to Studio cannot be mailed at the moment",
            log=_log,
        )

    @property
    def problem(self) -> str:
        """Why mail does not leave at the moment; "" if it does, or nothing was tried yet."""
        return self._problem

    def _work(self) -> None:
        try:
            if next(self._polls) % _POLLS_PER_CLEANUP == 0:
                delete_what_is_past(self._engine, self._workspace, now=self._clock())
            self._send()
        except OBSTACLES as error:
            self._report(str(error))

    def _send(self) -> None:
        run = QueueRun(
            workspace=self._workspace,
            engine=self._engine,
            clock=lambda _: self._clock(),
            is_stopped=self.stopped.is_set,
            studio=self._address,
        )
        for kind in self._kinds:
            result = kind.send_due(run)
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
