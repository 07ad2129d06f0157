"""The sample partners: sixty invented subscribers with varied details and unusual but valid names."""

import csv
import re
from collections import defaultdict
from datetime import datetime

import pytest
from sqlmodel import Session

from subscribers.consent.suppression import SuppressionKey
from subscribers.imports.importer import import_file
from subscribers.queries import count_subscribers
from subscribers.segments.segment import parse_segment
from subscribers.validation import resolve_country
from tests.paths import ROOT

PARTNERS = ROOT / "subscribers" / "samples" / "partners.csv"
COUNTRIES = {"CN", "JP", "KP", "KR", "MN"}
SECTORS = {
    "education",
    "culture",
    "natural-sciences",
    "social-and-human-sciences",
    "communication-and-information",
}
AWKWARD = [
    "王小明 教育处",
    "Батсүхийн Энхжин",
    "김서연",
    "佐藤 健一",
    'Ms. "Nara" Ganbold',
    "Lee, Min-jun (Programme Officer)",
    "Patrick O'Connor",
    "Ariunzaya O’Brien",
    "Zoë Liú-Fernández",
]


@pytest.fixture(scope="module")
def partners() -> list[dict[str, str]]:
    with PARTNERS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def test_there_are_sixty_desks_under_the_columns_of_our_own_format(partners: list[dict[str, str]]) -> None:
    assert len(partners) == 60
    assert list(partners[0]) == ["email", "name", "organisation", "country", "sectors", "language", "tags"]
    assert not PARTNERS.read_bytes().startswith(b"\xef\xbb\xbf")


def test_addresses_are_unique_ignoring_case(partners: list[dict[str, str]]) -> None:
    assert len({partner["email"].casefold() for partner in partners}) == 60


def test_no_address_of_the_sample_can_receive_mail(partners: list[dict[str, str]]) -> None:
    for partner in partners:
        assert re.fullmatch(r"[^@\s]+@([a-z0-9-]+\.)*example\.(org|com|net)", partner["email"].lower()), (
            partner
        )


def test_two_addresses_are_unusual(partners: list[dict[str, str]]) -> None:
    addresses = [partner["email"] for partner in partners]

    assert [address for address in addresses if address != address.lower()] == ["News.Desk@Example.COM"]
    assert [address for address in addresses if "+" in address] == ["tvet+newsletter@pearl-delta.example.com"]


def test_every_country_has_desks_in_at_least_three_sectors(partners: list[dict[str, str]]) -> None:
    followed: defaultdict[str, set[str]] = defaultdict(set)
    for partner in partners:
        if partner["country"]:
            followed[resolve_country(partner["country"])].update(filter(None, partner["sectors"].split(";")))

    assert set(followed) == COUNTRIES
    assert all(len(sectors) >= 3 for sectors in followed.values())
    assert set().union(*followed.values()) == SECTORS


def test_some_partners_follow_several_sectors_and_some_none(partners: list[dict[str, str]]) -> None:
    followed = [len(list(filter(None, partner["sectors"].split(";")))) for partner in partners]

    assert {0, 1, 2, 5} <= set(followed)


def test_some_countries_are_written_as_names(partners: list[dict[str, str]]) -> None:
    written = {partner["country"] for partner in partners}

    assert {
        "Republic of Korea",
        "Democratic People's Republic of Korea",
        "Mongolia",
        "Japan",
        "China",
    } < written


def test_languages_and_tags_are_spread_and_sometimes_missing(partners: list[dict[str, str]]) -> None:
    tags = {tag for partner in partners for tag in partner["tags"].split(";")}

    assert {"en", "zh", "ja", "ko", "mn", ""} <= {partner["language"] for partner in partners}
    assert {"press", "ministry", "university", "ngo", "un", "natcom", ""} <= tags


@pytest.mark.parametrize("name", AWKWARD)
def test_an_awkward_name_is_included(partners: list[dict[str, str]], name: str) -> None:
    assert name in [partner["name"] for partner in partners]


def test_one_name_is_longer_than_a_hundred_characters(partners: list[dict[str, str]]) -> None:
    assert 100 < max(len(partner["name"]) for partner in partners) <= 300


def test_import_takes_all_of_them_and_finds_the_desks_for_education(session: Session, now: datetime) -> None:
    report = import_file(session, PARTNERS, sectors=SECTORS, key=SuppressionKey(bytes(32)), now=now)

    assert (report.added, report.refused) == (60, ())
    assert count_subscribers(session, parse_segment("country:MN,CN sector:education", sectors=SECTORS)) >= 8
