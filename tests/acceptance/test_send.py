"""`mailer send --confirm` to misbehaving servers, checked by the ledger it leaves."""

import json
import shutil
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from mailer.cli import mailer
from mailer.dispatch.relays import BackoffPolicy
from mailer.web.app import create_app
from mailer.web.server import start_in_thread
from mailer.workspace import Workspace, open_workspace
from tests.factories.sample_workspace import create_sample_workspace
from tests.servers.misbehaving_smtp import MisbehavingServer
from tests.servers.smtp_sink import smtp_sink

pytestmark = pytest.mark.spare

EDITION = "unesco-beijing-2021-2"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return create_sample_workspace(tmp_path_factory.mktemp("sample") / "W").root


@pytest.fixture
def root(sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample, tmp_path / "W"))


def send(root: Path, url: str) -> dict[str, object]:
    """Send to all subscribers through the server at ``url``; return the campaign as shown afterwards."""
    words = ["-C", str(root), "send", EDITION, "--segment", "all", "--confirm"]
    CliRunner().invoke(mailer, words, env={"MAILER_SMTP__URL": url})
    shown = CliRunner().invoke(mailer, ["-C", str(root), "campaigns", "show", "1", "--json"])
    counts: dict[str, object] = json.loads(shown.stdout)
    return counts


def test_a_server_that_drops_after_the_final_dot_leaves_every_delivery_in_doubt(root: Path) -> None:
    with smtp_sink("-q", ".") as sink:
        counts = send(root, sink.url)
        assert len(sink.messages()) == 60
    assert (counts["in_doubt"], counts["sent"], counts["failed"], counts["rejected"]) == (60, 0, 0, 0)


def test_a_server_that_answers_450_defers_every_delivery(root: Path) -> None:
    with smtp_sink("-r", "RCPT", "-b", "450 4.2.0 Not now") as sink:
        counts = send(root, sink.url)
    assert (counts["deferred"], counts["audience"], counts["sent"], counts["failed"]) == (60, 60, 0, 0)


def test_a_server_that_answers_550_at_rcpt_rejects_every_reader(root: Path) -> None:
    with smtp_sink("-f", "RCPT", "-B", "550 5.1.1 No such user") as sink:
        counts = send(root, sink.url)
    assert (counts["rejected"], counts["sent"], counts["failed"]) == (60, 0, 0)


@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL"])
def test_a_server_that_answers_421_stops_the_campaign_and_affects_no_reader(
    root: Path, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As often as ever, without the fifteen seconds between.
    hasty = BackoffPolicy(initial_delay=0.01)
    monkeypatch.setattr("mailer.campaigns.send.BackoffPolicy", lambda: hasty)
    with smtp_sink("-Q", stage) as sink:
        counts = send(root, sink.url)
    assert counts["state"] == "paused"
    assert "421" in str(counts["reason"])
    assert counts["queued"] == 60


@pytest.fixture
def delivered(root: Path) -> tuple[Workspace, EmailMessage]:
    """A message as it reached a server, and the workspace it came from."""
    with MisbehavingServer() as server:
        send(root, server.url)
    message = message_from_bytes(server.received[0].content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return open_workspace(root, environ={}), message


def dump(workspace: Workspace) -> dict[str, list[object]]:
    """Every row of every table."""
    engine = workspace.open_database()
    try:
        with engine.connect() as connection:
            names = connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
            return {
                name: [tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
                for name in names
            }
    finally:
        engine.dispose()


def own_links(message: EmailMessage, base: str) -> set[str]:
    """Every URL of our site in a message: its pages, its pictures, its headers."""
    import re

    body = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    body += message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    return set(re.findall(rf"{re.escape(base)}[^\s\"<>)]*", body + message["List-Unsubscribe"]))


def test_get_and_head_on_every_link_of_a_delivered_message_change_nothing(
    delivered: tuple[Workspace, EmailMessage],
) -> None:
    workspace, message = delivered
    base = workspace.settings.web.base_url
    links = own_links(message, base)
    assert len(links) >= 26
    before = dump(workspace)
    running = start_in_thread(create_app(workspace))
    try:
        for link in links:
            for method in ("GET", "HEAD"):
                answer = httpx2.request(method, link.replace(base, running.url))
                assert answer.status_code == 200, (method, link, answer.status_code)
    finally:
        running.stop()
    assert dump(workspace) == before


def test_one_post_without_a_cookie_unsubscribes(delivered: tuple[Workspace, EmailMessage]) -> None:
    workspace, message = delivered
    link = str(message["List-Unsubscribe"]).partition("<")[2].partition(">")[0]
    running = start_in_thread(create_app(workspace))
    try:
        answer = httpx2.post(
            link.replace(workspace.settings.web.base_url, running.url), data={"List-Unsubscribe": "One-Click"}
        )
    finally:
        running.stop()
    assert answer.status_code == 200
    assert answer.history == []
    address = message["To"].addresses[0].addr_spec
    words = ["-C", str(workspace.root), "subscribers", "show", address, "--json"]
    assert json.loads(CliRunner().invoke(mailer, words).stdout)["status"] == "unsubscribed"
