"""Changing one person by command: what is printed, recorded and refused, on both databases."""

import json
import re

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace

MEI = "mei@example.org"


def run(workspace: Workspace, *words: str) -> Result:
    environ = {"MAILER_DATABASE__URL": workspace.settings.database.url, "LOGNAME": "bat"}
    return CliRunner().invoke(mailer, ["-C", str(workspace.root), "subscribers", *words], env=environ)


def read(workspace: Workspace, *words: str) -> dict[str, object]:
    result = run(workspace, *words, "--json")
    assert result.exit_code == 0, result.output
    known: dict[str, object] = json.loads(result.stdout)
    return known


def test_one_person_is_added_changed_tagged_paused_and_unsubscribed(either_workspace: Workspace) -> None:
    details = ("--name", "Mei Lin", "--country", "CN", "--sectors", "education, Culture", "--tags", "old")
    added = read(either_workspace, "add", MEI, *details, "--basis", "asked at the forum")
    assert added.items() >= {"name": "Mei Lin", "sectors": ["culture", "education"], "tags": ["old"]}.items()
    assert read(either_workspace, "edit", MEI, "--organisation", "Desk")["organisation"] == "Desk"
    tagged = read(either_workspace, "tag", MEI, "+press", "-old", "--add", "hotel", "--by", "Li")
    assert tagged["tags"] == ["hotel", "press"]
    assert read(either_workspace, "tag", MEI, "-hotel")["tags"] == ["press"]
    assert read(either_workspace, "pause", MEI, "--until", "2999-12-01")["paused_until"] == "2999-12-01"
    assert read(either_workspace, "pause", MEI, "--end")["status"] == "active"
    left = read(either_workspace, "unsubscribe", MEI, "--reason", "by telephone")
    assert left["status"] == "unsubscribed"
    records = left["consent"]
    assert isinstance(records, list)
    assert [record["event"] for record in records] == [
        "imported",
        *["updated"] * 3,
        "paused",
        "resumed",
        "unsubscribed",
    ]
    assert {record["method"] for record in records} == {"command line"}
    assert [record["source"] for record in records] == ["by bat"] * 2 + ["by Li"] + ["by bat"] * 4
    assert records[-1]["evidence"] == "by telephone"
    assert records[0]["basis"] == "asked at the forum"


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (("add", "mei"), 1, "not an address"),
        (("add", MEI, "--country", "Mongoria"), 1, "not a country we know"),
        (("edit", "nobody@example.org", "--name", "N"), 1, "There is no subscriber nobody@example.org"),
        (("edit", MEI), 2, "at least one detail"),
        (("tag", MEI), 2, "such as +press or -old"),
        (("pause", MEI), 2, "--until"),
        (("pause", MEI, "--until", "soon"), 2, "soon"),
        (("add", MEI, "--by", " "), 1, "give the name of whoever"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(
    workspace: Workspace, words: tuple[str, ...], code: int, complaint: str
) -> None:
    result = run(workspace, *words)
    assert result.exit_code == code
    assert complaint in re.sub(r"\s+", " ", result.stderr)
    assert run(workspace, "count").stdout == "0\n"


def test_an_address_that_must_not_get_mail_is_refused_with_the_command_that_helps(
    workspace: Workspace,
) -> None:
    run(workspace, "suppress", MEI)
    refused = run(workspace, "add", MEI)
    assert refused.exit_code == 1
    assert f"mailer subscribers unsuppress {MEI} --reason TEXT" in refused.stderr
    assert "No basis is recorded" in run(workspace, "add", "li@example.org").stderr
    again = run(workspace, "add", "li@example.org")
    assert again.exit_code == 1
    assert "li@example.org is on the list already, as active" in again.stderr


def test_two_addresses_of_one_person_are_shown_and_then_merged(either_workspace: Workspace) -> None:
    other = "m.lin@example.com"
    read(either_workspace, "add", MEI, "--name", "Mei Lin", "--sectors", "education")
    read(either_workspace, "add", other, "--name", "M. Lin", "--country", "CN")
    shown = run(either_workspace, "merge", MEI, other)
    assert (shown.exit_code, "Add --apply to do it" in shown.output) == (0, True)
    assert read(either_workspace, "show", other)["status"] == "active"
    planned = read(either_workspace, "merge", MEI, other)
    done = read(either_workspace, "merge", MEI, other, "--apply", "--reason", "said so")
    assert (planned.pop("done"), done.pop("done")) == (False, True)
    assert planned.pop("at") <= done.pop("at")  # type: ignore[operator]
    assert planned == done
    kept = read(either_workspace, "show", MEI)
    assert kept.items() >= {"name": "Mei Lin", "country": "CN", "sectors": ["education"]}.items()
    assert read(either_workspace, "show", other).items() >= {"status": "merged", "merged_into": MEI}.items()
    again = run(either_workspace, "merge", MEI, other, "--apply")
    assert (again.exit_code, "was merged before" in again.output) == (1, True)
    unknown = run(either_workspace, "merge", MEI, other, "--take", "shoes")
    assert "Choose from: name, organisation" in unknown.output
