"""Which translation a page is about."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from editions.source.folder import FolderContents, scan_folder
from locales.languages import canonical_language
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FileMissingError,
    FilePlace,
    parse_file_name,
    read_edition_file,
)
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.stories.page_context import read_language
from mailer.web.studio.story_place import StoryPlace, StoryUnreadableError, find_place


@dataclass(frozen=True, kw_only=True)
class TranslationPlace:
    """A translation of a story, or of edition.md with its letter, into ``language``. ``name`` is its file,
    whether it is there (``file``) or not (None); ``own_language`` is that of the original."""

    original: StoryPlace
    language: str
    own_language: str
    name: str
    file: EditionFile | None

    @property
    def edition(self) -> str:
        return self.original.edition

    @property
    def story(self) -> str:
        return self.original.story

    @property
    def path(self) -> str:
        """The page of the translation, below /studio."""
        return f"{self.original.path}/translations/{self.language}"

    @property
    def file_place(self) -> FilePlace:
        return FilePlace(story=self.story, language=self.language)


def find_translation(page: StudioPage, edition: str, story: str, language: str) -> TranslationPlace:
    """The translation of a story, or of edition.md if ``story`` is empty.

    Raises:
        HTTPException: 404, there is no such edition, or this is no language to translate it into.
        StoryMissingError: the edition has no such story.
        StoryUnreadableError: the file of the story or of its translation cannot be read.
    """
    original = find_place(page, edition, story)
    own_language = read_language(original)
    if canonical_language(language) != language or language == own_language:
        raise HTTPException(404)
    name = _find_name(scan_folder(original.folder), original, language)
    try:
        parse_file_name(name)
        file = read_edition_file(original.folder, name)
    except FileMissingError:
        file = None
    except EditionFileError as error:
        raise StoryUnreadableError(edition, error) from error
    return TranslationPlace(
        original=original, language=language, own_language=own_language, name=name, file=file
    )


def _find_name(contents: FolderContents, original: StoryPlace, language: str) -> str:
    """The translation's file. An existing one may have another spelling of the language in its name."""
    if not original.story:
        return contents.translations.get(language) or f"edition.{language}.md"
    found = next((files for files in contents.stories if files.original == original.file.name), None)
    known = found.translations.get(language) if found is not None else None
    return known or f"{original.file.name.removesuffix('.md')}.{language}.md"


def _open_place(request: Request, page: PageDep) -> TranslationPlace:
    values = request.path_params
    return find_translation(page, values["edition"], values.get("story", ""), values["language"])


TranslationDep = Annotated[TranslationPlace, Depends(_open_place)]
"""The translation that the path of a request names."""
