"""How many followed a link, by country and sector, without a figure of fewer than five people."""

from collections.abc import Sequence

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from mailer.campaigns.report.clicks import ClickReport, read_clicks
from mailer.database.report_models import ANY_LINK, CampaignLink, Click, ClickCount, Clicker
from tests.factories.clicks import AT
from tests.factories.deliveries import add_campaign
from tests.factories.json_output import to_json


def count(link: int, country: str, sectors: str, people: int = 0, scanners: int = 0) -> Sequence[ClickCount]:
    figures = ((Clicker.person, people), (Clicker.scanner, scanners))
    return [
        ClickCount(
            campaign_id=1, link_number=link, country=country, sectors=sectors, clicker=clicker, clicks=number
        )
        for clicker, number in figures
        if number
    ]


def read(engine: Engine, *counts: Sequence[ClickCount]) -> ClickReport:
    with Session(engine) as session:
        for number in (1, 2):
            link = CampaignLink(campaign_id=1, number=number, url=f"https://example.org/{number}", story="a")
            session.add(link)
        session.add_all(one for some in counts for one in some)
        session.commit()
        report = read_clicks(session.connection(), 1)
    assert report is not None
    return report


@pytest.fixture(autouse=True)
def campaign(engine: Engine) -> int:
    return add_campaign(engine, 1)


def test_a_campaign_without_counted_links_has_no_figures(engine: Engine) -> None:
    with Session(engine) as session:
        assert read_clicks(session.connection(), 1) is None


def test_people_and_programs_are_told_apart_for_each_link(engine: Engine) -> None:
    report = read(
        engine,
        count(ANY_LINK, "FR", "culture", 12, 7),
        count(1, "FR", "culture", 12, 7),
        count(2, "FR", "culture", 0, 7),
    )
    assert (report.people, report.scanners) == (12, 7)
    assert [(link.number, link.people, link.scanners) for link in report.links] == [(1, 12, 7), (2, 0, 7)]
    assert report.links[0].url == "https://example.org/1"


def test_a_reader_of_two_sectors_is_in_both_and_once_in_the_country(engine: Engine) -> None:
    report = read(engine, count(1, "FR", "culture,sciences", 6), count(1, "FR", "culture", 7))
    cells = {(cell.country, cell.sector): cell.people for cell in report.links[0].cells}
    assert cells["FR", None] == 13
    assert cells["FR", "culture"] == 13
    assert cells["FR", "sciences"] == 6
    assert report.links[0].people == 13


def test_a_country_of_three_is_not_shown_nor_to_be_found_by_subtraction(engine: Engine) -> None:
    report = read(engine, count(1, "FR", "", 90), count(1, "KR", "", 12), count(1, "MN", "", 3, 2))
    cells = {cell.country: cell.people for cell in report.links[0].cells}
    assert report.links[0].people == 105
    assert cells == {"FR": 90, "KR": None, "MN": None}


def test_requests_that_are_not_judged_yet_are_said(engine: Engine) -> None:
    with Session(engine) as session:
        for clicker in (None, None, Clicker.person):
            session.add(
                Click(campaign_id=1, link_number=1, clicked_at=AT, visitor=bytes(16), clicker=clicker)
            )
        session.commit()
    assert read(engine).waiting == 2


def test_the_values_are_plain_json(engine: Engine) -> None:
    values = to_json(read(engine, count(1, "FR", "culture", 6)))
    assert values["links"][0]["cells"][-1] == {
        "country": "FR",
        "sector": "culture",
        "people": 6,
        "scanners": 0,
    }
