"""Mailing links: the row first, then the mail; no crash loses one, and none goes out twice unrecorded."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.database.team_models import (
    Role,
    SignInLink,
    SignInLinkPurpose,
    SignInMail,
    TeamInvitation,
    TeamMember,
)
from mailer.dispatch.waiting_mails import MailClaim, QueueRun, QueueRunResult
from mailer.selfservice.transactional_mails import WaitingLetter
from mailer.settings import SmtpSettings
from mailer.team.invitations import (
    accept_invitation,
    invite_member,
    list_open_invitations,
    resend_invitation,
)
from mailer.team.members import Member, TeamError, add_member
from mailer.team.sessions import digest_secret
from mailer.team.sign_in_mails import SIGN_IN_MAILS, delete_old_mails, queue_link
from mailer.workspace import Workspace
from tests.servers.misbehaving_smtp import MisbehavingServer, Rule, Stage
from tests.web.site import opened_engine
from tests.web.studio.sign_in.visitor import find_link, read_mails, with_maildir

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ADDRESS = "http://localhost:8028/studio"


@pytest.fixture
def workspace(either_workspace: Workspace) -> Workspace:
    return with_maildir(either_workspace)


@pytest.fixture
def engine(workspace: Workspace) -> Iterator[Engine]:
    with opened_engine(workspace) as engine:
        yield engine


@pytest.fixture
def ann(engine: Engine) -> Member:
    with Session(engine) as session:
        member = add_member(session, "ann@example.org", "Ann Author", Role.author, now=NOW)
        session.commit()
        return member


def ask(engine: Engine, email: str = "ann@example.org") -> None:
    with Session(engine) as session:
        queue_link(session, email, browser_digest="b" * 64, next_path="/x", language="fr", now=NOW)
        session.commit()


def send(workspace: Workspace, engine: Engine, after: timedelta = timedelta(0)) -> QueueRunResult:
    return SIGN_IN_MAILS.send_due(make_run(workspace, engine, after))


def make_run(workspace: Workspace, engine: Engine, after: timedelta = timedelta(0)) -> QueueRun:
    return QueueRun(workspace=workspace, engine=engine, clock=lambda _: NOW + after, studio=ADDRESS)


def count_rows(engine: Engine, model: type[SignInMail] | type[SignInLink]) -> int:
    with Session(engine) as session:
        return len(session.exec(select(model)).all())


def with_relay(workspace: Workspace, port: int) -> Workspace:
    smtp = SmtpSettings(url=f"smtp://127.0.0.1:{port}", timeout=5)
    return replace(workspace, settings=workspace.settings.model_copy(update={"smtp": smtp}))


@pytest.mark.usefixtures("ann")
def test_a_link_is_mailed_once_and_only_its_digest_is_kept(workspace: Workspace, engine: Engine) -> None:
    ask(engine)
    assert send(workspace, engine) == QueueRunResult(sent=1, problem="")
    assert send(workspace, engine) == QueueRunResult()
    (mail,) = read_mails(workspace)
    secret = find_link(mail).removeprefix("/link/")
    assert (mail["Subject"], mail["Content-Language"]) != ("", "en")
    with Session(engine) as session:
        (link,) = session.exec(select(SignInLink)).all()
        assert link.digest == digest_secret(secret)
        assert secret not in str(link.model_dump())
        assert (link.next_path, link.expires_at) == ("/x", NOW + timedelta(minutes=15))
    assert count_rows(engine, SignInMail) == 0


def test_nobody_is_mailed_who_does_not_belong_to_the_team(workspace: Workspace, engine: Engine) -> None:
    ask(engine, "stranger@example.org")
    assert send(workspace, engine).sent == 0
    assert (read_mails(workspace), count_rows(engine, SignInMail), count_rows(engine, SignInLink)) == (
        [],
        0,
        0,
    )


@pytest.mark.usefixtures("ann")
def test_while_the_relay_refuses_it_waits_and_each_attempt_has_a_link_of_its_own(
    workspace: Workspace, engine: Engine
) -> None:
    with MisbehavingServer(rules=[Rule(stage=Stage.connect, answer="421 4.3.2 later", times=1)]) as relay:
        relayed = with_relay(workspace, relay.port)
        ask(engine)
        first = send(relayed, engine)
        assert first.sent == 0
        assert "later" in (first.problem or "")
        assert (count_rows(engine, SignInMail), count_rows(engine, SignInLink)) == (1, 0)
        assert send(relayed, engine, timedelta(seconds=14)) == QueueRunResult()
        assert send(relayed, engine, timedelta(seconds=15)) == QueueRunResult(sent=1, problem="")
        assert (count_rows(engine, SignInMail), count_rows(engine, SignInLink)) == (0, 1)
        assert len(relay.received) == 1


@pytest.mark.usefixtures("ann")
def test_a_mail_in_doubt_is_not_sent_again_and_its_link_works(workspace: Workspace, engine: Engine) -> None:
    with MisbehavingServer(rules=[Rule(stage=Stage.dot, answer="drop")]) as relay:
        ask(engine)
        send(with_relay(workspace, relay.port), engine)
        assert (count_rows(engine, SignInMail), count_rows(engine, SignInLink)) == (0, 1)


@pytest.mark.usefixtures("ann")
def test_a_sender_that_dies_is_followed_by_one_more_attempt(workspace: Workspace, engine: Engine) -> None:
    ask(engine)
    with Session(engine) as session:
        mail_id = session.exec(select(SignInMail.id)).one() or 0

    def claim(minutes: int) -> MailClaim[WaitingLetter] | None:
        return SIGN_IN_MAILS.claim(make_run(workspace, engine, timedelta(minutes=minutes)), mail_id)

    assert claim(0) is not None
    # It has died. Nobody takes the mail while its lease lasts.
    assert claim(9) is None
    again = claim(10)
    assert again is not None
    assert again.attempts == 2
    assert claim(20) is None
    assert count_rows(engine, SignInMail) == 0


def test_an_old_request_is_forgotten(workspace: Workspace, engine: Engine, ann: Member) -> None:
    ask(engine)
    assert send(workspace, engine, timedelta(hours=1, seconds=1)).sent == 0
    ask(engine)
    with Session(engine) as session:
        delete_old_mails(session, now=NOW + timedelta(hours=2))
        session.commit()
    assert count_rows(engine, SignInMail) == 0


def test_an_invitation_names_who_invites_and_is_open_until_it_is_followed(
    workspace: Workspace, engine: Engine, ann: Member
) -> None:
    with Session(engine) as session:
        ben = invite_member(
            session, "Ben@Example.org", "Ben <b>", Role.guest, invited_by=ann.id, now=NOW, language="en"
        )
        with pytest.raises(TeamError):
            invite_member(session, "ben@example.org", "Ben", Role.guest, invited_by=ann.id, now=NOW)
        session.commit()
        (waiting,) = list_open_invitations(session, now=NOW)
        assert (waiting.member, waiting.invited_by, waiting.is_being_sent) == (ben, "Ann Author", True)
    assert send(workspace, engine).sent == 1
    (mail,) = read_mails(workspace)
    assert mail["To"] == "ben@example.org"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Ann Author invites you to work on the newsletter" in body.get_content()
    with Session(engine) as session:
        (link,) = session.exec(select(SignInLink)).all()
        assert (link.browser_digest, link.expires_at) == ("", NOW + timedelta(days=7))
        (sent,) = list_open_invitations(session, now=NOW)
        assert (sent.is_being_sent, sent.is_expired) == (False, False)
        assert list_open_invitations(session, now=NOW + timedelta(days=7))[0].is_expired
        assert accept_invitation(session, ben.id)
        assert not accept_invitation(session, ben.id)
        assert list_open_invitations(session, now=NOW) == []
        with pytest.raises(TeamError):
            resend_invitation(session, ben.id, invited_by=ann.id, now=NOW)


def test_an_invitation_that_is_sent_again_ends_the_earlier_link(
    workspace: Workspace, engine: Engine, ann: Member
) -> None:
    with Session(engine) as session:
        ben = invite_member(session, "ben@example.org", "Ben", Role.guest, invited_by=ann.id, now=NOW)
        session.commit()
    send(workspace, engine)
    with Session(engine) as session:
        resend_invitation(session, ben.id, invited_by=None, now=NOW + timedelta(days=8))
        session.commit()
        assert session.exec(select(SignInLink)).all() == []
    assert send(workspace, engine, timedelta(days=8)).sent == 1
    with Session(engine) as session:
        (link,) = session.exec(select(SignInLink)).all()
        assert link.purpose is SignInLinkPurpose.invitation
        assert session.exec(select(TeamInvitation)).one().invited_at == NOW + timedelta(days=8)
        row = session.get_one(TeamMember, ben.id)
        row.removed_at = NOW
        session.add(row)
        session.commit()
        assert list_open_invitations(session, now=NOW) == []
        assert session.exec(select(col(TeamMember.id)).where(TeamMember.id == ben.id)).one() == ben.id
