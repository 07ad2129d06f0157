"""The page on which two texts that conflict are put together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from starlette.responses import Response

from editions.text_diff.merge import MergeChoice, MergeKind, MergePart, list_conflicts, settle_merge
from editions.text_diff.words import WordChange, compare_words
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
from mailer.web.forms import Form, OwnFormDep, read_number
from mailer.web.studio.history.history_pages import find_text_place, make_text_path
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage, or_404
from mailer.web.studio.story_place import find_edition_folder

_CHOICE = "choice-"


@dataclass(frozen=True, kw_only=True)
class ShownPart:
    """A part of both texts. ``number`` is its place; ``mine`` and ``theirs`` are its words as they differ
    from what both began from. ``choice`` is what has been chosen of a conflict, "" for nothing yet."""

    number: int
    kind: MergeKind
    key: str
    mine: tuple[WordChange, ...]
    theirs: tuple[WordChange, ...]
    has_mine: bool
    has_theirs: bool
    choice: str


@dataclass(frozen=True, kw_only=True)
class PartGroup:
    """Parts that follow each other and are the same in both texts, or differ."""

    is_same: bool
    parts: tuple[ShownPart, ...]


def read_choices(form: Form, parts: Sequence[MergePart]) -> dict[int, MergeChoice]:
    """Read which text was chosen for each conflict; what is no choice is left out."""
    choices = {}
    for name, value in form.fields:
        number = read_number(name.removeprefix(_CHOICE)) if name.startswith(_CHOICE) else None
        if number is None or value not in list(MergeChoice):
            continue
        if number < len(parts) and parts[number].kind is MergeKind.conflict:
            choices[number] = MergeChoice(value)
    return choices


def show_parts(
    parts: Sequence[MergePart], choices: Mapping[int, MergeChoice], *, is_base_known: bool
) -> list[PartGroup]:
    """The parts for the page, those that are the same in both texts in groups that can be folded."""
    shown = [_show(number, part, choices, is_base_known=is_base_known) for number, part in enumerate(parts)]
    grouped = groupby(shown, key=lambda part: part.kind is MergeKind.same)
    return [PartGroup(is_same=is_same, parts=tuple(group)) for is_same, group in grouped]


def _show(
    number: int, part: MergePart, choices: Mapping[int, MergeChoice], *, is_base_known: bool
) -> ShownPart:
    base, mine, theirs = part.base_text.strip(), part.my_text.strip(), part.their_text.strip()
    choice = choices.get(number)
    return ShownPart(
        number=number,
        kind=part.kind,
        key=part.key,
        # Where nothing is known of what both began from, all words would be new ones.
        mine=compare_words(base if is_base_known else mine, mine),
        theirs=compare_words(base if is_base_known else theirs, theirs),
        has_mine=bool(mine),
        has_theirs=bool(theirs),
        choice=choice.value if choice is not None else "",
    )


CHOOSE = gettext_noop("Choose a text for each place that both have changed.")
CHANGED_AGAIN = gettext_noop("The text has changed again. This is how it is now; choose once more.")
NOT_WRITTEN = gettext_noop("The text could not be written (%(why)s). It is still kept here.")


def show_conflict(page: PageDep, edition: str, number: str) -> Response:
    """Show both texts; with choices in the address, show what they make, too."""
    conflict = _find_conflict(page, edition, number)
    form = Form(list(page.request.query_params.multi_items()))
    return _render(page, conflict, read_choices(form, conflict.parts))


def settle_conflict(page: PageDep, edition: str, number: str, form: OwnFormDep) -> Response:
    """Keep the merged text, put a removed text back, or set the unsaved one aside."""
    conflict = _find_conflict(page, edition, number)
    act = form.get("act")
    if act == "aside":
        with page.writing() as session:
            set_aside(session, conflict.unsaved, now=page.state.clock())
        return _leave(page, conflict, Notice.text_set_aside)
    if conflict.theirs is None:
        return _put_back(page, conflict)
    choices = read_choices(form, conflict.parts)
    if form.get("theirs") != conflict.theirs.digest:
        return _render(page, conflict, {}, status=409, error=CHANGED_AGAIN)
    missing = [place for place in list_conflicts(conflict.parts) if place not in choices]
    if missing:
        return _render(page, conflict, choices, status=422, error=CHOOSE, field=f"choice-{missing[0]}-mine")
    with page.writing() as session:
        done = keep_merged(
            page.state.workspace, session, conflict, choices, member=page.member, now=page.state.clock()
        )
    if isinstance(done, Conflict):
        return _refuse(page, edition, number, done)
    return _leave(page, conflict, Notice.conflict_settled)


def _put_back(page: StudioPage, conflict: OpenConflict) -> Response:
    """Make a file of a text whose file, or whose story, was removed."""
    unsaved = conflict.unsaved
    try:
        with page.writing() as session:
            done = put_back(
                page.state.workspace, session, conflict, member=page.member, now=page.state.clock()
            )
    except EditionFileError as error:
        words = page.translator.translations.gettext(error.message)
        return _render(page, conflict, {}, status=409, error=words % error.values if error.values else words)
    if done is not None:
        return _refuse(page, unsaved.edition, str(unsaved.id), done)
    return _leave(page, conflict, Notice.text_restored)


def _refuse(page: StudioPage, edition: str, number: str, done: Conflict) -> Response:
    """Show the page again, with what has become of the file meanwhile."""
    conflict = _find_conflict(page, edition, number)
    translate = page.translator.translations.gettext
    words = translate(CHANGED_AGAIN)
    if done.reason is UnsavedReason.not_written:
        words = translate(NOT_WRITTEN) % {"why": done.detail}
    return _render(page, conflict, {}, status=409, error=words)


def _leave(page: StudioPage, conflict: OpenConflict, notice: Notice) -> Response:
    text = find_text_place(page, conflict.unsaved.edition, conflict.place)
    path = text.path if text.file is not None else f"{text.edition_path}/history"
    return page.redirect(path, notice)


def _find_conflict(page: StudioPage, edition: str, number: str) -> OpenConflict:
    find_edition_folder(page, edition)
    row = or_404(read_number(number))
    return or_404(find_conflict(page.state.workspace, page.session, edition, row))


def _render(
    page: StudioPage,
    conflict: OpenConflict,
    choices: Mapping[int, MergeChoice],
    *,
    status: int = 200,
    error: str = "",
    field: str = "",
) -> Response:
    unsaved, parts = conflict.unsaved, conflict.parts
    asked = list_conflicts(parts)
    is_settled = all(number in choices for number in asked)
    return page.render(
        "conflict.html",
        status=status,
        section="editions",
        conflict=conflict,
        unsaved=unsaved,
        title=find_text_place(page, unsaved.edition, conflict.place).title,
        is_own=unsaved.member_id == page.member.id,
        groups=show_parts(parts, choices, is_base_known=unsaved.base is not None)
        if conflict.theirs is not None
        else [],
        asked=len(asked),
        merged=settle_merge(parts, choices) if conflict.theirs is not None and is_settled else None,
        path=make_text_path(unsaved.edition, conflict.place),
        problem=_describe_problem(page, conflict),
        errors=_list_errors(page, error, field),
    )


def _describe_problem(page: StudioPage, conflict: OpenConflict) -> str:
    if conflict.problem is None:
        return ""
    words = page.translator.translations.gettext(conflict.problem.message)
    return words % conflict.problem.values if conflict.problem.values else words


def _list_errors(page: StudioPage, error: str, field: str) -> Sequence[tuple[str, str]]:
    return [(field, page.translator.translations.gettext(error))] if error else []
