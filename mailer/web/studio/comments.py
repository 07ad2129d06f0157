"""Comments on stories: their pages and acts."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from editions.source.front_matter import read_front_matter
from editions.source.text_file import TextFile
from locales.languages import language_name
from mailer.comments.mentions import list_mentions, make_comments_path, mark_read
from mailer.comments.thread_list import (
    MAX_QUOTE_LENGTH,
    Anchor,
    ShownThread,
    anchor_passage,
    find_passage,
    find_thread_place,
    list_commented_stories,
    list_passages,
    list_threads,
)
from mailer.comments.threads import (
    CommentError,
    CommentGoneError,
    DiscussedStory,
    begin_thread,
    delete_comment,
    edit_comment,
    reopen_thread,
    reply,
    resolve_thread,
)
from mailer.i18n import gettext_noop
from mailer.revisions.edition_file import EditionFileError, FilePlace, find_file_name, read_edition_file
from mailer.team.members import Permission, list_members
from mailer.web.forms import Form, OwnFormDep
from mailer.web.routing import GET, POST
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from mailer.web.studio.story_place import find_edition_folder
from mailer.web.studio.waiting_item import WaitingItem, WaitingSource

_STORY_TITLES = (("title",), ("lead",))
_LETTER_TITLES = (("letter", "title"), ("title",))


@dataclass(frozen=True, kw_only=True)
class CommentedText:
    """A story with its threads. ``passages`` is its text in the language of ``place``, block by block, or
    None if the story was removed or cannot be read."""

    place: DiscussedStory
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
        place=DiscussedStory(edition=edition, story=story, title=title, language=language),
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


@dataclass(frozen=True, kw_only=True)
class CommentForm:
    """What was sent, or what a form begins with. ``name`` tells the forms of a page apart: ``new``,
    ``reply-12`` or ``edit-5``. ``mentioned`` are the numbers of members who were picked. ``errors`` are pairs
    of a field's id and words."""

    name: str = ""
    text: str = ""
    quote: str = ""
    mentioned: frozenset[int] = frozenset()
    request: str = ""
    errors: tuple[tuple[str, str], ...] = ()


def read_comment_form(form: Form, name: str) -> CommentForm:
    """Read the form called ``name``."""
    picked = (value for key, value in form.fields if key == "mention")
    return CommentForm(
        name=name,
        text=form.get("text"),
        quote=form.get("quote"),
        mentioned=frozenset(number for value in picked if (number := read_row_number(value)) is not None),
        request=form.get("request")[:64],
    )


def new_request() -> str:
    """A random number for a form, by which a second click is known."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True, kw_only=True)
class ThreadView:
    """A thread as the panel shows it. ``is_found`` is whether the passage it is about is still in the text;
    ``waits_for_me`` whether it mentions who looks at it."""

    thread: ShownThread
    is_found: bool
    language: str
    waits_for_me: bool


def show_story_comments(edition: str, story: str, page: PageDep) -> Response:
    """Show the comments on a story."""
    return _show(page, edition, story)


def show_letter_comments(edition: str, page: PageDep) -> Response:
    """Show the comments on the letter."""
    return _show(page, edition, "")


def show_edition_comments(edition: str, page: PageDep) -> Response:
    """Show which stories of an edition have comments, also those that were removed."""
    find_edition_folder(page, edition)
    with page.state.read_session() as session:
        stories = list_commented_stories(session, edition)
    listed = [(one, page.make_path(make_comments_path(edition, one.story))) for one in stories]
    return page.render("edition_comments.html", section="editions", edition=edition, stories=listed)


def _show(page: StudioPage, edition: str, story: str) -> Response:
    language = page.request.query_params.get("language", "")
    text = find_story(page, edition, story, language)
    return render_comments(page, text, _begin_form(page, text))


def _begin_form(page: StudioPage, text: CommentedText) -> CommentForm:
    """The form to change a comment of one's own, if ``?edit=`` names one."""
    wanted = read_row_number(page.request.query_params.get("edit", ""))
    for thread in text.threads:
        for comment in thread.comments:
            is_own = comment.member_id == page.member.id and not comment.is_deleted
            if comment.id == wanted and is_own:
                return CommentForm(name=f"edit-{comment.id}", text=comment.text)
    return CommentForm()


def render_comments(
    page: StudioPage, text: CommentedText, form: CommentForm, *, status: int = 200
) -> Response:
    """Render the comments on a story, with what is being written in ``form``."""
    with page.state.read_session() as session:
        members = [member for member in list_members(session) if member.id != page.member.id]
    views = _view_threads(page, text)
    place = text.place
    return page.render(
        "comments_panel.html" if page.is_fragment else "comments.html",
        status=status,
        section="editions",
        is_fragment=page.is_fragment,
        place=place,
        is_removed=text.passages is None,
        open_threads=[view for view in views if view.thread.resolved_at is None],
        resolved_threads=[view for view in views if view.thread.resolved_at is not None],
        members=members,
        form=form if form.request else replace(form, request=new_request()),
        here=page.make_path(make_comments_path(place.edition, place.story)),
        story_path=page.make_path(make_comments_path(place.edition, place.story).removesuffix("/comments")),
        acts=page.make_path(f"/editions/{place.edition}/comments"),
        new_request=new_request,
    )


def _view_threads(page: StudioPage, text: CommentedText) -> Sequence[ThreadView]:
    passages = {text.place.language: text.passages or ()}
    views = []
    for thread in text.threads:
        if thread.language not in passages:
            passages[thread.language] = read_passages(
                page, text.place.edition, text.place.story, thread.language
            )
        anchor = thread.anchor
        views.append(
            ThreadView(
                thread=thread,
                is_found=anchor is None or find_passage(passages[thread.language], anchor) is not None,
                language=language_name(thread.language) if thread.language else "",
                waits_for_me=page.member.id in thread.waits_for,
            )
        )
    return views


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
    path = page.make_path(make_comments_path(edition, story), notice)
    return RedirectResponse(f"{path}#{place}", status_code=303)


_THREAD = "/editions/{edition}/comments/{thread}"

_MAX_QUOTED = 120
_MAX_MENTIONS = 20


def _list_mentions(page: StudioPage) -> Iterator[WaitingItem]:
    """Comments that speak to them, which they have neither answered nor marked as read."""
    with page.state.read_session() as session:
        mentions = list_mentions(session, page.member, limit=_MAX_MENTIONS)
    translate = page.translator.translate
    for one in mentions:
        yield WaitingItem(
            title=_shorten(one.text),
            words=translate(gettext_noop("%(name)s wrote to you"), name=one.author),
            act=translate(gettext_noop("Answer the comment")),
            path=f"{make_comments_path(one.edition, one.story)}#thread-{one.thread_id}",
            detail=f"{one.edition} · {one.story}" if one.story else one.edition,
        )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_QUOTED else f"{line[: _MAX_QUOTED - 1]}…"


WAITING_MENTIONS = WaitingSource(
    name=gettext_noop("Comments"), permission=Permission.read, list_items=_list_mentions
)


ROUTES = (
    StudioRoute("/editions/{edition}/comments", show_edition_comments, GET, Permission.read),
    StudioRoute("/editions/{edition}/stories/{story}/comments", show_story_comments, GET, Permission.read),
    StudioRoute("/editions/{edition}/letter/comments", show_letter_comments, GET, Permission.read),
    StudioRoute("/editions/{edition}/stories/{story}/comments", post_story_comment, POST, Permission.comment),
    StudioRoute("/editions/{edition}/letter/comments", post_letter_comment, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/reply", post_reply, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/resolve", post_resolve, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/reopen", post_reopen, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/read", post_read, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/{{comment}}/edit", post_edit, POST, Permission.comment),
    StudioRoute(f"{_THREAD}/{{comment}}/delete", post_delete, POST, Permission.comment),
)
