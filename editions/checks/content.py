"""Checks of an edition's content: all that is checked of a file without looking at its translations."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from editions.cache import BoundedCache
from editions.checks.foreign_markup import check_foreign_markup, read_prose
from editions.checks.inbox import check_inbox
from editions.checks.links import check_duplicate_link_texts, check_links, list_text_links
from editions.checks.registry import check_disabled_reasons
from editions.errors import Problem
from editions.images.edition_images import image_paths
from editions.markdown.renderer import TextLink
from editions.source.document import AnyDocument, make_error, make_warning
from editions.source.folder import STORIES_FOLDER
from editions.source.yaml_parser import YamlValue
from locales.phrase import gettext_noop

_MAX_ALT_LENGTH = 125
_FILE_NAME = re.compile(
    r"\S+\.(jpe?g|png|gif|webp|heic|tiff?|bmp)|(img|dsc[nf]?|image|picture|photo)[ _-]?\d+", re.IGNORECASE
)
_MAX_STORY_WORDS = 400
_REFERENCE = re.compile(r"(?<![\\!])\[\^(?P<name>[^\]\s\\^]+)\](?![(\[])")
_NOTE = re.compile(r" {0,3}\[\^(?P<name>[^\]\s\\^]+)\]:")
MERGE_TAG_DELIMITER = "@@"
"""Begins and ends the places of an email that are filled in for each reader; not allowed in text."""
# Without it, compiling after a change to one story takes a fifth longer.
_checked_documents: BoundedCache[tuple[list[Problem], tuple[TextLink, ...]]] = BoundedCache(5000)


def check_alt_texts(document: AnyDocument) -> Iterator[Problem]:
    for key_path in image_paths(document.front_matter):
        if alt := document.front_matter.text(*key_path, "alt"):
            name, caption = (
                document.front_matter.text(*key_path, "file"),
                document.front_matter.text(*key_path, "caption"),
            )
            yield from _check_alt(
                document, document.front_matter.line_of(*key_path, "alt"), alt, name, caption
            )


def _check_alt(document: AnyDocument, line: int, alt: str, name: str, caption: str) -> Iterator[Problem]:
    if is_file_name(alt) or (
        name and alt.casefold() in {name.casefold(), name.rpartition(".")[0].casefold()}
    ):
        yield make_error(
            document,
            line,
            "alt-is-file-name",
            gettext_noop(
                "the alt text %(alt)s is a file name, which screen readers would read out. Describe what "
                "the picture shows."
            ),
            alt=f"{alt!r}",
        )
    if caption and alt.casefold() == caption.casefold():
        yield make_error(
            document,
            line,
            "alt-repeats-caption",
            gettext_noop(
                "the alt text repeats the caption, so people using a screen reader would hear it twice. "
                "Describe what the picture shows."
            ),
        )
    if len(alt) > _MAX_ALT_LENGTH:
        yield make_warning(
            document,
            line,
            "long-alt",
            gettext_noop(
                "the alt text has %(number)s characters, and a screen reader reads it without a pause. "
                "Keep it to %(most)s, and put the rest in the caption or the body."
            ),
            number=len(alt),
            most=_MAX_ALT_LENGTH,
        )


def is_file_name(text: str) -> bool:
    """Return whether ``text`` is a file name as cameras and programs give them, not a description."""
    return bool(_FILE_NAME.fullmatch(text))


def check_story_body(document: AnyDocument) -> Iterator[Problem]:
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
            ),
            number=document.body.word_count,
            most=_MAX_STORY_WORDS,
        )


def check_letter(document: AnyDocument) -> Iterator[Problem]:
    """Check that a body, which is the letter, has a heading, and a heading a body."""
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


def check_notes(document: AnyDocument) -> Iterator[Problem]:
    if "[^" not in document.text:
        return
    lines = dict(enumerate(read_prose(document), start=1))
    body_line = document.front_matter.body_line
    texts = [*_list_introductions(document), range(body_line, len(lines) + 1)]
    for numbers in texts:
        yield from _check_text(document, {number: lines[number] for number in numbers})
    inside = {number for numbers in texts for number in numbers}
    for number, line in lines.items():
        if number not in inside and (found := _REFERENCE.search(line)):
            yield make_warning(
                document,
                number,
                "note-missing",
                gettext_noop(
                    "`[^%(name)s]` cannot refer to a footnote here: only the body has footnotes. Move the "
                    "mark into the body, or write the words out."
                ),
                name=found["name"],
            )


def _list_introductions(document: AnyDocument) -> Iterator[range]:
    """Yield the lines of each introduction in the front matter, which has footnotes of its own."""
    front_matter = document.front_matter
    starts = sorted({*front_matter.lines.values(), front_matter.body_line - 1})
    for key_path, first in front_matter.lines.items():
        if key_path[0] == "introductions" and len(key_path) == 2:
            yield range(first, next((start for start in starts if start > first), first + 1))


def _check_text(document: AnyDocument, lines: Mapping[int, str]) -> Iterator[Problem]:
    references: dict[str, int] = {}
    notes: dict[str, int] = {}
    in_body = min(lines, default=0) >= document.front_matter.body_line
    for number, line in lines.items():
        # An introduction is indented as YAML needs it, and what is indented further in a body is code.
        text = line if in_body else line.lstrip()
        note = _NOTE.match(text)
        if note:
            notes.setdefault(_normalise(note["name"]), number)
        for found in _REFERENCE.finditer(text, note.end() if note else 0):
            references.setdefault(_normalise(found["name"]), number)
    for name in sorted(references.keys() - notes.keys()):
        yield make_warning(
            document,
            references[name],
            "note-missing",
            gettext_noop(
                "`[^%(name)s]` refers to a footnote, but there is none of that name in this text, so "
                "readers would see the signs themselves. Write a line `[^%(name)s]: …` at the end, or "
                "delete the mark."
            ),
            name=name,
        )
    for name in sorted(notes.keys() - references.keys()):
        yield make_warning(
            document,
            notes[name],
            "note-unused",
            gettext_noop(
                "nothing refers to the footnote `[^%(name)s]`, so it is not sent. Write `[^%(name)s]` "
                "after the words it explains, or delete it."
            ),
            name=name,
        )


def _normalise(name: str) -> str:
    """Return a footnote's name for comparison, which ignores capitals as Markdown does."""
    return name.casefold()


def check_reserved_sign(document: AnyDocument) -> Iterator[Problem]:
    """Find the sign wherever it stands in one file, or would stand in what is made of it."""
    lines = []
    if MERGE_TAG_DELIMITER in document.text:
        numbered = enumerate(document.text.split("\n"), start=1)
        lines = [number for number, line in numbered if MERGE_TAG_DELIMITER in line]
    if not lines:
        # Written as &#64;@ or @\\@, so it only shows in the rendered text.
        front_matter = document.front_matter
        rendered = {
            front_matter.line_of("introductions", key): text for key, text in document.introductions.items()
        }
        rendered[front_matter.body_line] = document.body
        lines = [
            line
            for line, text in rendered.items()
            if MERGE_TAG_DELIMITER in text.html or MERGE_TAG_DELIMITER in text.text
        ]
    if not lines and any(
        MERGE_TAG_DELIMITER in text for text in _list_texts(document.front_matter.values or {})
    ):
        lines = [1]
    for line in lines:
        yield make_error(
            document,
            line,
            "reserved-sign",
            gettext_noop(
                "%(sign)s marks a place that is filled in for each reader, so it cannot "
                "appear in the text. Write a single @."
            ),
            sign=MERGE_TAG_DELIMITER,
        )


def _list_texts(value: YamlValue) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        return
    for part in value.values() if isinstance(value, dict) else value:
        yield from _list_texts(part)


def check_documents(documents: Sequence[AnyDocument]) -> list[Problem]:
    found = [
        (
            document,
            _checked_documents.get_or_create(
                (document.name, document.language, document.text), partial(_check_document, document)
            ),
        )
        for document in documents
    ]
    alone = [problem for _, (problems, _) in found for problem in problems]
    return [*alone, *check_duplicate_link_texts((document, links) for document, (_, links) in found)]


def _check_document(document: AnyDocument) -> tuple[list[Problem], tuple[TextLink, ...]]:
    """Return the problems of one document, and its links, which are compared with those of others."""
    problems = [*check_reserved_sign(document), *check_alt_texts(document), *check_links(document)]
    problems += [*check_foreign_markup(document), *check_notes(document)]
    if document.name.startswith(f"{STORIES_FOLDER}/"):
        problems += check_story_body(document)
    elif document.name.startswith("edition."):
        problems += [*check_letter(document), *check_inbox(document), *check_disabled_reasons(document)]
    return problems, list_text_links(document)
