"""Countries, from a file's words to a code and from a code to a reader's words."""

import tomllib
from pathlib import Path

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

import subscribers
from subscribers.country import country_name, is_country, resolve_country
from subscribers.errors import CountryError

COUNTRIES = tomllib.loads((Path(subscribers.__file__).parent / "countries.toml").read_text(encoding="utf-8"))[
    "countries"
]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("MN", "MN"),
        ("mn", "MN"),
        ("MNG", "MN"),
        (" mongolia ", "MN"),
        ("ＭＮ", "MN"),
        ("Монгол", "MN"),
        ("蒙古", "MN"),
        ("Mongolie", "MN"),
        ("South Korea", "KR"),
        ("Republic of Korea", "KR"),
        ("KOREA, REPUBLIC OF", "KR"),
        ("Korea (Republic of)", "KR"),
        ("대한민국", "KR"),
        ("韩国", "KR"),
        ("韓国", "KR"),
        ("Democratic People's Republic of Korea", "KP"),
        ("Democratic People’s Republic of Korea", "KP"),
        ("DPRK", "KP"),
        ("北朝鮮", "KP"),
        ("朝鲜", "KP"),
        ("Viet Nam", "VN"),
        ("Vietnam", "VN"),
        ("Türkiye", "TR"),
        ("Turkiye", "TR"),
        ("Turkey", "TR"),
        ("UK", "GB"),
        ("U.K.", "GB"),
        ("United Kingdom of Great Britain and Northern Ireland", "GB"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("United States of America", "US"),
        ("Bolivia (Plurinational State of)", "BO"),
        ("Côte d'Ivoire", "CI"),
        ("Côte d’Ivoire", "CI"),
        ("Cote dIvoire", "CI"),
        ("Ivory Coast", "CI"),
        ("Democratic Republic of the Congo", "CD"),
        ("DR Congo", "CD"),
        ("Lao People's Democratic Republic", "LA"),
        ("Lao PDR", "LA"),
        ("Iran (Islamic Republic of)", "IR"),
        ("Russian Federation", "RU"),
        ("Venezuela (Bolivarian Republic of)", "VE"),
        ("Micronesia (Federated States of)", "FM"),
        ("United Republic of Tanzania", "TZ"),
        ("Brunei Darussalam", "BN"),
        ("Saint Lucia", "LC"),
        ("St. Lucia", "LC"),
        ("The Gambia", "GM"),
        ("Bosnia and Herzegovina", "BA"),
        ("Czech Republic", "CZ"),
        ("Cabo Verde", "CV"),
        ("Holy See", "VA"),
        ("State of Palestine", "PS"),
        ("Hong Kong, China", "HK"),
        ("NO", "NO"),
        ("ガーナ", "GH"),
        ("Niger", "NE"),
        ("Nigeria", "NG"),
        ("モンゴル国", "MN"),
        ("КНР", "CN"),
        ("중화인민공화국", "CN"),
        ("جمهورية كوريا", "KR"),
        ("日本国", "JP"),
        ("S. Korea", "KR"),
        ("Gambia (Republic of The)", "GM"),
    ],
)
def test_a_country_is_found_by_the_names_partners_use(text: str, code: str) -> None:
    assert resolve_country(text) == code


@pytest.mark.parametrize(
    ("text", "candidates"),
    [("Korea", {"KR", "KP"}), ("Congo", {"CD", "CG"}), ("korea ", {"KR", "KP"}), ("Corée", {"KR", "KP"})],
)
def test_a_name_of_several_countries_is_asked_about(text: str, candidates: set[str]) -> None:
    with pytest.raises(CountryError, match=r"could be .* or .* Use the two-letter code") as caught:
        resolve_country(text)
    assert set(caught.value.candidates) == candidates


def test_a_misspelt_country_is_never_guessed_and_the_likely_ones_are_named() -> None:
    with pytest.raises(
        CountryError, match=r'"Mongola" is not a country we know. Did you mean .*Mongolia \(MN\)'
    ):
        resolve_country("Mongola")
    with pytest.raises(CountryError, match="Use the two-letter code, such as MN") as caught:
        resolve_country("Atlantis-on-Sea")
    assert "MN" not in caught.value.candidates


@pytest.mark.parametrize("text", ["", "  ", "XX", "ZZ", "EU", "UN", "001", "カーナ", "!!!", "the"])
def test_what_is_no_country_is_refused(text: str) -> None:
    with pytest.raises(CountryError, match="not a country we know"):
        resolve_country(text)


@given(st.text(max_size=40))
def test_no_text_makes_it_crash_and_whatever_it_returns_is_a_code(text: str) -> None:
    found = try_resolve(text)
    if isinstance(found, CountryError):
        assert all(is_country(code) for code in found.candidates)
        assert "\n" not in str(found)
    else:
        assert is_country(found)


def try_resolve(text: str) -> str | CountryError:
    try:
        return resolve_country(text)
    except CountryError as error:
        return error


def test_all_249_countries_of_the_standard_are_there_with_their_codes() -> None:
    assert len(COUNTRIES) == 249 + 1  # XK is user-assigned
    assert len({names[0] for names in COUNTRIES.values()}) == 250
    for code, (alpha_3, *aliases) in COUNTRIES.items():
        assert resolve_country(code) == resolve_country(alpha_3) == code
        assert len(code) == 2
        assert len(alpha_3) == 3
        for alias in aliases:
            assert resolve_country(alias) == code, alias


@pytest.mark.parametrize("language", ["en", "zh_Hans", "zh_Hant", "ja", "ko", "mn", "fr", "es", "ru", "ar"])
def test_every_name_we_show_is_understood_or_asked_about_never_taken_for_another(language: str) -> None:
    for code in COUNTRIES:
        name = Locale.parse(language).territories[code]
        found = try_resolve(name)
        assert found == code or code in getattr(found, "candidates", ()), name


@pytest.mark.parametrize(
    ("code", "language", "name"),
    [
        ("MN", "en", "Mongolia"),
        ("MN", "zh-Hans", "蒙古"),
        ("MN", "zh-CN", "蒙古"),
        ("MN", "zh", "蒙古"),
        ("KR", "ja", "韓国"),
        ("KR", "mn-MN", "Өмнөд Солонгос"),
        ("FR", "fr_CA", "France"),
        ("MN", "tlh", "Mongolia"),
        ("MN", "not a language", "Mongolia"),
        ("QQ", "en", "QQ"),
    ],
)
def test_a_country_has_a_name_in_the_readers_language(code: str, language: str, name: str) -> None:
    assert country_name(code, language) == name


def test_an_organisation_decides_what_a_country_is_called() -> None:
    assert country_name("KR", "zh-Hans", {"KR": "Republic of Korea"}) == "Republic of Korea"
    assert country_name("MN", "zh-Hans", {"KR": "Republic of Korea"}) == "蒙古"
