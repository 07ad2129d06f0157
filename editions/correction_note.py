"""Reading a note that corrects a story: a Markdown file, and its translations beside it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from glob import escape as glob_escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field, create_model

from editions.checks.content import check_documents
from editions.checks.translations import check_original
from editions.errors import Problem, ProblemLevel
from editions.markdown.renderer import STORY_HEADING_LEVEL
from editions.source.document import AnyDocument, read_document
from editions.source.field_values import IsoDate, LanguageTag, SingleLine
from editions.source.schema import FrontMatterModel
from locales.languages import canonical_language
from locales.phrase import Phrase, gettext_noop

# `is` is a word of Python's own, so these two cannot be written as classes.
_NOTE_KEYS: dict[str, Any] = {
    "was": (SingleLine, Field(description=gettext_noop("What was said, in the story's own words."))),
    "is": (SingleLine, Field(description=gettext_noop("What is right instead."))),
    "title": (
        SingleLine,
        Field(default="", description="The story's heading, if it was not sent in the note's language."),
    ),
}
NoteHeader: type[BaseModel] = create_model(
    "NoteHeader",
    __base__=FrontMatterModel,
    __doc__="The front matter of a note that corrects a story.",
    **_NOTE_KEYS,
    subject=(
        SingleLine,
        Field(default="", description="The email's subject, if it is not the title of the story."),
    ),
    date=(IsoDate | None, Field(default=None, description="The day of the correction, as in 2026-03-31.")),
    language=(
        LanguageTag | None,
        Field(default=None, description="The language it is written in, if not that of the edition."),
    ),
)
NoteTranslation: type[BaseModel] = create_model(
    "NoteTranslation",
    __base__=FrontMatterModel,
    __doc__="The front matter of a translation of such a note.",
    **_NOTE_KEYS,
    subject=(SingleLine, Field(default="", description="The email's subject in this language.")),
    translated_from=(
        SingleLine,
        Field(default="", description="The digest of the original that was translated."),
    ),
)


@dataclass(frozen=True, kw_only=True)
class NoteText:
    """A note in one language: what ``was`` said, what is ``right``, and the explanation, which may be empty,
    as sanitised XHTML and as plain text. ``title`` is the story's heading, empty for the one it was sent
    with; ``subject`` is empty for the heading."""

    language: str
    was: str
    right: str
    html: str
    text: str
    title: str = ""
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class CorrectionNote:
    """A note in its own ``language``, which comes first in ``texts``, and its translations."""

    file: str
    language: str
    day: date | None
    texts: Mapping[str, NoteText]

    @property
    def own_text(self) -> NoteText:
        return self.texts[self.language]


@dataclass(frozen=True, kw_only=True)
class NoteInspection:
    """The result of reading a note: all problems, and the note if none of them is an error."""

    note: CorrectionNote | None
    problems: tuple[Problem, ...]


def inspect_note(path: Path, *, language: str) -> NoteInspection:
    """Read the note in the file ``path``, which is in ``language`` if it does not say otherwise. Never raises
    for what is in it."""
    folder, name = path.parent, path.name
    original, problems = _read(folder, name, NoteHeader, None)
    documents = [original] if original else []
    own = (original and canonical_language(original.front_matter.text("language"))) or language
    translations: dict[str, AnyDocument] = {}
    for found, tag in _find_translations(path):
        if tag is None:
            problems.append(_explain_language(found))
            continue
        document, faults = _read(folder, found.name, NoteTranslation, tag)
        problems += faults
        if document:
            documents.append(document)
            translations[tag] = document
    problems += check_documents(documents)
    if original:
        for one in translations.values():
            problems += check_original(original, one, language=own)
    if original is None or any(problem.level is ProblemLevel.error for problem in problems):
        return NoteInspection(note=None, problems=tuple(sorted(set(problems))))
    texts = {
        own: _make_text(own, original),
        **{tag: _make_text(tag, one) for tag, one in translations.items()},
    }
    header = original.header
    note = CorrectionNote(
        file=name, language=own, day=getattr(header, "date", None), texts=MappingProxyType(texts)
    )
    return NoteInspection(note=note, problems=tuple(sorted(set(problems))))


def _read(
    folder: Path, name: str, schema: type, language: str | None
) -> tuple[AnyDocument | None, list[Problem]]:
    return read_document(folder, name, schema, sectors=(), language=language, heading=STORY_HEADING_LEVEL)


def _find_translations(path: Path) -> Iterator[tuple[Path, str | None]]:
    """Yield the files that translate the note, each with its language; None if its name has no known one."""
    for found in sorted(path.parent.glob(f"{glob_escape(path.stem)}.*{path.suffix}")):
        yield found, canonical_language(found.name[len(path.stem) + 1 : -len(path.suffix)])


def _explain_language(found: Path) -> Problem:
    return Problem.error(
        found.name,
        1,
        "unknown-language",
        Phrase(
            "the part of the name before .md is not a known language tag. Call a translation into French "
            "%(name)s.fr.md, for example.",
            name=found.name.split(".")[0],
        ),
    )


def _make_text(language: str, document: AnyDocument) -> NoteText:
    header: Any = document.header
    return NoteText(
        language=language,
        was=header.was,
        right=getattr(header, "is"),
        html=document.body.html if document.has_text else "",
        text=document.body.text if document.has_text else "",
        title=header.title,
        subject=header.subject,
    )
