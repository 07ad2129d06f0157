"""What MRML does to MJML it is not guarded against, and that the guards hold."""

import html as html_entities
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html
from mjml import mjml2html

from mailer.rendering.pipeline.mjml import (
    apply_workarounds,
    escape_attributes,
    flatten_lines,
    set_units,
)

RISKY = {
    "an ideographic space": "春\u3000夏",
    "a no-break space": "10\u00a0km",
    "an emoji with its joiner": "👩\u200d🏫",
    "a soft hyphen": "Donau\u00addampf",
    "a combining accent": "e\u0301",
    "a backslash": r"C:\new\table",
    "quotes": "say \u201cyes\u201d and &quot;no&quot;",
    "a zero-width space": "a\u200bb",
}


def _mail(content: str, *, column: str = "mj-text") -> str:
    return (
        f"<mjml><mj-body><mj-section><mj-column><{column}>{content}</{column}>"
        "</mj-column></mj-section></mj-body></mjml>"
    )


def _rendered_alt(mjml: str) -> str:
    (image,) = lxml_html.document_fromstring(mjml2html(mjml, fonts={})).iter("img")
    return str(image.get("alt"))


@pytest.mark.parametrize("value", RISKY.values(), ids=RISKY.keys())
@pytest.mark.parametrize("place", ["html", "component"])
def test_an_attribute_value_reaches_the_reader_unchanged(value: str, place: str) -> None:
    if place == "html":
        mjml = _mail(f'<img src="https://example.org/a.png" alt="{value}" />')
    else:
        mjml = _mail("x").replace(
            "<mj-text>x</mj-text>", f'<mj-image src="https://e.org/a.png" alt="{value}" />'
        )
    wanted = html_entities.unescape(value)
    assert _rendered_alt(apply_workarounds(mjml)) == wanted
    # If this ever fails, MRML has been mended and the guard may go.
    if value != RISKY["quotes"]:
        assert _rendered_alt(mjml) != wanted


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='<&"\u2028\u2029'), min_size=1)
    .map(str.strip)
    .filter(bool)
)
def test_any_text_survives_in_an_attribute(value: str) -> None:
    mjml = _mail(f'<img src="https://example.org/a.png" alt="{value}" />')
    assert _rendered_alt(apply_workarounds(mjml)) == value


@pytest.mark.parametrize("value", [*RISKY.values(), "\U00018d1f", "two\nlines"])
def test_a_title_element_keeps_its_name(value: str) -> None:
    mjml = _mail("x").replace("<mj-body>", f"<mj-head><mj-title>{value}</mj-title></mj-head><mj-body>")
    document = lxml_html.document_fromstring(mjml2html(apply_workarounds(mjml), fonts={}))
    wanted = html_entities.unescape(value).replace("\n", " ")
    assert document.xpath("//*[@role='article']")[0].get("aria-label") == wanted
    assert document.findtext(".//title") == wanted


def test_a_style_of_several_lines_keeps_all_its_declarations() -> None:
    mjml = _mail('<p style="color:#111111;\n  margin:0">x</p>')
    assert r"\n" in mjml2html(mjml, fonts={})
    assert re.search(r'<p style="color:#111111;\s+margin:0">', mjml2html(apply_workarounds(mjml), fonts={}))


def test_double_quotes_inside_single_quotes_become_references() -> None:
    assert escape_attributes("""<p style='font-family:"Noto Sans"'>x</p>""") == (
        '<p style="font-family:&#34;Noto Sans&#34;">x</p>'
    )


def test_a_greater_than_sign_may_occur_in_a_value() -> None:
    assert (
        escape_attributes('<a title="a > b" href="\u3042">x</a>') == '<a title="a > b" href="&#12354;">x</a>'
    )


def test_comments_are_left_alone() -> None:
    comment = '<!--[if mso]><td title="\u00a0"><![endif]-->'
    assert escape_attributes(comment) == comment


def test_words_on_two_lines_are_not_joined() -> None:
    mjml = _mail("<b>one</b>\n<i>two</i>")
    assert "<b>one</b><i>two</i>" in mjml2html(mjml, fonts={})
    assert "<b>one</b> <i>two</i>" in mjml2html(apply_workarounds(mjml), fonts={})


def test_an_empty_line_in_preformatted_text_is_kept() -> None:
    mjml = _mail("<pre><b>one</b>\n\n<i>two</i></pre>")
    (block,) = lxml_html.document_fromstring(mjml2html(apply_workarounds(mjml), fonts={})).iter("pre")
    assert block.text_content() == "one\n\ntwo"


def test_ideographic_spaces_at_the_start_of_a_paragraph_are_kept() -> None:
    assert "<p>\n\u3000\u3000春" not in flatten_lines(_mail("<p>\n\u3000\u3000春</p>"))
    assert "\u3000\u3000春" in flatten_lines(_mail("<p>\n\u3000\u3000春</p>"))


def test_white_space_between_components_is_removed() -> None:
    mjml = _mail("x").replace("><", "> \n\t<")
    assert mjml2html(apply_workarounds(mjml), fonts={}) == mjml2html(_mail("x"), fonts={})


@pytest.mark.parametrize(
    ("written", "set_"),
    [
        ('padding="0 25px"', 'padding="0px 25px"'),
        ('padding="0"', 'padding="0px"'),
        ('inner-padding="0 0 10px 0"', 'inner-padding="0px 0px 10px 0px"'),
        ('padding-left="0"', 'padding-left="0px"'),
        ('padding="10px 25px"', 'padding="10px 25px"'),
        ('padding="0px"', 'padding="0px"'),
        ('cellpadding="0"', 'cellpadding="0"'),
    ],
)
def test_a_bare_zero_in_a_padding_gets_its_unit(written: str, set_: str) -> None:
    assert set_units(f"<mj-image {written} />") == f"<mj-image {set_} />"


def test_a_bare_zero_does_not_widen_a_picture() -> None:
    def width(mjml: str) -> str | None:
        (image,) = lxml_html.document_fromstring(mjml2html(mjml, fonts={})).iter("img")
        return image.get("width")

    mjml = _mail("x").replace(
        "<mj-text>x</mj-text>", '<mj-image padding="0 25px" src="https://e.org/a.png" alt="a" />'
    )
    assert width(mjml) == "600"
    assert width(apply_workarounds(mjml)) == "550"


def test_applying_the_workarounds_twice_changes_nothing() -> None:
    mjml = _mail('<p title="春\u3000夏 \\ x">a\n<b>b</b></p>')
    assert apply_workarounds(apply_workarounds(mjml)) == apply_workarounds(mjml)
