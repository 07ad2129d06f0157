"""Themes and phrases as data: complete, readable in light and dark, and open to an office's own lines."""

from dataclasses import replace
from pathlib import Path

import pytest

import templates
from mailer.errors import TemplateError
from mailer.rendering.contrast import LEAST, measure_contrast
from mailer.rendering.theme import find_faint_colours, load_theme, theme_names
from mailer.rendering.words import load_words

LANGUAGES = sorted(path.stem for path in (templates.ROOT / "email" / "words").glob("*.toml"))


def _override(folder: Path, name: str, text: str) -> Path:
    path = folder / "email" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def test_contrast_is_measured_as_wcag_does() -> None:
    assert measure_contrast("#000000", "#ffffff") == pytest.approx(21)
    assert measure_contrast("#ffffff", "#ffffff") == pytest.approx(1)
    assert measure_contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert measure_contrast("#ffffff", "#767676") > LEAST


@pytest.mark.parametrize("name", theme_names())
def test_every_shipped_theme_can_be_read_in_light_and_dark(name: str) -> None:
    theme = load_theme(name)
    assert list(find_faint_colours(theme)) == []
    for section, (light, dark) in theme.sections.items():
        assert measure_contrast(light, theme.light.sheet) >= LEAST, section
        assert measure_contrast(dark, theme.dark.sheet) >= LEAST, section


def test_a_faint_colour_is_refused_with_its_contrast(tmp_path: Path) -> None:
    overrides = _override(tmp_path, "periodical.toml", '[light]\nmuted = "#999999"\n')
    with pytest.raises(
        TemplateError, match=r"light: muted #999999 on the sheet #ffffff has a contrast of 2\.85:1"
    ):
        load_theme("periodical", overrides)


def test_every_faint_colour_is_found_in_both_appearances() -> None:
    theme = load_theme("periodical")
    faint = replace(theme, dark=replace(theme.dark, link="#0a5a9c"))
    assert [sentence.split(":")[0] for sentence in find_faint_colours(faint)] == ["dark", "dark"]
    assert any("other is missing" in sentence for sentence in find_faint_colours(replace(theme, sections={})))


def test_an_office_changes_only_the_lines_that_differ(tmp_path: Path) -> None:
    overrides = _override(tmp_path, "periodical.toml", '[sections]\nwater = ["#00507a", "#9ad4f5"]\n')
    theme, ours = load_theme("periodical", overrides), load_theme("periodical")
    assert theme.accent("water", "k1").light == "#00507a"
    assert theme.light == ours.light
    assert theme.accent("culture", "k2") == ours.accent("culture", "k2")
    assert ours.accent("water", "k1").light == ours.sections["other"][0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[light]\nink = "black"', "light.ink"),
        ('[light]\nlnik = "#000000"', "light.lnik"),
        ('[fonts]\ntext = "a;} body{color:red"', "fonts.text"),
        ("[pictures]\nstory = 4000", "pictures.story"),
        ("[light\n", "not valid TOML"),
    ],
)
def test_a_wrong_line_of_a_theme_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        load_theme("periodical", _override(tmp_path, "periodical.toml", text))


@pytest.mark.parametrize("name", ["perodical", "../periodical", "", "Periodical"])
def test_an_unknown_theme_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(TemplateError, match=r"no such template.*periodical"):
        load_theme(name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    words = load_words(language)
    assert words.language == language
    assert "{name}" in words.greeting
    assert "{what}" in words.read_more
    assert "{organisation}" in words.why
    assert "{number}" in words.issue
    assert words.count_stories(1)
    assert "7" in words.count_stories(7)
    assert {"feature", "centres-and-chairs", "campaigns", "office"} <= set(words.sections)


def test_languages_are_those_promised() -> None:
    assert {"en", "zh", "ja", "ko", "mn", "fr"} <= set(LANGUAGES)


@pytest.mark.parametrize(
    ("asked", "given"), [("zh-Hans", "zh"), ("zh-Hant-HK", "zh"), ("en-GB", "en"), ("sw", "en"), ("fr", "fr")]
)
def test_a_language_falls_back_to_the_nearest(asked: str, given: str) -> None:
    assert load_words(asked).language == given


def test_an_office_may_say_it_otherwise_and_in_more_languages(tmp_path: Path) -> None:
    overrides = _override(tmp_path, "words/en.toml", 'contents = "Inside"\n')
    assert load_words("en", overrides).contents == "Inside"
    assert load_words("en", overrides).view == load_words("en").view
    _override(tmp_path, "words/sw.toml", 'contents = "Yaliyomo"\n')
    with pytest.raises(TemplateError, match=r"email/words/sw\.toml: issue"):
        load_words("sw", overrides)
