"""What people do with comments: writing, replying, changing, deleting, resolving and reopening."""

from collections.abc import Callable
from dataclasses import replace

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from mailer.comments.errors import CommentError, CommentGoneError
from mailer.comments.mentions import mark_read
from mailer.comments.passages import MAX_QUOTE_LENGTH, Anchor, anchor_passage, list_passages
from mailer.comments.story_path import make_story_path
from mailer.comments.thread_list import find_thread_place
from mailer.comments.threads import (
    begin_thread,
    delete_comment,
    edit_comment,
    reopen_thread,
    reply,
    resolve_thread,
)
from mailer.i18n import gettext_noop
from mailer.team.members import Permission
from mailer.web.forms import Form, OwnFormDep
from mailer.web.routing import POST
from mailer.web.studio.comments.comment_form import (
    CommentForm,
    new_request,
    read_comment_form,
)
from mailer.web.studio.comments.comment_pages import render_comments
from mailer.web.studio.comments.story import CommentedText, find_story
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from mailer.web.studio.story_place import find_edition_folder

_NOT_A_PASSAGE = gettext_noop(
    "These words are not in the story. Copy the passage as it stands there, or leave this empty to comment "
    "on the whole story."
)
_LONG_PASSAGE = gettext_noop("A passage may have up to 1,000 characters. Choose a shorter one.")


def post_story_comment(edition: str, story: str, page: PageDep, form: OwnFormDep) -> Response:
    """Comment on a story."""
    return _begin(page, edition, story, form)


def post_letter_comment(edition: str, page: PageDep, form: OwnFormDep) -> Response:
    """Comment on the letter."""
    return _begin(page, edition, "", form)


def _begin(page: StudioPage, edition: str, story: str, form: Form) -> Response:
    text = find_story(page, edition, story, form.get("language"))
    if text.passages is None:
        raise HTTPException(404)
    sent = read_comment_form(form, "new")
    anchor, problem = _find_anchor(text, sent.quote)
    if problem:
        return _refuse(page, text, sent, "new-quote", problem)
    try:
        with page.state.write_session() as session:
            thread = begin_thread(
                session,
                page.member,
                sent.text,
                place=text.place,
                anchor=anchor,
                mentioned=sent.mentioned,
                request=sent.request or new_request(),
                now=page.state.clock(),
            )
    except CommentError as error:
        return _refuse(page, text, sent, "new-text", str(error))
    page.state.sign_in_mailer.wake()
    return _go_back(page, edition, story, f"thread-{thread}", Notice.commented)


def post_reply(edition: str, thread: str, page: PageDep, form: OwnFormDep) -> Response:
    """Reply to a comment. If it was deleted meanwhile, what was written becomes a new one."""
    number, place = _find_thread(page, edition, thread, form)
    sent = read_comment_form(form, f"reply-{number}")

    def write(session: Session) -> None:
        reply(
            session,
            page.member,
            number,
            sent.text,
            mentioned=sent.mentioned,
            request=sent.request or new_request(),
            now=page.state.clock(),
        )

    failed = _write(page, edition, place, sent, write)
    return failed or _go_back(page, edition, place, f"thread-{number}", Notice.commented)


def post_edit(edition: str, thread: str, comment: str, page: PageDep, form: OwnFormDep) -> Response:
    """Change a comment of one's own."""
    number, place = _find_thread(page, edition, thread, form)
    sent = read_comment_form(form, f"edit-{_read_number(comment)}")

    def write(session: Session) -> None:
        edit_comment(
            session,
            page.member,
            _read_number(comment),
            sent.text,
            mentioned=sent.mentioned,
            now=page.state.clock(),
        )

    failed = _write(page, edition, place, sent, write)
    return failed or _go_back(page, edition, place, f"thread-{number}", Notice.comment_changed)


def _write(
    page: StudioPage, edition: str, place: str, sent: CommentForm, write: Callable[[Session], None]
) -> Response | None:
    """Write what was sent into a thread, and wake the worker that mails; the answer if that cannot be."""
    try:
        with page.state.write_session() as session:
            write(session)
    except CommentGoneError as error:
        return _keep_text(page, edition, place, sent, error)
    except CommentError as error:
        return _refuse(page, find_story(page, edition, place), sent, f"{sent.name}-text", str(error))
    page.state.sign_in_mailer.wake()
    return None


def post_delete(edition: str, thread: str, comment: str, page: PageDep, form: OwnFormDep) -> Response:
    """Delete a comment of one's own."""
    _, place = _find_thread(page, edition, thread, form)
    try:
        with page.state.write_session() as session:
            delete_comment(session, page.member, _read_number(comment), now=page.state.clock())
    except CommentError as error:
        raise HTTPException(403) from error
    return _go_back(page, edition, place, "comments", Notice.comment_deleted)


def post_resolve(edition: str, thread: str, page: PageDep, form: OwnFormDep) -> Response:
    """Say that what a thread is about is done."""

    def resolve(session: Session, number: int) -> None:
        resolve_thread(session, page.member, number, now=page.state.clock())

    return _change(page, edition, thread, form, resolve, Notice.comment_resolved)


def post_reopen(edition: str, thread: str, page: PageDep, form: OwnFormDep) -> Response:
    """Say that what a thread is about is not done after all."""

    def reopen(session: Session, number: int) -> None:
        reopen_thread(session, page.member, number, now=page.state.clock())

    return _change(page, edition, thread, form, reopen, Notice.comment_reopened)


def post_read(edition: str, thread: str, page: PageDep, form: OwnFormDep) -> Response:
    """Say that one has read what a thread says to one."""

    def note(session: Session, number: int) -> None:
        mark_read(session, number, page.member.id, now=page.state.clock())

    return _change(page, edition, thread, form, note, None)


def _change(
    page: StudioPage,
    edition: str,
    thread: str,
    form: Form,
    act: Callable[[Session, int], None],
    notice: Notice | None,
) -> Response:
    number, place = _find_thread(page, edition, thread, form)
    try:
        with page.state.write_session() as session:
            act(session, number)
    except CommentGoneError:
        notice = Notice.comment_gone
    return _go_back(page, edition, place, f"thread-{number}", notice)


def _find_thread(page: StudioPage, edition: str, thread: str, form: Form) -> tuple[int, str]:
    """The number of the thread that a path names, and its story; of one that was deleted, the story that the
    form names.

    Raises:
        HTTPException: 404, there is neither.
    """
    find_edition_folder(page, edition)
    number = _read_number(thread)
    with page.state.read_session() as session:
        place = find_thread_place(session, edition, number)
    if place is None:
        story = dict(form.fields).get("story")
        if story is None:
            raise HTTPException(404)
        place = find_story(page, edition, story).place.story
    return number, place


def _read_number(text: str) -> int:
    number = read_row_number(text)
    if number is None:
        raise HTTPException(404)
    return number


def _find_anchor(text: CommentedText, quote: str) -> tuple[Anchor | None, str]:
    """The passage that ``quote`` is, and what is wrong with it."""
    if not quote.strip():
        return None, ""
    if len(quote) > MAX_QUOTE_LENGTH:
        return None, _LONG_PASSAGE
    passages = text.passages or ()
    # What is copied from the Markdown has signs that readers do not see.
    anchor = anchor_passage(passages, quote) or anchor_passage(passages, " ".join(list_passages((), quote)))
    return anchor, "" if anchor is not None else _NOT_A_PASSAGE


def _refuse(
    page: StudioPage, text: CommentedText, sent: CommentForm, field: str, problem: str, *, status: int = 422
) -> Response:
    errors = ((field, page.translator.translate(problem)),)
    return render_comments(page, text, replace(sent, errors=errors), status=status)


def _keep_text(
    page: StudioPage, edition: str, story: str, sent: CommentForm, error: CommentGoneError
) -> Response:
    """Show what was written in the form of a new comment."""
    text = find_story(page, edition, story)
    return _refuse(page, text, replace(sent, name="new", request=""), "new-text", str(error), status=409)


def _go_back(page: StudioPage, edition: str, story: str, place: str, notice: Notice | None) -> Response:
    path = page.make_path(make_story_path(edition, story), notice)
    return RedirectResponse(f"{path}#{place}", status_code=303)


_THREAD = "/editions/{edition}/comments/{thread}"
ROUTES = (
    StudioRoute("/editions/{edition}/stories/{story}/comments", post_story_comment, POST, Permission.comment),
    StudioRoute("/editions/{edition}/letter/comments", post_letter_comment, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/reply", post_reply, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/resolve", post_resolve, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/reopen", post_reopen, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/read", post_read, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/{{comment}}/edit", post_edit, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/{{comment}}/delete", post_delete, POST, Permission.comment),
)
