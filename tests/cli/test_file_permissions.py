"""Whatever the program writes with addresses, links that work or secrets in it is for its owner alone."""

import os
import smtplib
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from mailer.cli import mailer
from mailer.feedback.simulator.server import run_simulator, to_maildir
from mailer.workspace import open_workspace
from mailer.workspace_init import Founder, create_workspace
from tests.factories.draft_edition import Draft
from tests.factories.sample_workspace import ANSWERS
from tests.web.site import add_reader, opened_engine

EDITION = "2021-2"
PUBLIC = {"editions", "media"}
"""What readers and web servers may see: the editions and their pictures."""


@pytest.fixture
def careless_umask() -> Iterator[None]:
    """The umask of most machines, whatever that of this one."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def find_readable(root: Path) -> list[str]:
    """What other users can read or enter below ``root``, apart from what is public."""
    return [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*"))
        if path.relative_to(root).parts[0] not in PUBLIC and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]


@pytest.mark.usefixtures("careless_umask")
def test_nothing_that_names_a_reader_is_for_other_users(tmp_path: Path) -> None:
    founder = Founder(**ANSWERS, sectors="Culture")
    root = create_workspace(tmp_path / "W", sample=False, now=datetime.now(UTC), founder=founder).root
    for name in ("outbox", "mailer.toml", "keys.toml", "mailer.db"):
        assert (root / name).exists()
    assert find_readable(root) == []
    (root / "outbox").rmdir()
    workspace = open_workspace(root, environ={})
    Draft(workspace.editions / EDITION)
    with opened_engine(workspace) as engine:
        add_reader(engine, workspace.keys, "mei@example.org", country="MN")
    environ = {"MAILER_SMTP__URL": "maildir:rehearsal", "MAILER_LOG__FILE": "news.log"}
    for words in (
        ("send", EDITION, "--segment", "country:MN"),
        ("send", EDITION, "--segment", "country:MN", "--confirm"),
        ("render", EDITION, "--for", "mei@example.org", "-o", f"{root}/one.html"),
        ("subscribers", "export", "-o", f"{root}/all.csv"),
        ("subscribers", "export", "--format", "xlsx", "-o", f"{root}/all.xlsx"),
        ("campaigns", "report", "1", "--csv", f"{root}/report.csv"),
        ("db", "backup", f"{root}/backup.db"),
        ("keys", "rotate"),
    ):
        result = CliRunner().invoke(mailer, ["-C", str(root), *words], env=environ)
        assert result.exit_code == 0, (words, result.stderr)
    written = {path.name for path in root.iterdir()}
    assert {"outbox", "rehearsal", "news.log", "one.html", "all.csv", "report.csv", "backup.db"} <= written
    assert find_readable(root) == []


@pytest.mark.usefixtures("careless_umask")
def test_the_messages_that_the_simulator_receives_and_returns_are_for_their_owner(tmp_path: Path) -> None:
    with (
        run_simulator(tmp_path / "received", return_path=to_maildir(tmp_path / "back")) as server,
        smtplib.SMTP("127.0.0.1", urlsplit(server.url).port or 0) as client,
    ):
        client.sendmail("a@example.org", ["bounce@simulator.example"], b"Subject: hello\r\n\r\nhello\r\n")
    assert len(list(tmp_path.glob("*/new/*"))) == 2
    assert find_readable(tmp_path) == []
