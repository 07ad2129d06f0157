"""Which text a page is about: a story of an edition, or its letter."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from editions.source.folder import EDITION_FILE
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FileMissingError,
    FilePlace,
    find_file_name,
    read_edition_file,
)
from mailer.web.studio.edition_place import find_edition_folder
from mailer.web.studio.page import PageDep, StudioPage, open_visit


class StoryMissingError(Exception):
    """The edition has no such story: it was removed, or never was there."""

    def __init__(self, edition: str, story: str) -> None:
        self.edition = edition
        self.story = story
        super().__init__(f"{edition} has no story {story}")


class StoryUnreadableError(Exception):
    """The file is there, and cannot be read as text; ``error`` says why."""

    def __init__(self, edition: str, error: EditionFileError) -> None:
        self.edition = edition
        self.error = error
        super().__init__(str(error))


@dataclass(frozen=True, kw_only=True)
class StoryPlace:
    """A story of an edition, or its letter: ``story`` is the slug, "" for the letter. ``folder`` is that of
    the edition, ``file`` what the story's file says now."""

    edition: str
    story: str
    folder: Path
    file: EditionFile

    @property
    def path(self) -> str:
        """The page of the story, below /studio."""
        return make_story_path(self.edition, self.story)

    @property
    def edition_path(self) -> str:
        """The page of its edition."""
        return f"/editions/{self.edition}"

    @property
    def is_letter(self) -> bool:
        return not self.story


def make_story_path(edition: str, story: str) -> str:
    """The page of a story below /studio, or of the letter if ``story`` is empty."""
    return f"/editions/{edition}/stories/{story}" if story else f"/editions/{edition}/letter"


def find_place(page: StudioPage, edition: str, story: str) -> StoryPlace:
    """The story with the slug ``story`` of an edition, or its letter if that is empty.

    Raises:
        HTTPException: 404, there is no such edition.
        StoryMissingError: the edition has no such story.
        StoryUnreadableError: its file cannot be read.
    """
    folder = find_edition_folder(page, edition)
    name = find_file_name(folder, FilePlace(story=story)) if story else EDITION_FILE
    if name is None:
        raise StoryMissingError(edition, story)
    try:
        file = read_edition_file(folder, name)
    except FileMissingError as error:
        raise StoryMissingError(edition, story) from error
    except EditionFileError as error:
        raise StoryUnreadableError(edition, error) from error
    return StoryPlace(edition=edition, story=story, folder=folder, file=file)


def _open_place(request: Request, page: PageDep) -> StoryPlace:
    values = request.path_params
    return find_place(page, values["edition"], values.get("story", ""))


PlaceDep = Annotated[StoryPlace, Depends(_open_place)]
"""The story, or the letter, that the path of a request names."""


def show_missing_story(request: Request, error: Exception) -> Response:
    """Say that a story is not there, and where what it said is."""
    assert isinstance(error, StoryMissingError)  # noqa: S101 - registered for it
    visit = open_visit(request)
    return visit.render(
        "story_missing.html",
        status=404,
        section="editions",
        edition=error.edition,
        story=error.story,
        history=f"/editions/{error.edition}/history",
    )


def show_unreadable_story(request: Request, error: Exception) -> Response:
    """Say why a file cannot be read."""
    assert isinstance(error, StoryUnreadableError)  # noqa: S101 - registered for it
    visit = open_visit(request)
    return visit.render(
        "story_unreadable.html",
        status=409,
        section="editions",
        edition=error.edition,
        message=visit.translator.translate(error.error.message, **error.error.values),
    )
