"""An edition examined: in its files, in every mail it becomes, with what it does without and why."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from editions.errors import ProblemLevel
from mailer.campaigns.delivery_history import vocabulary_of
from mailer.campaigns.preflight import locate_links, run_preflight
from mailer.cli import mailer
from mailer.i18n import load_translator
from mailer.rendering.body.variants import Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.themes.theme_files import theme_names
from mailer.web.forms import list_sectors
from mailer.workspace import Workspace, open_workspace
from mailer.workspace_init import create_workspace
from tests.factories.small_edition import SLUG, write_edition

SAMPLE = "unesco-beijing-2021-2"


@pytest.fixture
def edition(workspace: Workspace) -> Path:
    """The small edition without a fault, in English alone."""
    folder = write_edition(workspace.editions)
    (folder / "edition.zh.md").unlink()
    (folder / "stories" / "010-teachers.zh.md").unlink()
    return folder


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def switch_off(edition: Path, *lines: str) -> None:
    change(
        edition / "edition.md",
        "letter:\n",
        "checks:\n" + "".join(f"  {line}\n" for line in lines) + "letter:\n",
    )


def run(workspace: Workspace, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(mailer, ["-C", str(workspace.root), "check", *arguments])
    return done.exit_code, done.stdout, done.stderr


# --- the sample ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("template", theme_names())
def test_the_sample_is_clean_in_every_theme(tmp_path: Path, template: str, now: datetime) -> None:
    founded = create_workspace(tmp_path / "sample", sample=True, now=now)
    workspace = open_workspace(tmp_path / "sample", environ={})
    change(
        workspace.edition_folder(founded.editions[0]) / "edition.md",
        "template: periodical",
        f"template: {template}",
    )
    examination = run_preflight(workspace, SAMPLE)
    assert [str(problem) for problem in examination.problems] == []
    assert {off.code: len(off.problems) for off in examination.switched_off} == {"plain-http": 6}


def test_a_small_edition_in_two_languages_is_without_errors(workspace: Workspace) -> None:
    write_edition(workspace.editions)
    examination = run_preflight(workspace, SLUG)
    assert [str(problem) for problem in examination.problems if problem.level is ProblemLevel.error] == []
    assert [mail.language for mail in examination.mails] == ["en", "zh"]


# --- variants -----------------------------------------------------------------------------------------------


def test_every_variant_that_is_named_is_examined(workspace: Workspace, edition: Path) -> None:
    second = edition / "stories" / "020-forum.md"
    second.write_text(
        (edition / "stories" / "010-teachers.md").read_text().replace("Teachers meet", "A forum met")
    )

    def each_story(mails: Sequence[CompiledEdition]) -> list[Variant]:
        return [
            Variant(language=mail.language, stories=(story.slug,)) for mail in mails for story in mail.stories
        ]

    examination = run_preflight(workspace, SLUG, choose_variants=each_story)
    assert [mail.variant for mail in examination.mails] == [
        "the whole edition",
        "the version with 1 story from teachers on",
        "the version with 1 story from forum on",
    ]
    assert [mail.message is None for mail in examination.mails] == [False, True, True]


# --- doing without a check ----------------------------------------------------------------------------------


def test_a_check_that_is_switched_off_is_told_with_its_reason_and_counts_no_more(
    workspace: Workspace, edition: Path
) -> None:
    switch_off(edition, "plain-http: our partners have no https yet")
    change(
        edition / "stories" / "010-teachers.md", "classrooms.", "classrooms, as [told](http://example.org/)."
    )
    code, data, talk = run(workspace, SLUG, "--json")
    assert code == 0
    shown = json.loads(data)
    assert "plain-http" not in {problem["code"] for problem in shown["problems"]}
    assert shown["switched_off"] == [
        {"code": "plain-http", "reason": "our partners have no https yet", "problems": 1}
    ]
    _, _, talk = run(workspace, SLUG)
    assert "Switched off: plain-http (1 problem): our partners have no https yet" in talk


def test_an_error_about_words_can_be_switched_off_and_the_edition_goes_on(
    workspace: Workspace, edition: Path
) -> None:
    story = edition / "stories" / "010-teachers.md"
    change(story, "Sixty teachers", "## \n\nSixty teachers")
    assert run_preflight(workspace, SLUG).edition is None
    switch_off(edition, "empty-heading: it is a rule between two parts", "silent-heading: the same")
    examination = run_preflight(workspace, SLUG)
    assert not examination.has_errors
    assert len(examination.compiled) == 1


def test_a_check_of_the_mail_can_be_switched_off_too(workspace: Workspace, edition: Path) -> None:
    own = workspace.root / "templates" / "email" / "blocks" / "preheader.mjml.j2"
    own.parent.mkdir(parents=True)
    own.write_text("<mj-section><mj-column><mj-text>Hello to all of you.</mj-text></mj-column></mj-section>")
    assert {problem.code for problem in run_preflight(workspace, SLUG).problems} == {"no-preheader"}
    switch_off(edition, "no-preheader: we greet first")
    examination = run_preflight(workspace, SLUG)
    assert examination.problems == ()
    assert [str(off) for off in examination.switched_off] == ["no-preheader (1 problem): we greet first"]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("no-such-check: why", "unknown-check", "there is no check `no-such-check`"),
        ("No Such: why", "unknown-check", "there is no check `No Such`"),
        ("no-unsubscribe: why", "essential-check", "protects your readers and cannot be switched off"),
        ("mail-too-large: why", "essential-check", "Gmail hides everything after"),
        ("unknown-country: why", "essential-check", "It would match no reader"),
        ("long-story:", "check-without-reason", "`long-story` is switched off without a reason"),
        ('long-story: "  "', "check-without-reason", "`long-story` is switched off without a reason"),
    ],
)
def test_a_line_that_switches_off_nothing_or_too_much_is_an_error_at_its_line(
    workspace: Workspace, edition: Path, line: str, code: str, words: str
) -> None:
    switch_off(edition, line)
    (problem,) = run_preflight(workspace, SLUG).problems
    assert (problem.path, problem.line, problem.code, problem.level) == (
        "edition.md",
        10,
        code,
        ProblemLevel.error,
    )
    assert words in problem.message


# --- sectors in other languages


def name_sectors(workspace: Workspace, **tables: dict[str, str]) -> Workspace:
    """The workspace with a sector that our phrases do not know, and its names in other languages."""
    known = {"water": "Water & Food", "education": "Education"}
    settings = workspace.settings.model_copy(update={"sectors": known, "sector_names": tables})
    return replace(workspace, settings=settings)


def test_a_sector_has_its_own_name_in_a_translation_and_its_first_one_where_that_is_missing(
    workspace: Workspace,
) -> None:
    folder = write_edition(workspace.editions)
    change(folder / "stories" / "010-teachers.md", "sector: education", "sector: water")
    told = run_preflight(name_sectors(workspace), SLUG)
    (problem,) = (problem for problem in told.problems if problem.path == "edition.md")
    assert (problem.code, problem.level) == ("untranslated-sector", ProblemLevel.warning)
    assert "zh: Water & Food has no name in Chinese" in problem.message
    assert '[sector_names.zh] water = "…"' in problem.message
    chinese = next(mail for mail in told.compiled if mail.language == "zh")
    assert "Water &amp; Food" in chinese.html

    named = run_preflight(name_sectors(workspace, zh={"water": "水与粮食"}), SLUG)
    assert "untranslated-sector" not in {problem.code for problem in named.problems}
    english, chinese = sorted(named.compiled, key=lambda mail: mail.language)
    assert "水与粮食" in chinese.html
    assert "水与粮食" in chinese.text
    assert "Water &amp; Food" in english.html
    assert "水" not in english.html


def test_segments_and_pages_use_the_names_of_their_language(workspace: Workspace) -> None:
    named = name_sectors(workspace, en={"water": "Fresh water"}, fr={"water": "Eau", "education": "École"})
    assert vocabulary_of(named.settings).sector("water") == "Fresh water"
    pages = {tag: dict(list_sectors(load_translator(tag), named.settings)) for tag in ("en", "fr", "ja")}
    assert pages["en"] == {"water": "Fresh water", "education": "Education"}
    assert pages["fr"] == {"water": "Eau", "education": "École"}
    assert pages["ja"] == {"water": "Water & Food", "education": "教育"}


# --- the command --------------------------------------------------------------------------------------------


def test_problems_are_printed_in_columns_and_end_with_their_code(workspace: Workspace, edition: Path) -> None:
    change(edition / "edition.md", "News from the field", "NEWS FROM THE FIELD")
    change(edition / "stories" / "010-teachers.md", "[MN]", "[XX]")
    code, data, talk = run(workspace, SLUG)
    assert code == 1
    first, second = data.splitlines()
    assert (first.index("edition.md"), second.index("stories/")) == (9, 9)
    assert (first[-18:], second[-17:]) == ("[shouting-subject]", "[unknown-country]")
    assert talk.endswith("2026-1: 1 error, 1 warning.\n")


def test_explain_prints_the_page_of_a_check_without_a_workspace(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(mailer, ["-C", str(tmp_path), "check", "--explain", "low-contrast"])
    assert done.exit_code == 0
    assert done.stdout.startswith("# low-contrast\n")
    done = runner.invoke(mailer, ["check", "--explain", "contrast"])
    assert done.exit_code == 2
    assert "there is no check called 'contrast'. Did you mean low-contrast?" in done.stderr
    assert runner.invoke(mailer, ["check"]).exit_code == 2


# --- links --------------------------------------------------------------------------------------------------


def test_braces_that_an_author_wrote_are_no_error_and_reach_readers(
    workspace: Workspace, edition: Path
) -> None:
    story = edition / "stories" / "010-teachers.md"
    text = story.read_text(encoding="utf-8")
    story.write_text(f"{text}\nA template has `{{{{ name }}}}` and {{% if x %}} in it.\n", encoding="utf-8")
    report = run_preflight(workspace, SLUG)
    assert not any(problem.code == "jinja-left" for problem in report.problems)
    whole = report.mails[0]
    assert "{{ name }}" in whole.html
    assert "{{ name }} and {% if x %} in it" in whole.text


def test_links_are_found_on_the_line_they_were_written_on(workspace: Workspace, edition: Path) -> None:
    change(
        edition / "stories" / "010-teachers.md",
        "Sixty teachers",
        "[About](https://example.org/about) and [all](https://example.org/a).\n\nSixty teachers",
    )
    assert locate_links(run_preflight(workspace, SLUG)) == {
        "https://example.org/about": ("stories/010-teachers.md", 7),
        "https://example.org/a": ("stories/010-teachers.md", 7),
    }


# --- the edition before -------------------------------------------------------------------------------------


def test_a_subject_like_the_last_editions_is_a_warning_that_can_be_switched_off(
    workspace: Workspace, edition: Path
) -> None:
    before = write_edition(workspace.editions, "2025-4")
    change(before / "edition.md", "date: 2026-03-01", "date: 2025-12-01")
    (problem,) = run_preflight(workspace, SLUG).problems
    assert (problem.path, problem.line, problem.code) == ("edition.md", 7, "repeated-subject")
    assert "repeated-subject" not in {told.code for told in run_preflight(workspace, "2025-4").problems}
    switch_off(edition, "repeated-subject: our readers know it")
    examination = run_preflight(workspace, SLUG)
    assert examination.problems == ()
    assert [str(off) for off in examination.switched_off] == [
        "repeated-subject (1 problem): our readers know it"
    ]
