"""A rehearsal has the workspace's settings and editions, and nothing by which it could reach anybody."""

import tomllib
from datetime import datetime
from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from mailer.cli import mailer
from mailer.database.engine import open_session
from mailer.errors import MailerError
from mailer.feedback.simulator import simulation
from mailer.feedback.simulator.rehearsal import format_toml, open_rehearsal
from mailer.feedback.simulator.returned_mails import SimulatedRecipient
from mailer.workspace import Workspace, open_workspace
from subscribers.models import Subscriber
from tests.conftest import SETTINGS

REAL = """
[smtp]
url = "smtps://news@relay.example.org"

[[smtp.relays]]
name = "second"
url = "smtp://other.example.org"

[smtp.warm_up]
since = 2026-01-01

[database]
url = "postgresql://db.example.org/news"

[web]
base_url = "https://news.example.org"
metrics = "127.0.0.1:9464"

[log]
file = "/var/log/mailer.log"

[feedback]
bounce_address = "returns@lists.example.org"
imap = "imaps://returns@mail.example.org/INBOX"
soft_bounces = 3

[sector_names.fr]
education = "Éducation"
"""


@pytest.fixture
def real(workspace: Workspace) -> Workspace:
    (workspace.root / "mailer.toml").write_text(SETTINGS + REAL)
    (workspace.root / "editions" / "2026-1").mkdir(parents=True)
    return open_workspace(workspace.root, environ={})


@pytest.fixture
def rehearsal(real: Workspace, tmp_path: Path, now: datetime) -> Workspace:
    return open_rehearsal(real, tmp_path / "rehearsal", port=2525, now=now)


def test_it_has_the_settings_but_no_relay_database_mailbox_or_log(rehearsal: Workspace) -> None:
    settings = rehearsal.settings
    assert (settings.smtp.url, settings.smtp.relays) == ("smtp://127.0.0.1:2525", ())
    assert settings.database.url.startswith("sqlite:")
    assert (settings.log.file, settings.web.metrics, settings.feedback.imap) == (None, "", "")
    assert settings.feedback.maildir == Path("came-back")
    assert settings.feedback.bounce_address == "returns@lists.example.org"
    assert (settings.feedback.leave_address, settings.feedback.soft_bounces) == ("leave@example.org", 3)
    assert settings.web.base_url == "https://news.example.org"
    assert settings.sector_names == {"fr": {"education": "Éducation"}}


def test_the_command_looks_at_the_database_of_the_rehearsal_whatever_the_environment_names(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILER_DATABASE__URL", f"sqlite:///{tmp_path / 'without-tables.db'}")
    reached = Mock(side_effect=MailerError("The server starts."))
    monkeypatch.setattr(simulation, "simulate", reached)
    words = ["-C", str(workspace.root), "simulator", "--rehearsal", str(tmp_path / "rehearsal")]
    assert "The server starts." in CliRunner().invoke(mailer, words).output
    assert not (tmp_path / "without-tables.db").exists()


def test_it_has_the_editions_and_other_keys(rehearsal: Workspace, real: Workspace) -> None:
    assert rehearsal.edition_folder("2026-1").is_dir()
    assert rehearsal.keys.suppression != real.keys.suppression


def test_its_readers_are_the_simulated_ones(rehearsal: Workspace) -> None:
    engine = rehearsal.open_database()
    with open_session(engine, read_only=True) as session:
        emails = {person.email for person in session.exec(select(Subscriber))}
    engine.dispose()
    assert emails == {recipient.address for recipient in SimulatedRecipient}


def test_opened_again_it_keeps_its_list_and_takes_changed_settings(
    rehearsal: Workspace, real: Workspace, now: datetime
) -> None:
    (real.root / "mailer.toml").write_text(SETTINGS)
    again = open_rehearsal(real, rehearsal.root, port=2526, now=now)
    assert again.settings.smtp.url == "smtp://127.0.0.1:2526"
    assert again.settings.feedback.bounce_address == "bounce@example.org"
    assert again.keys.suppression == rehearsal.keys.suppression


def test_another_folder_is_left_alone(real: Workspace, tmp_path: Path, now: datetime) -> None:
    with pytest.raises(MailerError, match="not a rehearsal"):
        open_rehearsal(real, real.root / "editions", port=2525, now=now)


VALUES = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"]))
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda number: round(number, 3))
    | st.dates()
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc-é ", min_size=1), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    st.dictionaries(
        st.text("abc", min_size=1), st.dictionaries(st.text("ab-é"), VALUES, max_size=3), max_size=3
    )
)
def test_settings_are_written_as_they_were_read(tables: dict[str, dict[str, object]]) -> None:
    assert tomllib.loads(format_toml(tables)) == tables
