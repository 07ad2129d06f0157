"""An edition or a story that an address names, as far as it is there and readable."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.errors import ImageError
from editions.images.files import locate_image
from editions.images.prepared_images import prepare_image
from editions.model import Crop
from editions.source.folder import EDITION_FILE
from mailer.campaigns.correction_notes import NotePlace
from mailer.errors import ConfigurationError
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FileMissingError,
    FilePlace,
    find_file_name,
    read_edition_file,
)
from mailer.web.page_renderer import IMAGE_TYPES
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, open_visit

FIXED_SECTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "feature": gettext_noop("Lead story"),
        "centres-and-chairs": gettext_noop("Centres and Chairs"),
        "campaigns": gettext_noop("Public campaigns"),
        "office": gettext_noop("Office news"),
    }
)
"""The sections that every edition can have, beside those of the sectors."""
_POLICY = "default-src 'none'; sandbox"


def find_edition_folder(page: StudioPage, edition: str) -> Path:
    """The folder of the edition that a path names. Raise HTTPException 404 if there is no such edition."""
    if edition.startswith("."):
        # Editions that are being made are in hidden folders.
        raise HTTPException(404)
    try:
        return page.state.workspace.edition_folder(edition)
    except (ConfigurationError, OSError, ValueError) as error:
        # The system refuses a name that is too long, and Python one with a NUL.
        raise HTTPException(404) from error


@dataclass(frozen=True, kw_only=True)
class EditionPage(StudioPage):
    edition: str
    folder: Path

    @property
    def edition_path(self) -> str:
        return f"/editions/{self.edition}"

    @property
    def path(self) -> str:
        return self.edition_path

    @property
    def edition_title(self) -> str:
        """What the edition is called, without its number."""
        return self.state.summaries.read(self.edition).title or self.edition

    def name_section(self, key: str) -> str:
        fixed = "" if key in self.settings.sectors else FIXED_SECTION_NAMES.get(key, "")
        return self.translate(fixed) if fixed else self.name_sector(key)

    def render(self, template: str, *, status: int = 0, **values: object) -> Response:
        return super().render(template, status=status, **{"edition": self.edition, **values})

    def go_back(self, notice: Notice | None = None, **query: str) -> Response:
        return self.redirect(self.path, notice, **query)


def open_edition(page: PageDep, edition: str) -> EditionPage:
    return page.about(EditionPage, edition=edition, folder=find_edition_folder(page, edition))


EditionPageDep = Annotated[EditionPage, Depends(open_edition)]


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
class StoryPage(EditionPage):
    """A request about a story of an edition, or its letter: ``story`` is the slug, "" for the letter.
    ``file`` is what the story's file says now."""

    story: str
    file: EditionFile

    @property
    def path(self) -> str:
        return make_story_path(self.edition, self.story)

    @property
    def is_letter(self) -> bool:
        return not self.story


def open_story(page: EditionPage, story: str) -> StoryPage:
    """Return this request as one about the story with this slug, or the letter if that is empty. Raise
    StoryMissingError if the edition has no such story, and StoryUnreadableError if its file cannot be read.
    """
    name = find_file_name(page.folder, FilePlace(story=story)) if story else EDITION_FILE
    if name is None:
        raise StoryMissingError(page.edition, story)
    try:
        file = read_edition_file(page.folder, name)
    except FileMissingError as error:
        raise StoryMissingError(page.edition, story) from error
    except EditionFileError as error:
        raise StoryUnreadableError(page.edition, error) from error
    return page.about(StoryPage, story=story, file=file)


def _open_named_story(page: EditionPageDep) -> StoryPage:
    return open_story(page, page.request.path_params.get("story", ""))


StoryPageDep = Annotated[StoryPage, Depends(_open_named_story)]


def make_story_path(edition: str, story: str, language: str = "") -> str:
    """The page of a story below /studio, or of the letter if ``story`` is empty; or of its translation."""
    text = f"stories/{story}" if story else "letter"
    return f"/editions/{edition}/{text}{f'/translations/{language}' if language else ''}"


def make_note_path(place: NotePlace) -> str:
    return f"/corrections/{quote(place.edition, safe='')}/{quote(place.story, safe='')}/{place.number}"


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
    assert isinstance(error, StoryUnreadableError)  # noqa: S101 - registered for it
    visit = open_visit(request)
    return visit.render(
        "story_unreadable.html",
        status=409,
        section="editions",
        edition=error.edition,
        message=visit.explain(error.error),
    )


def answer_with_image(page: EditionPage, file: str, *, width: int, crop: Crop | None, cache: str) -> Response:
    """Answer with the picture ``file``, ``width`` CSS pixels wide, or 404 if it is not there or cannot be
    shown; ``cache`` is the value of Cache-Control."""
    try:
        path = locate_image(page.folder, file)
        image = prepare_image(path, width=width, crop=crop)
    except (ImageError, OSError, ValueError) as error:
        raise HTTPException(404) from error
    tag = f'"{image.name}"'
    headers = {"cache-control": cache, "content-security-policy": _POLICY, "etag": tag}
    if page.request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(image.data, media_type=IMAGE_TYPES[PurePosixPath(image.name).suffix], headers=headers)
