"""premailer's pitfalls, each with the option or the check that avoids it."""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html
from premailer import Premailer

from mailer.rendering.pipeline import css_inliner
from mailer.rendering.pipeline.css_inliner import inline_styles

DARK = "@media (prefers-color-scheme:dark){.a{color:#eeeeee !important}}"


def _page(body: str, head: str = "") -> str:
    head = f"<head><title>t</title>{head}</head>"
    return f"<!doctype html><html lang='en' dir='ltr'>{head}<body>{body}</body></html>"


@dataclass(frozen=True, kw_only=True)
class Pitfall:
    """A page and rules, what must hold of the result, and the option without which it does not, with
    premailer's default."""

    html: str
    css: str = ".a{color:#111111}"
    holds: Callable[[str], bool]
    option: str
    default: Any


PITFALLS = {
    "dark mode keeps its !important": Pitfall(
        html=_page("<p class='a'>x</p>", f"<style data-premailer='no'>{DARK}</style>"),
        holds=lambda html: "#eeeeee !important" in html,
        option="strip_important",
        default=True,
    ),
    "a picture keeps its width in pixels": Pitfall(
        html=_page('<img class="i" src="https://e.org/a.png" width="200" alt="x">'),
        css=".i{width:100%;height:auto}",
        holds=lambda html: 'width="200"' in html and 'width="100%"' not in html and "height=" not in html,
        option="disable_basic_attributes",
        default=[],
    ),
    "no attributes are made of alignments": Pitfall(
        html=_page("<p class='c'>x</p>"),
        css=".c{text-align:left;vertical-align:top;background-color:#ffffff}",
        holds=lambda html: not re.search(r" (?:align|valign|bgcolor)=", html),
        option="disable_basic_attributes",
        default=[],
    ),
    "an anchor stays an anchor": Pitfall(
        html=_page('<a href="#top">x</a>'),
        holds=lambda html: 'href="#top"' in html,
        option="base_url",
        default="https://example.org/e/1/",
    ),
    "classes stay for media queries": Pitfall(
        html=_page("<p class='a'>x</p>"),
        holds=lambda html: 'class="a"' in html,
        option="remove_classes",
        default=True,
    ),
    "a floating picture gets no align": Pitfall(
        html=_page('<img class="f" src="https://e.org/a.png" alt="x">'),
        css=".f{float:left}",
        holds=lambda html: "align=" not in html,
        option="align_floating_images",
        default=True,
    ),
    "nothing of the inlined rules is left over": Pitfall(
        html=_page("<p class='a'>x</p>"),
        css=".a{color:#111111} .a:hover{color:#222222}",
        holds=lambda html: ":hover" not in html,
        option="disable_leftover_css",
        default=False,
    ),
}


# A rule about more than one element, so that premailer reads the whole mail and not only samples of it.
WHOLE = "\n.never .ever{margin:0}"


@pytest.mark.parametrize("reading", ["", WHOLE], ids=["samples", "whole mail"])
@pytest.mark.parametrize("name", PITFALLS)
def test_our_options_avoid_every_pitfall(name: str, reading: str) -> None:
    pitfall = PITFALLS[name]
    assert pitfall.holds(
        inline_styles(pitfall.html.replace(" data-premailer='no'", ""), pitfall.css + reading)
    )


@pytest.mark.parametrize("name", [name for name in PITFALLS if "dark" not in name])
def test_premailers_default_options_cause_each_pitfall(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pitfall, ours = PITFALLS[name], css_inliner._premailer_options
    changed = {pitfall.option: pitfall.default}
    if pitfall.option == "base_url":
        changed["disable_link_rewrites"] = False
    monkeypatch.setattr(css_inliner, "_premailer_options", lambda css: ours(css) | changed)
    assert not pitfall.holds(inline_styles(pitfall.html, pitfall.css + WHOLE))


def test_premailers_default_options_break_dark_mode() -> None:
    html = _page("<p class='a'>x</p>", f"<style>{DARK}</style>")
    assert "!important" not in Premailer(html, keep_style_tags=True).transform()
    assert "!important" not in Premailer(html).transform()


def test_the_doctype_comes_first_in_capitals() -> None:
    assert inline_styles(_page("x"), "").startswith("<!DOCTYPE html>")
    # As MRML writes it, premailer drops it, and browsers fall back to the rules of 1999.
    assert "doctype" not in Premailer(_page("x")).transform().lower()


@pytest.mark.parametrize(
    "rule",
    [
        "[data-ogsc] .a{color:#eeeeee !important}",
        "@supports (display:grid){.a{color:red}}",
        "u + .body .a{color:red}",
        "#outlook a{padding:0}",
        "@media screen{.a{width:100% !important}}",
        ".a:hover{color:red}",
    ],
)
def test_rules_that_cannot_be_inlined_stay_in_their_style_sheet(rule: str) -> None:
    html = inline_styles(_page("<p class='a'>x</p>", f"<style>{rule}</style>"), ".a{margin:0}")
    assert rule.replace(" + ", " + ") in html.replace(": ", ":")
    assert 'style="margin:0"' in html


@pytest.mark.parametrize("reading", ["", WHOLE], ids=["samples", "whole mail"])
@pytest.mark.parametrize("attributes", ["", ' media="print"', ' media="screen"', ' type="text/css"'])
def test_style_elements_are_left_exactly_as_they_were(attributes: str, reading: str) -> None:
    sheet = f"<style{attributes}>p{{color:red}}</style>"
    html = inline_styles(_page("<p class='a'>x</p>", sheet), f".a{{margin:0}}{reading}")
    assert sheet in html
    assert '<p class="a" style="margin:0">' in html


def test_a_style_element_keeps_its_media_attribute() -> None:
    html = inline_styles(
        _page("<p>x</p>", '<style media="screen and (min-width:480px)">p{color:red}</style>'), ""
    )
    assert '<style media="screen and (min-width:480px)">p{color:red}</style>' in html


@pytest.mark.parametrize("merge_tag", ["@@unsubscribe_url@@", "@@archive_url@@"])
def test_a_merge_tag_in_a_link_is_kept(merge_tag: str) -> None:
    assert f'href="{merge_tag}"' in inline_styles(_page(f'<a href="{merge_tag}">x</a>'), ".a{margin:0}")


def test_jinja_syntax_in_a_link_would_not_be_kept() -> None:
    assert 'href="{{ u }}"' not in inline_styles(_page('<a href="{{ u }}">x</a>'), "")


def test_conditional_comments_and_namespaces_survive() -> None:
    body = (
        "<!--[if mso]><table><tr><td><![endif]--><div>x</div><!--[if mso]></td></tr></table><![endif]-->"
        "<!--[if !mso]><!--><p>y</p><!--<![endif]-->"
    )
    page = _page(body).replace("<html", "<html xmlns:v='urn:schemas-microsoft-com:vml'")
    html = inline_styles(page, ".a{margin:0}")
    assert body in html
    assert 'xmlns:v="urn:schemas-microsoft-com:vml"' in html
    assert 'lang="en"' in html
    assert 'dir="ltr"' in html


def test_no_white_space_is_added_between_columns() -> None:
    body = '<div style="display:inline-block">a</div><div style="display:inline-block">b</div>'
    assert "a</div><div" in inline_styles(_page(body), "")


def test_repeated_declarations_stay_where_no_rule_matches() -> None:
    style = "background:#ffffff;background:linear-gradient(red,blue)"
    assert style in inline_styles(_page(f'<p style="{style}">x</p>'), ".other{margin:0}")


def test_characters_are_not_replaced_by_entities() -> None:
    html = inline_styles(_page("<p>10&nbsp;km 春 &amp; 夏</p>"), "")
    assert "10\u00a0km 春 &amp; 夏" in html


class _Recorder(BaseHTTPRequestHandler):
    hits: list[str]

    def do_GET(self) -> None:
        self.hits.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"p{color:red}")

    def log_message(self, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.mark.parametrize(
    "head",
    [
        '<link rel="stylesheet" href="{url}">',
        "<style>@import url({url});</style>",
        '<style>@import "{url}"; p{{margin:0}}</style>',
        '<style media="screen">@import url({url});</style>',
    ],
)
@pytest.mark.parametrize("place", ["head", "css"])
def test_no_style_sheet_is_fetched(head: str, place: str) -> None:
    hits: list[str] = []
    handler = type("Handler", (_Recorder,), {"hits": hits})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        written = head.format(url=f"http://127.0.0.1:{server.server_port}/a.css")
        if place == "head":
            inline_styles(_page("<p>x</p>", written), ".a{margin:0}")
        else:
            inline_styles(_page("<p>x</p>"), re.sub("<.*?>", "", written))
        server.shutdown()
    assert hits == []


def test_another_mail_cannot_make_a_rule_vanish() -> None:
    """premailer keeps one cache for sheets, selectors and styles, by their words alone: here the sheet
    "margin:0" is taken for the declarations "margin:0", and they are dropped without a word."""
    Premailer(_page("<p>x</p>", "<style>margin:0</style>"), disable_validation=True).transform()
    assert 'style="margin:0"' in inline_styles(_page("<p class='p'>x</p>"), ".p{margin:0}")


def test_another_mail_cannot_break_a_selector() -> None:
    """Here the style "em" is taken for the selector "em", which then is no selector: TypeError."""
    Premailer(_page('<b style="em">x</b>'), css_text=["b{margin:0}"], disable_validation=True).transform()
    assert '<em style="margin:0">' in inline_styles(_page("<em>x</em>"), "em{margin:0}")


def test_a_style_of_the_same_mail_cannot_break_a_selector() -> None:
    for reading in ("", WHOLE):
        html = inline_styles(_page('<b style="em">x</b><em>y</em>'), f"b,em{{margin:0}}{reading}")
        assert html.count('style="margin:0"') == 2


def test_a_mail_with_more_styles_than_the_cache_holds_is_inlined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(css_inliner, "_MAX_STYLE_KEYS", 2)
    body = "".join(f"<p class='a' style='width:{number}px'>x</p>" for number in range(9))
    for _ in range(2):
        assert inline_styles(_page(body), ".a{margin:0}").count("margin:0") == 9


CLASSES = st.lists(st.sampled_from(["a", "b", "c", "never", "A"]), max_size=3).map(" ".join)
STYLES = st.sampled_from(
    [
        "",
        "color:red",
        "color: red; margin: 1px !important",
        "COLOR:BLUE",
        "p",
        "font-family:'A B'",
        "width:1px;",
    ]
)
ELEMENTS = st.tuples(st.sampled_from(["p", "div", "em", "td", "img"]), CLASSES, STYLES)
SELECTORS = st.sampled_from(["p", "em", "td", ".a", ".b", "p.a", ".a.b", ".A", "P", ".c, .b", "div.c"])
DECLARATIONS = st.sampled_from(
    [
        "color:#111111",
        "margin:0 0 4px",
        "width:10px",
        "font:bold 1px/2px A,serif",
        "color:blue !important",
        "",
    ]
)
RULES = st.lists(st.tuples(SELECTORS, DECLARATIONS), max_size=5)


@given(elements=st.lists(ELEMENTS, max_size=6), rules=RULES)
@settings(max_examples=150, deadline=None)
def test_one_sample_of_each_kind_gives_the_same_as_the_whole_mail(
    elements: list[tuple[str, str, str]], rules: list[tuple[str, str]]
) -> None:
    body = "".join(f'<{name} class="{classes}" style="{style}">x' for name, classes, style in elements)
    css = "\n".join(f"{selector}{{{declarations}}}" for selector, declarations in rules)
    assert css_inliner._read_sheet(css).is_simple
    assert inline_styles(_page(body), css) == inline_styles(_page(body), css + WHOLE)


@pytest.mark.parametrize(
    "css",
    [
        ".a p{margin:0}",
        ".a>p{margin:0}",
        "p[class]{margin:0}",
        "p:first-child{margin:0}",
        "#a{margin:0}",
        "@media screen{.a{margin:0}}",
        '@import "a.css";',
        ".a{margin:0",
    ],
)
def test_rules_beyond_single_elements_read_the_whole_mail(css: str) -> None:
    assert not css_inliner._read_sheet(css).is_simple
    assert "x" in inline_styles(_page("<div class='a'><p class='a'>x</p></div>"), css)


@pytest.mark.parametrize(
    ("selector", "paragraph"),
    [("p:first-child", '<p class="a" style="margin:0">'), ("p:nth-child(2)", '<p class="a">')],
)
def test_a_selector_with_a_colon_neither_fails_nor_warns(
    selector: str, paragraph: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """premailer passes maxsplit by position, which Python 3.13 warns of and this test refuses."""

    def split(pattern: str, text: str, *, maxsplit: int = 0) -> list[str]:
        return re.compile(pattern).split(text, maxsplit)

    monkeypatch.setattr(re, "split", split)
    assert paragraph in inline_styles(_page("<p class='a'>x</p>"), f"{selector}{{margin:0}}")


def test_a_comment_does_not_make_a_style_sheet_complex() -> None:
    assert css_inliner._read_sheet("/* {.a p} */ .a{margin:0} /* .b */").is_simple


def test_mails_can_be_inlined_concurrently() -> None:
    results: list[str] = []

    def work(number: int) -> None:
        for _ in range(5):
            results.append(inline_styles(_page(f"<p class='a'>{number}</p>"), f".a{{margin:{number}px}}"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 20
    assert all(re.search(r'style="margin:(\d)px">\1<', result) for result in results)


@pytest.mark.parametrize(
    ("written", "tidied"),
    [
        ('<img height="auto" width="220.8">', '<img width="221">'),
        ('<td vertical-align="middle" class="">', "<td>"),
        ('<p style="margin:0px 0px 4px; color: #111111;">', '<p style="margin:0 0 4px;color:#111111">'),
        ('<td style="background:#ffffff;background-color:#ffffff">', '<td style="background-color:#ffffff">'),
        ('<td style="background:#ffffff;background-color:#eeeeee">', None),
        ('<td style="width:10px;line-height:0px">', '<td style="width:10px;line-height:0">'),
    ],
)
def test_tags_are_tidied(written: str, tidied: str | None) -> None:
    page = _page(f"<div><table><tr>{written}</table></div>" if written.startswith("<td") else written)
    assert (tidied or written) in inline_styles(page, "")


@pytest.mark.parametrize("words", ['height="auto"', ' class=""', ' style="color: red;"', ' width="1.5"'])
def test_text_about_html_is_not_tidied(words: str) -> None:
    html = inline_styles(_page(f"<p title='{words}'>Write {words} there</p>"), "")
    (paragraph,) = lxml_html.document_fromstring(html).iter("p")
    assert paragraph.text == f"Write {words} there"
    assert paragraph.get("title") == words


def test_tags_in_conditional_comments_are_tidied_too() -> None:
    ghost = '<table><tr><td class="" style="vertical-align:top; width:0px;"></td></tr></table>'
    html = inline_styles(_page(f'<!--[if mso]>{ghost}<![endif]--><!-- class="" -->'), "")
    assert '<!--[if mso]><table><tr><td style="vertical-align:top;width:0">' in html
    assert '<!-- class="" -->' in html


def test_an_empty_list_item_keeps_its_end_tag() -> None:
    html = inline_styles(_page("<ul><li></li><li>x</li></ul>"), "")
    assert "<ul><li><!----></li><li>x</li></ul>" in html


@pytest.mark.parametrize("words", ["<!--[if mso]>x<![endif]-->", "a < b > c", "<script>alert(1)</script>"])
def test_markup_characters_in_an_attribute_become_entities(words: str) -> None:
    html = inline_styles(_page(f'<img alt="{escape(words)}" src="https://e.org/a.png">'), "")
    assert f'alt="{escape(words)}"' in html
    (image,) = lxml_html.document_fromstring(html).iter("img")
    assert image.get("alt") == words


def test_style_sheets_lose_only_insignificant_white_space() -> None:
    rules = ".a > b ,\n.c {\n  color: red !important;\n}\n@media (max-width: 1px) { .d { margin: 0 } }"
    sheet = f"<style>\n{rules}\n</style>"
    for_outlook = f"<!--[if mso]>{sheet}<![endif]-->"
    html = inline_styles(_page("x", sheet + for_outlook), "")
    assert "<style>\n.a > b ,.c{color:red !important}@media (max-width:1px){.d{margin:0}}</style>" in html
    assert for_outlook in html
