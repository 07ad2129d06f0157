"""Translations: complete, of something, and of what the original says now."""

from pathlib import Path

import pytest

from editions.errors import ProblemLevel
from editions.reader import read_edition
from editions.source.text_file import text_digest
from tests.factories.draft_edition import SECTORS, STORY, STORY_ZH, Draft

FIRST = "stories/010-youth-forum.md"
FIRST_ZH = "stories/010-youth-forum.zh.md"


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    draft = Draft(tmp_path / "2021-2")
    draft.translate()
    return draft


def test_a_whole_translation_adds_a_language(draft: Draft) -> None:
    assert draft.problems() == ()
    edition = read_edition(draft.folder, sectors=SECTORS)
    assert edition.languages == ("en", "zh")
    assert edition.texts["zh"].title == "我们的通讯"
    assert edition.texts["zh"].subject == "今年秋天我们做了什么"
    assert edition.texts["zh"].period == "September to December 2021"
    assert edition.letter is not None
    assert edition.letter.texts["zh"].title == "主任寄语"
    text = edition.stories[0].texts["zh"]
    assert (text.title, text.html) == ("青年论坛", "<p>论坛于十月举行。</p>")
    assert (text.alt, text.caption) == ("围坐在桌旁的年轻人", "西安论坛")
    assert [link.what for link in text.read_more] == ["西安论坛介绍"]


def test_a_missing_translation_is_a_warning_and_holds_the_language_back(draft: Draft) -> None:
    for number in range(2, 7):
        draft.write(f"stories/0{number}0-story-{number}.md", STORY)
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("edition.zh.md", 1, "incomplete-translation")
    assert problem.level == ProblemLevel.warning
    assert (
        "not yet translated into zh: stories/020-story-2.zh.md, stories/030-story-3.zh.md" in problem.message
    )
    assert "and 2 more. Until then, its readers get the edition in en" in problem.message
    assert read_edition(draft.folder, sectors=SECTORS).languages == ("en",)


def test_a_translated_story_without_a_translated_edition_is_a_warning(draft: Draft) -> None:
    (draft.folder / "edition.zh.md").unlink()
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("edition.md", 1, "incomplete-translation")
    assert "not yet translated into zh: edition.zh.md" in problem.message
    edition = read_edition(draft.folder, sectors=SECTORS)
    assert edition.languages == ("en",)
    assert set(edition.stories[0].texts) == {"en", "zh"}


def test_a_translation_without_the_letter_is_not_whole(draft: Draft) -> None:
    front = (draft.folder / "edition.zh.md").read_text().partition("letter:")[0]
    draft.write("edition.zh.md", f"{front}---\n")
    assert "not yet translated into zh: the letter" in draft.problem().message


def test_an_original_that_changed_since_is_a_warning(draft: Draft) -> None:
    draft.write(FIRST_ZH, STORY_ZH.replace("image:", f"translated_from: {text_digest(STORY)}\nimage:"))
    assert draft.problems() == ()
    draft.change(FIRST, "in October", "in November")
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST_ZH, 3, "original-changed")
    assert problem.level == ProblemLevel.warning
    digest = text_digest((draft.folder / FIRST).read_text())
    assert f"{FIRST} has changed since it was translated" in problem.message
    assert f"then write `translated_from: {digest}" in problem.message


def test_a_translation_into_the_edition_s_own_language_is_refused(draft: Draft) -> None:
    draft.write("stories/010-youth-forum.en.md", STORY_ZH.replace("西安论坛介绍", "the forum in English"))
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == ("stories/010-youth-forum.en.md", 1, "own-language")
    assert problem.level == ProblemLevel.error
    assert "this is a translation into en, the language of stories/010-youth-forum.md" in problem.message


def test_words_for_a_picture_that_is_not_there_are_refused(draft: Draft) -> None:
    image = STORY.partition("image:")[2].partition("read_more:")[0]
    draft.write(FIRST, STORY.replace(f"image:{image}", ""))
    (draft.folder / "images/forum.jpg").unlink()
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST_ZH, 3, "image-without-original")
    assert f"{FIRST} has no picture, so this text would not be used" in problem.message


@pytest.mark.parametrize(
    ("line", "number", "code", "words"),
    [
        ("  alt: 围坐在桌旁的年轻人\n", 3, "untranslated-alt", "the picture's alt text is not translated"),
        ("  caption: 西安论坛\n", 3, "untranslated-caption", "the picture's caption is not translated"),
        (
            "read_more:\n  what: 西安论坛介绍\n  url: https://example.org/zh/forum\n",
            1,
            "untranslated-links",
            "the links below the story are not translated",
        ),
    ],
)
def test_what_was_not_translated_is_a_warning(
    draft: Draft, line: str, number: int, code: str, words: str
) -> None:
    draft.change(FIRST_ZH, line, "")
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST_ZH, number, code)
    assert problem.level == ProblemLevel.warning
    assert words in problem.message
    text = read_edition(draft.folder, sectors=SECTORS).stories[0].texts["zh"]
    assert text.alt
    assert text.caption
    assert text.read_more


def test_a_paragraph_that_is_still_the_original_s_is_a_warning(draft: Draft) -> None:
    said = "Forty young people from five countries met in Xi’an, and spoke about water."
    draft.change(FIRST, "The forum met in October.", f"The forum met in October.\n\n{said}")
    draft.change(FIRST_ZH, "论坛于十月举行。", f"论坛于十月举行。\n\n{said}")
    problem = draft.problem()
    assert (problem.path, problem.code, problem.level) == (
        FIRST_ZH,
        "untranslated-text",
        ProblemLevel.warning,
    )
    assert f"a paragraph is still as in {FIRST} (“Forty young people" in problem.message
    draft.change(FIRST_ZH, said, "来自五个国家的四十名青年。")
    assert draft.problems() == ()


def test_a_paragraph_in_chinese_that_is_still_the_original_s_is_found(draft: Draft) -> None:
    said = "来自五个国家的四十名青年在西安会面。"
    draft.change(FIRST, "The forum met in October.", said)
    draft.change(FIRST_ZH, "论坛于十月举行。", said)
    assert draft.problem().code == "untranslated-text"


def test_a_name_may_be_the_same_in_both_languages(draft: Draft) -> None:
    draft.change(FIRST, "The forum met in October.", "The forum met in October.\n\nShahbaz Khan, Beijing")
    draft.change(FIRST_ZH, "论坛于十月举行。", "论坛于十月举行。\n\nShahbaz Khan, Beijing")
    assert draft.problems() == ()


def test_a_translation_has_no_keys_of_the_original(draft: Draft) -> None:
    draft.change(FIRST_ZH, "title: 青年论坛", "title: 青年论坛\ncountries: [CN]")
    problem = draft.problem()
    assert (problem.path, problem.line, problem.code) == (FIRST_ZH, 3, "unknown-key")


def test_an_empty_translation_is_an_error(draft: Draft) -> None:
    draft.change(FIRST_ZH, "论坛于十月举行。", "")
    problem = draft.problem()
    assert (problem.path, problem.code, problem.level) == (FIRST_ZH, "empty-story", ProblemLevel.error)


def test_a_translation_s_dates_and_introductions_are_its_own(draft: Draft) -> None:
    draft.change(FIRST, "sector: culture", "sector: culture\ndate: 24 October")
    draft.change(FIRST_ZH, "image:", "date: 10月24日\nimage:")
    draft.change("edition.md", "letter:", "introductions: {culture: Words.}\nletter:")
    draft.change(
        "edition.zh.md", "letter:", "period: 2021年9月至12月\nintroductions: {culture: 引言。}\nletter:"
    )
    edition = read_edition(draft.folder, sectors=SECTORS)
    assert (edition.stories[0].texts["en"].date, edition.stories[0].texts["zh"].date) == (
        "24 October",
        "10月24日",
    )
    assert edition.texts["zh"].period == "2021年9月至12月"
    assert edition.texts["zh"].introductions["culture"].html == "<p>引言。</p>"
    assert edition.introductions["culture"].html == "<p>Words.</p>"


def test_front_matter_that_cannot_be_read_is_the_only_problem(draft: Draft) -> None:
    draft.translate()
    draft.change(FIRST, "sector: culture", "sector: [culture")
    assert [problem.code for problem in draft.problems()] == ["yaml-syntax"]
