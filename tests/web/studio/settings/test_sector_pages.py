"""Sectors and countries as pages: named, ordered, coloured, and never taken from what uses them."""

import tomllib

import pytest
from sqlalchemy import text as sql
from sqlmodel import Session

from mailer.rendering.themes.theme_files import load_theme
from mailer.settings import Settings
from tests.conftest import SETTINGS
from tests.web.studio.settings.conftest import Desk


def list_sectors(settings: Settings) -> list[str]:
    return list(settings.sectors)


def test_a_sector_is_added_behind_the_others_and_named(desk: Desk) -> None:
    assert desk.post("/settings/sectors", [("name", "  Water  & life ")]).status == 303
    assert desk.text == f'{SETTINGS}water-life = "Water & life"\n'
    desk.fill(
        "/settings/sectors/water-life", {"sector_names.fr.water-life": "L’eau", "sectors.water-life": "Water"}
    )
    assert desk.settings.sectors["water-life"] == "Water"
    assert desk.settings.sector_names == {"fr": {"water-life": "L’eau"}}
    desk.fill("/settings/sectors/culture", {"sector_names.fr.culture": "Culture"})
    desk.fill("/settings/sectors/culture", {"sector_names.fr.culture": ""})
    assert desk.settings.sector_names == {"fr": {"water-life": "L’eau"}}


@pytest.mark.parametrize("name", ["", "Éducation", "x" * 200, "a\x00b"])
def test_a_sector_that_cannot_be_is_refused(desk: Desk, name: str) -> None:
    assert desk.post("/settings/sectors", [("name", name)]).status == 422
    assert desk.text == SETTINGS


def test_the_name_of_a_part_that_every_edition_has_makes_another_word(desk: Desk) -> None:
    desk.post("/settings/sectors", [("name", "Office")])
    assert list_sectors(desk.settings)[-1] == "office-sector"


def test_sectors_change_places_with_their_lines(desk: Desk) -> None:
    desk.write(
        SETTINGS.replace('sciences = "Natural Sciences"', 'sciences = "Natural Sciences"  # and water')
    )
    desk.post("/settings/sectors/sciences/move", [("to", "up")])
    assert list_sectors(desk.settings) == ["sciences", "education", "culture"]
    assert 'sciences = "Natural Sciences"  # and water\neducation' in desk.text
    desk.post("/settings/sectors/sciences/move", [("to", "up")])
    desk.post("/settings/sectors/culture/move", [("to", "down")])
    assert list_sectors(desk.settings) == ["sciences", "education", "culture"]
    assert desk.list_acts()[0] == ("changed_settings", "sectors")


def test_a_sector_that_something_uses_stays_and_says_what(desk: Desk) -> None:
    refused = desk.post("/settings/sectors/education/remove")
    assert refused.status == 409
    assert "by 2 stories in 2 editions, by 0 partners" in refused.body.decode()
    with Session(desk.house.studio.engine) as session:
        session.execute(
            sql(
                "INSERT INTO saved_segment (name, text, created_at, updated_at) VALUES "
                "('labs', 'sector:sciences -tag:x', '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
            )
        )
        session.commit()
    refused = desk.post("/settings/sectors/sciences/remove")
    assert (refused.status, "segments labs" in refused.body.decode()) == (409, True)
    assert desk.text == SETTINGS


def test_a_sector_that_nothing_uses_goes_with_its_names(desk: Desk) -> None:
    desk.post("/settings/sectors", [("name", "Water")])
    desk.fill("/settings/sectors/water", {"sector_names.fr.water": "L’eau"})
    assert desk.post("/settings/sectors/water/remove").status == 303
    assert list_sectors(desk.settings) == ["education", "sciences", "culture"]
    assert desk.settings.sector_names.get("fr", {}) == {}
    assert desk.get("/settings/sectors/water").status == 404


def test_colours_are_those_of_the_theme_until_a_sector_has_its_own(desk: Desk) -> None:
    path = "/settings/sectors/culture/colours"
    file = desk.root / "templates" / "email" / "periodical.toml"
    own = [("own", "true"), ("was", ""), ("light", "#7A1F5C"), ("dark", "#e9a6cf")]
    assert desk.post(path, own).status == 303
    assert file.read_text(encoding="utf-8") == '[sections]\nculture = ["#7a1f5c", "#e9a6cf"]\n'
    assert load_theme("periodical", desk.root / "templates").sections["culture"] == ("#7a1f5c", "#e9a6cf")
    page = desk.get("/settings/sectors/culture").body.decode()
    assert 'value="#7a1f5c"' in page
    # The page from before does not know these.
    assert desk.post(path, own).status == 422
    faint = [("own", "true"), ("was", "#7a1f5c #e9a6cf"), ("light", "#eeeeee"), ("dark", "#e9a6cf")]
    refused = desk.post(path, faint)
    assert refused.status == 422
    assert "Choose a darker colour" in refused.body.decode()
    assert desk.post(path, [("own", "false"), ("was", "#7a1f5c #e9a6cf")]).status == 303
    assert tomllib.loads(file.read_text(encoding="utf-8")).get("sections", {}) == {}
    file.unlink()


def test_a_country_has_names_a_zone_and_a_label(desk: Desk) -> None:
    answer = desk.post("/settings/countries", [("country", "KR")])
    assert answer.headers["location"] == "/studio/settings/countries/KR"
    fields: dict[str, str | None] = {
        "countries.KR": "Republic of Korea",
        "country_names.ko.KR": "대한민국",
        "time_zones.KR": "Asia/Seoul",
        "subject_labels.KR": "(광고)",
    }
    assert desk.fill("/settings/countries/KR", fields).status == 303
    settings = desk.settings
    assert (settings.countries, settings.country_names) == (
        {"KR": "Republic of Korea"},
        {"ko": {"KR": "대한민국"}},
    )
    assert (settings.time_zones, settings.subject_labels) == ({"KR": "Asia/Seoul"}, {"KR": "(광고)"})
    assert "Republic of Korea" in desk.get("/settings/countries").body.decode()
    refused = desk.fill("/settings/countries/KR", {"time_zones.KR": "Asia/Nowhere"})
    assert refused.status == 409
    assert "no such time zone" in refused.body.decode()
    desk.fill("/settings/countries/KR", dict.fromkeys(fields, ""))
    settings = desk.settings
    assert (settings.countries, settings.time_zones, settings.subject_labels) == ({}, {}, {})
    assert settings.country_names.get("ko", {}) == {}


@pytest.mark.parametrize("code", ["XX", "kr", "Korea"])
def test_there_is_no_page_for_what_is_no_country(desk: Desk, code: str) -> None:
    assert desk.get(f"/settings/countries/{code}").status == 404
    assert (
        desk.post("/settings/countries", [("country", code)]).headers["location"]
        == "/studio/settings/countries"
    )
