"""The story that a request about comments names, and its text as it is now."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile
from mailer.comments.passages import list_passages
from mailer.comments.thread_list import ShownThread, list_threads
from mailer.comments.threads import StoryPlace
from mailer.revisions.edition_file import EditionFileError, FilePlace, find_file_name, read_edition_file
from mailer.web.studio.page import StudioPage
from mailer.web.studio.story_place import find_edition_folder

_STORY_TITLES = (("title",), ("lead",))
_LETTER_TITLES = (("letter", "title"), ("title",))


@dataclass(frozen=True, kw_only=True)
class CommentedText:
    """A story with its threads. ``passages`` is its text in the language of ``place``, block by block, or
    None if the story was removed or cannot be read."""

    place: StoryPlace
    threads: Sequence[ShownThread]
    passages: Sequence[str] | None


def find_story(page: StudioPage, edition: str, story: str, language: str = "") -> CommentedText:
    """Find a story, "" for the letter. One that was removed is found as long as it has comments.

    Raises:
        HTTPException: 404, there is no such edition or story.
    """
    find_edition_folder(page, edition)
    with page.state.read_session() as session:
        threads = list_threads(session, edition, story)
    read = _read_text(page, edition, story, language)
    if read is None and language:
        raise HTTPException(404)
    if read is None and not threads:
        raise HTTPException(404)
    title, passages = read if read is not None else (threads[-1].title or story or edition, None)
    return CommentedText(
        place=StoryPlace(edition=edition, story=story, title=title, language=language),
        threads=threads,
        passages=passages,
    )


def read_passages(page: StudioPage, edition: str, story: str, language: str) -> Sequence[str]:
    """The text of a story in one of its languages, block by block; nothing if it is not there."""
    read = _read_text(page, edition, story, language)
    return read[1] if read is not None else ()


def _read_text(page: StudioPage, edition: str, story: str, language: str) -> tuple[str, Sequence[str]] | None:
    """The title and the passages of a text; None if it is not there or cannot be read."""
    folder = find_edition_folder(page, edition)
    try:
        name = find_file_name(folder, FilePlace(story=story, language=language))
        file = read_edition_file(folder, name) if name is not None else None
    except (EditionFileError, OSError, ValueError):
        return None
    if file is None:
        return None
    front, _ = read_front_matter(TextFile(name=file.name, text=file.text))
    titles = [text for path in (_STORY_TITLES if story else _LETTER_TITLES) if (text := front.text(*path))]
    return (titles[0] if titles else story or edition), list_passages(titles, front.body)
