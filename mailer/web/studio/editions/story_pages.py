"""Adding, moving and removing stories."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from editions.changes.front_matter_change import change_front_matter
from editions.changes.story_order import (
    FileMove,
    apply_moves,
    finish_moves,
    list_numbered_stories,
    plan_new_story,
    plan_story_move,
)
from editions.errors import StoryOrderError
from editions.model import StoryKind
from editions.new_editions import make_slug
from editions.source.folder import STORIES_FOLDER
from mailer.activity.act_journal import announce_acts
from mailer.activity.acts import Act
from mailer.activity.record import ActivityLine, record_line
from mailer.database.edition_models import RevisionKind
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import (
    EditionFileError,
    FileChangedError,
    encode_text,
    list_story_names,
    lock_edition,
    read_edition_file,
    replace_file,
)
from mailer.revisions.removed_stories import remove_story as remove_all_texts
from mailer.revisions.revision_log import RevisedFile, record_change
from mailer.web.forms import Form, OwnFormDep, list_sectors
from mailer.web.studio.editions.edition_page import render_edition, view_edition
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.story_place import KIND_WORDS, find_edition_folder
from mailer.web.studio.text_save import announced_session, make_line

_EMPTY_STORY = "---\ntitle: x\n---\n\n"


@contextmanager
def change_stories(page: StudioPage, edition: str, *lines: ActivityLine) -> Iterator[tuple[Session, Path]]:
    """Change the stories of an edition while nobody else does: the session of the change, and the folder.
    Renames that a kill interrupted are finished first. ``lines`` are what the block records.

    Raises:
        HTTPException: 404, there is no such edition.
    """
    folder = find_edition_folder(page, edition)
    with page.state.write_session() as session, lock_edition(page.state.workspace, session, edition):
        finish_moves(folder)
        with announce_acts(page.state.workspace, lines, [folder / STORIES_FOLDER]):
            yield session, folder
            session.commit()


def move_story(page: StudioPage, edition: str, slug: str, *, before: str = "", after: str = "") -> None:
    """Put a story directly before or after another one.

    Raises:
        StoryOrderError: one of them is gone, or there is no room.
        OSError: a file cannot be renamed; the order is as before.
    """
    line = make_line(page, Act.moved_story, edition=edition, subject=slug)
    with change_stories(page, edition, line) as (session, folder):
        stories = list_numbered_stories(folder)
        if after:
            others = [story.slug for story in stories if story.slug != slug]
            following = others[others.index(after) + 1 :] if after in others else []
            before = following[0] if following else ""
        moves = plan_story_move(stories, slug, before=before)
        apply_moves(folder, moves)
        _record_moves(page, session, edition, folder, moves)
        if moves:
            record_line(session, line)


def add_story(page: StudioPage, edition: str, slug: str, title: str, *, sector: str, kind: str) -> None:
    """Add a story at the end of an edition.

    Raises:
        StoryOrderError: there is a story with this slug already, or there are too many.
        EditionFileError: its file cannot be written.
        OSError: there is no room for its number, and others cannot be renamed.
    """
    text = change_front_matter(
        _EMPTY_STORY,
        {"title": title, "sector": sector, "kind": kind if kind != "story" else None},
    )
    line = make_line(page, Act.added_story, edition=edition, subject=slug)
    with change_stories(page, edition, line) as (session, folder):
        name, moves = plan_new_story(list_numbered_stories(folder), slug)
        apply_moves(folder, moves)
        _record_moves(page, session, edition, folder, moves)
        try:
            replace_file(folder, name, encode_text(text), expected=None)
        except FileChangedError as error:
            raise StoryOrderError(slug, "taken-slug", f"there is a file {name} already.") from error
        _record(page, session, edition, RevisionKind.added, [RevisedFile(name=name, text=text)])
        record_line(session, line)


def remove_story(page: StudioPage, edition: str, slug: str) -> None:
    """Remove a story with its translations, after all of its texts are in the history.

    Raises:
        HTTPException: 404, there is no such story.
        EditionFileError: one of its files cannot be read, so that nobody could bring it back; nothing is
            removed.
        FileNotWrittenError: a file cannot be deleted; those that could be are in the history.
    """
    with change_stories(page, edition) as (_, folder):
        if all(story.slug != slug for story in list_numbered_stories(folder)):
            raise HTTPException(404)
        # The original, which goes last.
        file = folder / list_story_names(folder, slug)[0]
    line = make_line(page, Act.removed_story, edition=edition, subject=slug)
    with announced_session(page, [line], file) as session:
        remove_all_texts(page.state.workspace, session, edition, slug, member=page.member, now=line.at)
        record_line(session, line)


def _record_moves(
    page: StudioPage, session: Session, edition: str, folder: Path, moves: Sequence[FileMove]
) -> None:
    files = []
    for name in dict.fromkeys(move.new for move in moves):
        try:
            file = read_edition_file(folder, name)
        except EditionFileError:
            continue
        files.append(RevisedFile(name=name, text=file.text))
    if files:
        _record(page, session, edition, RevisionKind.moved, files)


def _record(
    page: StudioPage, session: Session, edition: str, kind: RevisionKind, files: Sequence[RevisedFile]
) -> None:
    record_change(session, edition, kind, files, member=page.member, now=page.state.clock())


MAX_TITLE = 300
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_MAX_SLUG = 80
_NO_TITLE = gettext_noop("Enter the story’s heading.")
_TAKEN = gettext_noop(
    "There is a story with the name %(slug)s in this edition already. Enter another name, such as %(free)s."
)
_BAD_NAME = gettext_noop("Write the name in small letters a to z, digits and hyphens, such as youth-forum.")
_FULL = gettext_noop("An edition has room for 999 stories. Begin another edition.")
_NOT_WRITTEN = gettext_noop("The story could not be added: %(why)s")
_GONE = gettext_noop("Somebody has removed that story. This is the edition as it is now.")
_TWICE = gettext_noop("Two stories have the name %(slug)s. Rename the file of one of them first.")
_NOT_MOVED = gettext_noop("The story could not be moved (%(why)s). The order is as it was.")
_NOT_REMOVED = gettext_noop("The story was not removed: %(why)s")


def move_card(edition: str, story: str, form: OwnFormDep, page: PageDep) -> Response:
    """Move a story up, down, or to a place in its section."""
    sections = view_edition(page, edition).sections
    slugs = next(
        (found for found in ([card.slug for card in one.cards] for one in sections) if story in found), []
    )
    if not slugs:
        return _refuse(page, edition, page.translator.translate(_GONE))
    place, others = slugs.index(story), [slug for slug in slugs if slug != story]
    way, target = form.get("to"), form.get("before")
    try:
        if way == "up" and place > 0:
            move_story(page, edition, story, before=others[place - 1])
        elif way == "down" and place < len(others):
            move_story(page, edition, story, after=others[place])
        elif way == "place" and target in others:
            move_story(page, edition, story, before=target)
        elif way == "place" and others and not target:
            move_story(page, edition, story, after=others[-1])
    except StoryOrderError as error:
        return _refuse(page, edition, _explain_order(page, error))
    except OSError as error:
        return _refuse(page, edition, page.translator.translate(_NOT_MOVED, why=error.strerror or str(error)))
    return RedirectResponse(page.make_path(f"/editions/{edition}", moved=story) + f"#story-{story}", 303)


def remove_card(edition: str, story: str, page: PageDep) -> Response:
    """Remove a story. Its history stays, and brings it back."""
    try:
        remove_story(page, edition, story)
    except (EditionFileError, OSError) as error:
        why = _translate_error(page, error)
        return _refuse(page, edition, page.translator.translate(_NOT_REMOVED, why=why))
    return page.redirect(f"/editions/{edition}", Notice.story_removed, removed=story)


def show_new_story(edition: str, page: PageDep) -> Response:
    """Show the form of a new story."""
    return _render_form(page, edition, Form(), [])


def create_story(edition: str, form: OwnFormDep, page: PageDep) -> Response:
    """Add a story and go on to write it."""
    title = " ".join(form.get("title").split())[:MAX_TITLE]
    slug = form.get("slug").strip() or make_slug(title, fallback="story")
    if not title:
        return _render_form(page, edition, form, [("title", page.translator.translate(_NO_TITLE))])
    if not _SLUG.fullmatch(slug) or len(slug) > _MAX_SLUG:
        return _render_form(page, edition, form, [("slug", page.translator.translate(_BAD_NAME))])
    sector = form.get("sector") if form.get("sector") in page.settings.sectors else ""
    kind = form.get("kind") if form.get("kind") in list(StoryKind) else StoryKind.story.value
    try:
        add_story(page, edition, slug, title, sector=sector, kind=kind)
    except StoryOrderError as error:
        return _render_form(page, edition, form, [("slug", _explain_order(page, error))], slug=slug)
    except (EditionFileError, OSError) as error:
        words = page.translator.translate(_NOT_WRITTEN, why=_translate_error(page, error))
        return _render_form(page, edition, form, [("", words)])
    return page.redirect(f"/editions/{edition}/stories/{slug}")


def _render_form(
    page: StudioPage, edition: str, form: Form, errors: list[tuple[str, str]], *, slug: str = ""
) -> Response:
    find_edition_folder(page, edition)
    return page.render(
        "new_story.html",
        status=422 if errors else 200,
        section="editions",
        edition=edition,
        errors=errors,
        wrong=dict(errors),
        values={name: form.get(name) for name in ("title", "sector", "kind")}
        | {"slug": slug or form.get("slug")},
        sectors=list_sectors(page.translator, page.settings),
        kinds=[(kind.value, *words) for kind, words in KIND_WORDS.items()],
    )


def _explain_order(page: StudioPage, error: StoryOrderError) -> str:
    words = {
        "duplicate-slug": _TWICE,
        "taken-slug": _TAKEN,
        "too-many-stories": _FULL,
        "no-story": _GONE,
    }[error.code]
    values = {"slug": error.slug, "free": f"{error.slug}-2"}
    return page.translator.translate(words, **values)


def _translate_error(page: StudioPage, error: EditionFileError | OSError) -> str:
    if isinstance(error, EditionFileError):
        return page.translator.translate(error.message, **error.values)
    return error.strerror or str(error)


def _refuse(page: StudioPage, edition: str, words: str) -> Response:
    return render_edition(page, view_edition(page, edition), errors=[("", words)])
