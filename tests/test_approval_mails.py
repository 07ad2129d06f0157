"""Who is asked for an approval gets one mail, an outside reviewer with a link of their own, and whoever asked
hears how it ended."""

import mailbox
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.approval_mails import APPROVAL_MAILS
from mailer.campaigns.approvals.answers import queue_asked
from mailer.campaigns.approvals.people import WantedReviewer, WantedStep, find_review, list_colleagues
from mailer.campaigns.approvals.request import ask_for_approval
from mailer.campaigns.approvals.rounds import Round, end_round
from mailer.campaigns.approvals.settlement import settle_answer
from mailer.campaigns.approvals.steps import Person
from mailer.campaigns.launch_lock import launch_lock
from mailer.campaigns.plan import plan_campaign
from mailer.database.approval_models import ApprovalMail, ApprovalReviewer, ApprovalVerdict, RoundState
from mailer.database.team_models import Role
from mailer.dispatch.waiting_mails import QueueRun, QueueRunResult
from mailer.settings import SmtpSettings
from mailer.team.invitations import remove_member
from mailer.team.members import add_member
from mailer.workspace import Workspace
from subscribers.segments.segment import parse_segment
from tests.factories.small_edition import SLUG, add_people, write_edition

ADDRESS = "https://news.example.org/studio"
ANA = WantedReviewer(name="Ana Diaz", email="ana@x.example")


@dataclass(kw_only=True)
class Post:
    """A workspace whose relay is a folder, or none that answers."""

    workspace: Workspace
    engine: Engine
    folder: Path
    now: datetime

    def ask(self, *steps: WantedStep, note: str = "It goes out\non Friday.") -> Round:
        plan = plan_campaign(self.workspace, self.engine, SLUG, parse_segment("all"), now=self.now)
        amy = self.find("Amy")
        with launch_lock(self.engine, self.workspace, plan) as connection:
            asked = ask_for_approval(
                connection,
                self.workspace,
                plan,
                asker=Person(key="", name="Amy", member_id=amy.member_id),
                steps=steps or None,
                note=note,
                now=self.now,
            )
            queue_asked(connection, self.workspace.settings, asked, now=self.now)
        return asked

    def find(self, name: str) -> Person:
        with self.engine.connect() as connection:
            return next(one for one in list_colleagues(connection) if one.name == name)

    def answer(self, asked: Round, who: str, *, words: str = "") -> None:
        verdict = ApprovalVerdict.changes_requested if words else ApprovalVerdict.approved
        person = self.find(who)
        with self.engine.begin() as connection:
            settle_answer(
                connection,
                self.workspace,
                asked.id,
                person,
                verdict,
                seen=asked.digest,
                words=words,
                now=self.now,
            )

    def send(self, url: str = "") -> QueueRunResult:
        smtp = SmtpSettings(url=url or f"maildir:{self.folder}")
        settings = self.workspace.settings.model_copy(update={"smtp": smtp})
        workspace = replace(self.workspace, settings=settings)
        run = QueueRun(workspace=workspace, engine=self.engine, clock=lambda _: self.now, studio=ADDRESS)
        return APPROVAL_MAILS.send_due(run)

    def read(self) -> dict[str, EmailMessage]:
        """The mails that arrived since the last look, by the address they went to."""
        parser = BytesParser(policy=policy.default)
        folder = mailbox.Maildir(self.folder)
        found = [parser.parsebytes(folder.get_bytes(key)) for key in folder.keys()]  # noqa: SIM118
        folder.clear()
        return {mail["To"]: mail for mail in found}  # type: ignore[misc]

    def count_waiting(self) -> int:
        with Session(self.engine) as session:
            return len(session.exec(select(ApprovalMail)).all())


@pytest.fixture
def post(workspace: Workspace, now: datetime) -> Iterator[Post]:
    write_edition(workspace.editions)
    engine = workspace.open_database()
    add_people(engine)
    with Session(engine) as session:
        for name, role in (("Amy", Role.author), ("Bat", Role.approver), ("Mei", Role.manager)):
            add_member(session, f"{name.lower()}@example.org", name, role, now=now)
        session.commit()
    yield Post(workspace=workspace, engine=engine, folder=workspace.root / "post", now=now)
    engine.dispose()


def read_plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return " ".join(part.get_content().split())


def test_those_who_may_approve_are_told_once_and_whoever_asked_of_the_outcome(post: Post) -> None:
    asked = post.ask()
    assert post.send() == QueueRunResult(sent=2, problem="")
    mails = post.read()
    assert mails.keys() == {"bat@example.org", "mei@example.org"}
    plain = read_plain(mails["bat@example.org"])
    assert "Amy asks you to approve “Partner News” before it is sent. It goes out on Friday." in plain
    assert f"{ADDRESS}/campaigns/{asked.campaign_id}/approval" in plain
    assert post.send() == QueueRunResult(sent=0, problem=None)
    post.answer(asked, "Bat")
    assert post.send().sent == 1
    (outcome,) = post.read().values()
    assert (outcome["To"], outcome["Subject"]) == ("amy@example.org", "What you asked for is approved")
    assert "by Bat" in read_plain(outcome)


def test_the_next_step_is_told_when_the_one_before_is_fulfilled(post: Post) -> None:
    asked = post.ask(WantedStep(roles=(Role.manager,)), WantedStep(reviewers=(ANA,)))
    post.send()
    assert post.read().keys() == {"mei@example.org"}
    post.answer(asked, "Mei")
    post.send()
    assert post.read().keys() == {"ana@x.example"}


def test_an_outside_reviewer_gets_a_link_of_which_the_database_has_a_digest(post: Post) -> None:
    asked = post.ask(WantedStep(reviewers=(ANA,)))
    post.send()
    plain = read_plain(post.read()["ana@x.example"])
    found = re.search(rf"{ADDRESS}/review/([0-9a-f]{{48}})", plain)
    assert found is not None
    assert "works for 14 days" in plain
    with post.engine.connect() as connection:
        review = find_review(connection, found[1], now=post.now)
    assert review is not None
    assert (review[0].id, review[1].name) == (asked.id, "Ana Diaz")
    for path in post.workspace.root.glob("mailer.db*"):
        assert found[1].encode() not in path.read_bytes()


def test_changes_are_told_in_their_words(post: Post) -> None:
    asked = post.ask()
    post.answer(asked, "Mei", words="Sixty,\nnot seventy.")
    # Those who have not been told yet need not know any more.
    assert post.send().sent == 1
    (mail,) = post.read().values()
    assert "Mei asks for changes to “Partner News”: Sixty, not seventy." in read_plain(mail)


def test_nobody_is_told_who_has_left_was_erased_or_is_not_needed(post: Post) -> None:
    asked = post.ask(WantedStep(roles=(Role.approver,), reviewers=(ANA,)))
    with Session(post.engine) as session:
        remove_member(session, post.find("Bat").member_id or 0, now=post.now)
        (reviewer,) = session.exec(select(ApprovalReviewer)).all()
        reviewer.email = "<…>"
        session.add(reviewer)
        session.commit()
    assert post.send().sent == 1
    assert post.read().keys() == {"mei@example.org"}
    with post.engine.begin() as connection:
        end_round(connection, asked.id, RoundState.withdrawn, post.now)
    assert (post.send().sent, post.count_waiting()) == (0, 0)


def test_a_relay_that_does_not_answer_is_tried_again_with_another_link(post: Post) -> None:
    post.ask(WantedStep(reviewers=(ANA,)))
    failed = post.send("smtp://127.0.0.1:9")
    assert (failed.sent, bool(failed.problem), post.count_waiting()) == (0, True, 1)
    post.now += timedelta(minutes=1)
    assert (post.send().sent, post.count_waiting()) == (1, 0)
    with Session(post.engine) as session:
        (reviewer,) = session.exec(select(ApprovalReviewer)).all()
    assert reviewer.expires_at == post.now + timedelta(days=14)


def test_nobody_is_told_days_later(post: Post) -> None:
    post.ask()
    post.now += timedelta(days=4)
    assert (post.send().sent, post.count_waiting()) == (0, 0)
