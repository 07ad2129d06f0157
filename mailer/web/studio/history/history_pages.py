"""The history of a text: its revisions, two compared, and who else is writing."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.changes.translation_text import read_front
from editions.source.folder import STORIES_FOLDER
from editions.text_diff.comparison import BlockChangeKind, compare_texts
from locales.phrase import read_error
from mailer.activity import deeds
from mailer.activity.record import record_line
from mailer.database.edition_models import RevisionKind
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import (
    EditionFile,
    EditionFileError,
    FilePlace,
    TextSave,
    find_file_name,
    list_story_slugs,
    lock_edition,
    parse_sitting,
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
    record_outside_change,
)
from mailer.revisions.presence import end_presence, list_present, note_presence
from mailer.revisions.story_changes import restore_story
from mailer.revisions.unsaved_texts import list_own_unsaved, list_unsaved
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import StudioPage, or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import EditionPage, EditionPageDep, make_story_path
from mailer.web.studio.waiting_item import WaitingItem

ROUTES = Routes()
_STORY = re.compile(r"(?=.{0,150}\Z)[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_ON_PAGE = 30
_LOOKED_BACK = 100
_MAX_TEXTS = 20
_NOW = "now"


@dataclass(frozen=True, kw_only=True)
class TextPage(EditionPage):
    """A request about a text of an edition. ``file`` is what its file says now; None if there is none, or it
    cannot be read."""

    text: FilePlace
    file: EditionFile | None

    @property
    def path(self) -> str:
        return make_story_path(self.edition, self.text.story, self.text.language)

    @property
    def title(self) -> str:
        """What a story is called, or its slug if its file does not say; "" for the letter."""
        if not self.text.story:
            return ""
        return read_title(self.file.text if self.file is not None else "") or self.text.story


def read_title(text: str) -> str:
    return read_front(text).text("title")


def open_text(page: EditionPage, text: FilePlace) -> TextPage:
    """Return this request as one about the text ``text`` of its edition, whether that is there or not."""
    name, file = find_file_name(page.folder, text), None
    if name is not None:
        # Its own page says why it cannot be read; the history can be read all the same.
        with contextlib.suppress(EditionFileError):
            file = read_edition_file(page.folder, name)
    return page.about(TextPage, text=text, file=file)


def _open_named_text(request: Request, page: EditionPageDep) -> TextPage:
    story, language = (request.path_params.get(name, "") for name in ("story", "language"))
    or_404(not story or _STORY.fullmatch(story))
    or_404(not language or _LANGUAGE.fullmatch(language))
    return open_text(page, FilePlace(story=story, language=language))


TextPageDep = Annotated[TextPage, Depends(_open_named_text)]


@ROUTES.get_route("/editions/{edition}/letter/translations/{language}/history", Permission.read)
@ROUTES.get_route("/editions/{edition}/letter/history", Permission.read)
@ROUTES.get_route("/editions/{edition}/stories/{story}/translations/{language}/history", Permission.read)
@ROUTES.get_route("/editions/{edition}/stories/{story}/history", Permission.read)
def show_history(page: TextPageDep) -> Response:
    before = read_number(page.request.query_params.get("before", ""))
    entries = list_history(page.session, page.edition, page.text, before=before, limit=_ON_PAGE + 1)
    or_404(bool(entries) or page.file is not None)
    digest = page.file.digest if page.file is not None else ""
    latest = next((entry for entry in entries if entry.kind is not RevisionKind.set_aside), None)
    is_changed = before is None and bool(digest) and (latest is None or latest.file.digest != digest)
    current = next((entry.number for entry in entries if entry.file.digest == digest and digest), None)
    return page.render(
        "history.html",
        entries=entries[:_ON_PAGE],
        older=entries[_ON_PAGE - 1].number if len(entries) > _ON_PAGE else None,
        unsaved=list_unsaved(page.session, page.edition, page.text) if before is None else [],
        is_changed=is_changed,
        latest=latest,
        current=None if is_changed else current,
    )


@ROUTES.get_route("/editions/{edition}/history", Permission.read)
def show_edition_history(page: EditionPageDep) -> Response:
    return _render_edition_history(page)


@ROUTES.post_route("/editions/{edition}/history", Permission.write)
def restore_removed_story(page: EditionPageDep, form: OwnFormDep) -> Response:
    story = form.get("story")
    line = page.make_line(deeds.restored_story(page.edition, story))
    try:
        with page.announcing(line, page.folder / STORIES_FOLDER) as session:
            restore_story(page.state.workspace, session, page.edition, story, member=page.member, now=line.at)
            record_line(session, line)
    except EditionFileError as error:
        return _render_edition_history(page, page.translator.say_again(read_error(error)))
    return page.go_back(Notice.story_restored)


def _render_edition_history(page: EditionPage, error: str = "") -> Response:
    before = read_number(page.request.query_params.get("before", ""))
    session, edition = page.session, page.edition
    groups = list_edition_history(session, edition, before=before, limit=_ON_PAGE + 1)
    shown = [group for group in groups[:_ON_PAGE] if group]
    removed = list_removed_stories(session, edition, list_story_slugs(page.folder))
    unsaved = list_unsaved(session, edition)
    stories = {entry.place.story for group in shown for entry in group} | {one.story for one, _ in unsaved}
    titles = {story: open_text(page, FilePlace(story=story)).title for story in stories}
    titles |= {one.place.story: read_title(read_text(session, edition, one)) for one in removed}
    return page.render(
        "edition_history.html",
        groups=shown,
        older=shown[-1][0].revision.id if len(groups) > _ON_PAGE and shown else None,
        removed=removed if before is None else [],
        unsaved=unsaved if before is None else [],
        make_path=make_story_path,
        titles=titles,
        errors=[("removed", error)] if error else [],
    )


@ROUTES.get_route("/editions/{edition}/letter/translations/{language}/history/changes", Permission.read)
@ROUTES.get_route("/editions/{edition}/letter/history/changes", Permission.read)
@ROUTES.get_route(
    "/editions/{edition}/stories/{story}/translations/{language}/history/changes", Permission.read
)
@ROUTES.get_route("/editions/{edition}/stories/{story}/history/changes", Permission.read)
def show_comparison(page: TextPageDep) -> Response:
    """Show what changed from one text to another: by default, from the one before it."""
    query = page.request.query_params
    new, asked = _find_entry(page, query.get("new", _NOW)), query.get("old")
    old = _find_before(page, new) if asked is None else _find_entry(page, asked)
    has_old = asked is not None or old is not None
    changes = compare_texts(_read(page, old) if has_old else "", _read(page, new))
    grouped = groupby(changes, key=lambda change: change.kind is BlockChangeKind.same)
    entries = list_history(page.session, page.edition, page.text, limit=_LOOKED_BACK)
    return page.render(
        "comparison.html",
        old=old,
        new=new,
        groups=[(is_same, list(group)) for is_same, group in grouped],
        entries=[entry for entry in entries if entry.has_text],
        can_restore=page.may(Permission.write)
        and new is not None
        and (page.file is None or new.file.digest != page.file.digest),
    )


@ROUTES.post_route("/editions/{edition}/letter/translations/{language}/history", Permission.write)
@ROUTES.post_route("/editions/{edition}/letter/history", Permission.write)
@ROUTES.post_route("/editions/{edition}/stories/{story}/translations/{language}/history", Permission.write)
@ROUTES.post_route("/editions/{edition}/stories/{story}/history", Permission.write)
def restore_text(page: TextPageDep, form: OwnFormDep) -> Response:
    """Make an earlier text the file's again. If the file changes at the same moment, both are shown."""
    entry = or_404(_find_entry(page, form.get("number")))
    save = TextSave(
        edition=page.edition,
        name=page.file.name if page.file is not None else entry.file.name,
        text=read_text(page.session, page.edition, entry),
        base=form.get("base") if page.file is not None else "",
        member=page.member,
        sitting=f"restored {entry.number}",
        now=page.state.clock(),
        kind=RevisionKind.restored,
        is_logged=True,
    )
    with page.writing() as session:
        outcome = save_edition_file(page.state.workspace, session, save)
    if isinstance(outcome, Conflict):
        return page.redirect(f"{page.edition_path}/conflicts/{outcome.number}")
    return page.redirect(f"{page.path}/history", Notice.text_restored)


def _find_entry(page: TextPage, number: str) -> RevisionEntry | None:
    """Return an entry with a text; None for the file as it is now. Without either, the answer is 404."""
    if number == _NOW:
        or_404(page.file)
        return None
    entry = or_404(find_entry(page.session, page.edition, page.text, or_404(read_number(number))))
    or_404(entry.has_text)
    return entry


def _find_before(page: TextPage, new: RevisionEntry | None) -> RevisionEntry | None:
    if new is not None:
        return find_entry_before(page.session, page.edition, new)
    entries = list_history(page.session, page.edition, page.text, limit=_LOOKED_BACK)
    others = (entry for entry in entries if page.file and entry.file.digest != page.file.digest)
    return next((entry for entry in others if entry.kind is not RevisionKind.set_aside), None)


def _read(page: TextPage, entry: RevisionEntry | None) -> str:
    if entry is not None:
        return read_text(page.session, page.edition, entry)
    return page.file.text if page.file is not None else ""


@ROUTES.post_route("/editions/{edition}/letter/translations/{language}/presence", Permission.read)
@ROUTES.post_route("/editions/{edition}/letter/presence", Permission.read)
@ROUTES.post_route("/editions/{edition}/stories/{story}/translations/{language}/presence", Permission.read)
@ROUTES.post_route("/editions/{edition}/stories/{story}/presence", Permission.read)
def update_presence(page: TextPageDep, form: OwnFormDep) -> Response:
    """Note that a page is open, or was closed (``gone``), and answer who else is there."""
    sitting, member = parse_sitting(form.get("sitting")), page.member
    if not sitting:
        raise HTTPException(422)
    now = page.state.clock()
    with page.writing() as session:
        if form.get("gone"):
            end_presence(session, member=member, sitting=sitting)
            return Response(status_code=204)
        if form.get("first") and page.file is not None:
            # What Git or a command has done since is in the history before anybody builds on it.
            with lock_edition(page.state.workspace, session, page.edition):
                record_pending_save(page.state.workspace, session, page.edition)
                # Somebody may have saved since this request looked.
                file = open_text(page, page.text).file
                if file is not None:
                    record_outside_change(session, page.edition, file, now=now)
        note_presence(session, page.edition, page.text, member=member, sitting=sitting, now=now)
        names = list_present(session, page.edition, page.text, now=now, apart_from=member)
    return page.render("present.html", names=names)


def list_text_items(page: StudioPage) -> Iterator[WaitingItem]:
    """Their own texts that are in no file, because it had changed or could not be written."""
    for edition, story, number in list_own_unsaved(page.session, page.member.id, limit=_MAX_TEXTS):
        yield WaitingItem(
            title=story or edition,
            words=page.translate(gettext_noop("What you wrote is not in the file yet")),
            act=page.translate(gettext_noop("Put both texts together")),
            path=f"/editions/{quote(edition, safe='')}/conflicts/{number}",
            tone="wrong",
            detail=edition,
        )
