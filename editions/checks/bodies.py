"""Checks of bodies: that a story and the letter have one, and that few words are enough."""

from collections.abc import Iterator

from editions.errors import Problem
from editions.source.document import AnyDocument, make_error, make_warning
from locales.phrase import gettext_noop

_MAX_STORY_WORDS = 400


def check_story_body(document: AnyDocument) -> Iterator[Problem]:
    """Check that a story has a text, and how long it is."""
    if not document.has_text:
        yield make_error(
            document,
            document.front_matter.body_line,
            "empty-story",
            gettext_noop("the story has no text. Write some, or delete the story."),
        )
    if document.body.word_count > _MAX_STORY_WORDS:
        yield make_warning(
            document,
            document.front_matter.body_line,
            "long-story",
            gettext_noop(
                "the story has %(number)s words, and few people read more than %(most)s. "
                "Shorten it, and link to the rest with read_more."
            )
            % {"number": document.body.word_count, "most": _MAX_STORY_WORDS},
        )


def check_letter(document: AnyDocument) -> Iterator[Problem]:
    """The body is the letter: it needs a heading, and the heading needs a body."""
    if document.front_matter.values is None:
        return
    if "letter" in document.front_matter.values and not document.has_text:
        yield make_error(
            document,
            document.front_matter.line_of("letter"),
            "empty-letter",
            gettext_noop("the letter has a heading but no text. Write its text, or delete the heading."),
        )
    if "letter" not in document.front_matter.values and document.has_text:
        yield make_error(
            document,
            document.front_matter.body_line,
            "letter-without-heading",
            gettext_noop(
                "the body is the letter, but the letter has no heading. Add `letter` to the front "
                "matter, or delete the body."
            ),
        )
