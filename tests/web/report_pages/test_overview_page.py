"""The page of all campaigns, from values."""

import re
from dataclasses import replace

import pytest

from mailer.web.report_pages.overview_page import describe_overview
from tests.factories.reports import NOW, make_time_line
from tests.web.report_pages.shown_reports import TIME_LINES, ShownReports
from tests.web.report_pages.test_campaign_page import list_sections, read_words


def test_two_hundred_campaigns_are_all_there_and_each_leads_to_its_report(shown: ShownReports) -> None:
    page = shown.render("/overview/two hundred")
    assert "200 campaigns, January 2022 to November 2026." in read_words(page)
    links = re.findall(r'href="/campaigns/(\d+)"', page)
    assert [int(link) for link in links] == list(range(200, 0, -1))
    assert page.count("<details>") == 4
    assert list_sections(page) == ["readers", "losses", "list", "campaigns"]


def test_before_the_first_campaign_the_page_says_so(shown: ShownReports) -> None:
    page = shown.render("/overview/none")
    assert "No campaign has been launched yet." in read_words(page)
    assert list_sections(page) == []


def test_one_campaign_is_no_line(shown: ShownReports) -> None:
    page = shown.render("/overview/first")
    assert "1 campaign, November 2026." in read_words(page)
    assert list_sections(page) == ["list", "campaigns"]


def test_a_list_that_is_not_counted_yet_says_so() -> None:
    found = describe_overview(replace(make_time_line(3), months=None), now=NOW)
    (section,) = (section for section in found.sections if section.name == "list")
    assert section.lead.startswith("Not counted yet")


def test_the_growth_of_the_list_is_dated_and_hides_small_months(shown: ShownReports) -> None:
    words = read_words(shown.render("/overview/two hundred"))
    assert "Counted at 10:32 UTC 12,875 people are on the list." in words
    assert "Feb 2026 – – 11,797" in words
    assert "stands for fewer than five people" in words


@pytest.mark.parametrize("name", TIME_LINES)
def test_every_overview_has_one_heading_and_no_name_twice(shown: ShownReports, name: str) -> None:
    page = shown.render(f"/overview/{name}")
    assert page.count("<h1>") == 1
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))
