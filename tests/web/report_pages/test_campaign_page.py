"""The page of a campaign in each of its states, from values."""

import html
import re
from dataclasses import replace

import pytest

from mailer.campaigns.report.reasons import ReasonGroup
from mailer.database.models import DeliveryState
from mailer.database.report_models import ReportPart
from tests.factories.hostile_strings import HOSTILE
from tests.factories.reports import make_empty_report, make_report
from tests.web.report_pages.shown_reports import CHINESE, LONG, REPORTS, ShownReports

NEVER_LATE = {ReportPart.months, ReportPart.warnings, ReportPart.mailed}
SPACE = "\N{NO-BREAK SPACE}"


def read_words(page: str) -> str:
    """The words of a page in one line, without its charts' titles twice."""
    text = re.sub(r"<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(text).split()).replace(SPACE, " ")


def list_sections(page: str) -> list[str]:
    return re.findall(r'<section id="([\w-]+)"', page)


def test_a_full_report_has_all_its_sections_in_order(shown: ShownReports) -> None:
    assert list_sections(shown.render("/report/full")) == [
        "numbers",
        "comparison",
        "hand-over",
        "countries",
        "reasons",
        "in-doubt",
        "returned",
        "departures",
        "links",
        "organisations",
        "checks",
    ]


def test_the_numbers_are_a_sentence_a_table_and_an_equation_that_agree(shown: ShownReports) -> None:
    words = read_words(shown.render("/report/full"))
    assert "12,404 partners: 11,930 sent, 391 refused by their mail server" in words
    assert "Sent 11,930 96.2 % Refused by their mail server 391 3.2 %" in words
    assert "All partners 12,404 100 %" in words
    assert "12404 = 11930 sent + 391 rejected + 4 failed + 61 suppressed + 3 in doubt + 15 still" in words


def test_numbers_that_do_not_add_up_are_called_so(shown: ShownReports) -> None:
    words = read_words(shown.render("/report/unbalanced"))
    assert "do not add up" in words
    assert "≠" in words
    assert "do not add up" not in read_words(shown.render("/report/full"))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("full", "Finished."),
        ("sending", "It is being sent: 5 partners to go."),
        ("paused", "Paused, with 5 partners to go. No relay answers."),
        ("cancelled", "Cancelled. 5 partners never got it."),
        ("draft", "Nothing has been sent yet"),
    ],
)
def test_the_page_says_where_the_campaign_is(shown: ShownReports, name: str, sentence: str) -> None:
    assert sentence in read_words(shown.render(f"/report/{name}"))


def test_a_campaign_that_was_not_launched_has_no_figures(shown: ShownReports) -> None:
    assert list_sections(shown.render("/report/draft")) == []


def test_a_campaign_to_nobody_has_an_empty_bar(shown: ShownReports) -> None:
    page = shown.render("/report/empty")
    assert "All partners 0" in read_words(page)
    assert "nan" not in page


def test_late_parts_are_dated(shown: ShownReports) -> None:
    words = read_words(shown.render("/report/full"))
    assert "By country and sector Counted at 10:32 UTC" in words
    assert "Who left, and what partners changed Counted on 26 November 2026, 10:40 UTC" in words
    assert words.count("Counted") == 2


def test_a_part_that_is_not_counted_yet_says_so_and_shows_no_zero(shown: ShownReports) -> None:
    page = shown.render("/report/uncounted")
    words = read_words(page)
    assert words.count("Not counted yet") == 8
    assert "Nobody has left" not in words
    assert "All partners" not in words


@pytest.mark.parametrize("part", sorted(set(ReportPart) - NEVER_LATE))
def test_every_part_that_may_be_late_has_a_place_on_the_page(shown: ShownReports, part: ReportPart) -> None:
    report = replace(make_empty_report(), uncounted=frozenset({part}))
    assert "Not counted yet" in read_words(shown.render_report(report))


def test_hidden_figures_are_hidden_in_the_chart_too(shown: ShownReports) -> None:
    page = shown.render("/report/full")
    heat = page[page.index('class="chart heat"') :]
    heat = heat[: heat.index("</svg></div>") if "</svg></div>" in heat else heat.index("</figure>")]
    hidden = re.findall(r'class="cell" fill="url\(#countries-hidden\)"', heat)
    assert len(hidden) == sum(
        count is None
        for row in REPORTS["full"].breakdown.rows
        for count in row.by_sector  # type: ignore[union-attr]
    )
    assert "stands for fewer than five people" in page


def test_clicks_of_people_and_programs_are_shown_apart(shown: ShownReports) -> None:
    page = shown.render("/report/full")
    words = read_words(page[page.index('id="links"') : page.index('id="organisations"')])
    assert "1,204 people have followed a link, and 36 programs" in words
    assert "Read more: Youth forum (youth-forum) 812 34" in words
    assert "Register (register) – 28" in words
    assert "https://example.org/stories/3 41 29" in words
    assert "annual report" not in words
    assert "12 more visits are not told apart yet" in words


def test_without_clicks_the_page_says_that_none_were_counted(shown: ShownReports) -> None:
    words = read_words(shown.render("/report/one"))
    assert "Links Clicks were not counted for this campaign." in words
    assert "Opens are not counted" in words


def test_many_sectors_are_spread_over_several_maps(shown: ShownReports) -> None:
    page = shown.render("/report/many sectors")
    page = page[page.index('id="countries"') : page.index('id="reasons"')]
    assert page.count('class="chart heat"') == 3
    assert page.count("sector-13") >= 2


def test_without_sectors_countries_are_bars(shown: ShownReports) -> None:
    page = shown.render("/report/no sectors")
    page = page[page.index('id="countries"') : page.index('id="reasons"')]
    assert 'class="chart bars"' in page
    assert 'class="chart heat"' not in page


def test_a_server_may_say_anything_and_it_stays_words(shown: ShownReports) -> None:
    for script in HOSTILE["scripts"]:
        page = shown.render_report(make_report(words=script))
        tags = set(re.findall(r"<([a-zA-Z][\w-]*)", page))
        assert tags & {"script", "img", "iframe", "object", "embed", "base", "form", "style"} == set()
        assert not re.search(r"<[^>]*\s(?:on\w+|style)=", page)
        assert "javascript:" not in "".join(re.findall(r'(?:href|src)="([^"]*)"', page))


@pytest.mark.parametrize("path", [*(f"/report/{name}" for name in REPORTS)])
def test_every_state_has_one_heading_no_script_and_no_name_twice(shown: ShownReports, path: str) -> None:
    page = shown.render(path)
    assert page.count("<h1>") == 1
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page)
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'fill="url\(#([^)]+)\)"', page)) <= set(names)
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= set(names)


@pytest.mark.parametrize("words", [LONG, CHINESE])
def test_a_long_name_is_whole_in_the_table_and_cut_in_the_chart(shown: ShownReports, words: str) -> None:
    page = shown.render_report(make_report(words=words))
    assert page.count(f">{words}</th>") >= 3
    charts = "".join(re.findall(r"<text[^>]*>([^<]*)</text>", page))
    assert words not in charts
    assert "…" in charts


def test_a_refusal_is_told_with_what_it_means_and_whose_fault_it_is(shown: ShownReports) -> None:
    groups = tuple(
        ReasonGroup(state=DeliveryState.rejected, number=3, reason=reason, dead_address=dead)
        for reason, dead in (
            ("550 no such user", True),
            ("550 5.7.1 is on a blocklist", False),
            ("the address needs SMTPUTF8", False),
        )
    )
    words = read_words(shown.render_report(replace(make_empty_report(), reasons=groups)))
    assert "550 no such user Refused: no such user; dead address The partner’s side 3" in words
    assert "550 5.7.1 is on a blocklist Refused: blocked Ours 3" in words
    assert "the address needs SMTPUTF8 Refused 3" in words
    assert (
        "The reader’s server has no such address. You do not need to do anything: the address is removed."
        in words
    )
    assert "The reader’s server has blocked your sending server or domain. Ask whoever runs" in words
