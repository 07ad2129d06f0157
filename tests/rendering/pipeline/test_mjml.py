"""Invalid MJML is refused with template, story and line, before MRML can silently pass it on."""

import re

import pytest
from mjml import mjml2html

from mailer.errors import TemplateError
from mailer.rendering.pipeline.css_inliner import inline_styles
from mailer.rendering.pipeline.mjml import (
    check_mjml,
    convert_mjml,
    known_components,
    mark_origin,
    strip_origins,
)

NAME = "email/periodical.mjml.j2"


def _mail(column: str, *, head: str = "") -> str:
    return (
        f"<mjml>\n<mj-head>{head}</mj-head>\n<mj-body>\n<mj-section><mj-column>\n"
        f"{column}\n</mj-column></mj-section>\n</mj-body>\n</mjml>"
    )


def _conversion_error(mjml: str) -> str:
    with pytest.raises(TemplateError) as caught:
        convert_mjml(mjml, template=NAME)
    return str(caught.value)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("<mj-texx>x</mj-texx>", "<mj-texx> is not a known component"),
        ('<mj-text font-szie="12px">x</mj-text>', "<mj-text> has no attribute font-szie"),
        ("<mj-section></mj-section>", "<mj-section> is inside <mj-column>"),
        ('<mj-image src="https://e.org/a.png" />', "<mj-image> needs the attribute alt"),
        ('<mj-image alt="x" />', "<mj-image> needs the attribute src"),
        ("<mj-text><mj-button>x</mj-button></mj-text>", "<mj-button> is inside <mj-text>"),
        ('<mj-table role="presentation"></mj-table>', "<mj-table> has no attribute role"),
        ("<mj-carousel></mj-carousel>", "<mj-carousel> must not be used: few email programs"),
        ('<mj-include path="/etc/passwd" />', "<mj-include> must not be used: it can read any file"),
        ("<mj-wrapper></mj-wrapper>", "<mj-wrapper> must not be used"),
        ('<mj-text><p style="p">x</p></mj-text>', 'style="p" on <p> is not a list of "name: value"'),
    ],
)
def test_what_mrml_would_silently_accept_is_refused(column: str, words: str) -> None:
    error = _conversion_error(_mail(column))
    assert error.startswith(f"{NAME}:5: ")
    assert words in error


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("<mj-texx>x</mj-texx>", "<mj-texx>"),
        ('<mj-text font-szie="12px">x</mj-text>', "x"),
        ('<mj-text css-class="a">x</mj-txt>', "x"),
    ],
)
def test_mrml_alone_reports_nothing(column: str, words: str) -> None:
    assert words in mjml2html(_mail(column), fonts={})


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("<mj-text>x</mj-txt>", "mismatch"),
        ("<mj-text>a < b</mj-text>", "not well-formed"),
        ("<mj-text>fish & chips</mj-text>", "not well-formed"),
        ('<mj-text align="left" align="right">x</mj-text>', "redefined"),
        ("<mj-text align=left>x</mj-text>", "not well-formed"),
        ("<mj-raw><div></mj-raw>", "mismatch"),
        ("<mj-text>10&nbsp;km</mj-text>", "not well-formed"),
    ],
)
def test_xml_errors_have_line_and_column(column: str, words: str) -> None:
    error = _conversion_error(_mail(column))
    assert re.match(rf"{re.escape(NAME)}:[567], column \d+: ", error)
    assert words in error


@pytest.mark.parametrize(
    ("mjml", "words"),
    [
        (_mail("<mj-text><![CDATA[x]]></mj-text>"), "a CDATA section is not allowed"),
        (_mail("<?php x ?>"), "is not allowed in MJML"),
        (
            '<!DOCTYPE mjml [<!ENTITY a SYSTEM "file:///etc/passwd">]>\n' + _mail("<mj-text>&a;</mj-text>"),
            "DOCTYPE",
        ),
        ("<html><mj-body></mj-body></html>", "must start with <mjml>"),
        (_mail("", head='<mj-font name="X" href="https://e.org/x.css" />'), "<mj-font> must not be used"),
        (_mail("", head="<mj-preview>x</mj-preview>"), "<mj-preview> must not be used"),
        (
            _mail("", head='<mj-attributes><mj-body width="500px" /></mj-attributes>'),
            "<mj-body> is inside <mj-attributes>",
        ),
    ],
)
def test_invalid_mjml_outside_the_body_is_refused_too(mjml: str, words: str) -> None:
    assert words in _conversion_error(mjml)


def test_each_processing_instruction_is_reported_with_its_line() -> None:
    mjml = _mail("<mj-raw><?a ?>\n\n<?b ?></mj-raw>\n<mj-raw><?c ?></mj-raw>")
    first = mjml[: mjml.index("<?")].count("\n") + 1
    lines = [line.partition(": ")[0] for line in _conversion_error(mjml).splitlines()]
    assert lines == [f"{NAME}:{first + more}" for more in (0, 2, 3)]


def test_all_errors_are_reported_together_with_their_files() -> None:
    column = f"{mark_origin('stories/010-a.md')}\n<mj-texx />\n{mark_origin('stories/020-b.md')}\n<mj-texy />"
    first, second = _conversion_error(_mail(column)).splitlines()
    assert first.startswith(f"{NAME}:7 (stories/010-a.md): <mj-texx>")
    assert second.startswith(f"{NAME}:10 (stories/020-b.md): <mj-texy>")


def test_components_nested_too_deeply_are_an_error_and_not_a_crash() -> None:
    """MRML alone takes the whole process down between one and two thousand."""
    mjml = "<mjml><mj-body>" + "<mj-section>" * 3000 + "</mj-section>" * 3000 + "</mj-body></mjml>"
    assert _conversion_error(mjml).startswith(f"{NAME}:1, column ")
    assert "is nested more than 100 levels deep" in _conversion_error(mjml)


def test_nesting_at_which_the_inliner_silently_loses_content_is_an_error() -> None:
    """Two hundred and fifty tags deep, the words and all that follows them are missing from the mail."""

    def nest(depth: int) -> str:
        inside = "<div>" * depth + "words" + "</div>" * depth
        return _mail(f"<mj-raw>{inside}</mj-raw><mj-text>more</mj-text>")

    html = mjml2html(nest(250), fonts={})
    assert "words" in html
    assert "words" not in inline_styles(html, ".a .b{margin:0}")
    assert _conversion_error(nest(250)).startswith(f"{NAME}:5: <div> is nested more than 100 levels deep")
    assert "words" in inline_styles(convert_mjml(nest(95), template=NAME), ".a .b{margin:0}")


def test_mjml_that_mrml_rejects_is_an_error_that_names_the_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailer.rendering.pipeline.mjml.check_mjml", lambda *_, **__: None)
    assert "the renderer rejects this MJML" in _conversion_error("<mjml><mj-body>")


def test_components_left_in_the_html_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailer.rendering.pipeline.mjml.check_mjml", lambda *_, **__: None)
    assert "<mj-texx> was left in the HTML" in _conversion_error(_mail("<mj-texx>x</mj-texx>"))


def test_origin_marks_do_not_reach_the_mail() -> None:
    mark = mark_origin("stories/010--a-->x.md")
    assert str(mark).count("-->") == 1
    assert strip_origins(f"a{mark}b") == "ab"
    assert "<!--@" not in convert_mjml(_mail(f"{mark}<mj-text>x</mj-text>"), template=NAME)


def test_no_web_font_is_requested() -> None:
    mjml = _mail('<mj-text font-family="Ubuntu, Roboto, Lato">x</mj-text>')
    assert "@import url(https:" in mjml2html(mjml)
    html = convert_mjml(mjml, template=NAME)
    assert "@import" not in html
    assert "<link" not in html


def test_a_valid_mail_is_rendered() -> None:
    html = convert_mjml(_mail('<mj-text css-class="a">Good <b>news</b></mj-text>'), template=NAME)
    assert "Good <b>news</b>" in html
    check_mjml(_mail("<mj-raw><tr><td>x</td></tr></mj-raw>"), template=NAME)


def test_the_list_of_components_is_consistent() -> None:
    known, refused = known_components()
    assert not set(known) & set(refused)
    assert all(parent in known for component in known.values() for parent in component.parents)
    assert all(component.required <= component.attributes for component in known.values())
