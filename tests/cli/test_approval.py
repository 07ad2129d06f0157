"""Approval as a person meets it: the command, and what the list, the preview and a refused launch tell."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from tests.factories.small_edition import SLUG, add_people, write_edition

SENDING = ("send", SLUG, "--segment", "country:MN,CN")
COMMAND = "mailer campaigns approve 2026-1 --segment country:MN,CN --as NAME"
APPROVAL = {"campaign_id", "by", "at", "holds", "changes"}


@pytest.fixture
def root(workspace: Workspace) -> Path:
    write_edition(workspace.editions)
    engine = workspace.open_database()
    add_people(engine)
    engine.dispose()
    file = workspace.root / "mailer.toml"
    file.write_text(f'{file.read_text()}\n[campaigns]\napproval = "required"\n', encoding="utf-8")
    return workspace.root


def run(root: Path, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), *words], env=environ)


def approve(root: Path, *words: str) -> Result:
    named = ("--segment", "country:MN,CN", "--as", "Director")
    return run(root, "campaigns", "approve", SLUG, *named, *words)


def read(root: Path, *words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(root, *words, "--json").stdout)
    return found


def test_the_whole_way(root: Path) -> None:
    refused = run(root, *SENDING, "--confirm", "--detach")
    assert refused.exit_code == 1
    assert f"`{COMMAND}`" in refused.stderr
    assert json.loads(run(root, "campaigns", "list", "--json").stdout) == []
    approved = approve(root)
    assert approved.exit_code == 0
    assert "To country:MN,CN: 2 readers." in approved.stdout
    assert "Campaign 1: approved by Director" in approved.stdout
    assert "send 2026-1 --segment country:MN,CN --confirm" in approved.stderr
    sent = run(root, *SENDING, "--confirm", "--detach", "--json")
    assert (sent.exit_code, json.loads(sent.stdout)["id"]) == (0, 1)
    shown = read(root, "campaigns", "show", "1")
    assert (shown["state"], shown["audience"], shown["queued"]) == ("sending", 2, 2)


def test_list_and_show_tell_it_until_it_is_void_and_then_why(root: Path) -> None:
    approve(root)
    assert "approved by Director" in run(root, "campaigns", "show", "1").stdout
    assert run(root, "campaigns", "list").stdout.splitlines()[1].endswith("Director")
    write_edition(root / "editions", subject="One more word")
    reason = "changed since: the subject (en)"
    assert f"no longer valid, {reason}" in run(root, "campaigns", "show", "1").stdout
    assert f"Director; no longer valid, {reason}" in run(root, "campaigns", "list").stdout
    (listed,) = json.loads(run(root, "campaigns", "list", "--json").stdout)
    assert listed["approval"].keys() == APPROVAL
    assert (listed["approval"]["holds"], listed["approval"]["changes"]) == (False, ["the subject (en)"])
    refused = run(root, *SENDING, "--confirm")
    assert refused.exit_code == 1
    assert f"Changed since: the subject (en). Read the changes, then approve it again with `{COMMAND}`." in (
        refused.stderr
    )


def test_the_preview_tells_it(root: Path) -> None:
    before = run(root, *SENDING)
    assert "not approved" in before.stdout
    assert f"It must be approved before it can be sent: `{COMMAND}`." in before.stderr
    assert read(root, *SENDING)["approval"] is None
    approve(root)
    after = run(root, *SENDING)
    assert "approved by Director" in after.stdout
    assert "It is not sent before" not in after.stderr
    found = read(root, *SENDING)["approval"]
    assert isinstance(found, dict)
    assert (found["by"], found["holds"]) == ("Director", True)


def test_what_was_never_approved_says_so_to_programs(root: Path) -> None:
    run(root, *SENDING, "--confirm", "--detach", MAILER_CAMPAIGNS__APPROVAL="optional")
    assert read(root, "campaigns", "show", "1")["approval"] is None
    assert "approved" not in run(root, "campaigns", "show", "1").stdout


def test_the_answer_for_programs_is_that_of_show(root: Path) -> None:
    found = json.loads(approve(root, "--json").stdout)
    assert found == read(root, "campaigns", "show", "1")
    assert (found["id"], found["state"]) == (1, "approved")


def test_check_errors_refuse_an_approval_as_they_do_a_launch(root: Path) -> None:
    (root / "editions" / SLUG / "edition.md").write_text("---\ntitle: only a title\n---\n")
    refused = approve(root)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"mailer check {SLUG}" in refused.stderr


def test_another_person_is_asked_for_by_name(root: Path) -> None:
    another = {"MAILER_CAMPAIGNS__APPROVAL_BY": "another", "LOGNAME": "director"}
    edition = root / "editions" / SLUG / "edition.md"
    edition.write_text(
        edition.read_text(encoding="utf-8").replace("language: en", "language: en\nauthors: Mei")
    )
    words = ("campaigns", "approve", SLUG, "--segment", "country:MN,CN", "--as")
    refused = run(root, *words, "Mei", **another)
    assert refused.exit_code == 1
    assert "Mei is an author of 2026-1" in refused.stderr
    run(root, *words, "Director", **another)
    # Whoever gives the command launches it, unless it says who does.
    launched = run(root, *SENDING, "--confirm", "--detach", **another)
    assert launched.exit_code == 1
    assert "approved by Director, who is also launching it" in launched.stderr
    assert run(root, *SENDING, "--confirm", "--detach", "--by", "Mei", **another).exit_code == 0


def test_an_approval_names_a_person(root: Path) -> None:
    assert run(root, "campaigns", "approve", SLUG, "--segment", "all").exit_code == 2
