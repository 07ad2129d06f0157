"""What counts when two names of countries are compared."""

import pytest

from locales.country_names import exact_key, loose_key, reorder_name, split_names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Côte d'Ivoire", "COTE D’IVOIRE"),
        ("Côte d'Ivoire", "Cote dIvoire"),
        ("The Gambia", "gambia"),
        ("St. Lucia", "Saint Lucia"),
        ("Trinidad & Tobago", "Trinidad and Tobago"),
        ("Соединённое Королевство", "соединенное королевство"),
        ("ایران", "ايران"),
        ("Ελλάδα", "ΕΛΛΑΔΑ"),
        ("TÜRKİYE", "Turkiye"),
        ("臺灣", "台灣"),
    ],
)
def test_case_accents_and_punctuation_do_not_count(one: str, other: str) -> None:
    assert exact_key(one) == exact_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Republic of the Congo", "Rep. Congo"),
        ("République démocratique du Congo", "Rép. dém. Congo"),
        ("les Pays-Bas", "Pays-Bas"),
        ("El Perú", "Perú"),
        ("الهند", "هند"),
        ("Bosnie-et-Herzégovine", "Bosnie Herzégovine"),
        ("Каймановы о-ва", "Каймановы острова"),
        ("Marshall Is.", "Marshall Islands"),
    ],
)
def test_articles_and_abbreviations_do_not_count_in_the_loose_key(one: str, other: str) -> None:
    assert loose_key(one) == loose_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("ガーナ", "カーナ"), ("Niger", "Nigeria"), ("Guinea", "New Guinea")]
)
def test_what_makes_another_name_counts(one: str, other: str) -> None:
    assert loose_key(one) != loose_key(other)


@pytest.mark.parametrize(
    ("name", "reordered"),
    [
        ("Korea, Republic of", "Republic of Korea"),
        ("Iran (République islamique d')", "République islamique d' Iran"),
        ("Иран (Исламская Республика)", "Исламская Республика Иран"),
        ("الصين، هونغ كونغ", "هونغ كونغ الصين"),
        ("Mongolia", None),
        ("a, b, c", None),
        ("", None),
    ],
)
def test_a_name_of_a_register_is_put_in_the_usual_order(name: str, reordered: str | None) -> None:
    assert reorder_name(name) == reordered


def test_a_text_of_several_names_is_split() -> None:
    assert split_names("Myanmar (Burma)") == ["Myanmar", "Burma"]
    assert split_names("Suomi / Finland") == ["Suomi", "Finland"]
    assert split_names("Finland") == []
