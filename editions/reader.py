"""Reading an edition's folder: an :class:`~editions.model.Edition`, or everything that is wrong with it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel

from editions.assembler import assemble_edition, assemble_partial_edition
from editions.checks.content import check_documents
from editions.checks.registry import (
    SOURCE_CHECKS,
    DisabledCheck,
    apply_disabled_checks,
    read_disabled_checks,
)
from editions.checks.translations import check_translations
from editions.errors import EditionError, Problem, ProblemLevel
from editions.images.edition_images import read_used_images
from editions.markdown.renderer import LETTER_HEADING_LEVEL, STORY_HEADING_LEVEL
from editions.model import Edition
from editions.source.document import AnyDocument, Document, EditionDocuments, StoryDocuments, read_document
from editions.source.folder import EDITION_FILE, FolderContents, scan_folder
from editions.source.schema import EditionHeader, EditionTranslation, StoryHeader, StoryTranslation

H = TypeVar("H", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The result of reading: all problems, by file and line, and the edition if none of them is an error.
    ``partial`` is what can be compiled of an edition with errors, for checks of its mail; it is never sent.
    ``disabled_results`` are those of ``disabled_checks`` that check files, with the problems that do not
    count."""

    edition: Edition | None
    problems: tuple[Problem, ...]
    partial: Edition | None = None
    disabled_checks: tuple[DisabledCheck, ...] = ()
    disabled_results: tuple[DisabledCheck, ...] = ()


def inspect_edition(
    folder: Path, *, sectors: Collection[str], unsaved: Mapping[str, str] = MappingProxyType({})
) -> Inspection:
    """Read the edition in ``folder``, whose stories may use ``sectors``. Never raises for what is in it.
    ``unsaved`` has texts that a writer has not saved yet: they are read in place of the files of their
    names."""
    contents = scan_folder(folder)
    file_reader = _EditionFileReader(folder, contents, sectors, unsaved)
    documents = file_reader.read()
    present = contents.images if file_reader.is_complete else ()
    images, problems = read_used_images(
        folder, file_reader.documents, present=present, stamps=contents.stamps
    )
    problems += [
        *contents.problems,
        *file_reader.problems,
        *check_documents(file_reader.documents),
        *check_translations(documents),
    ]
    disabled = read_disabled_checks(documents.edition.front_matter) if documents.edition else ()
    problems, disabled_results = apply_disabled_checks(sorted(set(problems)), disabled, SOURCE_CHECKS)
    usable = not any(problem.level == ProblemLevel.error for problem in problems)
    return Inspection(
        edition=assemble_edition(folder, contents.slug, documents, images) if usable else None,
        problems=tuple(problems),
        partial=None
        if usable
        else assemble_partial_edition(
            folder, contents.slug, documents, images, problems=problems, sectors=sectors
        ),
        disabled_checks=disabled,
        disabled_results=disabled_results,
    )


def read_edition(folder: Path, *, sectors: Collection[str]) -> Edition:
    """Return the edition in ``folder``, ready to be rendered. Raise EditionError if at least one problem is
    an error; it has all problems, warnings too."""
    inspection = inspect_edition(folder, sectors=sectors)
    if inspection.edition is None:
        raise EditionError(inspection.problems)
    return inspection.edition


class _EditionFileReader:
    def __init__(
        self, folder: Path, contents: FolderContents, sectors: Collection[str], unsaved: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.contents = contents
        self.sectors = tuple(sectors)
        self.unsaved = unsaved
        self.documents: list[AnyDocument] = []
        self.problems: list[Problem] = []
        self.is_complete = True

    def read(self) -> EditionDocuments:
        contents, edition = self.contents, None
        if contents.has_edition:
            edition = self._read_document(EDITION_FILE, EditionHeader, None, LETTER_HEADING_LEVEL)
        translations = self._read_translations(
            contents.translations, EditionTranslation, LETTER_HEADING_LEVEL
        )
        own = edition.language if edition else "en"
        stories = []
        for files in contents.stories:
            original = self._read_document(files.original, StoryHeader, own, STORY_HEADING_LEVEL)
            translated = self._read_translations(files.translations, StoryTranslation, STORY_HEADING_LEVEL)
            if original:
                stories.append(
                    StoryDocuments(
                        number=files.number, slug=files.slug, original=original, translations=translated
                    )
                )
        return EditionDocuments(edition=edition, translations=translations, stories=stories)

    def _read_translations(
        self, names: Mapping[str, str], schema: type[H], heading: int
    ) -> dict[str, Document[H]]:
        read = {
            language: self._read_document(name, schema, language, heading) for language, name in names.items()
        }
        return {language: document for language, document in read.items() if document}

    def _read_document(
        self, name: str, schema: type[H], language: str | None, heading: int
    ) -> Document[H] | None:
        document, problems = read_document(
            self.folder,
            name,
            schema,
            sectors=self.sectors,
            language=language,
            heading=heading,
            stamp=self.contents.stamps.get(name),
            unsaved=self.unsaved.get(name),
        )
        self.problems += problems
        if document:
            self.documents.append(document)
        else:
            self.is_complete = False
        return document
