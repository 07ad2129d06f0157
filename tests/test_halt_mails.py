"""Whoever launched a campaign is told once, by mail, that it has halted."""

import mailbox
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.activity.acts import Act
from mailer.database.models import CampaignState
from mailer.database.team_models import ActivityRecord, Role
from mailer.dispatch.ledger import Ledger
from mailer.dispatch.waiting_mails import QueueRun, QueueRunResult
from mailer.halt_mails import HALT_MAILS
from mailer.settings import SmtpSettings
from mailer.team.members import add_member
from mailer.workspace import Workspace
from tests.factories.deliveries import add_campaign, set_campaign_state

REASON = "The mail server refuses the message: 554 5.7.1 No"


@dataclass(kw_only=True)
class Post:
    """A workspace whose relay is a folder, and a campaign that Mei launched."""

    workspace: Workspace
    engine: Engine
    now: datetime
    campaign: int

    def send(self) -> QueueRunResult:
        smtp = SmtpSettings(url=f"maildir:{self.workspace.root / 'post'}")
        settings = self.workspace.settings.model_copy(update={"smtp": smtp})
        workspace = replace(self.workspace, settings=settings)
        studio = "https://news.example.org/studio"
        return HALT_MAILS.send_due(
            QueueRun(workspace=workspace, engine=self.engine, clock=lambda _: self.now, studio=studio)
        )

    def read(self) -> list[EmailMessage]:
        folder = mailbox.Maildir(self.workspace.root / "post")
        parser = BytesParser(policy=policy.default)
        return [parser.parsebytes(folder.get_bytes(key)) for key in folder.keys()]  # type: ignore[misc]  # noqa: SIM118

    def halt(self) -> None:
        ledger = Ledger(self.engine, self.campaign, "here", clock=lambda _: self.now)
        ledger.pause(REASON)
        # It is paused already, so nobody is told again.
        ledger.pause(REASON)
        ledger.close()


@pytest.fixture
def post(either_workspace: Workspace, now: datetime) -> Iterator[Post]:
    engine = either_workspace.open_database()
    number = add_campaign(engine, 3, title="Spring news", launched_at=now)
    yield Post(workspace=either_workspace, engine=engine, now=now, campaign=number)
    engine.dispose()


def launch(post: Post) -> None:
    with Session(post.engine) as session:
        mei = add_member(session, "mei@example.org", "Mei", Role.manager, now=post.now)
        acts = [(Act.launched_campaign, mei.id), (Act.paused_campaign, None)]
        for act, member in acts:
            session.add(
                ActivityRecord(
                    at=post.now,
                    member_id=member,
                    name="x",
                    act=act.value,
                    edition="2026-1",
                    subject=str(post.campaign),
                )
            )
        session.commit()


def test_whoever_launched_it_is_told_once_why_it_has_halted(post: Post) -> None:
    launch(post)
    post.halt()
    assert post.send() == QueueRunResult(sent=1, problem="")
    assert post.send() == QueueRunResult()
    (mail,) = post.read()
    plain = mail.get_body(("plain",))
    assert plain is not None
    words = " ".join(plain.get_content().split())
    assert (mail["To"], mail["Subject"]) == ("mei@example.org", "Sending has stopped")
    assert f"“Spring news” is paused and waits for you. {REASON}" in words
    assert f"https://news.example.org/studio/campaigns/{post.campaign}/live" in words


def test_nobody_is_told_of_a_campaign_that_goes_on_again(post: Post) -> None:
    launch(post)
    post.halt()
    set_campaign_state(post.engine, post.campaign, CampaignState.sending)
    assert post.send().sent == 0


def test_a_campaign_that_was_launched_at_a_terminal_mails_nobody(post: Post) -> None:
    post.halt()
    assert post.send().sent == 0
