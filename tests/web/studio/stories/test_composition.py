"""The text of a file with what a form says in place of what it had."""

import difflib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editions.changes.front_matter_change import read_fields
from editions.changes.story_text import FieldValue, compose_text, list_fields, read_values, split_text
from editions.errors import FrontMatterError
from editions.rich_text.document import read_document
from editions.rich_text.nodes import DocumentSchemaError
from mailer.web.forms import Form
from mailer.web.studio.stories.text_form import read_story_draft

STORY = """\
---
# Written on the train.
title:   A forum for youth   # to be shortened
sector: culture
countries: [ CN,MN ]
everyone: yes
read_more:
  - what: the forum in Xi’an
    url: https://example.org/forum
image:
  file: forum.jpg
  alt: Young people around a table
---


The forum met in *October*.

* one
* two
"""
LETTER = """\
---
title: Our newsletter
language: en
letter:
  title: From the desk
  name: Shahbaz Khan
  titles: [Director, Representative]
---

Dear colleagues.
"""


def list_form_fields(values: dict[str, FieldValue]) -> list[tuple[str, str]]:
    """What a browser sends for the fields of a page that shows ``values``."""
    sent: list[tuple[str, str]] = [("shown", "countries"), ("shown", "everyone"), ("shown", "read_more")]
    for name, value in values.items():
        if name == "read_more":
            for number, (what, url) in enumerate([*value, ("", "")]):
                sent += [(f"read_more.{number}.what", what), (f"read_more.{number}.url", url)]
        elif name == "letter.titles":
            sent.append((name, "\r\n".join(map(str, value))))
        elif isinstance(value, str):
            sent += [(name, value)] if value or name != "everyone" else []
        else:
            sent += [(name, str(code)) for code in value]
    return sent


def make_form(text: str, story: str, **changes: FieldValue) -> list[tuple[str, str]]:
    """The form of a page that shows ``text``, with some fields changed; the body is not in it."""
    shown = {**read_values(read_fields(text), list_fields(story)), **changes}
    return [("base", "0" * 64), ("sitting", "a-sitting"), *list_form_fields(shown)]


def compose(text: str, sent: list[tuple[str, str]], story: str = "youth-forum") -> str:
    return compose_text(text, read_story_draft(Form(sent), story), story).text


def send_document(text: str, old: str = "", new: str = "") -> tuple[str, str]:
    _, gap, body = split_text(text)
    return "document", json.dumps(read_document(gap + body), ensure_ascii=False).replace(old or "\0", new)


@pytest.mark.parametrize(("text", "story"), [(STORY, "youth-forum"), (LETTER, "")])
def test_a_form_that_says_what_the_file_says_changes_no_byte(text: str, story: str) -> None:
    body = split_text(text).body
    fields = make_form(text, story)
    for further in ([], [send_document(text)], [("body", body.replace("\n", "\r\n"))]):
        assert compose(text, [*fields, *further], story) == text


@pytest.mark.parametrize(
    ("name", "value", "before", "after"),
    [
        (
            "title",
            "A forum",
            ["title:   A forum for youth   # to be shortened"],
            ["title:   A forum   # to be shortened"],
        ),
        ("sector", "", ["sector: culture"], []),
        ("kind", "feature", [], ["kind: feature"]),
        ("countries", ("MN", "CN", "JP"), ["countries: [ CN,MN ]"], ["countries: [CN, MN, JP]"]),
        ("countries", (), ["countries: [ CN,MN ]"], []),
        ("everyone", "", ["everyone: yes"], []),
        ("button.url", "https://example.org/", [], ["button:", "  url: https://example.org/"]),
    ],
)
def test_one_field_changes_its_own_line(
    name: str, value: FieldValue, before: list[str], after: list[str]
) -> None:
    changed = compose(STORY, make_form(STORY, "youth-forum", **{name: value}))
    lines = list(difflib.ndiff(STORY.splitlines(), changed.splitlines()))
    assert [line[2:] for line in lines if line.startswith("- ")] == before
    assert [line[2:] for line in lines if line.startswith("+ ")] == after


def test_links_are_added_changed_and_taken_out() -> None:
    links = (
        ("the forum in Xi’an", "https://example.org/forum"),
        ("the report", "https://example.org/report"),
    )
    two = compose(STORY, make_form(STORY, "youth-forum", read_more=links))
    assert [link["what"] for link in read_fields(two)["read_more"]] == [  # type: ignore[index]
        "the forum in Xi’an",
        "the report",
    ]
    assert "    url: https://example.org/forum\n" in two
    assert "read_more" not in read_fields(compose(two, make_form(two, "youth-forum", read_more=())))


def test_the_letter_changes_inside_the_file_of_the_edition() -> None:
    values = {"letter.titles": ("Director", "Head of office"), "letter.name": "Ann Li"}
    changed = compose(LETTER, make_form(LETTER, "", **values), "")
    assert read_fields(changed)["letter"] == {
        "title": "From the desk",
        "name": "Ann Li",
        "titles": ["Director", "Head of office"],
    }
    assert changed.endswith("---\n\nDear colleagues.\n")


def test_a_letter_typed_into_the_editor_changes_that_letter_alone() -> None:
    changed = compose(
        STORY, [*make_form(STORY, "youth-forum"), send_document(STORY, "The forum", "The xforum")]
    )
    assert changed == STORY.replace("The forum met", "The xforum met")


def test_markdown_is_taken_as_it_is_typed() -> None:
    changed = compose(STORY, [*make_form(STORY, "youth-forum"), ("body", "New words.\r\n\r\n* a\r\n* b")])
    assert changed == split_text(STORY).head + "\n\nNew words.\n\n* a\n* b\n"


def test_fields_that_the_form_does_not_have_stay() -> None:
    assert compose(STORY, [("title", "A forum for youth")]) == STORY
    assert compose(STORY, []) == STORY


@pytest.mark.parametrize("document", ["", "[]", "null", '{"type":"doc"', "[" * 100_000, '{"type": "script"}'])
def test_what_no_editor_makes_is_refused(document: str) -> None:
    with pytest.raises(DocumentSchemaError):
        compose(STORY, [("document", document)])


def test_front_matter_that_cannot_be_read_is_never_guessed() -> None:
    broken = STORY.replace("sector: culture", "sector: [")
    with pytest.raises(FrontMatterError):
        compose(broken, [("title", "Another")])
    assert compose(broken, [("body", "Other words.\n")]).startswith(split_text(broken).head)
    assert compose(broken, [("source", "---\r\ntitle: A\r\n---\r\n")]) == "---\ntitle: A\n---\n"


@given(st.text(alphabet="ab-\n \t#\u4e2d", max_size=80))
def test_a_split_file_joins_again_whatever_it_is(text: str) -> None:
    assert "".join(split_text(text)) == text
    assert (
        compose_text(text, read_story_draft(Form([("body", split_text(text).body)]), "a"), "a").text == text
    )


@given(st.text(max_size=200))
def test_what_was_typed_as_markdown_is_in_the_file(words: str) -> None:
    typed = "".join(words.split()) or "a"
    assert typed in compose(STORY, [("body", f"{typed}\r\n")])


def test_strange_values_for_the_hidden_fields_are_no_base_of_anything() -> None:
    draft = read_story_draft(Form([("base", "../x"), ("sitting", "a b"), ("sequence", "²")]), "a")
    assert (draft.base, draft.sitting, draft.sequence) == ("0", "", 0)
