"""Every chart, read as a browser or a screen reader reads it."""

import re
from collections import Counter
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from mailer.web.report_pages.charts.bar_chart import Bar, draw_bars, draw_stacked_bar
from mailer.web.report_pages.charts.heat_map import (
    STEPS,
    HeatMapCell,
    choose_step,
    draw_heat_map,
)
from mailer.web.report_pages.charts.line_chart import Line, draw_lines
from mailer.web.report_pages.charts.svg import Tone, draw_swatch
from tests.factories.hostile_strings import HOSTILE

HEAD = {"name": "n", "title": "How many", "description": "Most of them."}
WORDS = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=90)
LONG = "An organisation with a name of eighty characters, which somebody wrote in full!!"


def draw_words(words: str) -> dict[str, Markup]:
    """One chart of each kind, with ``words`` wherever it takes some."""
    named = {"name": "n", "title": words, "description": words}
    cell = HeatMapCell(figure=words, value=3)
    return {
        "bars": draw_bars(**named, bars=(Bar(label=words, figure=words, parts=((Tone.bad, 2),)),)),
        "stacked": draw_stacked_bar(**named, parts=((Tone.main, 1), (Tone.doubt, 1))),
        "lines": draw_lines(
            **named,
            places=(0, 1, 2),
            ticks=(words, words, words),
            lines=(Line(label=words, tone=Tone.main, values=(1, None, 2)),),
        ),
        "heat": draw_heat_map(**named, columns=(words,), rows=((words, (cell,)),)),
    }


def parse(svg: Markup) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def list_texts(svg: Markup) -> list[str]:
    return ["".join(text.itertext()) for text in parse(svg).iter("text")]


@pytest.mark.parametrize("kind", ["bars", "stacked", "lines", "heat"])
def test_a_chart_is_a_picture_with_a_title_and_a_description(kind: str) -> None:
    root = parse(draw_words("Readers & <others>")[kind])
    assert root.get("role") == "img"
    parts = {element.get("id"): element for element in root if element.get("id")}
    assert parts[root.get("aria-labelledby")].text == "Readers & <others>"
    assert parts[root.get("aria-describedby")].tag == "desc"


@given(WORDS)
def test_no_words_break_out_of_a_chart(words: str) -> None:
    plain = {
        kind: Counter(element.tag for element in parse(svg).iter()) for kind, svg in draw_words("a").items()
    }
    for kind, svg in draw_words(words).items():
        found = Counter(element.tag for element in parse(svg).iter())
        # A heading of several lines has several texts, and one of none has none.
        assert found.keys() - plain[kind].keys() == set(), kind


@pytest.mark.parametrize("script", HOSTILE["scripts"])
def test_a_script_in_a_label_is_a_label(script: str) -> None:
    for kind, svg in draw_words(script).items():
        assert not re.search(r"<(script|img|iframe|style|a|foreignObject)\b|\son\w+=\"|\sstyle=", svg), kind


def test_the_page_forbids_styles_in_elements_and_no_chart_has_one() -> None:
    for svg in draw_words(LONG).values():
        assert all("style" not in element.attrib for element in parse(svg).iter())


def test_parts_are_told_apart_without_colour() -> None:
    tones = tuple((tone, 10.0) for tone in Tone)
    root = parse(draw_stacked_bar(**HEAD, parts=tones))
    shapes = [shape for shape in root if "shape" in (shape.get("class") or "")]
    looks = {shape.get("fill") or shape.get("class") for shape in shapes}
    assert len(looks) == len(Tone)
    assert {look[5:-1] for look in looks if look and look.startswith("url(#")} == {
        pattern.get("id") for pattern in root.iter("pattern")
    }
    assert 'fill="url(#n-bad)"' in draw_swatch("n", Tone.bad)


def test_lines_are_told_apart_by_the_shapes_of_their_marks() -> None:
    lines = tuple(Line(label="x", tone=tone, values=(1, 2)) for tone in Tone)
    svg = draw_lines(**HEAD, places=(0, 1), ticks=("a", "b"), lines=lines)
    assert len({path.get("d") for path in parse(svg).iter("path")}) == len(Tone)


def test_a_gap_in_a_line_stays_a_gap_and_a_lone_point_is_marked() -> None:
    line = Line(label="x", tone=Tone.main, values=(1, 2, None, 3))
    root = parse(draw_lines(**HEAD, places=(0, 1, 2, 3), ticks=("a", "b"), lines=(line,)))
    assert [polyline.get("points") for polyline in root.iter("polyline")] == ["0.0,666.7 333.3,333.3"]
    assert sum(1 for _ in root.iter("path")) == 3


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_bars(**HEAD, bars=()),
        lambda: draw_stacked_bar(**HEAD, parts=()),
        lambda: draw_lines(**HEAD, places=(), ticks=(), lines=()),
        lambda: draw_lines(
            **HEAD, places=(5,), ticks=("now",), lines=(Line(label="", tone=Tone.main, values=(0,)),)
        ),
        lambda: draw_heat_map(**HEAD, columns=(), rows=()),
    ],
)
def test_a_chart_of_nothing_or_of_one_value_is_drawn(draw: Callable[[], Markup]) -> None:
    root = parse(draw())
    numbers = [value for element in root.iter() for value in element.attrib.values()]
    assert not any("nan" in value or "inf" in value for value in numbers)


def test_two_hundred_points_have_no_marks() -> None:
    values = tuple(float(number) for number in range(200))
    line = Line(label="x", tone=Tone.main, values=values)
    root = parse(draw_lines(**HEAD, places=values, ticks=("a", "b", "c"), lines=(line,)))
    assert list(root.iter("path")) == []


def test_a_hidden_cell_shows_no_ground_that_would_tell_its_value() -> None:
    cells = (HeatMapCell(figure="–", value=None), HeatMapCell(figure="9", value=9))
    root = parse(draw_heat_map(**HEAD, columns=("A", "B"), rows=(("China", cells),)))
    hidden, shown = (rect for rect in root.iter("rect") if "cell" in (rect.get("class") or ""))
    assert (hidden.get("class"), hidden.get("fill")) == ("cell", "url(#n-hidden)")
    assert shown.get("class") == f"cell ground step-{STEPS}"


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_the_ground_of_a_cell_rises_with_its_value(value: int, largest: int) -> None:
    step = choose_step(min(value, largest), largest)
    assert 0 <= step <= STEPS
    assert (step == 0) is (value == 0)
    assert choose_step(largest, largest) == STEPS


def test_the_words_of_a_bar_leave_room_for_its_figure() -> None:
    bar = Bar(label=LONG, figure="1,000,000", parts=((Tone.main, 1),))
    label, figure = list_texts(draw_bars(**HEAD, bars=(bar,)))
    assert label == "An organisation with a name…"
    assert figure == "1,000,000"
