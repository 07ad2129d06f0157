"""Who is mentioned in a comment gets one mail, a minute later, if it still concerns them."""

import mailbox
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest
from sqlmodel import Session, select

from mailer.comments.mentions import COMMENT_MAILS, mark_read
from mailer.comments.threads import delete_comment, edit_comment, resolve_thread
from mailer.database.edition_models import CommentMail
from mailer.database.team_models import TeamMember
from mailer.dispatch.waiting_mails import QueueRun, QueueRunResult
from mailer.settings import SmtpSettings
from mailer.workspace import Workspace
from tests.comments.conftest import Office, open_office

ADDRESS = "https://news.example.org/studio"


class Post:
    """An office whose relay is a folder, or none that answers."""

    def __init__(self, workspace: Workspace, session: Session, now: datetime) -> None:
        self.folder = workspace.root / "post"
        self.workspace = self._with_relay(workspace, f"maildir:{self.folder}")
        self.unreachable = self._with_relay(workspace, "smtp://127.0.0.1:9")
        self.office: Office = open_office(session, now)
        self.session = session

    @staticmethod
    def _with_relay(workspace: Workspace, url: str) -> Workspace:
        smtp = SmtpSettings(url=url)
        return replace(workspace, settings=workspace.settings.model_copy(update={"smtp": smtp}))

    def send(self, workspace: Workspace | None = None, **later: float) -> QueueRunResult:
        """Send what is due after some time."""
        self.session.commit()
        self.office.pass_time(**later)
        run = QueueRun(
            workspace=workspace or self.workspace,
            engine=self.session.get_bind(),  # type: ignore[arg-type]
            clock=lambda _: self.office.now,
            studio=ADDRESS,
        )
        return COMMENT_MAILS.send_due(run)

    def read(self) -> list[EmailMessage]:
        if not self.folder.exists():
            return []
        parser = BytesParser(policy=policy.default)
        found = mailbox.Maildir(self.folder, create=False)
        return [parser.parsebytes(found.get_bytes(key)) for key in found.keys()]  # type: ignore[misc] # noqa: SIM118

    def count_waiting(self) -> int:
        self.session.expire_all()
        return len(self.session.exec(select(CommentMail)).all())


@pytest.fixture
def post(workspace: Workspace, now: datetime, tmp_path: Path) -> Iterator[Post]:
    engine = workspace.open_database()
    with Session(engine) as session:
        yield Post(workspace, session, now)
    engine.dispose()


def test_a_mention_is_mailed_once_and_not_at_once(post: Post) -> None:
    thread = post.office.comment(post.office.ann, "@Bo is it\nsixty? <b>Now</b>")
    assert post.send(seconds=59) == QueueRunResult(sent=0, problem=None)
    assert post.send(seconds=1) == QueueRunResult(sent=1, problem="")
    assert post.send(days=1) == QueueRunResult(sent=0, problem=None)
    [mail] = post.read()
    assert (mail["To"], mail["Subject"]) == ("bo@example.org", "A comment mentions you")
    assert mail["Auto-Submitted"] == "auto-replied"
    plain, html = (part.get_content() for part in mail.iter_parts())  # type: ignore[attr-defined]
    assert "Ann Author writes about “Water for all”: @Bo is it sixty? <b>Now</b>" in " ".join(plain.split())
    assert f"{ADDRESS}/editions/2026-1/stories/water/comments#thread-{thread}" in plain
    assert "&lt;b&gt;Now&lt;/b&gt;" in html


def test_a_comment_that_was_mended_or_mentions_several_is_mailed_to_each_once(post: Post) -> None:
    post.office.comment(post.office.ann, "@Bo @Bo and @Ann Author", mentioned=[post.office.mei.id])
    mine = post.office.threads()[0].comments[0].id
    edit_comment(post.session, post.office.ann, mine, "@Bo, better", now=post.office.now)
    edit_comment(post.session, post.office.ann, mine, "@Bo @Mei Lin 林", now=post.office.now)
    post.send(minutes=2)
    assert sorted(str(mail["To"]) for mail in post.read()) == ["bo@example.org", "mei@example.org"]


@pytest.mark.parametrize("end", ["read", "resolved", "deleted", "left", "answered"])
def test_what_no_longer_concerns_them_is_not_mailed(post: Post, end: str) -> None:
    office = post.office
    thread = office.comment(office.ann, "@Bo is it sixty?")
    match end:
        case "read":
            mark_read(post.session, thread, office.bo.id, now=office.now)
        case "resolved":
            resolve_thread(post.session, office.mei, thread, now=office.now)
        case "deleted":
            delete_comment(post.session, office.ann, office.threads()[0].comments[0].id, now=office.now)
        case "left":
            row = post.session.get_one(TeamMember, office.bo.id)
            row.removed_at = office.now
            post.session.add(row)
        case _:
            office.reply(office.bo, thread, "Yes.")
    assert post.send(minutes=2).sent == 0
    assert post.read() == []
    assert post.count_waiting() == 0


def test_a_mail_waits_for_a_relay_that_is_down_and_no_longer_than_two_days(post: Post) -> None:
    post.office.comment(post.office.ann, "@Bo is it sixty?")
    run = post.send(post.unreachable, minutes=2)
    assert run.sent == 0
    assert run.problem
    assert post.send(seconds=30).problem is None
    assert post.send(minutes=1).sent == 1
    post.office.comment(post.office.ann, "@Bo and now?")
    post.send(post.unreachable, minutes=2)
    assert post.send(days=3).sent == 0
    assert len(post.read()) == 1
    assert post.count_waiting() == 0


def test_a_mail_whose_sender_died_is_tried_once_more_and_then_given_up(post: Post) -> None:
    post.office.comment(post.office.ann, "@Bo is it sixty?")
    post.session.commit()
    for reason, sent in (("being sent", 1), ("being sent again, after an interruption", 0)):
        mail = post.session.exec(select(CommentMail)).one_or_none()
        if mail is None:
            post.office.comment(post.office.ann, "@Bo once more")
            mail = post.session.exec(select(CommentMail)).one()
        mail.reason, mail.attempts = reason, 1
        mail.not_before = post.office.now + timedelta(minutes=10)
        post.session.add(mail)
        assert post.send(minutes=9).sent == 0
        assert post.send(minutes=2).sent == sent
        assert post.count_waiting() == 0
