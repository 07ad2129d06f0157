"""Mails that wait in a table, and the processes that share them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.database.team_models import Role, SignInMail
from mailer.dispatch.waiting_mails import QueueRun, QueueRunResult
from mailer.settings import DatabaseSettings
from mailer.team.members import add_member
from mailer.team.sign_in_mails import SIGN_IN_MAILS, queue_link
from mailer.workspace import Workspace
from tests.web.studio.sign_in.visitor import read_mails, with_maildir


@pytest.fixture
def shared(workspace: Workspace, postgres_database: str) -> Workspace:
    """A workspace that several processes share, and whose relay is a folder."""
    database = DatabaseSettings(url=postgres_database)
    settings = workspace.settings.model_copy(update={"database": database})
    return with_maildir(replace(workspace, settings=settings))


@pytest.fixture
def postgres_engine(shared: Workspace) -> Iterator[Engine]:
    engine = shared.open_database()
    yield engine
    engine.dispose()


def ask_for_links(engine: Engine, names: tuple[str, ...], now: datetime) -> None:
    with Session(engine) as session:
        for name in names:
            email = f"{name}@example.org"
            add_member(session, email, name.title(), Role.author, now=now)
            queue_link(session, email, browser_digest="b" * 64, next_path="", language="en", now=now)
        session.commit()


def test_a_mail_that_another_process_holds_does_not_keep_the_others_waiting(
    shared: Workspace, postgres_engine: Engine, now: datetime
) -> None:
    ask_for_links(postgres_engine, ("ann", "ben", "eva"), now)
    run = QueueRun(
        workspace=shared,
        engine=postgres_engine,
        clock=lambda _: now,
        studio="https://news.example.org/studio",
    )
    with Session(postgres_engine) as other:
        first = select(SignInMail).order_by(col(SignInMail.id)).limit(1).with_for_update()
        assert other.exec(first).one().email == "ann@example.org"
        assert SIGN_IN_MAILS.send_due(run) == QueueRunResult(sent=2, problem="")
        assert sorted(mail["To"] for mail in read_mails(shared)) == ["ben@example.org", "eva@example.org"]
    assert SIGN_IN_MAILS.send_due(run) == QueueRunResult(sent=1, problem="")
