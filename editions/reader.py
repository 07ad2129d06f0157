"""From an edition's folder to an :class:`~editions.model.Edition`, or to everything that is wrong with it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from editions.assembler import assemble_edition
from editions.checks.content import AnyDocument, check_documents
from editions.checks.disabled import Switch, SwitchedOff, apply_switches, read_switches
from editions.checks.registry import SOURCE_CHECKS
from editions.checks.translations import Library, StoryDocuments, check_translations
from editions.errors import EditionError
from editions.images.used import read_pictures
from editions.markdown.renderer import LETTER_HEADING, STORY_HEADING
from editions.model import Edition
from editions.problem import Level, Problem
from editions.source.document import Document, read_document
from editions.source.folder import EDITION, Contents, list_contents
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation

H = TypeVar("H", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a reading found: every problem, by file and line; and the edition, if none of them is an error.

    ``switches`` are the checks the edition wants to do without; ``switched_off`` are those of them that look
    at files, with what they would have found.
    """

    edition: Edition | None
    problems: tuple[Problem, ...]
    switches: tuple[Switch, ...] = ()
    switched_off: tuple[SwitchedOff, ...] = ()


def inspect_edition(folder: Path, *, sectors: Collection[str]) -> Inspection:
    """Read the edition in ``folder``; its stories may name ``sectors``. Never raises for what lies there."""
    contents = list_contents(folder)
    reading = _Reading(folder, contents, sectors)
    library = reading.read()
    documents = reading.documents
    images = contents.images if reading.is_complete else ()
    pictures, problems = read_pictures(folder, documents, present=images, stamps=contents.stamps)
    problems += [
        *contents.problems,
        *reading.problems,
        *check_documents(documents),
        *check_translations(library),
    ]
    switches = read_switches(library.edition.front) if library.edition else ()
    problems, switched_off = apply_switches(sorted(set(problems)), switches, SOURCE_CHECKS)
    usable = not any(problem.level == Level.error for problem in problems)
    return Inspection(
        edition=assemble_edition(folder, contents.slug, library, pictures) if usable else None,
        problems=tuple(problems),
        switches=switches,
        switched_off=switched_off,
    )


def read_edition(folder: Path, *, sectors: Collection[str]) -> Edition:
    """The edition in ``folder``, ready to be rendered.

    Raises:
        EditionError: a problem is an error; it has all of them, warnings too.
    """
    inspection = inspect_edition(folder, sectors=sectors)
    if inspection.edition is None:
        raise EditionError(inspection.problems)
    return inspection.edition


class _Reading:
    """Reads the files of one edition; keeps each that could be read, and the problems of all."""

    def __init__(self, folder: Path, contents: Contents, sectors: Collection[str]) -> None:
        self.folder = folder
        self.contents = contents
        self.sectors = tuple(sectors)
        self.documents: list[AnyDocument] = []
        self.problems: list[Problem] = []
        self.is_complete = True

    def read(self) -> Library:
        contents, edition = self.contents, None
        if contents.has_edition:
            edition = self._document(EDITION, EditionHeader, None, LETTER_HEADING)
        translations = self._translations(contents.translations, EditionTranslation, LETTER_HEADING)
        own = edition.language if edition else "en"
        stories = []
        for files in contents.stories:
            original = self._document(files.original, StoryHeader, own, STORY_HEADING)
            translated = self._translations(files.translations, StoryTranslation, STORY_HEADING)
            if original:
                stories.append(
                    StoryDocuments(
                        number=files.number, slug=files.slug, original=original, translations=translated
                    )
                )
        return Library(edition=edition, translations=translations, stories=stories)

    def _translations(
        self, names: Mapping[str, str], schema: type[H], heading: int
    ) -> dict[str, Document[H]]:
        read = {language: self._document(name, schema, language, heading) for language, name in names.items()}
        return {language: document for language, document in read.items() if document}

    def _document(self, name: str, schema: type[H], language: str | None, heading: int) -> Document[H] | None:
        document, problems = read_document(
            self.folder,
            name,
            schema,
            sectors=self.sectors,
            language=language,
            heading=heading,
            stamp=self.contents.stamps.get(name),
        )
        self.problems += problems
        if document:
            self.documents.append(document)
        else:
            self.is_complete = False
        return document
