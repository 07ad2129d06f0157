"""The digest: of each story its title, picture, lead and one way on."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from lxml import html as lxml_html
from lxml.html import HtmlElement
from playwright.sync_api import Browser

import templates
from editions.errors import ProblemLevel
from editions.model import Edition, EditionForm, Story
from editions.reader import read_edition
from mailer.campaigns.preflight import run_preflight
from mailer.errors import TemplateError
from mailer.rendering.body.variants import Interests, Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.edition_compiler import compile_edition
from mailer.rendering.mail_merge import anonymous_reader, personalise
from mailer.rendering.message import build_message
from mailer.rendering.themes.theme_files import TEMPLATE_VERSION, load_theme, theme_names
from mailer.workspace import Workspace
from tests.factories.draft_edition import Draft
from tests.factories.sample_edition import SAMPLE, SECTORS, sample_settings

SETTINGS = sample_settings()
MAX_BYTES = 45_000


@cache
def _compile(form: EditionForm, template: str = "periodical") -> CompiledEdition:
    return compile_edition(replace(_edition(), form=form, template=template), SETTINGS)


@cache
def _edition() -> Edition:
    return read_edition(SAMPLE, sectors=SECTORS)


@pytest.fixture
def small() -> Edition:
    """A digest of three stories without pictures: quick to compile."""
    stories = tuple(replace(story, image=None) for story in _edition().stories[:3])
    return replace(_edition(), form=EditionForm.digest, stories=stories, letter=None)


def _html(compiled: CompiledEdition, variant: Variant | None = None) -> str:
    return personalise(compiled, anonymous_reader(SETTINGS), variant or compiled.full_variant).html


def _cards(html: str) -> list[HtmlElement]:
    return lxml_html.document_fromstring(html).find_class("kw")


@pytest.mark.parametrize("template", theme_names())
def test_the_digest_of_the_sample_is_small(template: str) -> None:
    assert len(_html(_compile(EditionForm.digest, template)).encode()) <= MAX_BYTES


def test_a_card_has_picture_title_lead_and_one_way_on() -> None:
    stories = {story.slug: story for story in _edition().stories}
    compiled = _compile(EditionForm.digest)
    cards = _cards(_html(compiled))
    assert len(cards) == 25
    for card in cards:
        (link,) = card.iter("a")
        address, version = link.get("href").split("?v=")
        story = stories[address.rpartition("/")[2]]
        assert address == f"https://news.example.org/e/{_edition().slug}/en/{story.slug}"
        assert compiled.digest.startswith(version)
        assert link.text_content() == "Read the story"
        assert [heading.text_content() for heading in card.iter("h3")] == [story.texts["en"].title]
        assert len(list(card.iter("img"))) == 1
        assert story.texts["en"].lead in card.text_content()


def test_the_letter_and_the_lead_story_stay_whole() -> None:
    digest, full = _html(_compile(EditionForm.digest)), _html(_compile(EditionForm.full))
    letter = _edition().letter
    feature = next(story for story in _edition().stories if story.kind == "feature")
    assert letter is not None
    for whole in (letter.texts["en"].html, feature.texts["en"].html):
        assert whole[:400] in full
        assert whole[:400] in digest


def test_the_text_part_has_the_leads_and_the_addresses() -> None:
    compiled = _compile(EditionForm.digest)
    text = personalise(compiled, anonymous_reader(SETTINGS), compiled.full_variant).text
    flowing = " ".join(text.split())
    story = _edition().stories[0].texts["en"]
    assert f"{story.title} {story.lead} Read the story:" in flowing
    assert f"/e/{_edition().slug}/en/esd-hiratsuka?v={compiled.digest[:16]}" in text
    assert story.text.split("\n\n")[1][:60] not in flowing


def test_a_message_carries_the_address_that_the_preview_shows() -> None:
    compiled = _compile(EditionForm.digest)
    message = build_message(
        compiled, anonymous_reader(SETTINGS), SETTINGS, now=datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
    )
    address = f"/en/esd-hiratsuka?v=3D{compiled.digest[:16]}".encode()
    assert message.replace(b"=\r\n", b"").count(address) == 2


@pytest.mark.parametrize("template", theme_names())
def test_two_stories_are_side_by_side_at_a_desk_and_one_on_a_phone(browser: Browser, template: str) -> None:
    """Whatever their number and order: a reader of culture in Mongolia gets another edition."""
    edition = replace(_edition(), form=EditionForm.digest, template=template, letter=None, introductions={})
    compiled = compile_edition(edition, SETTINGS)
    interests = Interests(sectors=frozenset({"culture"}), countries=frozenset({"MN"}))
    for variant in (compiled.full_variant, replace(compiled.variant_for(interests), stories=_odd(compiled))):
        page = browser.new_page(viewport={"width": 700, "height": 900})
        page.set_content(re.sub(r' src="[^"]*"', "", _html(compiled, variant)))
        assert page.evaluate(_ROWS) == _rows_of_two(compiled, variant)
        page.set_viewport_size({"width": 375, "height": 900})
        assert set(page.evaluate(_ROWS)) == {1}
        assert page.evaluate("document.documentElement.scrollWidth") == 375
        page.close()


# How many cards there are in each row, from above.
_ROWS = """() => {
  const rows = new Map();
  for (const card of document.querySelectorAll('.kw')) {
    const top = Math.round(card.getBoundingClientRect().top);
    rows.set(top, (rows.get(top) || 0) + 1);
  }
  return [...rows.values()];
}"""


def _odd(compiled: CompiledEdition) -> tuple[str, ...]:
    """Every other story, backwards within the order of a reader of culture."""
    interests = Interests(sectors=frozenset({"culture"}), countries=frozenset({"MN"}))
    chosen = compiled.variant_for(interests).stories
    return tuple(slug for place, slug in enumerate(chosen) if place % 3)


def _rows_of_two(compiled: CompiledEdition, variant: Variant) -> list[int]:
    section = {facts.slug: facts.section for facts in compiled.stories}
    numbers: dict[str, int] = {}
    for slug in variant.stories:
        if section[slug] != "feature":
            numbers[section[slug]] = numbers.get(section[slug], 0) + 1
    return [row for number in numbers.values() for row in [2] * (number // 2) + [1] * (number % 2)]


@pytest.mark.parametrize("template", theme_names())
def test_a_digest_is_a_third_as_long_as_the_full_form_on_a_phone(
    browser: Browser, template: str, tmp_path: Path
) -> None:
    heights = {form: _measure_height(browser, _compile(form, template), tmp_path) for form in EditionForm}
    assert heights[EditionForm.digest] * 3 <= heights[EditionForm.full]


def _measure_height(browser: Browser, compiled: CompiledEdition, folder: Path) -> int:
    page = browser.new_page(viewport={"width": 375, "height": 900})
    page.goto(_write_page(compiled, folder).as_uri())
    height: int = page.evaluate("document.documentElement.scrollHeight")
    page.close()
    return height


def _write_page(compiled: CompiledEdition, folder: Path) -> Path:
    """The mail as a file, with its pictures beside it."""
    for image in compiled.images:
        (folder / image.name).write_bytes(image.data)
    file = folder / "mail.html"
    file.write_text(_html(compiled).replace(f"{SETTINGS.web.base_url}/media/", ""), encoding="utf-8")
    return file


@pytest.mark.parametrize("template", theme_names())
def test_a_printed_digest_of_the_sample_has_at_most_eight_pages(
    browser: Browser, template: str, tmp_path: Path
) -> None:
    page = browser.new_page()
    page.goto(_write_page(_compile(EditionForm.digest, template), tmp_path).as_uri())
    sides = dict.fromkeys(("top", "bottom", "left", "right"), "1.5cm")
    printed = page.pdf(format="A4", margin=sides)  # type: ignore[arg-type]
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) <= 8


def test_a_changed_lead_is_the_only_thing_rendered_again(small: Edition) -> None:
    compile_edition(small, SETTINGS)

    def reword(story: Story) -> Story:
        return replace(story, texts={"en": replace(story.texts["en"], lead="Another beginning.")})

    changed = replace(small, stories=(*small.stories[:2], reword(small.stories[2])))
    again = compile_edition(changed, SETTINGS)
    assert "Another beginning." in again.html
    assert again.html == compile_edition(replace(changed, slug="other"), SETTINGS).html.replace(
        "/e/other/", f"/e/{small.slug}/"
    )


def test_the_form_is_part_of_what_is_approved(small: Edition) -> None:
    forms = {compile_edition(replace(small, form=form), SETTINGS).digest for form in EditionForm}
    assert len(forms) == 2


def _own_theme(folder: Path, version: str = "") -> Path:
    """A workspace's own theme, a copy of ours, that states ``version``."""
    email = folder / "email"
    email.mkdir()
    for ending in ("mjml.j2", "txt.j2", "css.j2", "inline.css.j2", "fonts.css.j2", "dark.css.j2"):
        (email / f"gazette.{ending}").write_text(f'{{% extends "email/bulletin.{ending}" %}}')
    tokens = (templates.ROOT / "email" / "bulletin.toml").read_text(encoding="utf-8")
    without = "\n".join(line for line in tokens.split("\n") if not line.startswith(("version", "card")))
    (email / "gazette.toml").write_text(f"{version}\n{without}", encoding="utf-8")
    return folder


def test_a_theme_from_before_digests_still_works_and_says_what_a_digest_needs(
    small: Edition, tmp_path: Path
) -> None:
    overrides = _own_theme(tmp_path)
    old = replace(small, template="gazette")
    assert compile_edition(replace(old, form=EditionForm.full), SETTINGS, overrides=overrides).html
    with pytest.raises(
        TemplateError,
        match=r"gazette\.toml is of version 1 of the templates, and this program has 2\. Since version 2, "
        r"an edition can be a digest.*`version = 2`.*`form: full`",
    ):
        compile_edition(old, SETTINGS, overrides=overrides)
    (tmp_path / "email" / "gazette.toml").unlink()
    (tmp_path / "email").rename(tmp_path / "before")
    current = compile_edition(old, SETTINGS, overrides=_own_theme(tmp_path, f"version = {TEMPLATE_VERSION}"))
    assert len(_cards(_html(current))) == 3


def test_an_edition_with_an_older_theme_gets_a_warning(workspace: Workspace) -> None:
    draft = Draft(workspace.editions / "2021-2")
    own = workspace.root / "templates"
    own.mkdir()
    _own_theme(own)
    draft.change("edition.md", "language: en\n", "language: en\ntemplate: gazette\n")
    report = run_preflight(workspace, "2021-2")
    (problem,) = (problem for problem in report.problems if problem.code == "old-theme")
    assert problem.level is ProblemLevel.warning
    assert report.compiled
    draft.change("edition.md", "language: en\n", "language: en\nform: digest\n")
    (refused,) = (
        found for found in run_preflight(workspace, "2021-2").problems if found.level is ProblemLevel.error
    )
    assert "form: full" in refused.message


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "version = 99",
            r"bulletin\.toml is of version 99 .* this program has version 2\. Update the program",
        ),
        ('version = "2"', r"version: invalid value '2'\. Write the number"),
    ],
)
def test_a_theme_of_a_newer_program_is_refused(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "bulletin.toml").write_text(line)
    with pytest.raises(TemplateError, match=message):
        load_theme("bulletin", tmp_path)


def test_tokens_of_a_workspace_need_no_version(small: Edition, tmp_path: Path) -> None:
    (tmp_path / "email").mkdir()
    (tmp_path / "email" / "periodical.toml").write_text('[light]\nlink = "#00457c"\n')
    assert "#00457c" in compile_edition(small, SETTINGS, overrides=tmp_path).html


def test_a_block_from_before_digests_is_named_in_a_digest(small: Edition, tmp_path: Path) -> None:
    blocks = tmp_path / "email" / "blocks"
    blocks.mkdir(parents=True)
    (blocks / "card.mjml.j2").write_text("<div>{{ story.title_html }}</div>")
    with pytest.raises(TemplateError, match=r"has no link to its page, though the edition is a digest"):
        compile_edition(small, SETTINGS, overrides=tmp_path)


def test_phrases_from_before_digests_need_one_line_more(small: Edition, tmp_path: Path) -> None:
    words = tmp_path / "email" / "words"
    words.mkdir(parents=True)
    ours = (templates.ROOT / "email" / "words" / "en.toml").read_text(encoding="utf-8")
    (words / "ar.toml").write_text("\n".join(x for x in ours.split("\n") if not x.startswith("read_story")))
    arabic = replace(small, language="ar", languages=("ar",), stories=_in_language(small.stories, "ar"))
    full = replace(arabic, form=EditionForm.full)
    assert compile_edition(full, SETTINGS, overrides=tmp_path).html
    with pytest.raises(TemplateError, match=r"words/ar\.toml has no `read_story`, which a digest needs"):
        compile_edition(arabic, SETTINGS, overrides=tmp_path)
    assert 'lang="en" dir="ltr">Read the story' in compile_edition(arabic, SETTINGS).html


def _in_language(stories: tuple[Story, ...], tag: str) -> tuple[Story, ...]:
    return tuple(replace(story, texts={tag: replace(story.texts["en"], language=tag)}) for story in stories)
