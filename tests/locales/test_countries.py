"""Countries: their codes and names, and what people write for them."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from babel import Locale
from babel.languages import get_official_languages
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import locales
from locales.countries import country_codes, country_name, find_countries, is_country, suggest_countries

FOLDER = Path(locales.__file__).parent
DATA = tomllib.loads((FOLDER / "countries.toml").read_text(encoding="utf-8"))
COUNTRIES = DATA["countries"]
LINES = [
    line.split("\t")
    for line in (FOLDER / "country_names.tsv").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
NAMES = [(name, code) for code, _, *names in LINES for name in names]
LANGUAGES = ["en", "zh_Hans", "zh_Hant", "ja", "ko", "mn", "fr", "es", "ru", "ar", "de"]
# Names the United Nations and CLDR have for one country and people use for several; we ask.
SHARED = ["Congo", "Конго", "الكونغو", "刚果", "Saint-Martin", "Saint Martin", "St. Martin"]


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


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_we_show_is_understood_and_never_taken_for_another(language: str) -> None:
    for code in COUNTRIES:
        name = Locale.parse(language).territories[code]
        assert find_countries(name) == (code,) or (name in SHARED and code in find_countries(name)), name


def test_every_name_the_united_nations_use_is_understood_and_never_taken_for_another() -> None:
    for name, code in NAMES:
        assert find_countries(name) == (code,) or (name in SHARED and code in find_countries(name)), name


def test_the_names_of_all_states_are_there_in_the_six_languages_of_the_united_nations() -> None:
    languages = {code: {line[1] for line in LINES if line[0] == code} for code in COUNTRIES}
    # Neither is in the United Nations' lists with names in six languages.
    without = {code for code in COUNTRIES if not languages[code] >= {"en", "fr", "es", "ru", "zh", "ar"}}
    assert without == {"TW", "XK"}


def test_formal_names_are_there_for_all_states_that_have_one() -> None:
    formal = {
        "Republic of",
        "Kingdom of",
        "State of",
        "Principality of",
        "Union of",
        "Sultanate of",
        "Duchy of",
    }
    english = {code: names for code, language, *names in LINES if language == "en"}
    states = {
        code for code, names in english.items() if any(word in name for name in names for word in formal)
    }
    assert len(states) > 130
    for code in states:
        for _, language, *names in (
            line for line in LINES if line[0] == code and line[1] in ("fr", "es", "ru")
        ):
            assert any(" " in name for name in names), (code, language)


@pytest.mark.parametrize("language", ["sv", "fi", "pl", "hu", "nl", "pt", "it", "tr", "el", "uk", "cs", "th"])
def test_every_country_is_understood_by_the_name_it_has_in_its_own_languages(language: str) -> None:
    names = Locale.parse(language).territories
    own = [code for code in COUNTRIES if language in get_official_languages(code)]
    assert own
    for code in own:
        assert find_countries(names[code]) == (code,)


def test_a_name_of_the_united_nations_is_understood_without_loading_cldr() -> None:
    program = """
import sys
from locales.countries import find_countries
assert find_countries("Fédération de Russie") == ("RU",)
assert "babel" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], cwd=FOLDER.parent, check=True)


def test_a_formal_name_is_understood_in_the_order_of_a_register() -> None:
    for name, code in NAMES:
        if (kind := name.partition(" of "))[1] and "(" not in name and "," not in name:
            assert find_countries(f"{kind[2].removeprefix('the ')}, {kind[0]} of") == (code,), name
            assert find_countries(f"{kind[2]} ({kind[0]} of)") == (code,), name
        if name.endswith(")") and name.count("(") == 1:
            assert find_countries(name.replace(" (", ", ").removesuffix(")")) == (code,), name


@given(st.sampled_from(NAMES), st.data())
@settings(max_examples=60, deadline=None)
def test_case_apostrophes_hyphens_and_space_make_no_difference(
    named: tuple[str, str], data: st.DataObject
) -> None:
    name, code = named
    written = name.replace("'", data.draw(st.sampled_from(["'", "’", "ʼ", "`", ""])))
    written = written.replace("-", data.draw(st.sampled_from(["-", " ", "‑", "–"])))
    written = written.replace(" ", data.draw(st.sampled_from([" ", "  ", "\N{NO-BREAK SPACE}"])))
    written = data.draw(st.sampled_from([str.upper, str.lower, str.title, str]))(written)
    assert code in find_countries(f" {written} "), written


@given(st.sampled_from(NAMES), st.data())
@settings(max_examples=80, deadline=None)
def test_a_slip_in_a_name_suggests_its_country_or_none(named: tuple[str, str], data: st.DataObject) -> None:
    name, code = named
    # A slip in "S. Korea" is another country's abbreviation.
    assume("." not in name)
    position = data.draw(st.integers(0, len(name) - 1))
    letter = data.draw(st.sampled_from(sorted(set(name))))
    before, after = name[:position], name[position:]
    slips = [before + after[1:], before + letter + after, before + letter + after[1:]]
    written = data.draw(st.sampled_from([*slips, before + after[1:2] + after[:1] + after[2:]]))
    assume(not find_countries(written))
    suggested = suggest_countries(written)
    assert not suggested or code in suggested, (written, suggested)


@pytest.mark.parametrize(
    "name",
    [
        "{} and Northern Ireland",
        "Democratic People's Republic of {}",
        "Federated States of {}",
        "Islamic Republic of {}",
        "Kingdom of {}",
        "Lao {} Republic",
        "Republic of {}",
        "Saint {}",
        "The {} Islands",
        "United {} Emirates",
        "United Republic of {}",
        "United States of {}",
        "États-Unis du {}",
        "Îles {}",
        "République démocratique du {}",
        "République fédérale démocratique du {}",
        "République populaire démocratique de {}",
        "Royaume de {}",
        "Estados Unidos {}",
        "Islas {}",
        "República Bolivariana de {}",
        "República Popular Democrática de {}",
        "Федеративная Демократическая Республика {}",
        "{} Народно-Демократическая Республика",
        "Соединенные Штаты {}",
        "{} острова",
        "{}民主人民共和国",
        "{}共和国",
        "{}合众国",
        "{}群岛",
        "جمهورية {} الديمقراطية الشعبية",
        "جمهورية {}",
        "الولايات المتحدة {}",
        "جزر {}",
        "{} 공화국",
    ],
)
@pytest.mark.parametrize(
    "word", ["Xyz", "Ruritania", "Борданская", "Ъыь", "某某", "乌有之乡", "زقزق", "가나다라"]
)
def test_a_country_that_only_shares_words_is_neither_taken_nor_suggested(name: str, word: str) -> None:
    assert suggest_countries(name.format(word)) == ()


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("Democratic People's Republic of Corea", {"KP"}),
        ("Democratic Republic of the Kongo", {"CD"}),
        ("République populaire de Chone", {"CN"}),
        ("République populaire démocratique de Corèe du Centre", set()),
        ("Republic of Ghama", {"GH"}),
        ("República Federal de Alemenia", {"DE"}),
        ("United Arab Emirats", {"AE"}),
        ("United Kingdim", {"GB"}),
        ("Marshal Islands", {"MH"}),
        ("Solomons Islands", {"SB"}),
        ("Исламская Республика Ирак", set()),
        ("Китайская Народная Ресублика", {"CN"}),
        ("中非共和囯", set()),
        ("South Corea", {"KR"}),
        ("Sverge", {"SE"}),
        ("Islamic Republic of Irak", set()),
        ("Republic of Dominica", {"DM", "DO"}),
        ("Republic of China", {"TW"}),
        ("Phillipines", {"PH"}),
    ],
)
def test_a_misspelt_formal_name_suggests_only_the_country_it_is_of(written: str, codes: set[str]) -> None:
    assert set(suggest_countries(written)) == codes


@pytest.mark.parametrize(
    "written",
    [
        *[
            "Georgia, USA",
            "Georgia (US)",
            "State of Georgia",
            "Washington",
            "Catalonia",
            "Catalunya",
            "New York",
        ],
        *["Tibet", "Kurdistan", "Somaliland", "Crimea", "Northern Cyprus", "Abkhazia", "Bavaria", "Québec"],
        *[
            "Paris",
            "Hanoi",
            "Yalta",
            "Caledonia",
            "Moravia",
            "Liguria",
            "Oran",
            "Sahara",
            "Timor",
            "Guangdong",
        ],
        *[
            "Republic",
            "Kingdom",
            "United",
            "Islands",
            "People's Republic",
            "République",
            "les",
            "共和国",
            "北",
        ],
        *["China, Georgia", "Korea (Congo)", "Republic of Vietnam", "Democratic Republic of Germany"],
    ],
)
def test_a_region_a_city_or_a_part_of_a_name_is_no_country(written: str) -> None:
    assert suggest_countries(written) == ()


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


@pytest.mark.parametrize("part", [" ", "Mali, (", "Mali/", "é"])
def test_a_cell_of_any_length_is_answered(part: str) -> None:
    assert suggest_countries(f"{part * 300_000}x") == ()


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
