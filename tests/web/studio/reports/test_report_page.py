"""The report on a campaign in Studio: who sees what of it, what it is compared with, and its files."""

import csv
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import Session, select

from mailer.activity.acts import Act
from mailer.database.models import CampaignState
from mailer.database.team_models import ActivityRecord, Role
from mailer.i18n import LANGUAGES
from mailer.web.dependencies import utc_now
from mailer.web.language import LANGUAGE_PARAMETER
from subscribers.models import Subscriber
from tests.factories.deliveries import START, add_campaign
from tests.factories.small_edition import SLUG
from tests.web.report_pages.test_campaign_page import list_sections, read_words
from tests.web.studio.house import House, open_house
from tests.web.studio.returns import READERS, Returns, add_returns


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        yield house


@pytest.fixture(scope="module")
def returns(house: House) -> Returns:
    return add_returns(house.studio.engine, SLUG, utc_now())


def read(house: House, path: str, who: str = Role.manager) -> str:
    answer = house.ask("GET", path, who)
    assert answer.status == 200, path
    return answer.body.decode()


def test_a_report_shows_what_the_ledger_says_and_whom_it_doubts(house: House, returns: Returns) -> None:
    page = read(house, f"/campaigns/{returns.campaign}/report")
    words = read_words(page)
    assert f"{READERS} partners: 21 sent, 2 refused by their mail server, 1 in doubt." in words
    assert "reader2@example.org" in words
    assert "550 5.1.1 no such user <b>here</b>" in words
    assert {"numbers", "comparison", "reasons", "in-doubt", "departures", "files"} <= set(list_sections(page))
    assert "style=" not in page
    assert "mailer campaigns" not in words


def test_a_report_says_its_segment_in_words_and_the_query_beside_them(house: House) -> None:
    query = "country:MN,CN sector:education"
    number = add_campaign(
        house.studio.engine, [], state=CampaignState.finished, launched_at=START, segment=query
    )
    page = read(house, f"/campaigns/{number}/report")
    assert f"partners in Mongolia or China who follow Education · <code>{query}</code>" in page
    # Its sector is not there any more, so nobody knows what it is called.
    number = add_campaign(
        house.studio.engine, [], state=CampaignState.finished, launched_at=START, segment="sector:gone"
    )
    assert "<dt>Partners</dt><dd>sector:gone</dd>" in read(house, f"/campaigns/{number}/report")


def test_a_guest_sees_the_numbers_and_no_person(house: House, returns: Returns) -> None:
    page = read(house, f"/campaigns/{returns.campaign}/report", Role.guest)
    assert f"{READERS} partners" in read_words(page)
    assert "@example.org" not in page
    assert "organisations" not in list_sections(page)
    words = read_words(page)
    assert "Refused: no such user; dead address The partner’s side –" in words
    assert "Bounce: no such user –" in words
    assert "stands for fewer than five people" in words
    tables = re.findall(r"/report/tables/([\w-]+)", page)
    assert "countries" in tables
    assert "organisations" not in tables
    for table in tables:
        assert "@example.org" not in read(
            house, f"/campaigns/{returns.campaign}/report/tables/{table}", "guest"
        )


def test_a_report_is_compared_with_the_campaign_one_chooses(house: House, returns: Returns) -> None:
    other = add_campaign(
        house.studio.engine, [], state=CampaignState.finished, launched_at=START, segment="x"
    )
    path = f"/campaigns/{returns.campaign}/report"
    assert "nothing to compare it with" in read_words(read(house, path))
    page = read(house, f"{path}?with={other}")
    assert f'<option value="{other}" selected>' in page
    assert "Beside another campaign" in read_words(page)
    assert f'href="/studio/campaigns/{other}/report"' in page
    for odd in ("x", "0", str(returns.campaign), "99", "99999999999999"):
        assert "nothing to compare it with" in read_words(read(house, f"{path}?with={odd}")), odd


def test_each_table_of_a_report_is_a_file_for_a_spreadsheet(house: House, returns: Returns) -> None:
    page = read(house, f"/campaigns/{returns.campaign}/report")
    names = re.findall(r'/report/tables/([\w-]+)"', page)
    assert len(names) >= 5
    for name in names:
        answer = house.ask("GET", f"/campaigns/{returns.campaign}/report/tables/{name}", Role.author)
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert name in answer.headers["content-disposition"]
        rows = list(csv.reader(StringIO(answer.body.decode("utf-8-sig"))))
        assert len(rows) > 1
        assert len({len(row) for row in rows}) == 1
    assert house.ask("GET", f"/campaigns/{returns.campaign}/report/tables/none", Role.author).status == 404


def test_deliveries_by_name_are_for_managers_and_taking_them_is_in_the_log(
    house: House, returns: Returns
) -> None:
    path = f"/campaigns/{returns.campaign}/report/deliveries"
    with house.unchanged("an approver who asks for all names"):
        assert house.ask("POST", path, Role.approver).status == 403
    answer = house.ask("POST", path, Role.manager)
    rows = list(csv.DictReader(StringIO(answer.body.decode("utf-8-sig"))))
    assert len(rows) == READERS
    assert {row["state"] for row in rows} == {"sent", "rejected", "in_doubt"}
    with Session(house.studio.engine) as session:
        line = session.exec(select(ActivityRecord).where(ActivityRecord.act == Act.exported_report)).one()
    assert (line.edition, line.subject) == (SLUG, str(returns.campaign))
    assert house.ask("POST", "/campaigns/999/report/deliveries", Role.manager).status == 404


def test_a_report_of_nothing_is_not_found_and_of_a_draft_says_that_nothing_was_sent(house: House) -> None:
    for number in ("0", "999", "x", "1.5", "9" * 30):
        assert house.ask("GET", f"/campaigns/{number}/report", Role.manager).status == 404
    draft = add_campaign(house.studio.engine, [], state=CampaignState.draft, edition="draft")
    page = read(house, f"/campaigns/{draft}/report")
    assert "Nothing has been sent yet" in read_words(page)
    assert "comparison" not in list_sections(page)


def test_all_campaigns_over_time_lead_to_their_reports(house: House, returns: Returns) -> None:
    page = read(house, "/reports", Role.guest)
    assert f'href="/studio/campaigns/{returns.campaign}/report"' in page
    assert "What we did this spring" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_is_in_the_language_of_the_page(house: House, returns: Returns, language: str) -> None:
    for path in (f"/campaigns/{returns.campaign}/report", "/reports"):
        page = read(house, f"{path}?{LANGUAGE_PARAMETER}={language}")
        assert f'<html lang="{language}">' in page
        assert "%(" not in page


def test_countries_have_their_names_in_the_language_of_the_page(house: House, returns: Returns) -> None:
    with house.studio.engine.begin() as connection:
        connection.execute(update(Subscriber).values(country="MN"))
    path = f"/campaigns/{returns.campaign}/report"
    assert "蒙古" in read(house, f"{path}?{LANGUAGE_PARAMETER}=zh-Hans")
    assert "Mongolia" in read(house, path)
