"""Style sheets parsed as mails write them, and the computed styles of elements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from mailer.checks.mail.computed_style import (
    Appearance,
    ComputedStyle,
    compute_styles,
    find_colour,
    parse_colour,
)
from mailer.checks.mail.dom import list_nodes, match_rules
from mailer.checks.mail.stylesheet import media_applies, parse_declarations, parse_selector, parse_sheet


def compute_style(style: str, markup: str, appearance: Appearance = Appearance.light) -> ComputedStyle:
    """The computed style of the element with id x."""
    nodes = list_nodes(lxml_html.document_fromstring(f"<html><body>{markup}</body></html>"))
    match_rules(nodes, parse_sheet(style).rules)
    (node,) = (node for node in nodes if node.get("id") == "x")
    return compute_styles(nodes, appearance)[node]


# --- reading ------------------------------------------------------------------------------------------------


def test_rules_keep_the_conditions_around_them() -> None:
    sheet = parse_sheet("a{color:red}@media screen{@media (min-width:480px){b{margin:0}}}/* x{} */i{top:0}")
    assert [rule.conditions for rule in sheet.rules] == [(), ("screen", "(min-width:480px)"), ()]
    assert [rule.order for rule in sheet.rules] == [0, 1, 2]
    assert sheet.at_rules == {"media"}


def test_other_at_rules_are_named_and_contain_no_rules() -> None:
    sheet = parse_sheet(
        "@import url(x.css);@font-face{font-family:'Lato';src:url(a)}@keyframes k{from{top:0}}p{top:0}"
    )
    assert sheet.at_rules == {"import", "font-face", "keyframes"}
    assert sheet.font_faces == ["Lato"]
    assert len(sheet.rules) == 1


def test_a_semicolon_in_a_url_does_not_end_a_declaration() -> None:
    parts = parse_declarations("background:url(data:image/png;base64,x) ; color : RED !IMPORTANT;;width")
    assert [(part.name, part.value, part.important) for part in parts] == [
        ("background", "url(data:image/png;base64,x)", False),
        ("color", "RED", True),
    ]


@pytest.mark.parametrize(
    ("selector", "specificity"),
    [
        ("a", (0, 0, 1)),
        (".a.b #c", (1, 2, 0)),
        ("u + .body > td[align=left]:lang(zh)", (0, 3, 2)),
        ("*", (0, 0, 0)),
    ],
)
def test_specificity_counts_ids_classes_and_tags(selector: str, specificity: tuple[int, int, int]) -> None:
    read = parse_selector(selector)
    assert read is not None
    assert read.specificity == specificity


@given(st.text(alphabet="ab{}();:@!/*,.#>+~[]='\" \n-0", max_size=60))
def test_no_text_crashes_the_parser(text: str) -> None:
    sheet = parse_sheet(text)
    nodes = list_nodes(lxml_html.document_fromstring('<html><body><p class="a" id="b">x</p></body></html>'))
    match_rules(nodes, sheet.rules)
    compute_styles(nodes, Appearance.dark)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("screen", True),
        ("only screen and (min-width:480px)", True),
        ("(max-width:599px)", False),
        ("(min-width:700px) and (max-width:700px)", True),
        ("(prefers-color-scheme:dark)", False),
        ("(prefers-color-scheme: light)", True),
        ("print", False),
        ("not all", False),
        ("(hover:hover)", False),
        ("print, screen", True),
    ],
)
def test_media_queries_are_evaluated_for_a_light_screen_of_700_pixels(condition: str, expected: bool) -> None:
    assert media_applies(condition, dark=False, width=700) is expected


# --- styles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "markup", "colour"),
    [
        ("p{color:#111111}", '<p id="x">', "#111111"),
        ("p{color:#111111}", '<p id="x" style="color:#222222">', "#222222"),
        ("p{color:#111111 !important}", '<p id="x" style="color:#222222">', "#111111"),
        (".a{color:#111111}p{color:#222222}", '<p id="x" class="a">', "#111111"),
        ("p{color:#111111}p{color:#222222}", '<p id="x">', "#222222"),
        ("div{color:#111111}", '<div><p id="x"></div>', "#111111"),
        ("div>p{color:#111111}", '<div><blockquote><p id="x"></blockquote></div>', "#000000"),
        ("h2+p{color:#111111}", '<h2></h2><p id="x">', "#111111"),
        ("h2+p{color:#111111}", '<h2></h2><hr><p id="x">', "#000000"),
        ("h2~p{color:#111111}", '<h2></h2><hr><p id="x">', "#111111"),
        (":lang(zh){color:#111111}", '<p lang="zh-Hans"><b id="x">', "#111111"),
        ("[data-ogsc] p{color:#111111}", '<p id="x">', "#000000"),
        ("p:hover{color:#111111}", '<p id="x">', "#000000"),
        ("", '<a id="x" href="#">', "#0000ee"),
        ("p{color:rgba(0,0,0,.5)}", '<p id="x">', "#808080"),
        ("@media print{p{color:#111111}}", '<p id="x">', "#000000"),
    ],
)
def test_the_colour_is_that_of_the_winning_rule(style: str, markup: str, colour: str) -> None:
    assert compute_style(style, markup).colour == colour


def test_the_background_is_the_nearest_one_that_is_painted() -> None:
    markup = '<table bgcolor="#eeeeee"><tr><td style="background:transparent"><p id="x">'
    assert compute_style("", markup).background == "#eeeeee"
    assert (
        compute_style(
            "td{background:#123456 url(a.png)}", markup.replace(' style="background:transparent"', "")
        ).background
        == "#123456"
    )
    assert compute_style("td{background:#123456 !important}", markup).background == "#123456"


def test_a_shorthand_and_its_longhand_override_each_other() -> None:
    assert compute_style("p{font-size:20px}p{font:bold 14px/21px Arial}", '<p id="x">').font_size == 14
    computed = compute_style("p{font:bold 14px/21px Arial}p{font-size:20px}", '<p id="x">')
    assert (computed.font_size, computed.is_bold, computed.font_family) == (20, True, "Arial")
    assert compute_style("p{font:14px/21px Arial}", '<p id="x">').line_height == 1.5


@pytest.mark.parametrize(
    ("style", "size"), [("20px", 20), ("1.5em", 30), ("150%", 30), ("12pt", 16), ("2rem", 32), ("large", 20)]
)
def test_sizes_are_converted_to_pixels(style: str, size: float) -> None:
    assert (
        compute_style("", f'<div style="font-size:20px"><p id="x" style="font-size:{style}">').font_size
        == size
    )


def test_dark_rules_apply_only_in_dark_mode_and_are_recorded() -> None:
    style = "p{color:#111111}@media (prefers-color-scheme:dark){p{color:#eeeeee !important}}"
    markup = '<div style="background-color:#ffffff"><p id="x">'
    assert compute_style(style, markup).colour == "#111111"
    dark = compute_style(style, markup, Appearance.dark)
    assert (dark.colour, dark.is_dark_colour, dark.light_background) == ("#eeeeee", True, "#ffffff")
    both = style + "@media (prefers-color-scheme:dark){div{background-color:#222222 !important}}"
    assert compute_style(both, markup, Appearance.dark).light_background == ""
    assert compute_style(style, markup, Appearance.bare).colour == "#000000"


# --- colours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "colour"),
    [
        ("#ABC", "#aabbcc"),
        ("white", "#ffffff"),
        ("rgb(1, 2, 3)", "#010203"),
        ("rgb(1 2 3 / 50%)", "#808081"),
        ("rgba(0,0,0,0)", None),
        ("transparent", None),
        ("inherit", None),
        ("var(--x)", None),
        ("", None),
    ],
)
def test_colours_are_normalised_to_six_digits(written: str, colour: str | None) -> None:
    assert parse_colour(written) == colour


def test_the_colour_of_a_shorthand_is_found() -> None:
    assert find_colour("no-repeat #123456 url(https://e.org/white.png)") == "#123456"
    assert find_colour("url(https://e.org/white.png)") is None
