"""The history of a text: its revisions, two compared, and who else is writing."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.source.folder import STORIES_FOLDER
from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile
from editions.text_diff.comparison import BlockChange, BlockChangeKind, compare_texts
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.database.edition_models import RevisionKind, UnsavedText
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FilePlace,
    TextSave,
    find_file_name,
    list_story_slugs,
    lock_edition,
    read_edition_file,
)
from mailer.revisions.edition_save import Conflict, record_pending_save, save_edition_file
from mailer.revisions.history import (
    RevisionEntry,
    find_entry,
    find_entry_before,
    list_edition_history,
    list_history,
    list_removed_stories,
    read_text,
)
from mailer.revisions.presence import end_presence, list_present, note_presence
from mailer.revisions.removed_stories import restore_story
from mailer.revisions.revision_log import record_outside_change
from mailer.revisions.unsaved_texts import list_unsaved
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.text_save import announced_session, make_line
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

KIND_WORDS: Mapping[RevisionKind, str] = MappingProxyType(
    {
        RevisionKind.found: gettext_noop("As Studio found it"),
        RevisionKind.written: gettext_noop("Written"),
        RevisionKind.outside: gettext_noop("Changed outside Studio"),
        RevisionKind.merged: gettext_noop("Put together from two texts"),
        RevisionKind.set_aside: gettext_noop("Set aside: never in the edition"),
        RevisionKind.restored: gettext_noop("Restored"),
        RevisionKind.added: gettext_noop("Added"),
        RevisionKind.removed: gettext_noop("Removed"),
        RevisionKind.moved: gettext_noop("Moved to another place"),
        RevisionKind.imported: gettext_noop("Came back from a translator"),
    }
)
"""A test demands that every kind has words."""

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


def _read_titles(folder: Path, stories: Iterable[str]) -> dict[str, str]:
    """What stories are called, by slug, as far as their files say it."""
    titles = {}
    for story in filter(None, stories):
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
    stories = {entry.place.story for group in shown for entry in group} | {one.story for one, _ in unsaved}
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
        titles=_read_titles(folder, stories)
        | {story: read_story_title(text) for story, text in gone.items()},
        errors=errors or [],
    )


_NOW = "now"
_LOOKED_BACK = 100


@dataclass(frozen=True, kw_only=True)
class ChangeGroup:
    """Blocks that follow each other and have all changed, or have all stayed."""

    is_same: bool
    changes: tuple[BlockChange, ...]


@dataclass(frozen=True, kw_only=True)
class ComparedText:
    """One side of a comparison: an entry of the history, or the file as it is now (None)."""

    entry: RevisionEntry | None
    text: str


def group_changes(changes: Iterable[BlockChange]) -> list[ChangeGroup]:
    """Put blocks that stayed into groups of their own, which a page can fold."""
    grouped = groupby(changes, key=lambda change: change.kind is BlockChangeKind.same)
    return [ChangeGroup(is_same=is_same, changes=tuple(group)) for is_same, group in grouped]


def show_comparison(page: PageDep, place: TextPlaceDep) -> Response:
    """Show what changed from one text to another: by default, from the one before it."""
    query = page.request.query_params
    with page.state.read_session() as session:
        new = _find_text(session, place, query.get("new", _NOW))
        asked = query.get("old")
        old = _find_before(session, place, new) if asked is None else _find_text(session, place, asked)
        entries = list_history(session, place.edition, place.place, limit=_LOOKED_BACK)
    return page.render(
        "comparison.html",
        section="editions",
        place=place,
        old=old,
        new=new,
        groups=group_changes(compare_texts(old.text if old else "", new.text)),
        entries=[entry for entry in entries if entry.has_text],
        kinds=KIND_WORDS,
        can_restore=page.may(Permission.write)
        and new.entry is not None
        and (place.file is None or new.entry.digest != place.file.digest),
    )


def restore_text(page: PageDep, place: TextPlaceDep, form: OwnFormDep) -> Response:
    """Make an earlier text the file's again. If the file changes at the same moment, both are shown."""
    with page.state.read_session() as session:
        entry = _find_entry(session, place, form.get("number"))
        text = read_text(session, place.edition, entry)
    save = TextSave(
        edition=place.edition,
        name=place.file.name if place.file is not None else entry.name,
        text=text,
        base=form.get("base") if place.file is not None else "",
        member=page.member,
        sitting=f"restored {entry.number}",
        now=page.state.clock(),
        kind=RevisionKind.restored,
        acts=(Act.restored_text,),
    )
    with page.writing() as session:
        outcome = save_edition_file(page.state.workspace, session, save)
    if isinstance(outcome, Conflict):
        return page.redirect(f"{place.edition_path}/conflicts/{outcome.number}")
    return page.redirect(f"{place.path}/history", Notice.text_restored)


def _find_text(session: Session, place: TextPlace, number: str) -> ComparedText:
    if number == _NOW:
        if place.file is None:
            raise HTTPException(404)
        return ComparedText(entry=None, text=place.file.text)
    entry = _find_entry(session, place, number)
    return ComparedText(entry=entry, text=read_text(session, place.edition, entry))


def _find_entry(session: Session, place: TextPlace, number: str) -> RevisionEntry:
    row = read_number(number)
    entry = find_entry(session, place.edition, place.place, row) if row is not None else None
    if entry is None or not entry.has_text:
        raise HTTPException(404)
    return entry


def _find_before(session: Session, place: TextPlace, new: ComparedText) -> ComparedText | None:
    if new.entry is None:
        entries = list_history(session, place.edition, place.place, limit=_LOOKED_BACK)
        others = (entry for entry in entries if place.file and entry.digest != place.file.digest)
        before = next((entry for entry in others if entry.kind is not RevisionKind.set_aside), None)
    else:
        before = find_entry_before(session, place.edition, new.entry)
    return (
        None if before is None else ComparedText(entry=before, text=read_text(session, place.edition, before))
    )


_SITTING = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)


def update_presence(page: PageDep, place: TextPlaceDep, form: OwnFormDep) -> Response:
    """Note that a page is open, or was closed (``gone``), and answer who else is there."""
    sitting = form.get("sitting")
    if not _SITTING.fullmatch(sitting):
        raise HTTPException(422)
    now = page.state.clock()
    with page.state.write_session() as session:
        if form.get("gone"):
            end_presence(session, member=page.member, sitting=sitting)
            return Response(status_code=204)
        if form.get("first") and place.file is not None:
            # What Git or a command has done since is in the history before anybody builds on it.
            with lock_edition(page.state.workspace, session, place.edition):
                record_pending_save(page.state.workspace, session, place.edition)
                record_outside_change(session, place.edition, place.file, now=now)
        note_presence(session, place.edition, place.place, member=page.member, sitting=sitting, now=now)
        names = list_present(session, place.edition, place.place, now=now, apart_from=page.member)
    return page.render("present.html", names=names)


_MAX_TEXTS = 20


def _list_unsaved_texts(page: StudioPage) -> Iterator[WaitingItem]:
    """Their own texts that are in no file, because it had changed or could not be written."""
    own = select(UnsavedText.edition, UnsavedText.story, UnsavedText.id).where(
        UnsavedText.member_id == page.member.id
    )
    with page.state.read_session() as session:
        rows = session.exec(own.order_by(col(UnsavedText.id).desc()).limit(_MAX_TEXTS)).all()
    translate = page.translator.translate
    for edition, story, number in rows:
        yield WaitingItem(
            title=story or edition,
            words=translate(gettext_noop("What you wrote is not in the file yet")),
            act=translate(gettext_noop("Put both texts together")),
            path=f"/editions/{quote(edition, safe='')}/conflicts/{number}",
            tone="wrong",
            detail=edition,
        )


WAITING_TEXTS = WaitingSource(
    name=gettext_noop("Texts that could not be saved"),
    permission=Permission.read,
    list_items=_list_unsaved_texts,
)
