"""What has been answered survives a power cut: every commit of the pages and the commands waits for the disk.

SQLite's own documentation promises it of ``synchronous=FULL``, and PostgreSQL's of ``synchronous_commit``. So
each commit is asked, at its end, what its connection is set to. SQLite forgets the setting with every
connection, which is why the engine is not asked instead.
"""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, Engine, event
from sqlalchemy import text as sql

from mailer.cli import mailer
from mailer.database.models import CampaignState
from mailer.web.app import create_app
from mailer.workspace import Workspace, open_workspace
from tests.web.site import (
    NOW,
    add_archived_edition,
    add_reader,
    add_sent,
    opened_engine,
    send_request,
    served,
)

FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
DURABLE = {"sqlite": "2", "postgresql": "on"}
QUESTION = {"sqlite": "PRAGMA synchronous", "postgresql": "SHOW synchronous_commit"}


@pytest.fixture
def commits() -> Iterator[list[tuple[str, str]]]:
    """The database and the setting of every commit of any engine in this process."""
    found: list[tuple[str, str]] = []

    def ask_connection(connection: Connection) -> None:
        kind = connection.dialect.name
        cursor = connection.connection.cursor()
        cursor.execute(QUESTION[kind])
        found.append((kind, str(cursor.fetchone()[0])))  # type: ignore[index]
        cursor.close()

    event.listen(Engine, "commit", ask_connection)
    try:
        yield found
    finally:
        event.remove(Engine, "commit", ask_connection)


def expect_durable(commits: list[tuple[str, str]], *, at_least: int) -> None:
    assert len(commits) >= at_least
    assert [(kind, setting) for kind, setting in commits if setting != DURABLE[kind]] == []


def test_whatever_a_page_answers_is_on_the_disk_by_then(
    workspace: Workspace, database: str, commits: list[tuple[str, str]]
) -> None:
    workspace = open_workspace(workspace.root, environ={"MAILER_DATABASE__URL": database})
    with opened_engine(workspace) as engine, served(create_app(workspace, clock=lambda: NOW)) as running:
        tokens = [add_reader(engine, workspace.keys, f"reader{n}@example.org") for n in range(2)]
        commits.clear()
        one_click = send_request(running.url, "POST", f"/u/{tokens[0]}", b"List-Unsubscribe=One-Click", FORM)
        button = send_request(running.url, "POST", f"/u/{tokens[1]}", b"", FORM)
        assert (one_click.status, button.status) == (200, 200)
        with engine.connect().execution_options(read_only=True) as connection:
            statuses = connection.execute(sql("SELECT status FROM subscriber")).scalars().all()
        assert statuses == ["unsubscribed", "unsubscribed"]
    expect_durable(commits, at_least=2)


def test_whatever_a_command_has_done_is_on_the_disk_by_then(
    workspace: Workspace, commits: list[tuple[str, str]]
) -> None:
    with opened_engine(workspace) as engine:
        add_reader(engine, workspace.keys, "mei@example.org")
        add_sent(engine, [add_archived_edition(workspace, engine)], state=CampaignState.paused)
        with engine.connect().execution_options(read_only=True) as connection:
            number = connection.execute(sql("SELECT max(id) FROM campaign")).scalar_one()
    commits.clear()
    for words in (
        ("subscribers", "suppress", "mei@example.org"),
        ("campaigns", "cancel", str(number)),
        ("subscribers", "erase", "mei@example.org", "--confirm"),
    ):
        result = CliRunner().invoke(mailer, ["-C", str(workspace.root), *words])
        assert result.exit_code == 0, result.stderr
    expect_durable(commits, at_least=3)
