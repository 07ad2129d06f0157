"""Which text of an edition a page of the history is about: also one whose file is gone."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FilePlace,
    find_file_name,
    read_edition_file,
)
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import find_edition_folder

_STORY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_MAX_LENGTH = 150


@dataclass(frozen=True, kw_only=True)
class TextPlace:
    """A text of an edition. ``file`` is what its file says now; None if there is none, or it cannot be
    read."""

    edition: str
    place: FilePlace
    folder: Path
    file: EditionFile | None

    @property
    def title(self) -> str:
        """What a story is called, or its slug if its file does not say; "" for the letter."""
        if not self.place.story:
            return ""
        return read_story_title(self.file.text if self.file is not None else "") or self.place.story

    @property
    def edition_path(self) -> str:
        """The page of the edition, below /studio."""
        return f"/editions/{self.edition}"

    @property
    def path(self) -> str:
        """The page on which the text is written, below /studio."""
        return make_text_path(self.edition, self.place)


def make_text_path(edition: str, place: FilePlace) -> str:
    """The page below /studio on which a text is written."""
    text = f"stories/{place.story}" if place.story else "letter"
    return f"/editions/{edition}/{text}{f'/translations/{place.language}' if place.language else ''}"


def read_story_title(text: str) -> str:
    """The title at the head of a story's text; "" if there is none."""
    front, _ = read_front_matter(TextFile(name="", text=text))
    return front.text("title")


def find_text_place(page: StudioPage, edition: str, place: FilePlace) -> TextPlace:
    """The text ``place`` of an edition.

    Raises:
        HTTPException: 404, there is no such edition.
    """
    folder = find_edition_folder(page, edition)
    name = find_file_name(folder, place)
    file = None
    if name is not None:
        try:
            file = read_edition_file(folder, name)
        except EditionFileError:
            # Its own page says why; the history can be read all the same.
            file = None
    return TextPlace(edition=edition, place=place, folder=folder, file=file)


def _open_text_place(request: Request, page: PageDep) -> TextPlace:
    values = request.path_params
    story, language = values.get("story", ""), values.get("language", "")
    if (story and not _is_name(_STORY, story)) or (language and not _is_name(_LANGUAGE, language)):
        raise HTTPException(404)
    return find_text_place(page, values["edition"], FilePlace(story=story, language=language))


def _is_name(pattern: re.Pattern[str], name: str) -> bool:
    return len(name) <= _MAX_LENGTH and bool(pattern.fullmatch(name))


TextPlaceDep = Annotated[TextPlace, Depends(_open_text_place)]
"""The text that the path of a request names."""
