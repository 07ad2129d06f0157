"""Two texts of the history, compared, and bringing an earlier one back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import Response

from editions.text_diff.comparison import BlockChange, ChangeKind, compare_texts
from mailer.activity.acts import Act
from mailer.activity.record import record_line
from mailer.database.edition_models import RevisionKind
from mailer.revisions.edition_save import Conflict, save_edition_file
from mailer.revisions.history import HistoryEntry, find_entry, find_entry_before, list_history, read_text
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep
from mailer.web.plain_number import read_number
from mailer.web.studio.history.entry_words import KIND_WORDS
from mailer.web.studio.history.text_place import TextPlace, TextPlaceDep
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep
from mailer.web.studio.text_save import announced_session, make_line

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

    entry: HistoryEntry | None
    text: str


def group_changes(changes: Iterable[BlockChange]) -> list[ChangeGroup]:
    """Put blocks that stayed into groups of their own, which a page can fold."""
    grouped = groupby(changes, key=lambda change: change.kind is ChangeKind.same)
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
    name = place.file.name if place.file is not None else entry.name
    line = make_line(page, Act.restored_text, edition=place.edition, subject=name)
    with announced_session(page, [line], place.folder / name) as session:
        outcome = save_edition_file(
            page.state.workspace,
            session,
            place.edition,
            name,
            read_text(session, place.edition, entry),
            base=form.get("base") if place.file is not None else "",
            member=page.member,
            sitting=f"restored {entry.number}",
            now=line.at,
            kind=RevisionKind.restored,
        )
        if not isinstance(outcome, Conflict):
            record_line(session, replace(line, subject=outcome.name))
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


def _find_entry(session: Session, place: TextPlace, number: str) -> HistoryEntry:
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
