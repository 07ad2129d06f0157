"""Validation of names, languages, sectors and tags."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.errors import DetailError
from subscribers.validation import (
    are_clean_lines,
    clean_language,
    clean_line,
    clean_sectors,
    clean_tag,
    clean_tags,
)

SECTORS = {"education": "Education", "natural-sciences": "Natural Sciences", "social_human": "Social"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("  Ann \t Li\r\n", "Ann Li"),
        ("山田\u3000太郎", "山田 太郎"),
        ("Zoe\u0308", "Zoë"),
        ("Лувсанцэрэн", "Лувсанцэрэн"),
        ("👩‍👩‍👧 ZWJ stays", "👩‍👩‍👧 ZWJ stays"),
    ],
)
def test_a_name_becomes_one_tidy_line(text: str, line: str) -> None:
    assert clean_line(text, "name") == line


@pytest.mark.parametrize(
    ("char", "reason"),
    [
        ("\0", "control"),
        ("\x07", "control"),
        ("\x7f", "control"),
        ("\x85", "control"),
        ("\x0b", "control"),
        ("\u2028", "control"),
        ("\u2029", "control"),
        ("\ud800", "control"),
        ("\u202e", "direction"),
        ("\u2066", "direction"),
        ("\ufffd", "replacement character"),
        ("\ufeff", "does not stand for a character"),
        ("\uffff", "does not stand for a character"),
        ("\U0010ffff", "does not stand for a character"),
    ],
)
def test_a_character_not_allowed_in_mail_is_refused_by_name(char: str, reason: str) -> None:
    with pytest.raises(DetailError, match=rf"{reason}.*U\+{ord(char):04X}") as caught:
        clean_line(f"Ann{char}Li", "name")
    assert caught.value.field == "name"


def test_a_name_that_does_not_fit_is_refused_with_its_length() -> None:
    assert len(clean_line("é" * 300, "name")) == 300
    with pytest.raises(DetailError, match="it is 301 characters long; the limit is 300"):
        clean_line("é" * 301, "name")


@given(st.text(max_size=60))
def test_a_tidy_line_stays_as_it_is(text: str) -> None:
    try:
        line = clean_line(text, "name")
    except DetailError:
        return
    assert clean_line(line, "name") == line
    assert unicodedata.is_normalized("NFC", line)
    assert not set(line) & set("\0\r\n\t\u2028\u2029")


@given(
    st.lists(st.text(max_size=6) | st.text(" aé\u0301\ufffd\n", max_size=4) | st.just("x" * 301), max_size=4)
)
def test_lines_that_pass_together_are_clean(texts: list[str]) -> None:
    if are_clean_lines(texts):
        assert [clean_line(text, "name") for text in texts] == texts


def test_ordinary_names_pass_together() -> None:
    assert are_clean_lines([])
    assert are_clean_lines(["", "Ann Li", "Zoë O'Brien-Ü.", "陈晓", "x" * 300])


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("", None),
        (" ", None),
        ("en", "en"),
        ("EN", "en"),
        ("zh-hans", "zh-Hans"),
        ("zh_Hans_CN", "zh-Hans-CN"),
        ("pt-br", "pt-BR"),
        ("mn-MN", "mn-MN"),
        ("es-419", "es-419"),
        ("ｆｒ", "fr"),
    ],
)
def test_a_language_is_kept_in_its_usual_spelling(text: str, tag: str | None) -> None:
    assert clean_language(text) == tag


@pytest.mark.parametrize(
    "text", ["English", "xx", "en-XX9", "zh-Hanx", "en US", "e", "en@euro", "en-", "中文", "en\0"]
)
def test_an_invalid_language_code_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(DetailError, match=r"not a language code\. Use one such as en, mn, zh-Hans"):
        clean_language(text)


def test_sectors_are_found_by_their_slug_however_it_is_typed() -> None:
    names = ["Education", " natural sciences ", "NATURAL_SCIENCES", "social-human", ""]
    assert clean_sectors(names, SECTORS) == {"education", "natural-sciences", "social_human"}


def test_an_unknown_sector_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(
        DetailError, match=r'"eduction" is not a sector\. Did you mean education\? Choose from: educ'
    ):
        clean_sectors(["eduction"], SECTORS)
    with pytest.raises(DetailError, match=r"Set your sectors in mailer\.toml"):
        clean_sectors(["education"], {})


def test_tags_are_lower_case_and_empty_ones_are_left_out() -> None:
    assert clean_tags([" Press ", "press", "", "Ulaan  Baatar"]) == {"press", "ulaan baatar"}


@pytest.mark.parametrize(
    "text", ["a,b", "a;b", 'a"b', "=cmd", "+1", "-x", "@x", "'x", "＝x", "a\0", "x" * 65]
)
def test_a_tag_that_means_something_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(DetailError, match="tag") as caught:
        clean_tag(text)
    assert caught.value.field == "tags"


@given(st.text(max_size=70))
def test_a_clean_tag_stays_as_it_is(text: str) -> None:
    try:
        tag = clean_tag(text)
    except DetailError:
        return
    assert clean_tag(tag) == tag
    assert len(tag) <= 64
