"""`mailer send --test` as a person meets it, and the whole way from a draft to a launch with an approval."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from tests.factories.small_edition import SLUG, add_people, write_edition, write_second_story
from tests.servers.scripted_smtp import ScriptedServer, answering

QUERY = "country:MN,CN"
TEST = {"by", "at", "addresses", "holds", "changes"}


@pytest.fixture
def root(either_workspace: Workspace) -> Path:
    """A workspace whose database is SQLite or PostgreSQL."""
    write_edition(either_workspace.editions)
    engine = either_workspace.open_database()
    add_people(engine)
    engine.dispose()
    file, url = either_workspace.root / "mailer.toml", either_workspace.settings.database.url
    own = f'[campaigns]\ntest_readers = ["team@office.example"]\n[database]\nurl = "{url}"\n'
    file.write_text(f"{file.read_text()}\n{own}", encoding="utf-8")
    return either_workspace.root


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


def run(root: Path, server: ScriptedServer, *words: str, **environ: str) -> Result:
    environ = {"MAILER_SMTP__URL": server.url, "LOGNAME": "mei", **environ}
    return CliRunner().invoke(mailer, ["-C", str(root), *words], env=environ)


def test_it_says_what_was_sent_to_whom_over_which_relay_and_what_the_relay_replied(
    root: Path, server: ScriptedServer
) -> None:
    server.script = answering(("RCPT", "gone@", "550 5.1.1 No such user"), ("RCPT", "slow@", "451 Not now"))
    names = ("me@office.example", "gone@office.example", "slow@office.example")
    done = run(root, server, "send", SLUG, "--test", *names)
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0] == "[Test] News from the field (en, 1 story; as an unnamed reader gets it)"
    assert lines[1].split() == ["me@office.example", "sent", "relay", "main", *lines[1].split()[4:]]
    assert lines[1].split()[4] == "250"
    assert lines[2].split()[:5] == ["gone@office.example", "rejected", "relay", "main", "550"]
    assert lines[3].split()[:5] == ["slow@office.example", "deferred", "relay", "main", "451"]
    assert lines[4] == "1 of 3 sent."
    assert "give the command again in a few minutes" in done.stderr
    assert "which works on this machine only" in done.stderr
    assert "its links change nothing" in done.stderr
    again = run(root, server, "send", SLUG, "--test", "me@office.example", "--json")
    assert again.exit_code == 0
    found = json.loads(again.stdout)
    assert found.keys() == {"edition", "as", "variant", "subject", "language", "stories", "tests"}
    (result,) = found["tests"]
    assert (result["address"], result["result"], result["relay"]) == ("me@office.example", "sent", "main")


def test_without_an_address_it_goes_to_the_usual_people(root: Path, server: ScriptedServer) -> None:
    words = ("send", SLUG, "--test", "--as", "li@example.org")
    assert "as li@example.org gets it" in run(root, server, *words).stdout
    assert server.recipients == ["team@office.example"]


def test_the_preview_lists_the_versions_by_the_numbers_that_a_test_takes(
    root: Path, server: ScriptedServer
) -> None:
    write_second_story(root / "editions" / SLUG, personalise="filter")
    listed = run(root, server, "send", SLUG, "--segment", "all").stdout
    assert "  version 2   " in listed
    tested = run(root, server, "send", SLUG, "--test", "--segment", "all", "--variant", "2")
    assert "version 2)" in tested.stdout
    wrong = run(root, server, "send", SLUG, "--test", "--variant", "99")
    assert wrong.exit_code == 1
    assert "versions for everyone" in wrong.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--test", "--confirm"], "--confirm has no meaning with --test"),
        (["--test", "--at", "2026-12-01T09:00"], "--at has no meaning with --test"),
        (["--test", "--as", "a@example.org", "--variant", "1"], "Give --as or --variant"),
        (["me@office.example", "--segment", "all"], "An address is for a test: add --test."),
        (["--segment", "all", "--variant", "2"], "--variant is for a test: add --test."),
        ([], "Missing option '--segment'"),
    ],
)
def test_what_does_not_go_together_is_a_mistyped_command(
    workspace: Workspace, words: list[str], said: str
) -> None:
    done = CliRunner().invoke(mailer, ["-C", str(workspace.root), "send", SLUG, *words])
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_whole_way_from_a_draft_through_test_and_approval_to_the_launch(
    root: Path, server: ScriptedServer
) -> None:
    strict = {"MAILER_CAMPAIGNS__APPROVAL": "required", "MAILER_CAMPAIGNS__REQUIRE_TEST": "true"}
    sending = ("send", SLUG, "--segment", QUERY)

    def step(*words: str, code: int = 0) -> Result:
        done = run(root, server, *words, **strict)
        assert done.exit_code == code, done.stderr
        return done

    preview = step(*sending)
    assert "  not tested yet" in preview.stdout
    assert f"send {SLUG} --test ADDRESS" in preview.stderr
    assert "campaigns approve" in step(*sending, "--confirm", code=1).stderr
    approve = ("campaigns", "approve", SLUG, "--segment", QUERY, "--as", "Director")
    step("send", SLUG, "--test", "--by", "Mei Lin")
    shown = step("campaigns", "show", "1").stdout
    assert re.search(r"^tested by Mei Lin, .* \(to team@office\.example\)$", shown, re.MULTILINE)
    assert "not chosen yet" in shown
    listed = json.loads(step("campaigns", "list", "--json").stdout)
    assert [(one["state"], one["audience"], one["test"].keys()) for one in listed] == [("tested", 0, TEST)]
    assert "tested by Mei Lin, " in step(*sending).stdout
    write_edition(root / "editions", subject="One more word")
    changed = step("campaigns", "show", "1").stdout
    assert "changed since: the subject (en)" in changed
    assert f"not tested yet: mailer -C {root} send {SLUG} --test" in changed
    assert "draft" in step("campaigns", "list").stdout
    step(*approve)
    assert "as it is now was not tested" in step(*sending, "--confirm", code=1).stderr
    step("send", SLUG, "--test")
    approved = json.loads(step("campaigns", "show", "1", "--json").stdout)
    assert (approved["state"], approved["test"]["by"], approved["approval"]["holds"]) == (
        "approved",
        "mei",
        True,
    )
    launched = step(*sending, "--confirm")
    assert "Campaign 1, 2 readers: 2 sent" in launched.stdout
    assert server.recipients == [
        "team@office.example",
        "team@office.example",
        "bat@example.org",
        "li@example.org",
    ]
    row = step("campaigns", "list").stdout.splitlines()[1]
    assert row.split()[-2:] == ["mei", "Director"]
