"""A page and a theme become MJML, HTML and plain text."""

from pathlib import Path

import pytest

from mailer.errors import TemplateError
from mailer.rendering.pipeline.renderer import render_page, warm_up
from mailer.rendering.template_context.page import Page
from tests.rendering.small_page import lay_out_page, write_theme


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return lay_out_page(tmp_path_factory.mktemp("editions"))


def test_one_page_becomes_three_texts(page: Page) -> None:
    drawn = render_page(page, template="periodical", overrides=None)
    assert drawn.mjml.startswith("<mjml")
    assert drawn.html.startswith("<!DOCTYPE html>")
    for part in (drawn.mjml, drawn.html, drawn.text):
        assert "Teachers meet in Ulaanbaatar" in part
        assert page.merge_tag.unsubscribe_url in part
        assert part.endswith("\n") is (part is not drawn.mjml)


def test_the_sheet_is_written_into_the_elements(page: Page, tmp_path: Path) -> None:
    own = write_theme(tmp_path, '<p class="a">x</p>', css=".a{color:{{ page.theme.light.ink }}}")
    html = render_page(page, template="own", overrides=own).html
    assert f'<p class="a" style="color:{page.theme.light.ink}">' in html


@pytest.mark.parametrize("theme", ["periodical", "bulletin"])
def test_our_themes_speak_of_a_story_in_its_own_slices(page: Page, theme: str) -> None:
    assert render_page(page, template=theme, overrides=None).stories_isolated


STORIES = "{% for section in page.sections %}{% for story in section.stories %}"
ENDS = "{% endfor %}{% endfor %}"


@pytest.mark.parametrize(
    ("said", "apart"),
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
def test_a_theme_that_speaks_of_a_story_elsewhere_is_found_out(
    page: Page, tmp_path: Path, said: str, apart: bool, part: str
) -> None:
    said = f"{STORIES}{said}{ENDS}"
    own = write_theme(tmp_path, said) if part == "mjml" else write_theme(tmp_path, "x", text=said)
    assert render_page(page, template="own", overrides=own).stories_isolated is apart


def test_each_template_is_announced_before_its_turn(page: Page, tmp_path: Path) -> None:
    own, names = write_theme(tmp_path, "x", text="{{ nothing }}"), list[str]()
    with pytest.raises(TemplateError, match=r"own\.txt\.j2:1: 'nothing' is undefined"):
        render_page(page, template="own", overrides=own, on_template=names.append)
    assert names == ["email/own.mjml.j2", "email/own.inline.css.j2", "email/own.txt.j2"]


def test_the_marks_of_origin_serve_complaints_and_do_not_stay(page: Page, tmp_path: Path) -> None:
    own = write_theme(tmp_path, '{{ origin("stories/a.md") }}\n<p>x</p>')
    assert "<!--@" not in render_page(page, template="own", overrides=own).mjml
    write_theme(tmp_path, '{{ origin("stories/a.md") }}\n<mj-image />')
    with pytest.raises(TemplateError, match=r"email/own\.mjml\.j2:3 \(stories/a\.md\): <mj-image>"):
        render_page(page, template="own", overrides=own)


def test_the_same_page_is_drawn_the_same_twice(page: Page) -> None:
    warm_up()
    assert render_page(page, template="periodical", overrides=None) == render_page(
        page, template="periodical", overrides=None
    )
