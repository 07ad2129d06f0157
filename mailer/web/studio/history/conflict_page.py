"""The page on which two texts that conflict are put together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from editions.text_diff.merge import MergeChoice, MergeKind, list_conflicts, settle_merge
from editions.text_diff.words import compare_words
from locales.phrase import read_error
from mailer.database.edition_models import UnsavedReason
from mailer.i18n import gettext_noop
from mailer.revisions.conflict_settlement import (
    OpenConflict,
    find_conflict,
    keep_merged,
    put_back,
    set_aside,
)
from mailer.revisions.edition_file import EditionFileError
from mailer.revisions.edition_save import Conflict
from mailer.team.members import Permission
from mailer.web.forms import OwnFormDep, read_number
from mailer.web.studio.history.history_pages import TextPage, open_text
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import or_404
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import EditionPage, EditionPageDep

ROUTES = Routes()
_CHOICE = "choice-"
_CHOOSE = gettext_noop("Choose a text for each place that both have changed.")
_CHANGED_AGAIN = gettext_noop("The text has changed again. This is how it is now; choose once more.")
_NOT_WRITTEN = gettext_noop("The text could not be written (%(why)s). It is still kept here.")


@dataclass(frozen=True, kw_only=True)
class ConflictPage(EditionPage):
    """A request about a text that could not be saved."""

    conflict: OpenConflict

    def find_text(self) -> TextPage:
        """Return this request as one about the text, whether it is there or not."""
        return open_text(self, self.conflict.place)


def _open_conflict(page: EditionPageDep, number: str) -> ConflictPage:
    row = or_404(read_number(number))
    with page.state.read_session() as session:
        conflict = or_404(find_conflict(page.state.workspace, session, page.edition, row))
    return page.about(ConflictPage, conflict=conflict)


ConflictPageDep = Annotated[ConflictPage, Depends(_open_conflict)]


@ROUTES.get_route("/editions/{edition}/conflicts/{number}", Permission.write)
def show_conflict(page: ConflictPageDep) -> Response:
    """Show both texts; with choices in the address, show what they make, too."""
    return _render(page, _read_choices(page, page.request.query_params.multi_items()))


@ROUTES.post_route("/editions/{edition}/conflicts/{number}", Permission.write)
def settle_conflict(page: ConflictPageDep, form: OwnFormDep) -> Response:
    """Keep the merged text, put a removed text back, or set the unsaved one aside."""
    conflict, workspace, now = page.conflict, page.state.workspace, page.state.clock()
    if form.get("act") == "aside":
        with page.writing() as session:
            set_aside(session, conflict.unsaved, now=now)
        return _leave(page, Notice.text_set_aside)
    if conflict.theirs is None:
        try:
            with page.writing() as session:
                kept = put_back(workspace, session, conflict, member=page.member, now=now)
        except EditionFileError as error:
            return _render(page, error=page.translator.say_again(read_error(error)), status=409)
        return _leave(page, Notice.text_restored) if kept is None else _refuse(page, kept)
    choices = _read_choices(page, form.fields)
    if form.get("theirs") != conflict.theirs.digest:
        return _render(page, error=page.translate(_CHANGED_AGAIN), status=409)
    missing = [place for place in list_conflicts(conflict.parts) if place not in choices]
    if missing:
        field = f"{_CHOICE}{missing[0]}-mine"
        return _render(page, choices, error=page.translate(_CHOOSE), field=field, status=422)
    with page.writing() as session:
        done = keep_merged(workspace, session, conflict, choices, member=page.member, now=now)
    return _refuse(page, done) if isinstance(done, Conflict) else _leave(page, Notice.conflict_settled)


def _read_choices(page: ConflictPage, sent: Iterable[tuple[str, str]]) -> dict[int, MergeChoice]:
    """Read which text was chosen for each conflict; what is no choice is left out."""
    asked = list_conflicts(page.conflict.parts)
    choices = {}
    for name, value in sent:
        number = read_number(name.removeprefix(_CHOICE)) if name.startswith(_CHOICE) else None
        if number is not None and number in asked and value in list(MergeChoice):
            choices[number] = MergeChoice(value)
    return choices


def _refuse(page: ConflictPage, done: Conflict) -> Response:
    """Show the page again, with what has become of the file meanwhile."""
    words = page.translate(_CHANGED_AGAIN)
    if done.reason is UnsavedReason.not_written:
        words = page.translate(_NOT_WRITTEN, why=done.detail)
    return _render(_open_conflict(page, str(page.conflict.unsaved.id)), error=words, status=409)


def _leave(page: ConflictPage, notice: Notice) -> Response:
    text = page.find_text()
    return page.redirect(text.path if text.file is not None else f"{page.edition_path}/history", notice)


def _render(
    page: ConflictPage,
    choices: Mapping[int, MergeChoice] | None = None,
    *,
    error: str = "",
    field: str = "",
    status: int = 200,
) -> Response:
    conflict, text, chosen = page.conflict, page.find_text(), choices or {}
    asked, is_there = list_conflicts(conflict.parts), conflict.theirs is not None
    is_settled = is_there and all(number in chosen for number in asked)
    problem = conflict.problem
    return page.render(
        "conflict.html",
        status=status,
        conflict=conflict,
        unsaved=conflict.unsaved,
        title=text.title,
        path=text.path,
        is_own=conflict.unsaved.member_id == page.member.id,
        groups=_group_parts(conflict, chosen) if is_there else [],
        asked=len(asked),
        merged=settle_merge(conflict.parts, chosen) if is_settled else None,
        problem=page.translator.say_again(read_error(problem)) if problem is not None else "",
        errors=[(field, error)] if error else [],
    )


def _group_parts(
    conflict: OpenConflict, choices: Mapping[int, MergeChoice]
) -> list[tuple[bool, list[dict[str, Any]]]]:
    """Return the parts with their words as they differ from what both began from, those that are the same in
    both texts in groups that can be folded."""
    # Where nothing is known of what both began from, all words would be new ones.
    is_known = conflict.unsaved.base is not None
    shown: list[dict[str, Any]] = []
    for number, part in enumerate(conflict.parts):
        base, mine, theirs = part.base_text.strip(), part.my_text.strip(), part.their_text.strip()
        shown.append(
            {
                "number": number,
                "kind": part.kind,
                "key": part.key,
                "mine": compare_words(base if is_known else mine, mine),
                "theirs": compare_words(base if is_known else theirs, theirs),
                "has_mine": bool(mine),
                "has_theirs": bool(theirs),
                "choice": choices.get(number, ""),
            }
        )
    return [(same, [*group]) for same, group in groupby(shown, lambda part: part["kind"] is MergeKind.same)]
