"""What an edition says: alt texts, links, subject and preheader, length, reserved signs."""

from pathlib import Path

import pytest

from editions.problem import Level, Problem
from tests.factories.draft_edition import STORY, Draft

FIRST = "stories/010-youth-forum.md"
BODY = "The forum met in October."


@pytest.fixture
def draft(tmp_path: Path) -> Draft:
    return Draft(tmp_path / "2021-2")


def place(problem: Problem) -> tuple[str, int, str, Level]:
    return problem.path, problem.line, problem.code, problem.level


# --- alt texts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alt", ["forum.jpg", "Forum", "IMG_0042", "picture 7", "some-photo.jpeg"])
def test_an_alt_text_is_not_a_file_name(draft: Draft, alt: str) -> None:
    draft.change(FIRST, "Young people around a table", alt)
    problem = draft.problem()
    assert place(problem) == (FIRST, 7, "alt-is-file-name", Level.error)
    assert f"the alt text {alt!r} is a file name, which screen readers would read out" in problem.message


def test_an_alt_text_is_not_the_caption_again(draft: Draft) -> None:
    draft.change(FIRST, "alt: Young people around a table", "alt: the forum in Xi’an")
    problem = draft.problem()
    assert place(problem) == (FIRST, 7, "alt-repeats-caption", Level.error)
    assert "would hear it twice. Describe what the picture shows" in problem.message


def test_a_long_alt_text_is_a_warning(draft: Draft) -> None:
    draft.change(FIRST, "Young people around a table", "Young people " * 10)
    problem = draft.problem()
    assert place(problem) == (FIRST, 7, "long-alt", Level.warning)
    assert "the alt text has 129 characters" in problem.message


def test_the_portrait_is_held_to_the_same_rules(draft: Draft) -> None:
    draft.add_image("khan.jpg", 400, 400)
    draft.change("edition.md", "  name: ", "  portrait: {file: khan.jpg, alt: khan.jpg}\n  name: ")
    assert place(draft.problem()) == ("edition.md", 11, "alt-is-file-name", Level.error)


# --- links --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["Read more", "click here", "Here.", "→ more …", "更多", "点击这里", "こちら", "여기", "энд", "ici"],
)
def test_words_that_say_nothing_are_a_warning(draft: Draft, words: str) -> None:
    draft.change(FIRST, BODY, f"First line.\nSecond: [{words}](https://example.org/a).")
    problem = draft.problem()
    assert place(problem) == (FIRST, 16, "vague-link", Level.warning)
    assert f"“{words}” does not say where the link goes" in problem.message


def test_the_words_of_read_more_must_say_something_too(draft: Draft) -> None:
    draft.change(FIRST, "what: the forum in Xi’an", "what: here")
    assert place(draft.problem()) == (FIRST, 11, "vague-link", Level.warning)


@pytest.mark.parametrize("link", ["<https://example.org/a>", "[www.example.org](https://www.example.org)"])
def test_an_address_for_words_is_a_warning(draft: Draft, link: str) -> None:
    draft.change(FIRST, BODY, f"See {link}.")
    problem = draft.problem()
    assert place(problem) == (FIRST, 15, "bare-link", Level.warning)
    assert "out letter by letter. Write [text](" in problem.message


def test_the_same_words_for_two_pages_are_a_warning(draft: Draft) -> None:
    draft.change(FIRST, BODY, "The [workshop](https://example.org/a) met.")
    draft.write("stories/020-second.md", STORY.replace(BODY, "The [Workshop](https://example.org/b) met."))
    problem = draft.problem()
    assert place(problem) == ("stories/020-second.md", 15, "same-link-words", Level.warning)
    assert f"“Workshop” leads to a different page here than in {FIRST}:15" in problem.message


def test_the_same_words_for_the_same_page_are_fine(draft: Draft) -> None:
    draft.write("stories/020-second.md", STORY)
    assert draft.problems() == ()


def test_the_same_words_in_a_translation_are_fine(draft: Draft) -> None:
    draft.translate()
    draft.change("stories/010-youth-forum.zh.md", "what: 西安论坛介绍", "what: the forum in Xi’an")
    assert draft.problems() == ()


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("http://192.0.2.7/a", "numeric-link", "the link goes to the IP address 192.0.2.7"),
        ("http://localhost:8025/", "private-link", "readers outside your network cannot reach"),
    ],
)
def test_a_link_to_a_number_or_to_oneself_is_an_error(draft: Draft, url: str, code: str, words: str) -> None:
    draft.change(FIRST, BODY, f"The [programme]({url}).")
    problem = draft.problem()
    assert place(problem) == (FIRST, 15, code, Level.error)
    assert words in problem.message


def test_the_links_of_an_introduction_are_looked_at(draft: Draft) -> None:
    draft.change(
        "edition.md",
        "letter:",
        "introductions:\n  culture: |\n    One.\n    [here](https://example.org)\n  campaigns: '[x](/y)'\n"
        "letter:",
    )
    assert [place(problem) for problem in draft.problems()] == [
        ("edition.md", 12, "vague-link", Level.warning),
        ("edition.md", 13, "relative-link", Level.error),
    ]


# --- what an inbox shows ------------------------------------------------------------------------------------


def test_a_long_subject_is_a_warning(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", "What we did " * 6)
    problem = draft.problem()
    assert place(problem) == ("edition.md", 7, "long-subject", Level.warning)
    assert "the subject has 71 characters, and inboxes will cut it off. Keep it to 70" in problem.message


def test_chinese_characters_count_for_two(draft: Draft) -> None:
    draft.translate()
    draft.change("edition.zh.md", "今年秋天我们做了什么", "今年秋天我们做了什么" * 4)
    assert place(draft.problem()) == ("edition.zh.md", 3, "long-subject", Level.warning)


def test_a_subject_in_capitals_is_a_warning(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", "NEWS FROM BEIJING")
    problem = draft.problem()
    assert place(problem) == ("edition.md", 7, "shouting-subject", Level.warning)
    assert "all in capitals" in problem.message


def test_an_abbreviation_is_not_shouting(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", "UNESCO")
    assert draft.problems() == ()


@pytest.mark.parametrize(("preheader", "columns"), [("Forums.", 7), ("Forums, workshops, " * 7, 132)])
def test_a_preheader_of_the_wrong_length_is_a_warning(draft: Draft, preheader: str, columns: int) -> None:
    draft.change(
        "edition.md",
        "preheader: Forums, workshops and four campaigns, from September to December.",
        f"preheader: '{preheader}'",
    )
    problem = draft.problem()
    assert place(problem) == ("edition.md", 8, "preheader-length", Level.warning)
    assert f"the preheader has {columns} characters" in problem.message


def test_a_preheader_that_repeats_the_subject_is_a_warning(draft: Draft) -> None:
    draft.change(
        "edition.md",
        "What we did this autumn",
        "forums, workshops and four campaigns, from September to December",
    )
    problem = draft.problem()
    assert place(problem) == ("edition.md", 8, "preheader-repeats-subject", Level.warning)
    assert "show the two side by side" in problem.message


# --- bodies -------------------------------------------------------------------------------------------------


def test_a_long_story_is_a_warning(draft: Draft) -> None:
    draft.change(FIRST, BODY, "word " * 401)
    problem = draft.problem()
    assert place(problem) == (FIRST, 14, "long-story", Level.warning)
    assert "the story has 401 words, and few people read more than 400" in problem.message


@pytest.mark.parametrize("body", ["", "\n\n", "---", "&nbsp;", "[unused]: https://example.org"])
def test_a_story_without_words_is_an_error(draft: Draft, body: str) -> None:
    draft.change(FIRST, BODY, body)
    problem = draft.problem()
    assert place(problem) == (FIRST, 14, "empty-story", Level.error)
    assert "the story has no text" in problem.message


def test_a_letter_without_words_is_an_error(draft: Draft) -> None:
    draft.change("edition.md", "Dear colleagues, this was our autumn.", "")
    problem = draft.problem()
    assert place(problem) == ("edition.md", 9, "empty-letter", Level.error)
    assert "the letter has a heading but no text" in problem.message


def test_a_letter_without_a_heading_is_an_error(draft: Draft) -> None:
    front, _, letter = (draft.folder / "edition.md").read_text().partition("letter:")
    draft.write("edition.md", f"{front}---{letter.partition('---')[2]}")
    problem = draft.problem()
    assert place(problem) == ("edition.md", 10, "letter-without-heading", Level.error)
    assert "the letter has no heading" in problem.message


def test_an_edition_needs_no_letter(draft: Draft) -> None:
    front = (draft.folder / "edition.md").read_text().partition("letter:")[0]
    draft.write("edition.md", f"{front}---\n")
    inspection = draft.inspect()
    assert inspection.problems == ()
    assert inspection.edition is not None
    assert inspection.edition.letter is None


# --- the sign that marks holes ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (BODY, "Write to @@name@@.", 15),
        (BODY, "Write to &#64;@name.", 14),
        (BODY, "Write to \\@\\@name.", 14),
        ("title: A forum for youth", "title: A @@ forum", 2),
        ("title: A forum for youth", 'title: "A \\x40@ forum"', 1),
        ("https://example.org/forum", "https://example.org/@@forum", 12),
    ],
)
def test_two_at_signs_are_an_error_wherever_they_stand(draft: Draft, old: str, new: str, line: int) -> None:
    draft.change(FIRST, old, new)
    problem = draft.problem()
    assert place(problem) == (FIRST, line, "reserved-sign", Level.error)
    assert "@@ marks a place that is filled in for each reader" in problem.message


def test_two_at_signs_in_an_introduction_are_an_error(draft: Draft) -> None:
    draft.change("edition.md", "letter:", "introductions: {culture: '&#64;@'}\nletter:")
    assert place(draft.problem()) == ("edition.md", 9, "reserved-sign", Level.error)


def test_one_at_sign_is_fine(draft: Draft) -> None:
    draft.change(FIRST, BODY, "Write to <office@example.org> or follow @unesco.")
    assert draft.problems() == ()


# --- addresses, the subject's tone, checks to do without ----------------------------------------------------


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.org/a", "plain-http"),
        ("https://bit.ly/3abc", "short-link"),
        ("http://t.co/x", "short-link"),
    ],
)
def test_an_address_that_works_may_still_be_better(draft: Draft, url: str, code: str) -> None:
    draft.change(FIRST, BODY, f"The [programme]({url}).")
    assert place(draft.problem()) == (FIRST, 15, code, Level.warning)


def test_the_addresses_of_read_more_and_of_places_to_follow_are_looked_at_too(draft: Draft) -> None:
    draft.change(FIRST, "https://example.org/forum", "http://example.org/forum")
    draft.change(
        "edition.md",
        "letter:\n",
        "follow:\n  - {name: Site, handle: us, url: http://example.org/}\nletter:\n",
    )
    assert [(problem.path, problem.line, problem.code) for problem in draft.problems()] == [
        ("edition.md", 10, "plain-http"),
        (FIRST, 12, "plain-http"),
    ]


@pytest.mark.parametrize(
    "subject", ["What we did!!", "这就是我们！！", "100% guaranteed results", "Act now, partners"]
)
def test_a_subject_that_sounds_like_an_advertisement_is_a_warning(draft: Draft, subject: str) -> None:
    draft.change("edition.md", "What we did this autumn", subject)
    assert place(draft.problem()) == ("edition.md", 7, "loud-subject", Level.warning)


def test_a_check_that_is_switched_off_finds_nothing_and_its_reason_stays(draft: Draft) -> None:
    draft.change(FIRST, BODY, "word " * 401)
    draft.change("edition.md", "letter:\n", "checks:\n  long-story: the minister’s words, in full\nletter:\n")
    inspection = draft.inspect()
    assert inspection.problems == ()
    (off,) = inspection.disabled_results
    assert (off.code, off.reason, len(off.problems)) == ("long-story", "the minister’s words, in full", 1)
    assert inspection.edition is not None
    assert dict(inspection.edition.checks) == {"long-story": "the minister’s words, in full"}


def test_what_makes_an_edition_unusable_cannot_be_switched_off(draft: Draft) -> None:
    draft.change(FIRST, "[CN, MN]", "[CN, XX]")
    draft.change("edition.md", "letter:\n", "checks: {unknown-country: it is ours}\nletter:\n")
    assert draft.problem().code == "unknown-country"


def test_a_check_without_a_reason_stays_on(draft: Draft) -> None:
    draft.change("edition.md", "letter:\n", "checks:\n  long-story:\nletter:\n")
    assert place(draft.problem()) == ("edition.md", 10, "check-without-reason", Level.error)
