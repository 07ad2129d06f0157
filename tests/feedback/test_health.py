"""What `mailer doctor` says of the places where bounces and replies arrive."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailer.doctor import Diagnosis, diagnose_workspace
from mailer.doctor.diagnosis import Health
from mailer.doctor.feedback_checks import check_feedback, check_leaving_by_mail, check_return_path
from mailer.workspace import Workspace
from tests.factories.feedback import set_feedback
from tests.servers.imap_server import ImapServer, imap_server
from tests.servers.process import free_port


@pytest.fixture(scope="module")
def server() -> Iterator[ImapServer]:
    with imap_server() as running:
        yield running


def look(workspace: Workspace, **values: Any) -> Diagnosis:
    (finding,) = check_feedback(set_feedback(workspace, **values))
    return finding


def mailbox(server: ImapServer, **values: Any) -> dict[str, Any]:
    return {"imap": server.url, "password_file": server.password_file, **values}


def test_the_mailbox_is_asked_and_nothing_in_it_changes(workspace: Workspace, server: ImapServer) -> None:
    server.deliver(b"Subject: settled\r\n\r\n")
    finding = look(workspace, **mailbox(server))
    assert finding.verdict is Health.good
    assert "INBOX: logged in; 1 message in it; Processed and Quarantine will be created" in finding.message
    assert "new messages are seen at once" in finding.message
    assert server.read() == [b"Subject: settled\r\n\r\n"]
    assert not (server.maildir / ".Quarantine").exists()


def test_a_mailbox_that_people_use_is_named_as_such(workspace: Workspace, server: ImapServer) -> None:
    # By the setting, or because replies go to the mailbox anyway.
    sender = workspace.settings.sender.model_copy(update={"reply_to": "bounces@example.org"})
    object.__setattr__(workspace, "settings", workspace.settings.model_copy(update={"sender": sender}))
    assert "people use it, too" in look(workspace, **mailbox(server)).message


def test_a_login_that_is_refused_is_bad(workspace: Workspace, server: ImapServer, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong\n")
    finding = look(workspace, **mailbox(server, password_file=tmp_path / "password"))
    assert finding.verdict is Health.bad
    assert "refuses the login of bounces" in finding.message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"imap": "imap://bounces@127.0.0.1/INBOX"}, "No password is set for the mailbox."),
        (
            {"imap": "imap://bounces@127.0.0.1", "password_file": Path("missing")},
            "cannot be read or is empty",
        ),
        ({"maildir": Path("missing")}, "is not a Maildir that can be read and written"),
        ({"lmtp": "0.0.0.0:2424"}, "open to other machines"),
        ({"lmtp": "missing/lmtp"}, "does not exist, or cannot be written"),
    ],
)
def test_a_source_that_cannot_work_is_bad(workspace: Workspace, values: dict[str, Any], words: str) -> None:
    finding = look(workspace, **values)
    assert finding.verdict is Health.bad
    assert words in finding.message


def test_a_folder_that_is_not_there_and_a_server_that_is_not_there_are_bad(
    workspace: Workspace, server: ImapServer
) -> None:
    assert "has no folder Bounces" in look(workspace, **mailbox(server, imap=f"{server.url}/Bounces")).message
    away = mailbox(server, imap=f"imap://bounces@127.0.0.1:{free_port()}")
    assert "does not answer" in look(workspace, **away).message


def test_a_mailbox_that_can_only_be_read_is_doubtful(workspace: Workspace) -> None:
    with imap_server() as server:
        server.grant("lr")
        finding = look(workspace, **mailbox(server))
    assert finding.verdict is Health.doubtful
    assert "Give this user the right to move messages" in finding.message


def test_a_maildir_and_a_place_for_lmtp_are_good(workspace: Workspace) -> None:
    for name in ("new", "cur"):
        (workspace.root / "mail" / name).mkdir(parents=True)
    assert look(workspace, maildir=Path("mail")).message.endswith("mail: 0 messages in it")
    for place in ("127.0.0.1:2424", "run/lmtp", str(workspace.root / "lmtp")):
        assert look(workspace, lmtp=place).verdict is Health.good


def test_bounces_that_nobody_reads_are_doubtful(workspace: Workspace) -> None:
    finding = look(workspace, bounce_address="bounce@news.example.org")
    assert finding.verdict is Health.doubtful
    assert "Set [feedback] imap, maildir or lmtp" in finding.message


def test_without_a_word_about_it_there_is_nothing_to_say(workspace: Workspace) -> None:
    assert list(check_feedback(workspace)) == []


def test_the_doctor_passes_it_on(workspace: Workspace) -> None:
    findings = diagnose_workspace(set_feedback(workspace, bounce_address="bounce@news.example.org"))
    found: list[Diagnosis] = [finding for finding in findings if finding.subject == "feedback"]
    assert [finding.verdict.value for finding in found] == ["doubtful"]


OURS = "bounce@news.example.org"


@pytest.mark.parametrize(
    ("values", "verdict", "words"),
    [
        ({}, "doubtful", "bounces go to old@example.org, and nobody knows whose they are"),
        ({"bounce_address": OURS}, "good", "a newsletter's bounce comes back to bounce+…@news.example.org"),
        ({"bounce_address": OURS}, "good", "old@example.org ([sender] bounces_to) counts only for tests"),
        ({"bounce_address": OURS}, "good", "news.example.org needs an MX record, and an SPF record"),
        ({"bounce_address": "b@example.com"}, "doubtful", "only DKIM makes DMARC pass"),
        ({"bounce_address": "b@notexample.org"}, "doubtful", "only DKIM makes DMARC pass"),
    ],
)
def test_where_bounces_go_is_told_with_what_their_address_needs(
    workspace: Workspace, values: dict[str, str], verdict: str, words: str
) -> None:
    sender = workspace.settings.sender.model_copy(update={"bounces_to": "old@example.org"})
    settings = set_feedback(workspace, **values).settings.model_copy(update={"sender": sender})
    finding = check_return_path(settings)
    assert finding.verdict.value == verdict
    assert words in finding.message


@pytest.mark.parametrize(
    ("values", "verdict", "words"),
    [
        ({}, "good", "set [feedback] leave_address"),
        ({"leave_address": "leave@x.example"}, "doubtful", "they would stay on the list"),
        ({"leave_address": "leave@x.example", "lmtp": "127.0.0.1:2424"}, "good", "leave+…@x.example unsub"),
    ],
)
def test_an_address_to_leave_at_is_only_good_where_its_mail_is_read(
    workspace: Workspace, values: dict[str, str], verdict: str, words: str
) -> None:
    finding = check_leaving_by_mail(set_feedback(workspace, **values).settings)
    assert finding.verdict.value == verdict
    assert words in finding.message
