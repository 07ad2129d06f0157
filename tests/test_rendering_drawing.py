"""A page and a theme become MJML, HTML and plain text."""

from pathlib import Path

import pytest

from mailer.errors import TemplateError
from mailer.rendering.drawing import draw, warm_up
from mailer.rendering.page import Page
from tests.pages import lay_out_page, write_theme


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return lay_out_page(tmp_path_factory.mktemp("editions"))


def test_one_page_becomes_three_texts(page: Page) -> None:
    drawn = draw(page, template="periodical", overrides=None)
    assert drawn.mjml.startswith("<mjml")
    assert drawn.html.startswith("<!DOCTYPE html>")
    for part in (drawn.mjml, drawn.html, drawn.text):
        assert "Teachers meet in Ulaanbaatar" in part
        assert page.hole.unsubscribe_url in part
        assert part.endswith("\n") is (part is not drawn.mjml)


def test_the_sheet_is_written_into_the_elements(page: Page, tmp_path: Path) -> None:
    own = write_theme(tmp_path, '<p class="a">x</p>', css=".a{color:{{ page.theme.light.ink }}}")
    html = draw(page, template="own", overrides=own).html
    assert f'<p class="a" style="color:{page.theme.light.ink}">' in html


def test_each_template_is_announced_before_its_turn(page: Page, tmp_path: Path) -> None:
    own, names = write_theme(tmp_path, "x", text="{{ nothing }}"), list[str]()
    with pytest.raises(TemplateError, match=r"own\.txt\.j2:1: 'nothing' is undefined"):
        draw(page, template="own", overrides=own, announce=names.append)
    assert names == ["email/own.mjml.j2", "email/own.inline.css.j2", "email/own.txt.j2"]


def test_the_marks_of_origin_serve_complaints_and_do_not_stay(page: Page, tmp_path: Path) -> None:
    own = write_theme(tmp_path, '{{ origin("stories/a.md") }}\n<p>x</p>')
    assert "<!--@" not in draw(page, template="own", overrides=own).mjml
    write_theme(tmp_path, '{{ origin("stories/a.md") }}\n<mj-image />')
    with pytest.raises(TemplateError, match=r"email/own\.mjml\.j2:3 \(stories/a\.md\): <mj-image>"):
        draw(page, template="own", overrides=own)


def test_the_same_page_is_drawn_the_same_twice(page: Page) -> None:
    warm_up()
    assert draw(page, template="periodical", overrides=None) == draw(
        page, template="periodical", overrides=None
    )
