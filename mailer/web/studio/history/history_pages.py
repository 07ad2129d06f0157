"""The history of one text, and of a whole edition."""

import contextlib
from collections.abc import Iterable
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.source.folder import STORIES_FOLDER
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.database.edition_models import RevisionKind
from mailer.revisions.edition_file import (
    EditionFileError,
    FilePlace,
    find_file_name,
    list_story_slugs,
    read_edition_file,
)
from mailer.revisions.history import list_edition_history, list_history, list_removed_stories, read_text
from mailer.revisions.removed_stories import restore_story
from mailer.revisions.unsaved_texts import list_unsaved
from mailer.web.forms import OwnFormDep
from mailer.web.plain_number import read_number
from mailer.web.studio.history.entry_words import KIND_WORDS
from mailer.web.studio.history.text_place import TextPlaceDep, make_text_path, read_story_title
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.text_save import announced_session, make_line

_ON_PAGE = 30


def show_history(page: PageDep, place: TextPlaceDep) -> Response:
    """Show the entries about one text, the newest first."""
    before = read_number(page.request.query_params.get("before", ""))
    with page.state.read_session() as session:
        entries = list_history(session, place.edition, place.place, before=before, limit=_ON_PAGE + 1)
        unsaved = list_unsaved(session, place.edition, place.place)
    if not entries and place.file is None:
        raise HTTPException(404)
    digest = place.file.digest if place.file is not None else ""
    latest = next((entry for entry in entries if entry.kind is not RevisionKind.set_aside), None)
    is_changed = before is None and place.file is not None and (latest is None or latest.digest != digest)
    current = next((entry.number for entry in entries if entry.digest == digest and digest), None)
    return page.render(
        "history.html",
        section="editions",
        place=place,
        entries=entries[:_ON_PAGE],
        older=entries[_ON_PAGE - 1].number if len(entries) > _ON_PAGE else None,
        kinds=KIND_WORDS,
        unsaved=unsaved if before is None else [],
        is_changed=is_changed,
        latest=latest,
        current=None if is_changed else current,
    )


def show_edition_history(page: PageDep, edition: str) -> Response:
    """Show everything that happened to the texts of an edition, and the stories that were removed."""
    return _render_edition_history(page, edition)


def restore_removed_story(page: PageDep, edition: str, form: OwnFormDep) -> Response:
    """Bring a removed story back."""
    folder, story = find_edition_folder(page, edition), form.get("story")
    line = make_line(page, Act.restored_story, edition=edition, subject=story)
    try:
        with announced_session(page, [line], folder / STORIES_FOLDER) as session:
            restore_story(page.state.workspace, session, edition, story, member=page.member, now=line.at)
            record_line(session, line)
    except EditionFileError as error:
        words = page.translator.translations.gettext(error.message)
        said = words % error.values if error.values else words
        return _render_edition_history(page, edition, status=422, errors=[("removed", said)])
    return page.redirect(f"/editions/{edition}", Notice.story_restored)


def _read_titles(folder: Path, places: Iterable[FilePlace]) -> dict[str, str]:
    """What the stories of ``places`` are called, by slug, as far as their files say it."""
    titles = {}
    for story in {place.story for place in places if place.story}:
        name = find_file_name(folder, FilePlace(story=story))
        with contextlib.suppress(EditionFileError):
            titles[story] = read_story_title(read_edition_file(folder, name).text) if name else ""
    return titles


def _render_edition_history(
    page: StudioPage, edition: str, *, status: int = 200, errors: list[tuple[str, str]] | None = None
) -> Response:
    folder = find_edition_folder(page, edition)
    before = read_number(page.request.query_params.get("before", ""))
    with page.state.read_session() as session:
        groups = list_edition_history(session, edition, before=before, limit=_ON_PAGE + 1)
        removed = list_removed_stories(session, edition, list_story_slugs(folder))
        unsaved = list_unsaved(session, edition)
        shown = [group for group in groups[:_ON_PAGE] if group]
        gone = {one.place.story: read_text(session, edition, one) for one in removed}
    places = [entry.place for group in shown for entry in group] + [one.place for one in unsaved]
    return page.render(
        "edition_history.html",
        status=status,
        section="editions",
        edition=edition,
        groups=shown,
        older=shown[-1][0].revision if len(groups) > _ON_PAGE and shown else None,
        removed=removed if before is None else [],
        unsaved=unsaved if before is None else [],
        kinds=KIND_WORDS,
        make_text_path=make_text_path,
        titles=_read_titles(folder, places) | {story: read_story_title(text) for story, text in gone.items()},
        errors=errors or [],
    )
