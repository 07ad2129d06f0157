"""Languages: one spelling for each tag, their names, and the direction of their writing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locales.languages import canonical_language, find_language, find_locale, language_name, text_direction


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("en", "en"),
        (" EN ", "en"),
        ("zh-hans", "zh-Hans"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("zh_Hans_CN", "zh-Hans-CN"),
        ("zh_CN", "zh-CN"),
        ("pt-br", "pt-BR"),
        ("es-419", "es-419"),
        ("mn", "mn"),
        ("mi", "mi"),
        ("ｆｒ", "fr"),
        ("tet", "tet"),
        ("tlh", "tlh"),
        ("xx", None),
        ("zh-Hanx", None),
        ("en-XX9", None),
        ("english", None),
        ("en-", None),
        ("en@euro", None),
        ("中文", None),
        ("en\0", None),
        ("", None),
        ("../x", None),
    ],
)
def test_a_language_tag_is_written_as_bcp_47_has_it(written: str, tag: str | None) -> None:
    assert canonical_language(written) == tag


@given(st.text(max_size=12))
def test_a_canonical_tag_stays_as_it_is_and_has_a_name(written: str) -> None:
    if tag := canonical_language(written):
        assert canonical_language(tag) == tag
        assert language_name(tag, "en")
        assert text_direction(tag) in {"ltr", "rtl"}


@pytest.mark.parametrize(
    ("tag", "language", "name"),
    [
        ("mn", "en", "Mongolian"),
        ("zh-Hans", "en", "Simplified Chinese"),
        ("zh-CN", "en", "Chinese (Simplified, China)"),
        ("zh-Hans", "fr", "chinois simplifié"),
        ("mn", None, "монгол"),
        ("fr", None, "français"),
        # CLDR has names for these, and no data in them.
        ("tet", "en", "Tetum"),
        ("tet", None, "Tetum"),
        ("tlh", "fr", "klingon"),
        ("qqq", "en", "qqq"),
    ],
)
def test_a_language_has_a_name(tag: str, language: str | None, name: str) -> None:
    assert language_name(tag, language) == name


@pytest.mark.parametrize("tag", ["ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi", "uz-Arab", "arc"])
def test_languages_written_from_right_to_left_are_known(tag: str) -> None:
    assert text_direction(tag) == "rtl"


@pytest.mark.parametrize("tag", ["en", "mn", "zh-Hans", "uz", "tet", "tlh", "no language"])
def test_all_others_are_written_from_left_to_right(tag: str) -> None:
    assert text_direction(tag) == "ltr"


def test_a_language_without_data_has_no_locale() -> None:
    assert find_locale("tet") is None
    assert find_locale("zh-Hans") is not None


@pytest.mark.parametrize(
    ("written", "tag"),
    [
        ("fr_FR", "fr-FR"),
        ("mn_MN.UTF-8", "mn-MN"),
        ("eng", "en"),
        ("ger", "de"),
        ("English (US)", "en"),
        (" français ", "fr"),
        ("Französisch", "fr"),
        ("испанский", "es"),
        ("日本語", "ja"),
        ("Chinese (Simplified)", "zh"),
        ("العربية", "ar"),
        ("Монгол", "mn"),
        ("", None),
        ("Elvish", None),
        ("1", None),
    ],
)
def test_a_language_is_found_by_its_name_its_locale_or_its_codes(written: str, tag: str | None) -> None:
    assert find_language(written) == tag
