"""Country names converted to codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locales.countries import is_country
from subscribers.errors import CountryError
from subscribers.validation import resolve_country


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
        ("Fédération de Russie", "RU"),
        ("République populaire démocratique de Corée", "KP"),
        ("الجمهورية العربية السورية", "SY"),
        ("China, Hong Kong SAR", "HK"),
        ("Eswatini", "SZ"),
        ("Swaziland", "SZ"),
        ("Netherlands (Kingdom of the)", "NL"),
        ("Myanmar (Burma)", "MM"),
        ("Mongolia (MN)", "MN"),
        ("Congo, Dem. Rep.", "CD"),
        ("Korea, Rep.", "KR"),
        ("Micronesia, Fed. Sts.", "FM"),
        ("St. Vincent & the Grenadines", "VC"),
        ("les Pays-Bas", "NL"),
        ("Republik Österreich", "AT"),
        ("ガーナ共和国", "GH"),
        ("Republik Korea", "KR"),
        ("Suedafrika", "ZA"),
        ("É.-U.", "US"),
        ("R.-U.", "GB"),
        ("RU", "RU"),
        ("EE. UU.", "US"),
        ("Sverige", "SE"),
        ("Suomi", "FI"),
        ("Polska", "PL"),
        ("Magyarország", "HU"),
        ("Ελλάδα", "GR"),
        ("भारत", "IN"),
        ("ไทย", "TH"),
        ("ایران", "IR"),
        ("Georgia", "GE"),
        ("Guinea", "GN"),
        ("Samoa", "WS"),
        ("Ireland", "IE"),
    ],
)
def test_a_country_is_found_by_the_names_partners_use(text: str, code: str) -> None:
    assert resolve_country(text) == code


@pytest.mark.parametrize(
    ("text", "candidates"),
    [
        ("Korea", {"KR", "KP"}),
        ("Congo", {"CD", "CG"}),
        ("korea ", {"KR", "KP"}),
        ("Corée", {"KR", "KP"}),
        ("le Congo", {"CD", "CG"}),
        ("刚果", {"CD", "CG"}),
        ("Islas Vírgenes", {"VG", "VI"}),
        ("Republic of Dominica", {"DM", "DO"}),
    ],
)
def test_an_ambiguous_country_name_is_refused_with_candidates(text: str, candidates: set[str]) -> None:
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
def test_an_unknown_country_is_refused(text: str) -> None:
    with pytest.raises(CountryError, match="not a country we know"):
        resolve_country(text)


@given(st.text(max_size=40))
def test_any_text_gives_a_country_code_or_an_error(text: str) -> None:
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
