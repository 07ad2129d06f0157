"""Numbers that come late: in their place on a page, and as a page."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from mailer.counts.counters import request_audience, request_segment
from mailer.database.team_models import Role
from tests.factories.deliveries import add_subscribers
from tests.web.studio.house import House, open_house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("house"), sqlite_template) as house:
        add_subscribers(house.studio.engine, [f"{n}@example.org" for n in range(1204)], country="MN")
        yield house


def read(house: House, path: str) -> str:
    """The words of a page."""
    answer = house.ask("GET", path, Role.author)
    assert answer.status == 200, path
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.body.decode())).split())


def ask_until_counted(house: House, path: str) -> str:
    """Ask as htmx does, until the answer asks for no other."""
    while True:
        answer = house.ask("GET", path, Role.author, hx_request="true").body.decode()
        if "hx-get" not in answer:
            return " ".join(re.sub(r"<[^>]+>", " ", answer).split())


def test_a_number_comes_with_its_time(house: House) -> None:
    said = ask_until_counted(house, request_segment("country:MN").path)
    assert re.fullmatch(r"1,204 partners at \d+ \w+ \d{4}, \d\d:\d\d UTC", said)


def test_an_audience_is_who_would_get_the_edition(house: House) -> None:
    assert ask_until_counted(house, request_audience("2026-1", "all").path).startswith("1,204 partners at")


def test_without_script_the_number_is_a_page(house: House) -> None:
    ask_until_counted(house, request_segment("country:MN").path)
    page = read(house, request_segment("country:MN").path)
    assert "1,204 partners at" in page
    assert "country:MN" in page


def test_a_segment_that_makes_no_sense_says_so_and_is_not_asked_for_again(house: House) -> None:
    assert "There is no key" in ask_until_counted(house, request_segment("contry:MN").path)


def test_tables_are_not_shown_alone(house: House) -> None:
    assert house.ask("GET", "/counts/cross-table?segment=all", Role.author).status == 404


def test_looking_writes_nothing_that_anybody_did(house: House) -> None:
    with house.unchanged("a look at a number"):
        ask_until_counted(house, request_segment("country:CN").path)
