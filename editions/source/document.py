"""One Markdown file, read: its front matter, its header where that is valid, and its body."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from editions.cache import Memory
from editions.markdown.lang_spans import canonical_language
from editions.markdown.renderer import LETTER_HEADING, STORY_HEADING, Prose, render_markdown
from editions.problem import Problem
from editions.source.file_stamp import Stamp
from editions.source.front_matter import FrontMatter, read_front_matter
from editions.source.text_file import Source, read_source
from editions.source.validation_errors import read_header

H_co = TypeVar("H_co", bound=BaseModel, covariant=True)
_FALLBACK = "en"
_BLOCK = re.compile(r"[|>][+-]?\s*$")


@dataclass(frozen=True, kw_only=True)
class Document(Generic[H_co]):
    """A file of the edition. ``header`` is None when the front matter is not valid; ``front`` is as written.

    ``introductions`` are the words of its key of that name, rendered, by section.
    """

    name: str
    language: str
    text: str
    front: FrontMatter
    header: H_co | None
    prose: Prose
    introductions: Mapping[str, Prose]


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What was found in one text; shared by all who read the same, so nobody may change it."""

    document: Document[Any]
    problems: tuple[Problem, ...]


# By all that stands before the body, which a writer at work changes less often.
_headers: Memory[tuple[BaseModel | None, tuple[Problem, ...]]] = Memory(2000)
# What is kept of a text is some three times its length.
_found: Memory[_Found] = Memory(16_000_000, weigh=lambda found: len(found.document.text) + 2000)


def read_document(
    folder: Path,
    name: str,
    schema: type[H_co],
    *,
    sectors: Collection[str],
    language: str | None = None,
    heading: int = STORY_HEADING,
    stamp: Stamp | None = None,
) -> tuple[Document[H_co] | None, list[Problem]]:
    """Read the file ``name`` of the edition in ``folder``.

    ``language`` is the language of its words; without one, its own key ``language`` says it. ``heading`` is
    the level of the body's highest headings, ``stamp`` as in :func:`~editions.source.text_file.read_source`.
    """
    source, problems = read_source(folder, name, stamp)
    if source is None:
        return None, problems
    known = tuple(sectors)
    found = _found.recall(
        (source, schema, known, language, heading),
        lambda: _parse(source, schema, known, language, heading),
    )
    return found.document, [*problems, *found.problems]


def _parse(
    source: Source, schema: type[BaseModel], sectors: tuple[str, ...], language: str | None, heading: int
) -> _Found:
    front, problems = read_front_matter(source)
    head = source.text.removesuffix(front.body)
    header, faults = _headers.recall(
        (schema, source.name, head, sectors), lambda: _read_header(schema, front, source.name, sectors)
    )
    language = language or canonical_language(front.text("language")) or _FALLBACK
    prose = render_markdown(
        front.body, language=language, path=source.name, line=front.body_line, heading=heading
    )
    introductions = _render_introductions(source, front, language)
    rendered = [prose, *introductions.values()]
    document = Document(
        name=source.name,
        language=language,
        text=source.text,
        front=front,
        header=header,
        prose=prose,
        introductions=introductions,
    )
    return _Found(
        document=document,
        problems=(*problems, *faults, *(problem for prose in rendered for problem in prose.problems)),
    )


def _read_header(
    schema: type[BaseModel], front: FrontMatter, name: str, sectors: tuple[str, ...]
) -> tuple[BaseModel | None, tuple[Problem, ...]]:
    header, faults = read_header(schema, front, path=name, sectors=sectors)
    return header, tuple(faults)


def _render_introductions(source: Source, front: FrontMatter, language: str) -> dict[str, Prose]:
    written = front.value("introductions")
    if not isinstance(written, dict):
        return {}
    lines = source.text.split("\n")
    rendered = {}
    for key, words in written.items():
        if isinstance(words, str):
            line = front.line("introductions", key)
            # Words after `|` or `>` begin on the next line.
            line += bool(_BLOCK.search(lines[line - 1]))
            rendered[key] = render_markdown(
                words, language=language, path=source.name, line=line, heading=LETTER_HEADING
            )
    return rendered
