"""One run tells every problem, those of the finished mail too, each with the file and line it comes from."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from editions.checks.registry import SOURCE_CHECKS
from editions.errors import ProblemLevel
from mailer.campaigns.preflight import PreflightReport, locate_links, run_preflight
from mailer.cli import mailer
from mailer.rendering.body.variants import Variant
from mailer.web.mail_preview.compiler import PreviewCompiler
from mailer.workspace import Workspace
from tests.factories.small_edition import SLUG, write_edition, write_second_story
from tests.paths import ROOT

FIRST, SECOND = "stories/010-teachers.md", "stories/020-museum.md"
ESCAPED = "https://example.org/a?b=1&amp;amp;c=2"


@pytest.fixture
def edition(workspace: Workspace) -> Path:
    """An edition with two stories, whose mail has one problem on line 7 of each."""
    folder = write_edition(workspace.editions)
    write_second_story(folder, personalise="off")
    for name in ("edition.zh.md", "stories/010-teachers.zh.md"):
        (folder / name).unlink()
    for name, words in ((FIRST, "all teachers"), (SECOND, "the museum")):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(f"{text}\nRead *about* [{words}\nthere]({ESCAPED}).\n", encoding="utf-8")
    return folder


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def places(report: PreflightReport, code: str) -> list[tuple[str, int]]:
    return [(problem.path, problem.line) for problem in report.problems if problem.code == code]


def test_a_problem_of_the_mail_names_its_line_and_the_others_with_the_same(
    workspace: Workspace, edition: Path
) -> None:
    report = run_preflight(workspace, SLUG)
    assert places(report, "escaped-twice") == [(FIRST, 9)]
    (problem,) = report.problems
    assert problem.message.endswith(f"Escape it once. The same at {SECOND}:9.")


# The file, what is replaced in it, by what, and the error of the file.
FAULTS = [
    (FIRST, "[MN]", "[MN, XX]", "unknown-country"),
    (FIRST, "sector: education", "sector: eduction", "unknown-sector"),
    (FIRST, "sector: education", "sector: [education", "yaml-syntax"),
    (FIRST, "title: Teachers meet in Ulaanbaatar\n", "", "missing-key"),
    (FIRST, "title: Teachers", "titel: Teachers", "unknown-key"),
    (FIRST, "sector: education", "read_more: {what: x}", "missing-key"),
    (FIRST, "sector: education", "read_more:\n  - what: x\n  - url: y", "missing-key"),
    (FIRST, "sector: education", "image: {file: gone.jpg, alt: Teachers}", "missing-image"),
    (FIRST, "sector: education", "image: {file: gone.jpg}", "missing-key"),
    (FIRST, "sector: education", "everyone: perhaps", "wrong-type"),
    (FIRST, "Sixty", "# Sixty", "top-heading"),
    ("edition.md", "subject: News from the field\n", "", "missing-key"),
    ("edition.md", "date: 2026-03-01", "date: 2026-02-31", "bad-date"),
    ("edition.md", "  name: A. Director\n", "", "missing-key"),
    ("edition.md", "letter:", "letter: [", "yaml-syntax"),
    ("edition.md", "---\ntitle", "title", "no-front-matter"),
    ("edition.md", "letter:", "checks: {no-such-check: }\nletter:", "check-without-reason"),
]


@pytest.mark.parametrize(("name", "old", "new", "code"), FAULTS)
def test_an_error_in_a_file_hides_no_problem_of_the_mail(
    workspace: Workspace, edition: Path, name: str, old: str, new: str, code: str
) -> None:
    change(edition / name, old, new)
    report = run_preflight(workspace, SLUG)
    assert code in {problem.code for problem in report.problems}
    assert "escaped-twice" in {problem.code for problem in report.problems}
    told = {problem.code for problem in report.problems if problem.level is ProblemLevel.error}
    # What was left out of the mail is no fault of the mail.
    assert told <= set(SOURCE_CHECKS)
    # It may be checked, and never sent.
    assert report.edition is None
    assert report.compiled == ()
    assert report.mails


def test_a_text_that_cannot_be_compiled_hides_only_its_own_story(workspace: Workspace, edition: Path) -> None:
    change(edition / FIRST, "Sixty teachers", "@@sixty@@ teachers")
    (edition / "stories" / "030-museum.md").write_text((edition / SECOND).read_text(encoding="utf-8"))
    report = run_preflight(workspace, SLUG)
    assert {problem.code for problem in report.problems} == {
        "reserved-sign",
        "duplicate-slug",
        "escaped-twice",
    }
    assert places(report, "escaped-twice") == [(SECOND, 9)]


@pytest.mark.parametrize(
    ("old", "new"), [("language: en", "language: english"), ("language: en", "language: [")]
)
def test_without_a_language_no_mail_is_made_up(
    workspace: Workspace, edition: Path, old: str, new: str
) -> None:
    change(edition / "edition.md", old, new)
    report = run_preflight(workspace, SLUG)
    assert report.mails == ()
    assert "escaped-twice" not in {problem.code for problem in report.problems}


def test_a_problem_of_a_translation_names_the_translation(workspace: Workspace) -> None:
    folder = write_edition(workspace.editions)
    change(folder / "stories" / "010-teachers.zh.md", "六十名", f"\n见[课堂]({ESCAPED})。\n\n六十名")
    change(folder / "stories" / "010-teachers.zh.md", "title: ", "titel: ")
    report = run_preflight(workspace, SLUG)
    assert places(report, "escaped-twice") == [("stories/010-teachers.zh.md", 6)]


def test_a_problem_of_the_letter_names_its_line_in_the_edition_file(
    workspace: Workspace, edition: Path
) -> None:
    change(edition / "edition.md", "Thank you", f"Read [this note]({ESCAPED}&amp;amp;d=3).\n\nThank you")
    assert ("edition.md", 16) in places(run_preflight(workspace, SLUG), "escaped-twice")


def test_the_same_problem_in_a_file_and_in_the_theme_is_told_twice(
    workspace: Workspace, edition: Path
) -> None:
    change(edition / FIRST, "Sixty teachers", "Sixty [teachers](http://example.org/t)")
    own = workspace.root / "templates" / "email" / "blocks" / "footer.mjml.j2"
    own.parent.mkdir(parents=True)
    theirs = (ROOT / "templates/email/blocks/footer.mjml.j2").read_text(encoding="utf-8")
    link = '<mj-section><mj-column><mj-text><a href="http://example.org/f">Our fund</a></mj-text></mj-column>'
    own.write_text(f"{link}</mj-section>{theirs}", encoding="utf-8")
    assert places(run_preflight(workspace, SLUG), "plain-http") == [("edition.md", 1), (FIRST, 7)]


def test_merge_tags_in_code_are_no_problem_and_those_of_a_theme_are(
    workspace: Workspace, edition: Path
) -> None:
    change(edition / FIRST, "Sixty teachers", "Mailchimp writes `*|FNAME|*` and others `%%first%%`. Sixty")
    codes = {problem.code for problem in run_preflight(workspace, SLUG).problems}
    assert codes == {"escaped-twice"}
    own = workspace.root / "templates" / "email" / "blocks" / "preheader.mjml.j2"
    own.parent.mkdir(parents=True)
    theirs = (ROOT / "templates/email/blocks/preheader.mjml.j2").read_text(encoding="utf-8")
    own.write_text(f"{theirs}<mj-raw><!-- %%theme_name%% --></mj-raw>", encoding="utf-8")
    assert places(run_preflight(workspace, SLUG), "merge-left") == [("edition.md", 1)]


def test_a_story_about_templates_gives_no_alarm(workspace: Workspace, edition: Path) -> None:
    for name in (FIRST, SECOND):
        change(edition / name, ESCAPED, "https://example.org/a")
    code = "`{{ customer.name }}`, `{% if x %}`, `*|FNAME|*`, `%%first%%`, `${name}`, `[[name]]` and `:tada:`"
    block = "```liquid\n{% for item in items %}{{ item.title | upcase }}{% endfor %}\n- [ ] [^1]\n```"
    change(edition / FIRST, "Sixty teachers", f"Templates have {code}.\n\n{block}\n\nSixty teachers")
    assert [str(problem) for problem in run_preflight(workspace, SLUG).problems] == []


def test_the_command_and_its_json_tell_all_in_one_run(workspace: Workspace, edition: Path) -> None:
    change(edition / SECOND, "[CN]", "[cn]")
    done = CliRunner().invoke(mailer, ["-C", str(workspace.root), "check", SLUG, "--json"])
    assert done.exit_code == 1
    told = [(each["path"], each["line"], each["code"]) for each in json.loads(done.stdout)["problems"]]
    assert told == [(FIRST, 9, "escaped-twice"), (SECOND, 4, "country-case")]
    done = CliRunner().invoke(mailer, ["-C", str(workspace.root), "check", SLUG])
    assert [line[9:].partition(": ")[0] for line in done.stdout.splitlines()] == [f"{FIRST}:9", f"{SECOND}:4"]


def test_the_preview_tells_all_and_shows_no_mail_with_errors(workspace: Workspace, edition: Path) -> None:
    change(edition / SECOND, "[CN]", "[cn]")
    compiled = PreviewCompiler(workspace, SLUG).compile()
    assert [problem.code for problem in compiled.problems] == ["escaped-twice", "country-case"]
    assert compiled.mails == {}


def spans(report: PreflightReport) -> Iterator[tuple[str, str, str]]:
    for mail in report.mails:
        for span in mail.html_stories:
            yield span.slug, mail.html[span.start : span.end], "html"
        for span in mail.text_stories:
            yield span.slug, mail.text[span.start : span.end], "text"


def test_stories_are_found_in_every_variant_in_its_order(workspace: Workspace, edition: Path) -> None:
    def swapped(mails: object) -> list[Variant]:
        return [
            Variant(language="en", stories=("museum", "teachers")),
            Variant(language="en", stories=("museum",)),
        ]

    found = list(spans(run_preflight(workspace, SLUG, choose_variants=swapped)))
    assert [slug for slug, _, part in found if part == "html"] == [
        "teachers",
        "museum",
        "museum",
        "teachers",
        "museum",
    ]
    titles = {"teachers": "Teachers meet in Ulaanbaatar", "museum": "A museum opens at night in Beijing"}
    for slug, shown, _ in found:
        assert titles[slug] in shown
        assert not any(title in shown for other, title in titles.items() if other != slug)


def test_a_mail_that_is_too_large_names_its_longest_story(workspace: Workspace, edition: Path) -> None:
    change(edition / SECOND, "The doors", f"{'Night after night, doors open. ' * 3500}\n\nThe doors")
    (problem,) = (each for each in run_preflight(workspace, SLUG).problems if each.code == "mail-too-large")
    assert "The longest story is museum, with 10" in problem.message


def test_a_template_that_fails_in_one_story_names_that_story(workspace: Workspace, edition: Path) -> None:
    own = workspace.root / "templates" / "email" / "blocks" / "story.mjml.j2"
    own.parent.mkdir(parents=True)
    theirs = (ROOT / "templates/email/blocks/story.mjml.j2").read_text(encoding="utf-8")
    fault = '{% if story.slug == "museum" %}<mj-text></mj-column>{% endif %}'
    own.write_text(f"{theirs}{fault}", encoding="utf-8")
    assert places(run_preflight(workspace, SLUG), "mjml") == [(SECOND, 1)]


def test_the_links_of_an_edition_with_errors_are_known_for_testing(
    workspace: Workspace, edition: Path
) -> None:
    change(edition / FIRST, ESCAPED, "https://example.org/about")
    change(edition / SECOND, "[CN]", "[cn]")
    assert locate_links(run_preflight(workspace, SLUG))["https://example.org/about"] == (FIRST, 10)
