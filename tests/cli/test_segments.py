"""Segments as a person types them."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from tests.factories.sample_workspace import create_sample_workspace

EDITION = "unesco-beijing-2021-2"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the sample edition and partners, to be copied."""
    return create_sample_workspace(tmp_path_factory.mktemp("sample") / "W").root


@pytest.fixture
def root(sample: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample, tmp_path / "W"))


def run(root: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(mailer, ["-C", str(root), *words])
    assert result.exit_code == code, result.output
    return result


def test_a_segment_is_saved_shown_used_and_deleted(root: Path) -> None:
    assert "There are no saved segments yet" in run(root, "segments", "list").stderr
    saved = run(root, "segments", "save", "East", "country:MN,CN or tag:press")
    assert "Saved segment:east: partners in Mongolia or China, or partners who" in saved.stderr
    (listed,) = json.loads(run(root, "segments", "list", "--json").stdout)
    assert (listed["name"], listed["count"], listed["fault"]) == ("east", 33, "")
    assert run(root, "subscribers", "count", "--segment", "segment:east").stdout == "33\n"
    assert "country:MN,CN or tag:press" in run(root, "segments", "show", "east").stdout
    changed = run(root, "segments", "save", "east", "country:MN")
    assert "east was: country:MN,CN or tag:press" in changed.stderr
    assert "It was: country:MN" in run(root, "segments", "delete", "east").stderr
    assert "No segment is saved" in run(root, "segments", "show", "east", code=1).stderr


@pytest.mark.parametrize("query", ["-tag:ethics", "-(tag:hearing or tag:h)", "-language:zh -h:x"])
def test_a_query_may_begin_with_a_hyphen(root: Path, query: str) -> None:
    code = 1 if "-h:x" in query else 0
    result = run(root, "segments", "explain", query, code=code)
    assert "Usage" not in result.output
    if code == 0:
        run(root, "segments", "save", "without", query)
        assert json.loads(run(root, "segments", "show", "without", "--json").stdout)["segment"] == query
    else:
        assert query in result.stderr


def test_a_segment_is_said_in_words_wherever_one_is_given(root: Path) -> None:
    words = "active partners in Mongolia or China who follow Education"
    query = "status:active country:MN,CN sector:education"
    explained = run(root, "segments", "explain", query)
    assert explained.stdout == f"{words}\n"
    assert explained.stderr == "13 on the list; 13 of them would get mail today.\n"
    counted = run(root, "subscribers", "count", "--segment", query)
    assert (counted.stdout, counted.stderr) == ("13\n", f"subscribers: {words}.\n")
    assert run(root, "subscribers", "list", "--segment", query).stderr == f"13 subscribers: {words}.\n"
    assert f"in words    {words}\n" in run(root, "send", EDITION, "--segment", query).stdout
    plan = json.loads(run(root, "send", EDITION, "--segment", query, "--json").stdout)
    assert plan["segment_in_words"] == words


def test_a_plan_and_its_campaign_keep_what_a_name_meant(root: Path) -> None:
    run(root, "segments", "save", "east", "country:MN or country:CN")
    plan = json.loads(run(root, "send", EDITION, "--segment", "segment:east language:zh", "--json").stdout)
    assert plan["segment"] == "(country:MN or country:CN) language:zh"
    run(root, "send", EDITION, "--segment", "segment:east", "--confirm", "--at", "2099-01-01T09:00Z")
    run(root, "segments", "save", "east", "country:JP")
    run(root, "segments", "delete", "east")
    assert "country:MN or country:CN" in run(root, "campaigns", "list").stdout


def test_a_segment_is_renamed_and_says_where_it_is_used(root: Path) -> None:
    run(root, "segments", "save", "east", "country:MN,CN")
    run(root, "segments", "save", "teachers", "segment:east sector:education")
    run(root, "send", EDITION, "--segment", "segment:east", "--confirm", "--at", "2099-01-01T09:00Z")
    renamed = run(root, "segments", "rename", "east", "east-asia")
    assert "east is now called east-asia: country:MN,CN" in renamed.stderr
    shown = run(root, "segments", "show", "east-asia").stdout
    assert "teachers" in shown
    assert f"{EDITION} (campaign 1, scheduled)" in shown
    facts = json.loads(run(root, "segments", "show", "east-asia", "--json").stdout)
    assert facts["segments"] == ["teachers"]
    assert facts["campaigns"] == [
        {"id": 1, "edition": EDITION, "state": "scheduled", "at": "2099-01-01T09:00:00Z"}
    ]
    assert "segment:east-asia sector:education" in run(root, "segments", "list").stdout


def test_an_edition_with_a_campaign_can_be_asked_for_and_no_other(root: Path) -> None:
    assert "No campaign has been created yet." in run(root, "segments", "explain", "got:x", code=1).stderr
    run(root, "send", EDITION, "--segment", "all", "--confirm", "--at", "2099-01-01T09:00Z")
    assert run(root, "subscribers", "count", "--segment", f"got:{EDITION}").stdout == "0\n"
    assert run(root, "subscribers", "count", "--segment", f"-got:{EDITION}").stdout == "60\n"
    mistyped = run(root, "segments", "explain", "-got:unesco-beijing-2021", code=1)
    assert f"Did you mean {EDITION}?" in mistyped.stderr


def test_a_mistake_is_shown_with_its_place(root: Path) -> None:
    result = run(root, "segments", "explain", "country:MN (sector:education or tga:x)", code=1)
    assert result.stderr.splitlines()[1:3] == [
        "  country:MN (sector:education or tga:x)",
        "                                  ^",
    ]


def test_a_saved_segment_that_cannot_be_read_any_more_is_listed_with_its_fault(root: Path) -> None:
    run(root, "segments", "save", "teachers", "sector:education")
    settings = (root / "mailer.toml").read_text(encoding="utf-8")
    (root / "mailer.toml").write_text(settings.replace("education =", "learning ="), encoding="utf-8")
    listed = run(root, "segments", "list")
    assert "sector:education" in listed.stdout
    assert "teachers: The segment cannot be understood" in listed.stderr
    assert 'no sector "education"' in run(root, "segments", "show", "teachers").stderr


def test_an_audience_is_counted_by_country_and_sector(root: Path) -> None:
    told = run(root, "subscribers", "audience")
    head, *_, total = [line.split() for line in told.stdout.splitlines() if line.strip()]
    assert head[0] == "country"
    assert (head[-1], total[0], total[-1]) == ("people", "all", "60")
    assert "People who follow several sectors are counted in each." in told.stderr
    counted = json.loads(run(root, "subscribers", "audience", "--segment", "country:MN,CN", "--json").stdout)
    assert [row["country"] for row in counted["countries"]] == ["CN", "MN"]
    assert counted["total"]["people"] == sum(row["people"] for row in counted["countries"]) == 31
    assert counted["total"]["sectors"]["education"] == 13


def test_an_audience_is_those_who_get_mail_unless_the_segment_asks_about_status(root: Path) -> None:
    (address,) = [
        person["email"]
        for person in json.loads(run(root, "subscribers", "list", "--json").stdout)
        if person["email"] == "news.desk@example.com"
    ]
    run(root, "subscribers", "suppress", address)
    people = {
        query: json.loads(run(root, "subscribers", "audience", "--segment", query, "--json").stdout)["total"]
        for query in ("all", "status:unsubscribed", "status:active,unsubscribed")
    }
    assert [total["people"] for total in people.values()] == [59, 1, 60]


def test_two_audiences_are_compared(root: Path) -> None:
    words = ("segments", "compare", "country:MN,CN", "-tag:press country:MN")
    told = run(root, *words)
    assert "in both" in told.stdout
    assert "are not in Mongolia" in told.stdout
    assert "After: partners in Mongolia who are not tagged “press”." in told.stderr
    counted = json.loads(run(root, *words, "--json").stdout)
    assert counted["before"]["count"] == counted["both"] + counted["gone"]["count"] == 31
    assert counted["after"]["count"] == counted["both"] + counted["new"]["count"]
    head, *rows = run(root, *words, "--csv").stdout.splitlines()
    assert head == "change,reason,email,name,organisation,country"
    assert len(rows) == len(counted["people"]) == counted["new"]["count"] + counted["gone"]["count"]
    assert run(root, *words, "--csv", "--json", code=2).stdout == ""
