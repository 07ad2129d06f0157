"""Showing comments: those on a story, as a page or as the panel beside it, and those of a whole edition."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from locales.languages import language_name
from mailer.comments.passages import find_passage
from mailer.comments.story_path import make_story_path
from mailer.comments.thread_list import ShownThread, list_commented_stories
from mailer.team.members import Permission, list_members
from mailer.web.routing import GET
from mailer.web.studio.comments.comment_form import CommentForm, new_request
from mailer.web.studio.comments.story import CommentedText, find_story, read_passages
from mailer.web.studio.page import PageDep, StudioPage
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.row_number import read_row_number
from mailer.web.studio.story_place import find_edition_folder


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
    listed = [(one, page.make_path(make_story_path(edition, one.story))) for one in stories]
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
        here=page.make_path(make_story_path(place.edition, place.story)),
        story_path=page.make_path(make_story_path(place.edition, place.story).removesuffix("/comments")),
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


ROUTES = (
    StudioRoute("/editions/{edition}/comments", show_edition_comments, GET, Permission.read),
    StudioRoute("/editions/{edition}/stories/{story}/comments", show_story_comments, GET, Permission.read),
    StudioRoute("/editions/{edition}/letter/comments", show_letter_comments, GET, Permission.read),
)
