"""``mailer correct`` as a person meets it: the preview, the sending, and what the lists say afterwards."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mailer.cli import mailer
from mailer.workspace import Workspace
from tests.factories.correction_notes import WAS, write_note
from tests.factories.small_edition import SLUG, add_people, write_edition
from tests.servers.smtp_sink import smtp_sink

STORY = f"{SLUG}/teachers"


@pytest.fixture
def root(workspace: Workspace) -> Path:
    write_edition(workspace.editions)
    engine = workspace.open_database()
    add_people(engine)
    engine.dispose()
    write_note(workspace.root / "notes")
    return workspace.root


def run(root: Path, *words: str, **environ: str) -> Result:
    return CliRunner().invoke(mailer, ["-C", str(root), *words], env=environ)


def correct(root: Path, *words: str, **environ: str) -> Result:
    return run(
        root, "correct", SLUG, "teachers", "--note", str(root / "notes" / "teachers.md"), *words, **environ
    )


def test_the_whole_way(root: Path) -> None:
    with smtp_sink() as sink:
        url = {"MAILER_SMTP__URL": sink.url}
        assert run(root, "send", SLUG, "--segment", "country:MN,CN", "--confirm", **url).exit_code == 0
        preview = correct(root)
        assert preview.exit_code == 0
        for words in (
            f"Correction 1 of {SLUG}, to those who were sent the story teachers.",
            "  campaign 1: 2 readers",
            "Partner News: Correction: Teachers meet in Ulaanbaatar",
            f"partners who got the story teachers of edition {SLUG}",
            "by language  en 1, zh 1",
            f"{SLUG}~correction-1.en.eml",
        ):
            assert words in preview.stdout
        assert "nothing left this machine. Add --confirm to send." in preview.stderr
        assert run(root, "corrections", SLUG).stderr == f"No story of {SLUG} has been corrected.\n"
        sent = correct(root, "--confirm", **url)
        assert sent.exit_code == 0
        assert "Campaign 2, 2 readers: 2 sent; nothing is open." in sent.stdout
        again = correct(root, "--confirm", **url)
    assert again.exit_code == 1
    assert "2 already have this correction" in again.stderr
    assert f"correction of {STORY}" in run(root, "campaigns", "list").stdout
    assert f"correction of {STORY}" in run(root, "campaigns", "show", "2").stdout
    listed = run(root, "corrections", SLUG).stdout
    for words in (
        "Correction 1, 2026-03-05: teachers",
        f"was        {WAS}",
        "languages  en, zh",
        "campaigns  2",
    ):
        assert words in listed
    (found,) = json.loads(run(root, "corrections", SLUG, "--json").stdout)
    assert (found["story"], found["campaigns"], found["texts"]["zh"]["is"]) == (
        "teachers",
        [2],
        "八十名教师参加了会面。",
    )
    exported = json.loads(run(root, "subscribers", "data", "bat@example.org").stdout)
    assert f'"{SLUG}~correction-1"' in json.dumps(exported)
    shown = run(root, "subscribers", "list", "--segment", f"got:{STORY}").stdout
    assert ("bat@example.org" in shown, "kim@example.org" in shown) == (True, False)


def test_the_plan_is_json_for_scripts(root: Path) -> None:
    with smtp_sink() as sink:
        run(root, "send", SLUG, "--segment", "country:MN", "--confirm", MAILER_SMTP__URL=sink.url)
    plan = json.loads(correct(root, "--json").stdout)
    assert (plan["correction_of"], plan["audience"], plan["by_campaign"]) == (STORY, 1, {"1": 1})
    assert (plan["in_doubt"], plan["computed"], plan["unfinished"], plan["preview"]) == (0, [], [], True)


def test_a_campaign_that_is_still_being_sent_is_named(root: Path) -> None:
    run(root, "send", SLUG, "--segment", "all", "--confirm", "--detach")
    told = correct(root)
    assert "Campaign 1 is not finished." in told.stderr
    assert "0 readers" in told.stdout


def test_a_faulty_note_or_an_unknown_story_is_refused_with_what_to_do(root: Path) -> None:
    unknown = correct(root)
    assert unknown.exit_code == 1
    assert f'No campaign has sent the edition "{SLUG}".' in unknown.stderr
    run(root, "send", SLUG, "--segment", "all", "--confirm", "--detach")
    (root / "notes" / "teachers.zh.md").write_text("---\nwas: 六十名\n---\n", encoding="utf-8")
    faulty = correct(root)
    assert faulty.exit_code == 1
    assert "teachers.zh.md:1: `is` is missing or empty." in faulty.stderr
    both = correct(root, "--confirm", "--approve", "Mei Lin")
    assert both.exit_code == 2
