"""A page and a theme become MJML, HTML and plain text."""

from pathlib import Path

import pytest

from mailer.errors import TemplateError
from mailer.rendering.template_context.page import Page
from mailer.rendering.worker.main import render_page, warm_up
from tests.rendering.small_page import lay_out_page, write_theme


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return lay_out_page(tmp_path_factory.mktemp("editions"))


def test_a_page_becomes_mjml_html_and_plain_text(page: Page) -> None:
    rendered = render_page(page, template="periodical", overrides=None)
    assert rendered.mjml.startswith("<mjml")
    assert rendered.html.startswith("<!DOCTYPE html>")
    for part in (rendered.mjml, rendered.html, rendered.text):
        assert "Teachers meet in Ulaanbaatar" in part
        assert page.merge_tag.unsubscribe_url in part
        assert part.endswith("\n") is (part is not rendered.mjml)


def test_the_style_sheet_is_inlined(page: Page, tmp_path: Path) -> None:
    own = write_theme(tmp_path, '<p class="a">x</p>', css=".a{color:{{ page.theme.light.ink }}}")
    html = render_page(page, template="own", overrides=own).html
    assert f'<p class="a" style="color:{page.theme.light.ink}">' in html


@pytest.mark.parametrize("theme", ["periodical", "bulletin"])
def test_our_themes_use_a_story_only_in_its_own_fragment(page: Page, theme: str) -> None:
    assert render_page(page, template=theme, overrides=None).stories_isolated


STORIES = "{% for section in page.sections %}{% for story in section.stories %}"
ENDS = "{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("source", "isolated"),
    [
        ('{{ begin("story", story.slug) }}{{ story.title }}{{ end("story") }}', True),
        ('{{ origin(story.origin) }}{{ begin("story", story.slug) }}{{ end("story") }}', True),
        ('{{ story.kind }}{{ begin("story", story.slug) }}{{ end("story") }}', False),
        ('{{ begin("story", story.slug) }}{{ end("story") }}{{ story.title }}', False),
        ('{{ begin("story", "another") }}{{ story.title }}{{ end("story") }}', False),
        ('{{ begin("greeting") }}{{ story["title"] }}{{ end("greeting") }}', False),
        ('{{ section.stories | map(attribute="title") | join }}', False),
    ],
)
@pytest.mark.parametrize("part", ["mjml", "text"])
def test_a_theme_that_uses_a_story_outside_its_fragment_is_detected(
    page: Page, tmp_path: Path, source: str, isolated: bool, part: str
) -> None:
    source = f"{STORIES}{source}{ENDS}"
    own = write_theme(tmp_path, source) if part == "mjml" else write_theme(tmp_path, "x", text=source)
    assert render_page(page, template="own", overrides=own).stories_isolated is isolated


def test_each_template_is_announced_before_it_is_rendered(page: Page, tmp_path: Path) -> None:
    own, names = write_theme(tmp_path, "x", text="{{ nothing }}"), list[str]()
    with pytest.raises(TemplateError, match=r"own\.txt\.j2:1: 'nothing' is undefined"):
        render_page(page, template="own", overrides=own, on_template=names.append)
    assert names == ["email/own.mjml.j2", "email/own.inline.css.j2", "email/own.txt.j2"]


def test_rules_of_the_whole_email_replace_the_sheet(page: Page, tmp_path: Path) -> None:
    own, names = write_theme(tmp_path, '<p class="a">x</p>', css="{{ nothing }}"), list[str]()
    rendered = render_page(
        page, template="own", overrides=own, inline_css=".a{color:#123456}", on_template=names.append
    )
    assert '<p class="a" style="color:#123456">' in rendered.html
    assert names == ["email/own.mjml.j2", "email/own.txt.j2"]


def test_origin_marks_are_used_in_errors_and_removed_from_the_mail(page: Page, tmp_path: Path) -> None:
    own = write_theme(tmp_path, '{{ origin("stories/a.md") }}\n<p>x</p>')
    assert "<!--@" not in render_page(page, template="own", overrides=own).mjml
    write_theme(tmp_path, '{{ origin("stories/a.md") }}\n<mj-image />')
    with pytest.raises(TemplateError, match=r"email/own\.mjml\.j2:3 \(stories/a\.md\): <mj-image>"):
        render_page(page, template="own", overrides=own)


@pytest.mark.parametrize(
    "head",
    [
        "<mj-head>{raw}</mj-head>",
        "<!-- not <mj-head> --><mj-head><mj-style>.own{{margin:0}}</mj-style>{raw}</mj-head>",
        "<mj-head>{raw}<!-- <mj-head> --><mj-style>.own{{margin:0}}</mj-style></mj-head>",
    ],
)
def test_the_beginning_of_the_html_has_nothing_that_templates_wrote_into_the_head(
    page: Page, tmp_path: Path, head: str
) -> None:
    own = write_theme(tmp_path, "x")
    layout = own / "email" / "own.mjml.j2"
    written = head.format(raw='<mj-raw><meta name="own" content="x" /></mj-raw>')
    layout.write_text(layout.read_text().replace("<mj-body>", f"{written}<mj-body>"))
    rendered = render_page(page, template="own", overrides=own)
    assert "viewport" in rendered.beginning
    assert (".own{" in rendered.beginning) == ("<mj-style>" in head)
    assert rendered.html.startswith(f'{rendered.beginning}<meta name="own" content="x">')
    assert "<!--@" not in rendered.html


def test_without_a_head_the_beginning_is_all_that_components_need(page: Page, tmp_path: Path) -> None:
    rendered = render_page(page, template="own", overrides=write_theme(tmp_path, "x"))
    assert rendered.html.startswith(f"{rendered.beginning}</head>")


def test_rendering_a_page_twice_gives_the_same(page: Page) -> None:
    warm_up()
    assert render_page(page, template="periodical", overrides=None) == render_page(
        page, template="periodical", overrides=None
    )
