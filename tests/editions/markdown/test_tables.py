"""Tables: which columns are set to the right, and which tables are too wide for a phone."""

import re

import pytest

from editions.markdown.renderer import RenderedMarkdown, render_markdown


def table(*rows: str, rule: str = "", language: str = "en") -> RenderedMarkdown:
    rule = rule or "|".join("-" for _ in rows[0].split("|"))
    return render_markdown("\n".join([rows[0], rule, *rows[1:]]), language=language)


def aligned(rendered: RenderedMarkdown) -> list[str]:
    """The alignment of each cell of the first row of data; empty where there is none."""
    cells = re.findall(r"<td([^>]*)>", rendered.html.partition("<tbody>")[2].partition("</tr>")[0])
    return [cell.partition("text-align:")[2].strip('"') for cell in cells]


@pytest.mark.parametrize(
    "cells",
    ["1,250,000|3", "4 %|5.5 %", "€ 12|€ 3", "12 km|–", "USD 5|n/a", "１２|３", "−3|+4", "12 万|3 万"],
)
def test_a_column_of_numbers_is_set_to_the_right(cells: str) -> None:
    first, second = cells.split("|")
    assert aligned(table("What|How many", f"a|{first}", f"b|{second}")) == ["", "right"]


@pytest.mark.parametrize("cells", ["3 May|12 May", "2021-12-31|2022-01-31", "12|many", "–|–"])
def test_a_column_of_anything_else_is_not(cells: str) -> None:
    first, second = cells.split("|")
    assert aligned(table("What|When", f"a|{first}", f"b|{second}")) == ["", ""]


def test_the_heading_of_a_column_of_numbers_is_above_them() -> None:
    assert '<th style="text-align:right" scope="col">n</th>' in table("a|n", "x|1").html


def test_what_markdown_says_about_a_column_wins() -> None:
    assert aligned(table("a|n", "x|1", rule="-|:-:")) == ["", "center"]


def test_numbers_stand_at_the_left_in_a_language_from_right_to_left() -> None:
    assert aligned(table("أ|ن", "ب|1", language="ar")) == ["", "left"]


def test_a_table_that_fits_a_phone_stays_a_table() -> None:
    rendered = table("Country|Schools|Share", "Mongolia|1,250|4 %", "Japan|980|5 %")
    assert not rendered.has_wide_table
    assert 'class="tb"' in rendered.html
    assert "<span" not in rendered.html


def test_five_columns_of_long_numbers_do_not_fit_and_name_their_column_in_every_cell() -> None:
    rendered = table("Country|Schools|Teachers|Pupils|Share", "Mongolia|1,250,000|12,400|1,250,000|4 %")
    assert rendered.has_wide_table
    assert rendered.problems == ()
    assert 'class="tb tw"' in rendered.html
    assert (
        '<td>Mongolia</td><td style="text-align:right"><span class="tl">Schools: </span>1,250,000</td>'
        in (rendered.html)
    )
    assert "Schools: " not in rendered.text


@pytest.mark.parametrize(("language", "label"), [("fr", "b\u00a0: "), ("zh", "b："), ("de", "b: ")])
def test_the_colon_is_that_of_the_language(language: str, label: str) -> None:
    row = "|".join(["1,000,000,000"] * 5)
    html = table("a|b|c|d|e", row, language=language).html.replace("&#160;", "\u00a0")
    assert f'<span class="tl">{label}</span>' in html


def test_a_table_too_wide_for_plain_text_is_a_group_of_lines_for_each_row() -> None:
    long = "a sentence that alone takes up more than sixty characters of a line"
    rendered = table("Country|What|Since", f"Japan|{long}|2020", f"Mongolia|{long}|")
    assert rendered.text.splitlines() == [
        "Japan", f"  What: {long}", "  Since: 2020", "Mongolia", f"  What: {long}",
    ]  # fmt: skip


def test_a_table_wider_than_an_email_is_a_warning_at_its_line() -> None:
    rendered = table("|".join("abcdefgh"), "|".join(["1,000,000,000"] * 8))
    (problem,) = rendered.problems
    assert (problem.code, problem.level, problem.line) == ("oversized-table", "warning", 1)
