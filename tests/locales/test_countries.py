"""Countries: their codes and names, and what people write for them."""

import tomllib
from pathlib import Path

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

import locales
from locales.countries import country_codes, country_name, find_countries, is_country, suggest_countries

COUNTRIES = tomllib.loads((Path(locales.__file__).parent / "countries.toml").read_text(encoding="utf-8"))[
    "countries"
]


def test_there_are_the_codes_of_iso_and_kosovo() -> None:
    assert len(country_codes()) == 250
    assert {"CN", "KP", "KR", "JP", "MN", "NO", "PS", "XK"} <= set(country_codes())
    assert not {"EU", "UN", "ZZ", "UK", "AC", "XA"} & set(country_codes())


def test_all_249_countries_of_the_standard_are_there_with_their_codes() -> None:
    assert len(COUNTRIES) == 249 + 1  # XK is user-assigned
    assert len({names[0] for names in COUNTRIES.values()}) == 250
    for code, (alpha_3, *aliases) in COUNTRIES.items():
        assert find_countries(code) == find_countries(alpha_3) == (code,)
        assert len(code) == 2
        assert len(alpha_3) == 3
        for alias in aliases:
            assert find_countries(alias) == (code,), alias


@pytest.mark.parametrize("language", ["en", "zh_Hans", "zh_Hant", "ja", "ko", "mn", "fr", "es", "ru", "ar"])
def test_every_name_we_show_is_understood_and_never_taken_for_another(language: str) -> None:
    for code in COUNTRIES:
        name = Locale.parse(language).territories[code]
        assert code in find_countries(name), name


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("UK", ("GB",)),
        ("uk", ("GB",)),
        ("mn", ("MN",)),
        ("MNG", ("MN",)),
        ("USA", ("US",)),
        ("496", ("MN",)),
        ("Mongolia", ("MN",)),
        ("mongolai", ("MN",)),
        ("Norway", ("NO",)),
        ("America", ("US",)),
        ("England", ("GB",)),
        ("Korea", ("KR", "KP")),
        ("Republic of Korea", ("KR",)),
        ("ROK", ("KR",)),
        ("South Korea", ("KR",)),
        ("the Democratic People’s Republic of Korea", ("KP",)),
        ("DPRK", ("KP",)),
        ("PRC", ("CN",)),
        ("Viet Nam", ("VN",)),
        ("Cote d'Ivoire", ("CI",)),
        ("Côte d’Ivoire", ("CI",)),
        ("Bosnia and Herzegovina", ("BA",)),
        ("SU", ()),
        ("EU", ()),
        ("Atlantis", ()),
        ("", ()),
    ],
)
def test_the_likely_country_is_suggested(written: str, codes: tuple[str, ...]) -> None:
    assert suggest_countries(written, names=1) == codes


@pytest.mark.parametrize("written", ["mongolai", "America", "496", "Nigera", "SU", "South Korean"])
def test_a_suggestion_is_not_an_answer(written: str) -> None:
    assert find_countries(written) == ()


@given(st.text(max_size=20))
def test_a_suggestion_is_always_a_code(written: str) -> None:
    assert all(is_country(code) for code in (*suggest_countries(written), *find_countries(written)))


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
