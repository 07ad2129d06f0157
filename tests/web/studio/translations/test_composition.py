"""The file of a translation: what nobody changed stays as it is, and what was typed is read back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from editions.changes.front_matter_change import change_front_matter
from editions.changes.story_text import TextDraft
from editions.changes.translation_text import NEW_FILE, compose_translation, list_texts, read_front
from editions.source.schema import StoryTranslation
from editions.translatable_texts import read_text

ORIGINAL = """\
---
title: A forum
date: 24 October
image: {file: a.jpg, alt: People, caption: Here}
images:
  - {file: b.jpg, alt: First}
  - {file: c.jpg, alt: Second, credit: Somebody}
read_more:
  - {what: one, url: "https://example.org/1"}
  - {what: two, url: "https://example.org/2"}
button: {what: Register, url: "https://example.org/3"}
---

The text.
"""
KEYS = [text.key for text in list_texts(read_front(ORIGINAL), read_front(NEW_FILE), is_story=True)]
WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="\u00ad\u034f"),
    max_size=12,
)
TYPED = st.fixed_dictionaries(dict.fromkeys(KEYS, WORDS))


def compose(before: str, values: dict[str, str]) -> str:
    draft = TextDraft(base="", sitting="a-random-page", sequence=1, values=values)
    return compose_translation(before, draft, read_front(ORIGINAL), "forum").text


def read_values(text: str) -> dict[str, str]:
    front = read_front(text)
    texts = list_texts(read_front(ORIGINAL), front, is_story=True)
    return {found.key: read_text(front, found.path, found.form) for found in texts}


@given(TYPED)
@settings(max_examples=60, deadline=None)
def test_what_was_typed_is_read_back_and_saving_it_again_changes_no_byte(typed: dict[str, str]) -> None:
    text = compose(NEW_FILE, typed)
    found = read_values(text)
    for key, value in typed.items():
        if value:
            assert found[key] == value
    assert compose(text, found) == text


@given(WORDS.filter(bool))
@settings(max_examples=30, deadline=None)
def test_only_the_text_that_was_changed_changes(title: str) -> None:
    written = {key: f"{key} 译" for key in KEYS}
    before = change_front_matter(compose(NEW_FILE, written), {"lead": "导语"}, schema=StoryTranslation)
    after = compose(before, {**read_values(before), "title": title})
    assert {**read_values(before), "title": title} == read_values(after)
    assert before.split("\n")[2:] == after.split("\n")[2:]
