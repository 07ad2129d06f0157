"""The texts of front matter that translators get are those of which the checks expect a translation."""

from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import read_unsaved_text
from editions.translatable_texts import list_translatable_texts
from editions.translation_exchange.units import list_fields

STORY = """---
title: T
date: 1 March
lead: L
image: {file: a.jpg, alt: A, caption: B, credit: C}
images:
  - {file: b.jpg, alt: A, caption: B, credit: C}
  - {file: c.jpg, alt: A}
read_more: {what: W, url: https://example.org}
button: {what: W, url: https://example.org}
video: {file: d.jpg, what: W, url: https://example.org, alt: A, caption: B, credit: C}
---
"""
EDITION = """---
title: T
period: P
subject: S
preheader: H
letter: {title: L, name: N, titles: [One, Two], portrait: {file: e.jpg, alt: A, caption: B, credit: C}}
introductions: {education: Words}
---
"""


def read(text: str) -> FrontMatter:
    return read_front_matter(read_unsaved_text("", text)[0])[0]


def list_notes(text: str, *, is_story: bool) -> dict[str, str]:
    return {".".join(map(str, path)): note for path, note in list_fields(read(text), is_story=is_story)}


def test_every_text_of_a_story_has_a_note_for_the_translator() -> None:
    notes = list_notes(STORY, is_story=True)
    expected = {text.key for text in list_translatable_texts(read(STORY), is_story=True)}
    assert {key.replace("read_more.what", "read_more.0.what") for key in notes} == {
        key for key in expected if not key.endswith(".url")
    }
    assert notes["title"] == "Heading of the story"
    assert notes["images.1.alt"] == "Description of further picture 2, for readers who cannot see it"
    assert notes["read_more.what"] == "Words of a link: “Read more: …”"
    assert notes["video.credit"] == "Who made the video’s picture"


def test_every_text_of_an_edition_has_one_and_each_line_below_a_name_is_a_text() -> None:
    notes = list_notes(EDITION, is_story=False)
    expected = {text.key for text in list_translatable_texts(read(EDITION), is_story=False)}
    assert notes.keys() == (expected - {"letter.titles"}) | {"letter.titles.0", "letter.titles.1"}
    assert notes["title"] == "Name of the newsletter"
    assert notes["letter.portrait.caption"] == "Text below the portrait"
    assert notes["introductions.education"] == "Introduction of the section education, in Markdown"
