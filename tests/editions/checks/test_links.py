"""Links: what their texts say, and where they lead."""

import pytest

from editions.errors import ProblemLevel
from tests.factories.draft_edition import BODY, FIRST, STORY, Draft, place


@pytest.mark.parametrize(
    "words",
    ["Read more", "click here", "Here.", "→ more …", "更多", "点击这里", "こちら", "여기", "энд", "ici"],
)
def test_words_that_say_nothing_are_a_warning(draft: Draft, words: str) -> None:
    draft.change(FIRST, BODY, f"First line.\nSecond: [{words}](https://example.org/a).")
    problem = draft.problem()
    assert place(problem) == (FIRST, 16, "vague-link", ProblemLevel.warning)
    assert f"“{words}” does not say where the link goes" in problem.message


def test_the_words_of_read_more_must_say_something_too(draft: Draft) -> None:
    draft.change(FIRST, "what: the forum in Xi’an", "what: here")
    assert place(draft.problem()) == (FIRST, 11, "vague-link", ProblemLevel.warning)


@pytest.mark.parametrize("link", ["<https://example.org/a>", "[www.example.org](https://www.example.org)"])
def test_an_address_for_words_is_a_warning(draft: Draft, link: str) -> None:
    draft.change(FIRST, BODY, f"See {link}.")
    problem = draft.problem()
    assert place(problem) == (FIRST, 15, "bare-link", ProblemLevel.warning)
    assert "out letter by letter. Write [text](" in problem.message


def test_the_same_words_for_two_pages_are_a_warning(draft: Draft) -> None:
    draft.change(FIRST, BODY, "The [workshop](https://example.org/a) met.")
    draft.write("stories/020-second.md", STORY.replace(BODY, "The [Workshop](https://example.org/b) met."))
    problem = draft.problem()
    assert place(problem) == ("stories/020-second.md", 15, "same-link-words", ProblemLevel.warning)
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
    assert place(problem) == (FIRST, 15, code, ProblemLevel.error)
    assert words in problem.message


def test_the_links_of_an_introduction_are_looked_at(draft: Draft) -> None:
    draft.change(
        "edition.md",
        "letter:",
        "introductions:\n  culture: |\n    One.\n    [here](https://example.org)\n  campaigns: '[x](/y)'\n"
        "letter:",
    )
    assert [place(problem) for problem in draft.problems()] == [
        ("edition.md", 12, "vague-link", ProblemLevel.warning),
        ("edition.md", 13, "relative-link", ProblemLevel.error),
    ]


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
    assert place(draft.problem()) == (FIRST, 15, code, ProblemLevel.warning)


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
