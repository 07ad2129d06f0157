"""Comments on stories: their pages and acts."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

from fastapi import Depends
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
from mailer.web.studio.notices import Notice
from mailer.web.studio.page import StudioPage, depend_on_number, or_404, read_row_number
from mailer.web.studio.routing import Routes
from mailer.web.studio.story_place import EditionPage, EditionPageDep
from mailer.web.studio.waiting_item import WaitingItem

ROUTES = Routes()
_STORY_TITLES = (("title",), ("lead",))
_LETTER_TITLES = (("letter", "title"), ("title",))
_MAX_QUOTED = 120
_MAX_MENTIONS = 20
_NOT_A_PASSAGE = gettext_noop(
    "These words are not in the story. Copy the passage as it stands there, or leave this empty to comment "
    "on the whole story."
)
_LONG_PASSAGE = gettext_noop("A passage may have up to 1,000 characters. Choose a shorter one.")
CommentNumber = Annotated[int, depend_on_number("comment")]
_THREAD = "/editions/{edition}/comments/{thread}"


@dataclass(frozen=True, kw_only=True)
class CommentsPage(EditionPage):
    """A request about the comments on a story, or on the letter ("") or a translation. ``passages`` is its
    text, block by block, or None if the story was removed or cannot be read."""

    story: str
    language: str
    title: str
    threads: Sequence[ShownThread]
    passages: Sequence[str] | None

    @property
    def path(self) -> str:
        return make_comments_path(self.edition, self.story)

    @property
    def story_path(self) -> str:
        return self.path.removesuffix("/comments")


def _open_comments(page: EditionPage, story: str, language: str = "") -> CommentsPage:
    """Find a story, "" for the letter, or answer 404. A removed one is found while it has comments."""
    threads = list_threads(page.session, page.edition, story)
    read = _read_text(page, story, language)
    or_404(read is not None or (bool(threads) and not language))
    title, passages = read or (threads[-1].row.title or story or page.edition, None)
    return page.about(
        CommentsPage,
        story=story,
        language=language,
        title=title,
        threads=threads,
        passages=passages,
    )


def _read_text(page: EditionPage, story: str, language: str) -> tuple[str, Sequence[str]] | None:
    """Return the title and the passages of a text; None if it is not there or cannot be read."""
    try:
        name = find_file_name(page.folder, FilePlace(story=story, language=language))
        file = read_edition_file(page.folder, name) if name is not None else None
    except (EditionFileError, OSError, ValueError):
        return None
    if file is None:
        return None
    front, _ = read_front_matter(TextFile(name=file.name, text=file.text))
    titles = [text for path in (_STORY_TITLES if story else _LETTER_TITLES) if (text := front.text(*path))]
    return (titles[0] if titles else story or page.edition), list_passages(titles, front.body)


@dataclass(frozen=True, kw_only=True)
class CommentForm:
    """What was sent, or what a form begins with. ``name`` tells the forms of a page apart: ``new``,
    ``reply-12`` or ``edit-5``. ``mentioned`` are the numbers of members who were picked. ``request`` is a
    random number by which a second click is known. ``errors`` are pairs of a field's id and words."""

    name: str = ""
    text: str = ""
    quote: str = ""
    mentioned: frozenset[int] = frozenset()
    request: str = ""
    errors: tuple[tuple[str, str], ...] = ()


def _read_form(form: Form, name: str) -> CommentForm:
    picked = (read_row_number(value) for key, value in form.fields if key == "mention")
    return CommentForm(
        name=name,
        text=form.get("text"),
        quote=form.get("quote"),
        mentioned=frozenset(number for number in picked if number is not None),
        request=form.get("request")[:64] or _new_request(),
    )


def _new_request() -> str:
    return secrets.token_urlsafe(16)


@ROUTES.get_route("/editions/{edition}/comments", Permission.read)
def show_edition_comments(page: EditionPageDep) -> Response:
    stories = list_commented_stories(page.session, page.edition)
    return page.render("edition_comments.html", stories=stories, make_comments_path=make_comments_path)


@ROUTES.get_route("/editions/{edition}/letter/comments", Permission.read)
@ROUTES.get_route("/editions/{edition}/stories/{story}/comments", Permission.read)
def show_comments(page: EditionPageDep) -> Response:
    """Show the comments on a story or the letter, and the form to change one's own that ``?edit=`` names."""
    query = page.request.query_params
    opened = _open_comments(page, page.request.path_params.get("story", ""), query.get("language", ""))
    wanted = read_row_number(query.get("edit", ""))
    form = CommentForm()
    for comment in (one for thread in opened.threads for one in thread.comments):
        if comment.id == wanted and comment.member_id == page.member.id and comment.deleted_at is None:
            form = CommentForm(name=f"edit-{comment.id}", text=comment.text, request=_new_request())
    return _render(opened, form)


def _render(page: CommentsPage, form: CommentForm, *, status: int = 200) -> Response:
    passages = {page.language: page.passages or ()}
    found = set()
    for thread in page.threads:
        language = thread.row.language
        if language not in passages:
            read = _read_text(page, page.story, language)
            passages[language] = read[1] if read is not None else ()
        if thread.anchor is None or find_passage(passages[language], thread.anchor) is not None:
            found.add(thread.id)
    return page.render(
        "comments_panel.html" if page.is_fragment else "comments.html",
        status=status,
        found=found,
        members=[member for member in list_members(page.session) if member.id != page.member.id],
        form=form,
        new_request=_new_request,
        language_name=language_name,
    )


@ROUTES.post_route("/editions/{edition}/letter/comments", Permission.comment)
@ROUTES.post_route("/editions/{edition}/stories/{story}/comments", Permission.comment)
def post_comment(page: EditionPageDep, form: OwnFormDep) -> Response:
    opened = _open_comments(page, page.request.path_params.get("story", ""), form.get("language"))
    sent = _read_form(form, "new")
    anchor, problem = _find_anchor(or_404(opened.passages), sent.quote)
    if problem:
        return _refuse(opened, sent, "new-quote", problem)
    try:
        with page.writing() as session:
            thread = begin_thread(
                session,
                page.member,
                sent.text,
                edition=page.edition,
                story=opened.story,
                title=opened.title,
                language=opened.language,
                anchor=anchor,
                mentioned=sent.mentioned,
                request=sent.request,
                now=page.state.clock(),
            )
    except CommentError as error:
        return _refuse(opened, sent, "new-text", str(error))
    page.state.sign_in_mailer.wake()
    return _go_back(page, opened.story, f"thread-{thread}", Notice.commented)


def _find_anchor(passages: Sequence[str], quote: str) -> tuple[Anchor | None, str]:
    if not quote.strip():
        return None, ""
    if len(quote) > MAX_QUOTE_LENGTH:
        return None, _LONG_PASSAGE
    # What is copied from the Markdown has signs that readers do not see.
    anchor = anchor_passage(passages, quote) or anchor_passage(passages, " ".join(list_passages((), quote)))
    return anchor, "" if anchor is not None else _NOT_A_PASSAGE


@dataclass(frozen=True, kw_only=True)
class ThreadPage(EditionPage):
    """A request about a thread of comments on a story, which may be deleted."""

    thread: int
    story: str


def _open_thread(
    page: EditionPageDep, thread: Annotated[int, depend_on_number("thread")], form: OwnFormDep
) -> ThreadPage:
    with page.state.read_session() as session:
        story = find_thread_place(session, page.edition, thread)
    if story is None:
        # Of a thread that was deleted, the form names the story.
        story = or_404(dict(form.fields).get("story"))
        try:
            _open_comments(page, story)
        finally:
            page.end_reading()
    return page.about(ThreadPage, thread=thread, story=story)


ThreadPageDep = Annotated[ThreadPage, Depends(_open_thread)]


@ROUTES.post_route(f"{_THREAD}/reply", Permission.comment)
def post_reply(page: ThreadPageDep, form: OwnFormDep) -> Response:
    """Reply to a comment. If it was deleted meanwhile, what was written becomes a new one."""
    sent = _read_form(form, f"reply-{page.thread}")
    return _write(page, sent, partial(reply, request=sent.request), page.thread, Notice.commented)


@ROUTES.post_route(f"{_THREAD}/{{comment}}/edit", Permission.comment)
def post_edit(page: ThreadPageDep, comment: CommentNumber, form: OwnFormDep) -> Response:
    sent = _read_form(form, f"edit-{comment}")
    return _write(page, sent, edit_comment, comment, Notice.comment_changed)


def _write(
    page: ThreadPage, sent: CommentForm, write: Callable[..., None], number: int, notice: Notice
) -> Response:
    """Write what was sent, by ``write``, as the thread or the comment with this number takes it."""
    now = page.state.clock()
    try:
        with page.writing() as session:
            write(session, page.member, number, sent.text, mentioned=sent.mentioned, now=now)
    except CommentGoneError as error:
        # What was written is shown in the form of a new comment.
        kept = replace(sent, name="new", request=_new_request())
        return _refuse(_open_comments(page, page.story), kept, "new-text", str(error), status=409)
    except CommentError as error:
        return _refuse(_open_comments(page, page.story), sent, f"{sent.name}-text", str(error))
    page.state.sign_in_mailer.wake()
    return _go_back(page, page.story, f"thread-{page.thread}", notice)


@ROUTES.post_route(f"{_THREAD}/{{comment}}/delete", Permission.comment)
def post_delete(page: ThreadPageDep, comment: CommentNumber) -> Response:
    try:
        with page.writing() as session:
            delete_comment(session, page.member, comment, now=page.state.clock())
    except CommentError as error:
        raise HTTPException(403) from error
    return _go_back(page, page.story, "comments", Notice.comment_deleted)


@ROUTES.post_route(f"{_THREAD}/resolve", Permission.comment)
def post_resolve(page: ThreadPageDep) -> Response:
    return _settle(page, resolve_thread, Notice.comment_resolved)


@ROUTES.post_route(f"{_THREAD}/reopen", Permission.comment)
def post_reopen(page: ThreadPageDep) -> Response:
    return _settle(page, reopen_thread, Notice.comment_reopened)


def _settle(page: ThreadPage, act: Callable[..., None], notice: Notice) -> Response:
    try:
        with page.writing() as session:
            act(session, page.member, page.thread, now=page.state.clock())
    except CommentGoneError:
        notice = Notice.comment_gone
    return _go_back(page, page.story, f"thread-{page.thread}", notice)


@ROUTES.post_route(f"{_THREAD}/read", Permission.comment)
def post_read(page: ThreadPageDep) -> Response:
    """Say that one has read what a thread says to one."""
    with page.writing() as session:
        mark_read(session, page.thread, page.member.id, now=page.state.clock())
    return _go_back(page, page.story, f"thread-{page.thread}")


def _refuse(
    page: CommentsPage, sent: CommentForm, field: str, problem: str, *, status: int = 422
) -> Response:
    return _render(page, replace(sent, errors=((field, page.translate(problem)),)), status=status)


def _go_back(page: EditionPage, story: str, place: str, notice: Notice | None = None) -> Response:
    path = page.make_path(make_comments_path(page.edition, story), notice)
    return RedirectResponse(f"{path}#{place}", status_code=303)


def list_mention_items(page: StudioPage) -> Iterator[WaitingItem]:
    """Comments that speak to them, which they have neither answered nor marked as read."""
    for thread, comment, author in list_mentions(page.session, page.member, limit=_MAX_MENTIONS):
        yield WaitingItem(
            title=_shorten(comment.text),
            words=page.translate(gettext_noop("%(name)s wrote to you"), name=author),
            act=page.translate(gettext_noop("Answer the comment")),
            path=f"{make_comments_path(thread.edition, thread.story)}#thread-{thread.id}",
            detail=f"{thread.edition} · {thread.story}" if thread.story else thread.edition,
        )


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_QUOTED else f"{line[: _MAX_QUOTED - 1]}…"
