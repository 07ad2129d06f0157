"""Merge tags, task lists, names of emoji and footnote marks: told at their line, and never seen in prose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.checks.foreign_markup import EMOJI_BY_NAME
from editions.checks.registry import SOURCE_CHECKS
from editions.errors import ProblemLevel
from editions.markdown.dialect import mask_code
from tests.factories.draft_edition import BODY, FIRST, STORY, Draft, place

# --- merge tags ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tag",
    [
        "*|FNAME|*",
        "*|MC:SUBJECT|*",
        "*|IF:FNAME|*",
        "{{ contact.FIRSTNAME }}",
        '{{ first_name|default:"friend" }}',
        "{{{unsubscribe}}}",
        "{{#if name}}",
        "{% unsubscribe_link %}",
        "{% if contact.firstname %}",
        "%%first_name%%",
        "%%=v(@name)=%%",
        "%FIRSTNAME%",
        "%first_name%",
        "[[FIRSTNAME]]",
        '[[data:firstname:"you"]]',
        "[NAME]",
        "[UNSUBSCRIBEURL]",
        "[firstname,fallback=there]",
        "[subscriber:firstname | default:reader]",
        "{$name}",
        "${user.name}",
        "#{name}",
        "<%= name %>",
        "{!Contact.FirstName}",
        "«First_Name»",
    ],
)
def test_a_merge_tag_of_another_program_is_a_warning_that_quotes_it(draft: Draft, tag: str) -> None:
    draft.change(FIRST, BODY, f"Dear readers,\nthis is for {tag}, who was there.")
    (problem,) = (problem for problem in draft.problems() if problem.code == "foreign-merge-tag")
    assert place(problem) == (FIRST, 16, "foreign-merge-tag", ProblemLevel.warning)
    assert f"`{tag}` looks like a merge tag of another program" in problem.message


def test_a_merge_tag_in_the_subject_or_the_letter_is_told_at_its_line(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", '"*|FNAME|*, what we did this autumn"')
    draft.change("edition.md", "Dear colleagues,", "Dear %FIRSTNAME%,")
    assert [place(problem) for problem in draft.problems()] == [
        ("edition.md", 7, "foreign-merge-tag", ProblemLevel.warning),
        ("edition.md", 15, "foreign-merge-tag", ProblemLevel.warning),
    ]


def test_a_merge_tag_that_yaml_refuses_is_explained_as_a_merge_tag_too(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", "*|FNAME|*, our autumn")
    assert {(problem.line, problem.code) for problem in draft.problems()} >= {
        (7, "yaml-anchor"),
        (7, "foreign-merge-tag"),
    }


# --- task lists and emoji -----------------------------------------------------------------------------------


@pytest.mark.parametrize("item", ["- [ ] Write to us", "* [x] Write", "1. [X] Write", "> - [ ] Write"])
def test_a_box_to_tick_is_a_warning(draft: Draft, item: str) -> None:
    draft.change(FIRST, BODY, f"{BODY}\n\n{item}")
    problem = draft.problem()
    assert place(problem) == (FIRST, 17, "task-list", ProblemLevel.warning)
    assert "Delete the brackets" in problem.message


@pytest.mark.parametrize(("words", "emoji"), [("Look :eyes: here", "👀"), ("We won:", ""), (":tada:", "🎉")])
def test_the_name_of_an_emoji_is_a_warning_that_shows_the_emoji(draft: Draft, words: str, emoji: str) -> None:
    draft.change(FIRST, BODY, words)
    assert [problem.code for problem in draft.problems()] == (["emoji-name"] if emoji else [])
    assert all(f"Write the character {emoji} itself" in problem.message for problem in draft.problems())


def test_every_emoji_has_a_name_that_can_stand_between_colons() -> None:
    assert len(EMOJI_BY_NAME) > 150
    assert all(name.isascii() and name == name.lower() for name in EMOJI_BY_NAME)
    assert not any(character.isascii() for emoji in EMOJI_BY_NAME.values() for character in emoji)


# --- titles -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title", ["The `forum` for youth", "A **forum** for youth", "A [forum](https://e.org/)"]
)
def test_markdown_in_a_title_is_a_warning(draft: Draft, title: str) -> None:
    draft.change(FIRST, "A forum for youth", f"'{title}'")
    problem = draft.problem()
    assert place(problem) == (FIRST, 2, "markup-in-title", ProblemLevel.warning)
    assert "`title` is sent as it is written" in problem.message


def test_markdown_in_the_subject_and_the_letters_heading_is_a_warning(draft: Draft) -> None:
    draft.change("edition.md", "What we did this autumn", "What **we** did this autumn")
    draft.change("edition.md", "From the Director’s desk", "From the `desk`")
    assert [(problem.line, problem.code) for problem in draft.problems()] == [
        (7, "markup-in-title"),
        (10, "markup-in-title"),
    ]


# --- footnotes ----------------------------------------------------------------------------------------------


def test_a_mark_without_a_footnote_and_a_footnote_without_a_mark_are_warnings(draft: Draft) -> None:
    notes = "[^A]: In November, in Seoul.[^3]\n\n    With *|FNAME|*.\n\n[^2]: Nobody asks.\n[^3]: Korea."
    draft.change(FIRST, BODY, f"It met.[^1] And again.[^a]\n\n{notes}")
    assert [place(problem) for problem in draft.problems() if problem.code.startswith("note-")] == [
        (FIRST, 15, "note-missing", ProblemLevel.warning),
        (FIRST, 21, "note-unused", ProblemLevel.warning),
    ]
    # What is indented below a footnote belongs to it, and is no code.
    assert (19, "foreign-merge-tag") in {(problem.line, problem.code) for problem in draft.problems()}
    missing, unused = (problem for problem in draft.problems() if problem.code.startswith("note-"))
    assert "Write a line `[^1]: …` at the end" in missing.message
    assert "nothing refers to the footnote `[^2]`" in unused.message


def test_a_title_cannot_have_a_footnote(draft: Draft) -> None:
    draft.change(FIRST, "A forum for youth", "A forum for youth[^1]")
    problem = draft.problem()
    assert place(problem) == (FIRST, 2, "note-missing", ProblemLevel.warning)
    assert "only the body has footnotes" in problem.message


INTRODUCTIONS = """\
introductions:
  culture: |
    Three festivals.[^1]

    And *|FNAME|* again.

    [^1]: Of the year.
  education: Two schools.[^1]
letter:
"""


def test_an_introduction_has_footnotes_of_its_own(draft: Draft) -> None:
    draft.change("edition.md", "letter:\n", INTRODUCTIONS)
    told = [(each.line, each.code) for each in draft.problems() if each.path == "edition.md"]
    assert told == [(13, "foreign-merge-tag"), (16, "note-missing")]


# --- no false alarms ----------------------------------------------------------------------------------------

PROSE = {
    "en": """\
We met at 10:30: coffee first, then a ratio of 3:2:1. Entry is 5 %, or 100% of 20%; prices fell from
$1,250.00 to $900. See [1], [2] and [the note][n]. Ask {the desk} for *all* {{1, 2}} of them; it's 50%-60%.
He said [sic] that #1 {or #2} costs 5*|x|*3. Score: 2:1:0. A link: [NAME](https://example.org/a%20b%20c).
Write to team:office: or look at C:\\\\news\\\\. Let [[1]] and [^ up] stay; so do *stars*, under_scores_.

- [a list](https://example.org/list) begins with a link
- [x-ray](https://example.org/x) too, and [] nothing

[n]: https://example.org/n
""",
    "fr": """\
Le forum, à 10 h 30 : 25 % des élèves, soit 1 250,00 € ; « Bonjour » et «Salut», dit-on. Voir l’article 3 :
c’est {ici}, de 9:00 à 17:00. Note : 3:1:0 contre 2:2. Un « prix_net » de 5 %, puis 10 %. Cf. [1] et [A].
""",
    "zh-Hans": """\
论坛于上午10:30:00开始，票价￥1,250.00，折扣5%至20%。参见［1］与【二】。地址：https://example.org/%E4%B8%AD%E6%96%87%20A，
比例为3:2:1；“青年”与《报告》。注：甲：乙：丙。
""",
    "ru": """\
Форум открылся в 10:30: «Здравствуйте» и «привет», билет 1 250,00 ₽, скидка 5 %–20 %. Счёт 3:2:1.
Смотрите [1], {здесь} и № 5: всё: да. Доля — 100%, 50% из 20%.
""",
}  # fmt: skip

CODE = """\
This story is about templates. Mailchimp writes `*|FNAME|*`, Brevo `{{ contact.FIRSTNAME }}` and Shopify

```liquid
{% if customer.name %}Dear {{ customer.name }} :wave:{% endif %}
- [ ] [[name]] [^1] %%first%% %FIRSTNAME%
```

    <%= name %> and ${name} and [^2] and :tada:

A list may be `- [x] done`, ``a `:eyes:` name``, `[^3]`, or escaped: \\[^4], \\*|FNAME|\\* and \\:tada:.
"""


@pytest.mark.parametrize("language", PROSE)
def test_prose_in_four_languages_gives_no_alarm(draft: Draft, language: str) -> None:
    draft.change("edition.md", "language: en", f"language: {language}")
    draft.write("stories/020-prose.md", STORY.replace(BODY, PROSE[language]))
    new = {"foreign-merge-tag", "task-list", "emoji-name", "markup-in-title", "note-missing", "note-unused"}
    assert [str(problem) for problem in draft.problems() if problem.code in new] == []


def test_code_about_templates_gives_no_alarm(draft: Draft) -> None:
    draft.change(FIRST, BODY, CODE)
    assert [str(problem) for problem in draft.problems()] == []


@given(st.text(alphabet="`~ \n\tab*|:[]{}-x\\", max_size=80))
def test_code_is_hidden_without_moving_a_character(source: str) -> None:
    masked = mask_code(source)
    assert [len(line) for line in masked.split("\n")] == [len(line) for line in source.split("\n")]
    assert all(new in {old, " "} for old, new in zip(source, masked, strict=True))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("foreign-merge-tag", "Dear *|FNAME|*, hello."),
        ("task-list", "- [ ] Write to us"),
        ("emoji-name", "Look :eyes: here"),
        ("note-missing", "It met.[^1]"),
        ("note-unused", "It met.\n\n[^1]: In Seoul."),
    ],
)
def test_each_of_these_checks_can_be_switched_off_with_a_reason(draft: Draft, code: str, words: str) -> None:
    draft.change(FIRST, BODY, words)
    assert code in {problem.code for problem in draft.problems()}
    draft.change("edition.md", "letter:", f"checks: {{{code}: readers are meant to see it}}\nletter:")
    inspection = draft.inspect()
    assert code not in {problem.code for problem in inspection.problems}
    assert [result.code for result in inspection.disabled_results] == [code]
    assert SOURCE_CHECKS[code].level is ProblemLevel.warning
