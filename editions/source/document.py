"""The documents of an edition: each file read, with its problems."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from pydantic import BaseModel

from editions.cache import BoundedCache, FileStamp
from editions.errors import Problem
from editions.markdown.renderer import (
    LETTER_HEADING_LEVEL,
    STORY_HEADING_LEVEL,
    RenderedMarkdown,
    render_markdown,
)
from editions.source.folder import STORIES_FOLDER
from editions.source.front_matter import FrontMatter, read_front_matter, validate_front_matter
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation
from editions.source.text_file import TextFile, read_text_file, read_unsaved_text
from locales.languages import canonical_language

H_co = TypeVar("H_co", bound=BaseModel, covariant=True)
_DEFAULT_LANGUAGE = "en"
_BLOCK_SCALAR = re.compile(r"[|>][+-]?\s*$")


@dataclass(frozen=True, kw_only=True)
class Document(Generic[H_co]):
    """A file of the edition. ``front_matter`` is as written, ``header`` the same validated, or None when it
    is not valid. ``introductions`` are the texts of that key by section, rendered."""

    name: str
    language: str
    text: str
    front_matter: FrontMatter
    header: H_co | None
    body: RenderedMarkdown
    introductions: Mapping[str, RenderedMarkdown]

    @property
    def has_text(self) -> bool:
        """Whether the body has any text; a horizontal line is not text."""
        return bool(self.body.text.replace("*", "").strip())


AnyDocument: TypeAlias = Document[Any]


# Writers save one story at a time, and parsing all the others again would take a second. A parsed document
# takes about three times the length of its text. Readings of the same text share it, so it is never changed.
_parsed_documents: BoundedCache[tuple[Document[Any], tuple[Problem, ...]]] = BoundedCache(
    16_000_000, measure=lambda found: len(found[0].text) + 2000
)


def read_document(
    folder: Path,
    name: str,
    schema: type[H_co],
    *,
    sectors: Collection[str],
    language: str | None = None,
    heading: int = STORY_HEADING_LEVEL,
    stamp: FileStamp | None = None,
    unsaved: str | None = None,
) -> tuple[Document[H_co] | None, list[Problem]]:
    """Read the file ``name`` of the edition in ``folder``, or ``unsaved`` in its place. Without ``language``,
    its own key ``language`` decides. ``heading`` is the level of the body's highest headings. ``stamp`` is
    the file's, as for :func:`~editions.source.text_file.read_text_file`."""
    if unsaved is None:
        source, problems = read_text_file(folder, name, stamp)
    else:
        source, problems = read_unsaved_text(name, unsaved)
    if source is None:
        return None, problems
    known = tuple(sectors)
    document, faults = _parsed_documents.get_or_create(
        (source, schema, known, language, heading), lambda: _parse(source, schema, known, language, heading)
    )
    return document, [*problems, *faults]


def _parse(
    source: TextFile, schema: type[BaseModel], sectors: tuple[str, ...], language: str | None, heading: int
) -> tuple[Document[Any], tuple[Problem, ...]]:
    front_matter, problems = read_front_matter(source)
    header, errors = validate_front_matter(schema, front_matter, path=source.name, sectors=sectors)
    language = language or canonical_language(front_matter.text("language")) or _DEFAULT_LANGUAGE
    body = render_markdown(
        front_matter.body,
        language=language,
        path=source.name,
        line=front_matter.body_line,
        heading=heading,
        anchor=_anchor(source.name),
    )
    introductions = _render_introductions(source, front_matter, language)
    rendered = [body, *introductions.values()]
    document = Document(
        name=source.name,
        language=language,
        text=source.text,
        front_matter=front_matter,
        header=header,
        body=body,
        introductions=introductions,
    )
    return document, (*problems, *errors, *(problem for body in rendered for problem in body.problems))


def _anchor(name: str) -> str:
    """Return what tells the footnotes of file ``name`` apart: its slug, or nothing for the letter."""
    found = re.search(rf"^{STORIES_FOLDER}/\d*-?([^./]+)", name)
    return found[1] if found else ""


def _render_introductions(
    source: TextFile, front_matter: FrontMatter, language: str
) -> dict[str, RenderedMarkdown]:
    values = front_matter.value("introductions")
    if not isinstance(values, dict):
        return {}
    lines = source.text.split("\n")
    rendered = {}
    for key, text in values.items():
        if isinstance(text, str):
            line = front_matter.line_of("introductions", key)
            # After `|` or `>` the text begins on the next line.
            line += bool(_BLOCK_SCALAR.search(lines[line - 1]))
            rendered[key] = render_markdown(
                text,
                language=language,
                path=source.name,
                line=line,
                heading=LETTER_HEADING_LEVEL,
                # A slug has no full stop.
                anchor=f"{key}.",
            )
    return rendered


@dataclass(frozen=True, kw_only=True)
class StoryDocuments:
    number: str
    slug: str
    original: Document[StoryHeader]
    translations: Mapping[str, Document[StoryTranslation]]


@dataclass(frozen=True, kw_only=True)
class EditionDocuments:
    """The files of an edition that could be read. ``edition`` is None if ``edition.md`` could not."""

    edition: Document[EditionHeader] | None
    translations: Mapping[str, Document[EditionTranslation]]
    stories: Sequence[StoryDocuments]

    def list_missing(self, language: str) -> list[str]:
        """Return the parts of the edition that are missing in ``language``: files, and the letter."""
        missing = [
            f"{STORIES_FOLDER}/{story.number}-{story.slug}.{language}.md"
            for story in self.stories
            if language not in story.translations
        ]
        translation = self.translations.get(language)
        if translation is None:
            missing.insert(0, f"edition.{language}.md")
        elif self.edition and self.edition.has_text and not translation.has_text:
            missing.insert(0, "the letter")
        return missing

    def complete_languages(self) -> tuple[str, ...]:
        """Return the languages that the edition is complete in, its own first."""
        if self.edition is None:
            return ()
        return (
            self.edition.language,
            *(language for language in self.translations if not self.list_missing(language)),
        )


def make_error(document: AnyDocument, line: int, code: str, message: str, /, **values: object) -> Problem:
    """Return a problem of ``document`` that keeps the edition from being sent."""
    return Problem.error(document.name, line, code, message, **values)


def make_warning(document: AnyDocument, line: int, code: str, message: str, /, **values: object) -> Problem:
    """Return a problem of ``document`` with which the edition can be sent."""
    return Problem.warning(document.name, line, code, message, **values)
