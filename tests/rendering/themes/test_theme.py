"""Themes and phrases as data: complete, readable in light and dark, and open to an office's own lines."""

import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest

import templates
from mailer.errors import TemplateError
from mailer.rendering.themes.template_files import load_phrases
from mailer.rendering.themes.theme import MIN_TEXT_CONTRAST, measure_contrast
from mailer.rendering.themes.theme_files import find_low_contrast, load_theme, theme_names

LANGUAGES = sorted(path.stem for path in (templates.ROOT / "email" / "words").glob("*.toml"))


def _override(folder: Path, name: str, text: str) -> Path:
    path = folder / "email" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def test_contrast_is_measured_as_in_wcag() -> None:
    assert measure_contrast("#000000", "#ffffff") == pytest.approx(21)
    assert measure_contrast("#ffffff", "#ffffff") == pytest.approx(1)
    assert measure_contrast("#777777", "#ffffff") == pytest.approx(4.478, abs=0.001)
    assert measure_contrast("#ffffff", "#767676") > MIN_TEXT_CONTRAST


@pytest.mark.parametrize("name", theme_names())
def test_a_pickled_theme_is_the_same(name: str) -> None:
    theme = load_theme(name)
    assert theme.content
    copies = [pickle.loads(pickle.dumps(theme)) for _ in range(2)]
    assert copies == [theme, theme]
    assert replace(copies[0], sections={}) != theme
    assert pickle.loads(pickle.dumps(replace(copies[0], sections={}))).sections == {}


@pytest.mark.parametrize("name", theme_names())
def test_every_shipped_theme_can_be_read_in_light_and_dark(name: str) -> None:
    theme = load_theme(name)
    assert list(find_low_contrast(theme)) == []
    for section, (light, dark) in theme.sections.items():
        assert measure_contrast(light, theme.light.sheet) >= MIN_TEXT_CONTRAST, section
        assert measure_contrast(dark, theme.dark.sheet) >= MIN_TEXT_CONTRAST, section


@pytest.mark.parametrize("name", theme_names())
@pytest.mark.parametrize("appearance", ["light", "dark"])
def test_a_faint_colour_is_refused_with_its_contrast(name: str, appearance: str, tmp_path: Path) -> None:
    overrides = _override(tmp_path, f"{name}.toml", f'[{appearance}]\nmuted = "#808080"\n')
    with pytest.raises(
        TemplateError,
        match=rf"{name}\.toml: {appearance}: muted #808080 on the sheet #\w+ has a contrast of \d\.\d\d:1, "
        rf"but text needs 4\.5:1\. Choose a {'darker' if appearance == 'light' else 'lighter'} colour\.",
    ):
        load_theme(name, overrides)


def test_every_faint_colour_is_found_in_light_and_dark() -> None:
    theme = load_theme("periodical")
    faint = replace(theme, dark=replace(theme.dark, link="#0a5a9c"))
    assert [sentence.split(":")[0] for sentence in find_low_contrast(faint)] == ["dark", "dark"]
    assert any("other is missing" in sentence for sentence in find_low_contrast(replace(theme, sections={})))


@pytest.mark.parametrize("name", theme_names())
def test_a_workspace_overrides_only_the_lines_that_differ(name: str, tmp_path: Path) -> None:
    lines = '[sections]\nwater = ["#00507a", "#9ad4f5"]\n[type]\nstory = { size = 22 }\n'
    overrides = _override(tmp_path, f"{name}.toml", lines)
    theme, ours = load_theme(name, overrides), load_theme(name)
    assert theme.accent("water", "k1").light == "#00507a"
    assert theme.light == ours.light
    assert theme.accent("culture", "k2") == ours.accent("culture", "k2")
    assert ours.accent("water", "k1").light == ours.sections["other"][0]
    assert (theme.type.story.size, theme.type.story.line) == (22, ours.type.story.line)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[light]\nink = "black"', "light.ink: invalid value 'black'. Write a colour as # and six"),
        ('[light]\nlnik = "#000000"', "light.lnik: unknown token. Did you mean light.link?"),
        ('[lihgt]\nink = "#000000"', "lihgt: unknown token. Did you mean light?"),
        ('[light]\ngutter = "#000000"', "light.gutter: unknown token. Did you mean spacing.gutter?"),
        ("[layout]\nzzz = 1", "layout.zzz: unknown token. The tokens are: width, columns, bullet."),
        ("[type]\nstory = 21", "type.story: invalid value 21. Write a table"),
        (
            "[type]\nstory = { size = 21, lien = 27 }",
            "type.story.lien: unknown token. Did you mean type",
        ),
        (
            "[type]\nstory = { size = 9 }",
            "type.story.size: invalid value 9. Write a whole number of pixels from 13",
        ),
        (
            "[type]\nstory = { size = 40 }",
            "type.story: a line height of 27 px does not suit text of 40 px.",
        ),
        ("[type.body]\nsize = '16'", "type.body.size: invalid value '16'. Write a whole number of pixels"),
        (
            "[spacing]\nbar = true",
            "spacing.bar: invalid value True. Write a whole number of pixels from 1 to 12.",
        ),
        ("[spacing]\nstory = -4", "spacing.story: invalid value -4."),
        ("[layout]\ncolumns = 3", "layout.columns: invalid value 3. Write 1 or 2."),
        ('[layout]\nbullet = "<b>"', "layout.bullet: invalid value '<b>'. Write one character"),
        (
            '[fonts]\ntext = "a;} body{color:red"',
            "fonts.text: invalid value 'a;} body{color:red'. Write font names",
        ),
        (
            "[pictures]\nstory = 4000",
            "pictures.story: invalid value 4000. Write a whole number of pixels from 16",
        ),
        ("[pictures]\nshown = 500", "pictures.shown: 500 px is too wide for a sheet of 600 px"),
        (
            '[sections]\nwater = "#00507a"',
            "sections.water: invalid value '#00507a'. Write a colour for light and",
        ),
        ("light = 3", "light: invalid value 3. Write a table"),
        ("[light\n", "not valid TOML"),
    ],
)
def test_an_invalid_line_of_a_theme_is_named_with_what_to_write(
    tmp_path: Path, text: str, complaint: str
) -> None:
    overrides = _override(tmp_path, "periodical.toml", text)
    with pytest.raises(TemplateError, match=re.escape(complaint)) as caught:
        load_theme("periodical", overrides)
    assert all(
        line.startswith(f"{overrides}/email/periodical.toml: ") for line in str(caught.value).splitlines()
    )


def test_all_invalid_lines_are_named_together(tmp_path: Path) -> None:
    overrides = _override(
        tmp_path, "bulletin.toml", '[light]\nink = "red"\n[dark]\nink = "red"\nlnik = "#000000"\n'
    )
    with pytest.raises(TemplateError) as caught:
        load_theme("bulletin", overrides)
    assert len(str(caught.value).splitlines()) == 3


def test_missing_settings_are_named(tmp_path: Path) -> None:
    _override(tmp_path, "gazette.mjml.j2", "")
    _override(tmp_path, "gazette.toml", '[light]\nink = "#000000"\n')
    with pytest.raises(TemplateError, match=r"light\.page is missing\. Add it"):
        load_theme("gazette", tmp_path)


@pytest.mark.parametrize("name", ["perodical", "../periodical", "", "Periodical"])
def test_an_unknown_theme_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(TemplateError, match=r"no such template.*periodical"):
        load_theme(name)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_phrase(language: str) -> None:
    words = load_phrases(language)
    assert words.language == language
    assert "{name}" in words.greeting
    assert "{what}" in words.read_more
    assert "{organisation}" in words.why
    assert "{number}" in words.issue
    assert words.one_story
    assert "{count}" in words.stories
    assert {"feature", "centres-and-chairs", "campaigns", "office"} <= set(words.sections)


def test_the_languages_are_those_documented() -> None:
    assert {"en", "zh", "ja", "ko", "mn", "fr"} <= set(LANGUAGES)


@pytest.mark.parametrize(
    ("asked", "given"), [("zh-Hans", "zh"), ("zh-Hant-HK", "zh"), ("en-GB", "en"), ("sw", "en"), ("fr", "fr")]
)
def test_a_language_falls_back_to_the_nearest_one(asked: str, given: str) -> None:
    assert load_phrases(asked).language == given


def test_a_workspace_may_change_phrases_and_add_languages(tmp_path: Path) -> None:
    overrides = _override(tmp_path, "words/en.toml", 'contents = "Inside"\n')
    assert load_phrases("en", overrides).contents == "Inside"
    assert load_phrases("en", overrides).view == load_phrases("en").view
    _override(tmp_path, "words/sw.toml", 'contents = "Yaliyomo"\n')
    with pytest.raises(TemplateError, match=r"email/words/sw\.toml: issue, .* are missing") as raised:
        load_phrases("sw", overrides)
    assert "\n" not in str(raised.value)
    # Readers of zh-Hans would get ours for zh; whoever changes a few of them names the wrong file easily.
    _override(tmp_path, "words/zh-Hans.toml", 'contents = "目录"\nviews = "x"\nissue = 3\n')
    with pytest.raises(TemplateError) as raised:
        load_phrases("zh-Hans", overrides)
    missing, unknown, wrong = str(raised.value).splitlines()
    assert missing.endswith("phrases for zh, write them into email/words/zh.toml instead.")
    assert unknown == "email/words/zh-Hans.toml: views: no phrase has this name. Correct or delete the line."
    assert wrong == "email/words/zh-Hans.toml: issue must be a text between quotation marks."


def test_phrases_of_a_workspace_s_own_need_not_have_what_came_later(tmp_path: Path) -> None:
    later = ("watch", "ai_", "read_story", "correction")
    lines = (templates.ROOT / "email/words/fr.toml").read_text(encoding="utf-8").splitlines(keepends=True)
    older = "".join(line for line in lines if not line.startswith(later))
    overrides = _override(tmp_path, "words/sw.toml", older)
    found = load_phrases("sw", overrides)
    assert (found.unsubscribe, found.ai_edited) == (load_phrases("fr").unsubscribe, "Edited with AI")


@pytest.mark.parametrize(
    "phrase",
    [
        "No. {numbr}",
        "No. {number:999999999}",
        "No. {number.__class__}",
        "No. {number!r}",
        "No. {",
        "{}",
        "{0}",
    ],
)
def test_a_phrase_with_an_unknown_placeholder_is_refused(tmp_path: Path, phrase: str) -> None:
    words = tmp_path / "email" / "words"
    words.mkdir(parents=True)
    (words / "en.toml").write_text(f'issue = "{phrase}"\n', encoding="utf-8")
    with pytest.raises(
        TemplateError, match=r"words/en\.toml: issue: .*: the only placeholder allowed is {number}"
    ):
        load_phrases("en", tmp_path)


@pytest.mark.parametrize("phrase", ["Issue", "No. {number}", "{number} {{draft}}"])
def test_a_phrase_may_omit_placeholders_or_escape_braces(tmp_path: Path, phrase: str) -> None:
    words = tmp_path / "email" / "words"
    words.mkdir(parents=True)
    (words / "en.toml").write_text(f'issue = "{phrase}"\n', encoding="utf-8")
    assert load_phrases("en", tmp_path).issue == phrase
