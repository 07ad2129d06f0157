"""`mailer feedback receive`: one message from a pipe, and the exit codes that a mail server acts on."""

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from subscribers.tokens import LinkPurpose
from tests.factories.feedback import add_sent_campaign, read_messages, read_statuses, sign

OTHER = b"From: a@example.com\r\nSubject: Hello\r\n\r\nWords.\r\n"


def pipe(workspace: Workspace, message: bytes, *words: str, **environ: str) -> Result:
    command = ["-C", str(workspace.root), "feedback", "receive", *words]
    return CliRunner().invoke(mailer, command, input=message, env=environ)


@pytest.mark.parametrize("is_option", [True, False])
def test_the_envelope_says_who_leaves_whatever_the_message_says(
    workspace: Workspace, is_option: bool
) -> None:
    engine = workspace.open_database(durable=False)
    campaign = add_sent_campaign(engine, 2, at=datetime.now(UTC))
    address = f"leave+{sign(workspace, 1, campaign, LinkPurpose.leave)}@news.example.org"
    words = ["--recipient", address, "--sender", ""] if is_option else []
    environ = {} if is_option else {"RECIPIENT": address, "SENDER": "a@example.com"}
    result = pipe(workspace, OTHER, *words, **environ)
    assert (result.exit_code, result.stderr) == (0, "Recorded.\n")
    assert read_statuses(engine) == {1: "unsubscribed", 2: "active"}
    # The mail server tries again if it did not hear of it: the message counts once.
    assert pipe(workspace, OTHER, *words, **environ).exit_code == 0
    assert len(read_messages(engine)) == 1
    engine.dispose()


def test_what_is_not_understood_is_kept_for_a_person(workspace: Workspace) -> None:
    result = pipe(workspace, b"\x00\xff\xfe")
    assert (result.exit_code, result.stderr) == (0, "Recorded. A person should look at it.\n")


def test_what_is_no_message_goes_back(workspace: Workspace) -> None:
    assert pipe(workspace, b" \r\n").exit_code == 65


@pytest.mark.parametrize("fault", ["database", "settings", "workspace"])
def test_whatever_is_wrong_here_the_message_stays_with_the_mail_server(
    workspace: Workspace, fault: str
) -> None:
    if fault == "database":
        (workspace.root / "mailer.db").write_bytes(b"not a database" * 1000)
    elif fault == "settings":
        (workspace.root / "mailer.toml").write_text("[feedback]\nnonsense = 1\n")
    else:
        (workspace.root / "keys.toml").unlink()
    result = pipe(workspace, OTHER)
    assert result.exit_code == 75
    assert "keep it and try again" in result.stderr
